//! A nats-server, what is published to it, and what a process cost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The kernel's clock ticks a second, as `/proc/<pid>/stat` counts.
const TICKS: f64 = 100.0;

/// Events published before the answer to the last of them is awaited, where a stream stores them: servers drop what
/// they cannot store at once.
const UNANSWERED_MAX: u64 = 2_000;

/// A process that ends with its owner.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with JetStream; its folder goes with it.
pub(crate) struct Server {
    _child: Killed,
    _folder: tempfile::TempDir,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Server {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let binary = std::env::var("SIGNALBOX_NATS_SERVER").unwrap_or_else(|_| String::from("nats-server"));
        let child = Command::new(binary)
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start nats-server ({error}); run scripts/bench, which installs it")
            });
        let child = Killed(child);
        wait_until("nats-server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { _child: child, _folder: folder, port }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Makes the stream of events, in memory.
    pub(crate) fn create_stream(&self) {
        let mut publisher = Publisher::connect(self.port);
        let body = r#"{"name":"EVENTS","subjects":["events.>"],"storage":"memory","retention":"limits","num_replicas":1}"#;
        publisher.publish("$JS.API.STREAM.CREATE.EVENTS", Some("answer"), body);
        publisher.send();
        publisher.await_line("MSG ");
    }

    /// Publishes events as fast as the server takes them, and returns once it has taken all.
    pub(crate) fn flood(&self, events: u64, mut event: impl FnMut(u64, &mut String) -> String) {
        let mut publisher = Publisher::connect(self.port);
        let mut payload = String::new();
        for number in 0..events {
            payload.clear();
            let subject = event(number, &mut payload);
            publisher.publish(&subject, None, &payload);
            if publisher.chunk.len() > 256 << 10 {
                publisher.send();
            }
        }
        publisher.ping();
    }

    /// The same for a stream, which answers.
    pub(crate) fn store(&self, events: u64, mut event: impl FnMut(u64, &mut String) -> String) {
        let mut publisher = Publisher::connect(self.port);
        let mut payload = String::new();
        for number in 0..events {
            payload.clear();
            let subject = event(number, &mut payload);
            let is_last = (number + 1) % UNANSWERED_MAX == 0 || number + 1 == events;
            publisher.publish(&subject, is_last.then_some("answer"), &payload);
            if is_last {
                publisher.send();
                publisher.await_line("MSG ");
            }
        }
    }
}

struct Publisher {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    chunk: String,
}

impl Publisher {
    fn connect(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB answer 1\r\n").unwrap();
        Self { stream, answers, chunk: String::new() }
    }

    fn publish(&mut self, subject: &str, reply: Option<&str>, payload: &str) {
        let reply = reply.map_or(String::new(), |reply| format!("{reply} "));
        self.chunk.push_str(&format!("PUB {subject} {reply}{}\r\n{payload}\r\n", payload.len()));
    }

    fn send(&mut self) {
        self.stream.write_all(self.chunk.as_bytes()).unwrap();
        self.chunk.clear();
    }

    fn ping(&mut self) {
        self.chunk.push_str("PING\r\n");
        self.send();
        self.await_line("PONG");
    }

    fn await_line(&mut self, beginning: &str) {
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the server left");
        }
    }
}

/// A port nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something holds, 20 seconds at most.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited 20 s in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The whole answer to a GET.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// CPU seconds a process has used, its threads and the kernel's work for it included.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

/// The most memory a process had.
pub(crate) fn peak_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
