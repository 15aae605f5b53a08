//! Three brokers that each keep the stream: its leader changes, they are restarted in turn, killed, hung, and two of them at
//! once, so that nobody may store anything. What was stored is counted once, and alert events alternate.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::outbox::{stored, walk};
use super::support::{Nats, event, free_port, server_programs, wait_at_most};

/// The longest a cluster takes to choose who leads, and all that follows from it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Queues with an alert each.
const QUEUES: u64 = 10;

const RULES: &str = "groups: [{name: g, interval: 200ms, rules: [\
    {alert: Waits, expr: \"sum by (queue) (queue_depth)\", above: 0, labels: {severity: critical}}]}]";

/// What happens to the brokers.
type Fault = fn(&mut Brokers);

/// Three servers of one cluster.
struct Brokers {
    servers: Vec<Nats>,
    /// Events stored so far.
    events: u64,
}

impl Brokers {
    fn start(program: &Path) -> Self {
        let routes = [free_port(), free_port(), free_port()];
        let all = routes.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        let server = |number: usize| {
            let own = routes[number];
            let more = format!(
                "server_name: n{number}\n\
                 cluster {{ name: c, listen: 127.0.0.1:{own}, routes: [{all}] }}\n\
                 lame_duck_duration: 30s\nlame_duck_grace_period: 1s\n"
            );
            Nats::start_with(program, &more)
        };
        let brokers = Self { servers: (0..3).map(server).collect(), events: 0 };
        let stream = json!({
            "name": "EVENTS", "subjects": ["events.>"], "storage": "file", "num_replicas": 3,
        });
        wait_at_most(PATIENCE, "the stream", || {
            let answer = brokers.ask("STREAM.CREATE.EVENTS", &stream.to_string()).ok()?;
            answer.contains("\"did_create\":true").then_some(())
        });
        brokers
    }

    fn url(&self) -> String {
        self.servers.iter().map(Nats::url).collect::<Vec<_>>().join(",")
    }

    /// Who leads the stream.
    fn leader(&self) -> usize {
        wait_at_most(PATIENCE, "a leader", || {
            let answer = self.ask("STREAM.INFO.EVENTS", "").ok()?;
            let (_, rest) = answer.split_once("\"leader\":\"n")?;
            rest.get(..1)?.parse().ok()
        })
    }

    /// The answer of the JetStream API, from whichever server has one.
    fn ask(&self, subject: &str, body: &str) -> io::Result<String> {
        self.exchange(&format!("PUB $JS.API.{subject} answers.1 {}\r\n{body}\r\n", body.len()), 1)
    }

    /// Sends to the first server that answers so many times.
    fn exchange(&self, frames: &str, answers: usize) -> io::Result<String> {
        let mut last = Err(io::Error::other("no server"));
        for server in &self.servers {
            last = exchange_with(server.port, frames, answers);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Has a job wait in each queue, or begin, and waits until the stream has it: again under the same ids where it does not
    /// say so.
    fn store(&mut self, round: u64, event_type: &str) {
        let mut frames = String::new();
        for queue in 0..QUEUES {
            self.events += 1;
            let job = round * QUEUES + queue;
            let fields = format!(
                r#","job_id":"job-{job}","job_type":"indexing","priority":"high","queue_name":"q{queue}","payload_size":1,"submitter":"api","worker_id":"w","worker_pid":1"#
            );
            let payload = event(event_type, self.events, &fields);
            let head = format!("NATS/1.0\r\nNats-Msg-Id: {}\r\n\r\n", self.events);
            let (length, all) = (head.len(), head.len() + payload.len());
            let subject = format!("events.queue.{event_type}");
            let send = format!("HPUB {subject} answers.{queue} {length} {all}\r\n{head}{payload}\r\n");
            frames.push_str(&send);
        }
        wait_at_most(PATIENCE, "acknowledgements", || {
            let answers = self.exchange(&frames, QUEUES as usize).ok()?;
            (answers.matches("\"stream\":\"EVENTS\"").count() == QUEUES as usize).then_some(())
        });
    }

    /// The server that leads the stream now.
    fn leading(&mut self) -> &mut Nats {
        let leader = self.leader();
        &mut self.servers[leader]
    }
}

/// Sends, and reads so many messages.
fn exchange_with(port: u16, frames: &str, answers: usize) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let connect = "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB answers.* 1\r\n";
    stream.write_all(format!("{connect}{frames}").as_bytes())?;
    let mut heard = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&heard);
        // A head, then the answer; an answer that names no stream is none of ours either.
        if text.matches("MSG answers.").count() == answers && text.ends_with("}\r\n") {
            return Ok(text.into_owned());
        }
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => heard.extend_from_slice(&part[..count]),
        }
    }
}

fn wait_total(process: &Process, name: &str, expected: f64) {
    let mut last = None;
    let end = std::time::Instant::now() + PATIENCE;
    while last != Some(expected) {
        assert!(std::time::Instant::now() < end, "{name} is {last:?}, not {expected}\n{}", process.log());
        std::thread::park_timeout(Duration::from_millis(20));
        let answer = process.get("/metrics");
        let values =
            |series: &Series| series.of(name).filter_map(|(_, value)| value.parse::<f64>().ok()).sum();
        last = (answer.status == 200).then(|| values(&Series::parse(&answer.body)));
    }
}

/// Has alerts begin and end once, and looks that every event is counted once.
fn round(brokers: &mut Brokers, process: &Process, number: u64) {
    brokers.store(number, "JobQueued");
    wait_total(process, "signalbox_alerts", QUEUES as f64);
    brokers.store(number, "JobStarted");
    wait_total(process, "signalbox_alerts", 0.0);
    wait_total(process, "queue_jobs_queued_total", ((number + 1) * QUEUES) as f64);
}

#[test]
fn three_brokers_through_their_faults_lose_and_double_nothing() {
    for program in server_programs() {
        let mut brokers = Brokers::start(&program);
        let rules = tempfile::tempdir().unwrap();
        std::fs::write(rules.path().join("rules.yaml"), RULES).unwrap();
        let path = rules.path().to_str().unwrap();
        let process = Process::start_with(&brokers.url(), "instance: ours", &["--rules", path]);
        process.wait_ready();
        let faults: [(&str, Fault); 5] = [
            ("another leader", |brokers| {
                brokers.ask("STREAM.LEADER.STEPDOWN.EVENTS", "").unwrap();
            }),
            ("each ends well in turn", |brokers| {
                for number in 0..3 {
                    brokers.servers[number].signal("ldm");
                    brokers.servers[number].wait_end();
                    brokers.servers[number].go();
                    brokers.leader();
                }
            }),
            ("the leader is killed", |brokers| {
                let leading = brokers.leading();
                leading.kill();
                leading.go();
            }),
            ("the leader hangs", |brokers| {
                let leader = brokers.leader();
                brokers.servers[leader].hang();
                let another = || Some(brokers.leader()).filter(|it| *it != leader);
                wait_at_most(PATIENCE, "another leader", another);
                brokers.servers[leader].wake();
            }),
            ("two are away", |brokers| {
                let leader = brokers.leader();
                for server in [leader, (leader + 1) % 3] {
                    brokers.servers[server].kill();
                }
                let told = brokers.ask("STREAM.INFO.EVENTS", "").unwrap_or_default();
                assert!(!told.contains("\"leader\":"), "nobody may lead: {told}");
                for server in [leader, (leader + 1) % 3] {
                    brokers.servers[server].go();
                }
            }),
        ];
        round(&mut brokers, &process, 0);
        for (number, (name, fault)) in (1..).zip(faults) {
            println!("{name}");
            fault(&mut brokers);
            round(&mut brokers, &process, number);
        }
        let shown = |name| process.scrape().total(name, "jetstream");
        assert_eq!(shown("signalbox_events_rejected_total"), 0.0);
        wait_total(&process, "signalbox_alert_events_pending", 0.0);
        let leader = brokers.leader();
        let events = stored(&brokers.servers[leader]);
        assert_eq!(walk(&events), (QUEUES as usize, 0));
        process.terminate();
    }
}
