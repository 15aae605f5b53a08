//! What rules cost while events flow for minutes, in CPU per simulated second: the engine alone, simulated time running
//! as fast as it can. A cost that grows with the past shows here and in no short bench.
//!
//! `cargo bench --bench steady`; `-- shipped MINUTES` or `-- many SECONDS` for one part alone. Built with
//! `--no-default-features` it takes the demo's events from the binary that `SIGNALBOX` names.
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench measures the world"
)]

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox::engine::Engine;
use signalbox::engine::catalogue::KnownMetrics;
use signalbox::engine::config::{Config, Evaluate};
use signalbox::engine::diagnostic::Source;
use signalbox::engine::rules::RuleSet;
use signalbox::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load};
use signalbox::engine::stopwatch::Stopwatch;
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{Lane, Message};

/// How often batches of events come, as lanes hand them over.
const BATCH: Duration = Duration::from_millis(10);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |default| arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(default);
    match arguments.first().map(String::as_str) {
        Some("shipped") => shipped(number(7)),
        Some("many") => many(number(120)),
        _ => {
            shipped(7);
            many(120);
        }
    }
}

/// A clock that really runs, for the pauses that follow what evaluations cost.
#[derive(Debug)]
struct Running(Instant);

impl Stopwatch for Running {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// One engine under a steady flow of events.
struct Flow {
    engine: Engine,
    now: Timestamp,
    /// Events, in the order they come; from the beginning again when they are over.
    events: Vec<(String, String, Lane)>,
    next: usize,
    sent: u64,
}

impl Flow {
    fn new(rules: RuleSet, evaluate: Evaluate, events: Vec<(String, String, Lane)>) -> Self {
        let mut config = Config::with_defaults("bench");
        config.evaluate = evaluate;
        let now = Timestamp::from_millis(1_795_515_000_000);
        let mut engine = Engine::new(&config, rules, now);
        engine.time_with(Arc::new(Running(Instant::now())));
        Self { engine, now, events, next: 0, sent: 0 }
    }

    /// Lets a span of simulated time pass with so many events a second; the CPU it took, in milliseconds.
    fn run(&mut self, span: Duration, events_per_second: usize) -> f64 {
        let end = self.now.after(span);
        let each = events_per_second / 100;
        let mut cpu = 0.0;
        while self.now < end {
            let batch = self.batch(each);
            let batch_end = self.now.after(BATCH);
            let before = cpu_milliseconds();
            for lane in [Lane::Core, Lane::JetStream] {
                let of_lane = batch.iter().filter(|(_, _, of)| *of == lane);
                let messages: Vec<Message<'_>> = of_lane
                    .map(|(subject, payload, _)| Message {
                        subject,
                        headers: &[],
                        payload: payload.as_bytes(),
                    })
                    .collect();
                self.engine.apply(lane, &messages, self.now);
            }
            while self.engine.next_tick() <= batch_end {
                let due = self.engine.next_tick().max(self.now);
                self.engine.tick(due);
                self.now = due;
            }
            cpu += cpu_milliseconds() - before;
            self.now = batch_end;
        }
        cpu
    }

    /// The next events, each with an id of its own.
    fn batch(&mut self, count: usize) -> Vec<(String, String, Lane)> {
        let mut batch = Vec::with_capacity(count);
        for _ in 0..count {
            let (subject, payload, lane) = &self.events[self.next];
            self.sent += 1;
            batch.push((subject.clone(), renamed(payload, self.sent), *lane));
            self.next = (self.next + 1) % self.events.len();
        }
        batch
    }

    fn evaluations(&mut self) -> String {
        let rules: usize = self.engine.groups().iter().map(|group| group.rules.len()).sum();
        format!("{rules} rules, {} series", self.engine.store().len())
    }
}

/// The same event under another id.
fn renamed(payload: &str, number: u64) -> String {
    let key = "\"event_id\":\"";
    match payload.find(key) {
        Some(at) => {
            let start = at + key.len();
            let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!(
                "{}{:08x}-0000-4000-8000-{:012x}{}",
                &payload[..start],
                id >> 32,
                number,
                &payload[start + 36..]
            )
        }
        None => payload.to_owned(),
    }
}

/// The shipped rules at their defaults under the demo's events of all types.
fn shipped(minutes: u32) {
    let events = demo_events();
    let rules = || {
        let paths = ["cache", "database", "processing", "queue", "signalbox"];
        let sources = paths.map(|name| Source {
            name: Arc::from(format!("{name}.yaml")),
            text: Arc::from(
                std::fs::read_to_string(format!("rules/{name}.yaml")).expect("a rule file is there"),
            ),
        });
        set_of(&sources)
    };
    for (title, rules, evaluate) in [
        ("no rules", RuleSet::default(), Evaluate::Arrival),
        ("by interval", rules(), Evaluate::Interval),
        ("on arrival", rules(), Evaluate::Arrival),
    ] {
        let mut flow = Flow::new(rules, evaluate, events.clone());
        let first = flow.run(Duration::from_secs(30), 10_000) / 300.0;
        print!("steady: shipped rules, {title:<12} {first:5.1} % of a core in the first half minute");
        flow.run(Duration::from_secs(30), 10_000);
        for minute in 1..minutes {
            let cpu = flow.run(Duration::from_mins(1), 10_000) / 600.0;
            print!(", {cpu:.1} in minute {}", minute + 1);
        }
        println!("; {}", flow.evaluations());
    }
}

/// 1,000 rules over 10,000 series of two metrics, 5,000 events a second.
fn many(seconds: u32) {
    let mut text = String::from("groups:\n- name: many\n  interval: 1s\n  rules:\n");
    for number in 0..1_000 {
        let shard = number / 2;
        let expr = match number % 4 {
            0 => format!("level{{shard=\"{shard}\"}} > 1e9"),
            1 => format!("sum(rate(work_total{{shard=\"{shard}\"}}[1m])) > 1e9"),
            2 => format!("max by (shard) (level{{shard=\"{shard}\"}}) > 1e9"),
            _ => format!("rate(work_total{{shard=\"{shard}\"}}[1m]) > 1e9"),
        };
        let _ = writeln!(text, "  - {{alert: A{number}, expr: '{expr}'}}");
    }
    let sources = [Source { name: Arc::from("many.yaml"), text: Arc::from(text) }];
    for (title, rules, evaluate) in [
        ("no rules", RuleSet::default(), Evaluate::Arrival),
        ("by interval", set_of(&sources), Evaluate::Interval),
        ("on arrival", set_of(&sources), Evaluate::Arrival),
    ] {
        let mut flow = Flow::new(rules, evaluate, metric_events());
        flow.run(Duration::from_secs(5), 5_000);
        let half = Duration::from_secs(u64::from(seconds) / 2);
        let percent = |cpu: f64| cpu / half.as_secs_f64() / 10.0;
        let (first, second) = (flow.run(half, 5_000), flow.run(half, 5_000));
        println!(
            "steady: 1,000 rules, {title:<12} {:5.1} % of a core, then {:.1}; {}",
            percent(first),
            percent(second),
            flow.evaluations()
        );
    }
}

fn metric_events() -> Vec<(String, String, Lane)> {
    let event = |number: usize| {
        let (metric, kind) = if number.is_multiple_of(2) { ("level", "gauge") } else { ("work", "counter") };
        let (shard, pod) = (number / 2 / 10, number / 2 % 10);
        let payload = format!(
            r#"{{"event_id":"{number:08x}-0000-4000-8000-000000000000","timestamp":"2026-11-24T04:05:06Z","metric_name":"{metric}","metric_value":{},"metric_type":"{kind}","tags":{{"shard":"{shard}","pod":"{pod}"}}}}"#,
            number * 7 % 13,
        );
        ("events.monitoring.MetricRecorded".to_owned(), payload, Lane::Core)
    };
    // A stride that visits every series once and spreads neighbours.
    (0..10_000).map(|number| event(number * 7_919 % 10_000)).collect()
}

/// What `signalbox demo` plays, by lane.
fn demo_events() -> Vec<(String, String, Lane)> {
    let binary = std::env::var("SIGNALBOX").ok();
    let binary = binary.or(option_env!("CARGO_BIN_EXE_signalbox").map(str::to_owned));
    let output =
        Command::new(binary.expect("SIGNALBOX names the binary, where the bench was built without it"))
            .args(["demo", "--print", "--rate", "2000", "--duration", "1m", "--seed", "1"])
            .output()
            .expect("the demo runs");
    let text = String::from_utf8(output.stdout).expect("the demo prints text");
    let core = ["MetricRecorded", "ProgressUpdated", "JobProgressUpdated"];
    let event = |line: &str| {
        let found = line.split("\"event_type\":\"").nth(1)?.split('"').next()?;
        let lane = if core.contains(&found) { Lane::Core } else { Lane::JetStream };
        Some((format!("events.demo.{found}"), line.to_owned(), lane))
    };
    text.lines().filter_map(event).collect()
}

fn set_of(sources: &[Source]) -> RuleSet {
    let metrics = KnownMetrics::default();
    load(sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None }).set
}

/// What this thread has run, by the kernel's account: other load on the machine does not count.
fn cpu_milliseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 =
        text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN);
    nanoseconds / 1e6
}
