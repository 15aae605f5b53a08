//! Two instances as a pair: one publishes, the other goes on for it, and no turn of an alert is missed or said twice.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::outbox::{stored, walk};
use super::proxy::Proxy;
use super::support::{Client, Nats, event, server_programs, wait_for};

/// The lease is short, so that a round is.
const LEASE: Duration = Duration::from_secs(2);

/// A rule with one alert a tank.
const RULES: &str = "groups: [{name: g, interval: 200ms, rules: [\
    {alert: Deep, id: deep, expr: level, above: 10, labels: {severity: critical}}]}]";

/// The tanks whose levels go up and down.
const TANKS: usize = 6;

/// A server that a pair is offered with, where one is installed.
fn current_server() -> Option<PathBuf> {
    let program = server_programs().into_iter().nth(1);
    if program.is_none() {
        eprintln!("no current nats-server here: run scripts/test");
    }
    program
}

/// A pair over one server.
struct Pair {
    nats: Nats,
    rules: tempfile::TempDir,
    /// State folders, where there are any.
    states: Option<[tempfile::TempDir; 2]>,
    instances: [Option<Process>; 2],
    client: Client,
    numbers: u64,
    levels: [f64; TANKS],
    /// Whether an instance is awake, so that each crossing waits for it.
    awake: [bool; 2],
    /// Crossings of the threshold so far.
    crossings: usize,
}

/// Whether the instances keep a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    State,
    Nothing,
}

impl Pair {
    /// Two that run and are ready.
    fn start(program: &Path, keeps: Keeps) -> Self {
        let nats = Nats::start(program);
        nats.client().create_stream(
            &serde_json::json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}),
        );
        let rules = tempfile::tempdir().unwrap();
        std::fs::write(rules.path().join("rules.yaml"), RULES).unwrap();
        let states = (keeps == Keeps::State).then(|| [(); 2].map(|()| tempfile::tempdir().unwrap()));
        let client = nats.client();
        let mut pair = Self {
            nats,
            rules,
            states,
            instances: [None, None],
            client,
            numbers: 0,
            levels: [1.0; TANKS],
            awake: [false; 2],
            crossings: 0,
        };
        for one in 0..2 {
            pair.go(one, pair.nats.port);
        }
        for one in 0..2 {
            pair.wake(one);
        }
        pair.wait_leader();
        pair
    }

    /// Waits until an instance knows every alert; from here on each crossing waits for it.
    fn wake(&mut self, one: usize) {
        self.one(one).wait_ready();
        self.awake[one] = true;
        self.wait_known();
    }

    /// Waits until who is awake knows every alert as it is.
    fn wait_known(&self) {
        let firing = self.levels.iter().filter(|level| **level > 10.0).count();
        for one in (0..2).filter(|one| self.awake[*one]) {
            let known = || sum(self.one(one), "signalbox_alerts") == Some(firing as f64);
            wait_for("what fires", || known().then_some(()));
        }
    }

    /// An instance is no more, for now.
    fn take(&mut self, one: usize) -> Process {
        self.awake[one] = false;
        self.instances[one].take().unwrap()
    }

    /// Starts one of them, over this port.
    fn go(&mut self, one: usize, port: u16) {
        let config = format!(
            "instance: box-{one}\nlanes: {{MetricRecorded: jetstream}}\npair: {{bucket: pairs, lease: {}s}}\n\
             state: {{checkpoint_every: 500ms}}",
            LEASE.as_secs()
        );
        let mut arguments = vec!["--rules", self.rules.path().to_str().unwrap()];
        if let Some(states) = &self.states {
            arguments.extend(["--state-dir", states[one].path().to_str().unwrap()]);
        }
        let url = format!("nats://127.0.0.1:{port}");
        self.instances[one] = Some(Process::start_with(&url, &config, &arguments));
    }

    fn one(&self, one: usize) -> &Process {
        self.instances[one].as_ref().unwrap()
    }

    /// Who publishes, where exactly one says it does.
    fn leader(&self) -> Option<usize> {
        let leads = |one: &usize| {
            self.instances[*one]
                .as_ref()
                .is_some_and(|process| value(process, "signalbox_pair_leader") == Some(1.0))
        };
        let leaders: Vec<usize> = (0..2).filter(leads).collect();
        if let [leader] = leaders.as_slice() { Some(*leader) } else { None }
    }

    fn wait_leader(&self) -> usize {
        wait_for("one that leads", || self.leader())
    }

    /// Has a tank cross the threshold, and waits until who is awake has seen it.
    fn cross(&mut self, tank: usize) {
        let level = if self.levels[tank] > 10.0 { 1.0 } else { 20.0 };
        self.levels[tank] = level;
        self.crossings += 1;
        self.numbers += 1;
        let fields = format!(
            r#","metric_name":"level","metric_type":"gauge","metric_value":{level},"tags":{{"tank":"{tank}"}}"#
        );
        let subject = "events.monitoring.MetricRecorded";
        self.client.publish(subject, &event("MetricRecorded", self.numbers, &fields));
        self.client.flush();
        self.wait_known();
        std::thread::park_timeout(Duration::from_millis(20));
    }

    /// Crossings for so long.
    fn cross_for(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            // Any order will do, as long as it is none.
            let tank = usize::try_from(self.numbers * 7_919 % 13).unwrap() % TANKS;
            self.cross(tank);
        }
    }

    /// Ends every alert, and waits until both know it and nothing waits.
    fn settle(&mut self) {
        for tank in 0..TANKS {
            if self.levels[tank] > 10.0 {
                self.cross(tank);
            }
        }
        for process in self.instances.iter().flatten() {
            process.wait_ready();
            for name in ["signalbox_alerts", "signalbox_alert_events_pending"] {
                wait_for(name, || (sum(process, name) == Some(0.0)).then_some(()));
            }
        }
    }

    /// What the stream holds in the end: turns that alternate, none twice. How many of them there are comes back.
    fn look(&self) -> usize {
        let events = stored(&self.nats);
        let (alerts, open) = walk(&events);
        assert!(alerts > 0 && open == 0, "{alerts} alerts, {open} open");
        assert!(events.iter().all(|event| event["source"] == "signalbox"));
        events.len()
    }

    /// The same, where one of the two was always awake: every crossing is there.
    fn look_for_all(&self) {
        assert_eq!(self.look(), self.crossings, "events of so many crossings");
    }
}

fn sum(process: &Process, name: &str) -> Option<f64> {
    let answer = process.get("/metrics");
    (answer.status == 200).then(|| Series::parse(&answer.body).sum(name))
}

fn value(process: &Process, name: &str) -> Option<f64> {
    let answer = process.get("/metrics");
    (answer.status == 200).then(|| Series::parse(&answer.body).value(name)).flatten()
}

#[test]
fn a_leader_that_is_killed_is_followed_and_no_turn_is_missed_or_said_twice() {
    let Some(program) = current_server() else { return };
    let mut pair = Pair::start(&program, Keeps::Nothing);
    for _ in 0..3 {
        pair.cross_for(Duration::from_secs(1));
        let leader = pair.wait_leader();
        pair.take(leader).kill();
        pair.cross_for(LEASE / 2);
        let other = 1 - leader;
        while pair.leader() != Some(other) {
            pair.cross(0);
        }
        pair.go(leader, pair.nats.port);
        pair.cross_for(Duration::from_secs(1));
        pair.wake(leader);
    }
    pair.settle();
    pair.look_for_all();
}

#[test]
fn a_leader_that_stood_still_for_longer_than_the_lease_says_nothing_more() {
    let Some(program) = current_server() else { return };
    let mut pair = Pair::start(&program, Keeps::Nothing);
    for _ in 0..2 {
        pair.cross_for(Duration::from_secs(1));
        let leader = pair.wait_leader();
        pair.awake[leader] = false;
        pair.one(leader).signal("STOP");
        let other = 1 - leader;
        pair.cross_for(LEASE / 2);
        while value(pair.one(other), "signalbox_pair_leader") != Some(1.0) {
            pair.cross(1);
        }
        pair.cross_for(Duration::from_secs(1));
        pair.one(leader).signal("CONT");
        pair.wake(leader);
        pair.cross_for(Duration::from_secs(1));
        assert_eq!(pair.wait_leader(), other);
    }
    pair.settle();
    pair.look_for_all();
}

#[test]
fn both_restarting_at_once_go_on_where_they_were() {
    let Some(program) = current_server() else { return };
    let mut pair = Pair::start(&program, Keeps::State);
    for round in 0..3 {
        pair.cross_for(Duration::from_secs(1));
        for one in 0..2 {
            pair.take(one).kill();
        }
        pair.cross_for(Duration::from_millis(500));
        let first = round % 2;
        for one in [first, 1 - first] {
            pair.go(one, pair.nats.port);
        }
        pair.cross_for(LEASE);
        for one in 0..2 {
            pair.wake(one);
        }
        pair.wait_leader();
    }
    pair.settle();
    // What went up and down while neither was awake is one evaluation's.
    let turns = pair.look();
    assert!(turns <= pair.crossings, "{turns} of {} crossings", pair.crossings);
}

#[test]
fn a_leader_that_cannot_reach_the_server_gives_way() {
    let Some(program) = current_server() else { return };
    let mut pair = Pair::start(&program, Keeps::Nothing);
    // The one that is to be cut off leads.
    let proxy = Proxy::start(pair.nats.port, "", 0);
    let other = pair.wait_leader();
    let cut = 1 - other;
    pair.take(cut).kill();
    pair.go(cut, proxy.port);
    pair.wake(cut);
    pair.take(other).terminate();
    pair.go(other, pair.nats.port);
    assert_eq!(pair.wait_leader(), cut);
    pair.wake(other);
    for _ in 0..2 {
        pair.cross_for(Duration::from_secs(1));
        pair.awake[cut] = false;
        proxy.part();
        while value(pair.one(other), "signalbox_pair_leader") != Some(1.0) {
            pair.cross(2);
        }
        proxy.join();
        pair.wake(cut);
        pair.cross_for(Duration::from_secs(1));
        pair.take(other).terminate();
        assert_eq!(wait_for("the one that was cut off", || pair.leader()), cut);
        pair.go(other, pair.nats.port);
        pair.wake(other);
    }
    pair.settle();
    pair.look_for_all();
}

#[test]
fn a_stop_in_order_hands_over_at_once_and_everybody_says_who_leads() {
    let Some(program) = current_server() else { return };
    let mut pair = Pair::start(&program, Keeps::Nothing);
    let leader = pair.wait_leader();
    let other = 1 - leader;
    wait_for("the word of who leads", || {
        let page = pair.one(other).get("/").text();
        let info = pair.one(other).get("/api/v1/status/runtimeinfo").text();
        let words = [format!("follows box-{leader}"), format!(r#""leader":"box-{leader}""#)];
        (page.contains(&words[0]) && info.contains(&words[1]) && info.contains(r#""leads":false"#))
            .then_some(())
    });
    wait_for("its own word", || pair.one(leader).get("/").text().contains("leads").then_some(()));
    // Of the copy that both publish of a rejected event a stream keeps one.
    let rejected =
        serde_json::json!({"name": "REJECTED", "subjects": ["signalbox.rejected"], "storage": "file"});
    pair.nats.client().create_stream(&rejected);
    pair.client.publish("events.queue.JobQueued", "{ no event");
    pair.cross_for(Duration::from_secs(1));
    for one in 0..2 {
        wait_for("the rejection", || {
            (sum(pair.one(one), "signalbox_events_rejected_total") == Some(1.0)).then_some(())
        });
    }
    // What waits at the one that follows does not hold its end up.
    pair.take(other).terminate();
    pair.go(other, pair.nats.port);
    pair.wake(other);
    pair.cross_for(Duration::from_millis(500));
    pair.take(leader).terminate();
    wait_for("the other one to lead", || {
        (value(pair.one(other), "signalbox_pair_leader") == Some(1.0)).then_some(())
    });
    pair.settle();
    pair.look_for_all();
    let info = pair.nats.client().api("STREAM.INFO.REJECTED", "");
    assert_eq!(info["state"]["messages"], 1, "{info}");
}

#[test]
fn a_pair_is_refused_by_an_old_server_with_a_sentence() {
    let Some(old) = server_programs().into_iter().next() else { return };
    let nats = Nats::start(&old);
    if !nats.client().info().contains(r#""version":"2.9."#) {
        return;
    }
    let config = "jetstream: {create_stream: true}\npair: {bucket: pairs}";
    let process = Process::start_with(&nats.url(), config, &[]);
    wait_for("the sentence", || {
        let answer = process.get("/-/ready");
        let is_said =
            answer.text().contains("nats-server 2.9.10 is too old for a pair, which needs 2.11 or newer");
        (answer.status == 503 && is_said).then_some(())
    });
    assert_eq!(value(&process, "signalbox_pair_leader"), Some(0.0));
    process.terminate();
}
