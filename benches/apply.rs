//! Nanoseconds an event costs the engine, from bytes to metrics, without any NATS.
//!
//! `cargo bench --bench apply -- --lines FILE` takes the events of a file, one a line, as `signalbox demo --print` writes
//! them; `--events N --rounds N` take fewer, which is enough where instructions are counted (`valgrind --tool=callgrind`).
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures the world"
)]

#[path = "flood/events.rs"]
mod events;

use signalbox::engine::Engine;
use signalbox::engine::config::Config;
use signalbox::engine::rules::RuleSet;
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{EventType, Lane, Message, Subjects};

const BATCH: usize = 256;

fn main() {
    let events = option("--events").map_or(1_000_000, |text| text.parse().unwrap());
    let rounds = option("--rounds").map_or(5, |text| text.parse().unwrap());
    let (lane, payloads) = match option("--lines") {
        Some(path) => (Lane::JetStream, written(&path, events)),
        None => (Lane::Core, flood(events)),
    };
    let mut figures: Vec<f64> = (0..rounds).map(|_| nanoseconds_each(lane, &payloads)).collect();
    figures.sort_by(f64::total_cmp);
    let (median, last) = (figures[rounds / 2], figures[rounds - 1]);
    println!("apply: {median:.0} ns an event (median of {rounds}; {:.0} to {last:.0})", figures[0]);
}

/// What follows an option.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// The events of the flood, with their subjects.
fn flood(events: usize) -> Vec<(String, String)> {
    let event = |number| {
        let mut payload = String::new();
        (events::event(number, &mut payload).to_owned(), payload)
    };
    (0..events as u64).map(event).collect()
}

/// The events of a file that ride the JetStream lane.
fn written(path: &str, events: usize) -> Vec<(String, String)> {
    let core = ["MetricRecorded", "ProgressUpdated", "JobProgressUpdated"];
    let text = std::fs::read_to_string(path).unwrap();
    let event = |line: &str| {
        let name = line.split("\"event_type\":\"").nth(1)?.split('"').next()?;
        let event_type = EventType::ALL.iter().find(|known| known.name() == name)?;
        (!core.contains(&name)).then(|| (Subjects::default().of(*event_type), line.to_owned()))
    };
    text.lines().filter_map(event).take(events).collect()
}

fn nanoseconds_each(lane: Lane, payloads: &[(String, String)]) -> f64 {
    let mut engine = Engine::new(&Config::with_defaults("bench"), RuleSet::default(), Timestamp::EPOCH);
    let start = cpu_nanoseconds();
    let mut now = Timestamp::from_millis(1_795_515_000_000);
    for batch in payloads.chunks(BATCH) {
        let messages: Vec<Message<'_>> = batch
            .iter()
            .map(|(subject, payload)| Message { subject, headers: &[], payload: payload.as_bytes() })
            .collect();
        now = now.after(std::time::Duration::from_micros(100));
        let rejected = engine.apply(lane, &messages, now);
        assert!(rejected.is_empty(), "{:?}", rejected.first());
    }
    (cpu_nanoseconds() - start) / payloads.len() as f64
}

/// What this thread has run, by the kernel's account: other load on the machine does not count.
fn cpu_nanoseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}
