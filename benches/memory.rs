//! What series take of the memory of a whole engine: `cargo bench --bench memory --no-default-features`.
//!
//! Events bring counters, or histograms in another process, each event a label set that no other has; the history samples
//! them on its grid. Printed are bytes of resident memory a series, less what an engine without any takes, and
//! what a series more costs between 100,000 and 1,000,000; the duplicate window is off, as it is measured by itself.
//! Then gauges are born and expire in rounds, which must not grow. No figure is asserted.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures the outside world and tells a person"
)]

use std::process::Command;
use std::time::Duration;

use signalbox::engine::Engine;
use signalbox::engine::config::Config;
use signalbox::engine::rules::RuleSet;
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{Lane, Message};

const BATCH: u64 = 1_000;
const SUBJECT: &str = "events.monitoring.MetricRecorded";

fn main() {
    // As `main` of the binary has it, so that the allocator behaves alike.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(16 << 20)));
    let arguments: Vec<String> = std::env::args().collect();
    let most = arguments.iter().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(1_000_000);
    match arguments.get(1).map(String::as_str) {
        Some("counter") => grow("counter", "1", most),
        Some("histogram") => grow("histogram", "0.042", most),
        Some("churn") => churn(),
        // Each in a process of its own: what one leaves to the allocator would hide what the next takes.
        _ => {
            for part in ["counter", "histogram", "churn"] {
                let mut command = Command::new(std::env::current_exe().unwrap());
                assert!(command.args([part, &most.to_string()]).status().unwrap().success());
            }
        }
    }
}

/// An engine with series that events bring.
struct World {
    engine: Engine,
    now: Timestamp,
    sent: u64,
}

impl World {
    fn new() -> Self {
        let mut config = Config::with_defaults("bench");
        config.limits.series = 2_000_000;
        config.limits.series_per_metric = 2_000_000;
        config.dedupe.entries = 0;
        config.history.bytes_max = usize::MAX;
        let now = Timestamp::from_millis(1_795_515_000_000);
        Self { engine: Engine::new(&config, RuleSet::default(), now), now, sent: 0 }
    }

    /// Applies `count` events, each with a label set of its own, 20,000 a second.
    fn send(&mut self, count: u64, payload: impl Fn(u64, u64) -> String) {
        for start in (0..count).step_by(BATCH as usize) {
            let payloads: Vec<String> =
                (start..count.min(start + BATCH)).map(|number| payload(self.sent + number, number)).collect();
            let messages: Vec<Message<'_>> = payloads
                .iter()
                .map(|payload| Message { subject: SUBJECT, headers: &[], payload: payload.as_bytes() })
                .collect();
            let rejected = self.engine.apply(Lane::Core, &messages, self.now);
            assert!(rejected.is_empty(), "{:?}", rejected.first());
            self.pass(Duration::from_millis(50));
        }
        self.sent += count;
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now.after(span);
        while self.engine.next_tick() <= until {
            self.now = self.engine.next_tick();
            self.engine.tick(self.now);
        }
        self.now = until;
    }
}

fn event(id: u64, name: &str, (kind, value): (&str, &str), tags: &str) -> String {
    format!(
        "{{\"event_id\":\"{:08x}-0000-4000-8000-{id:012x}\",\"timestamp\":\"2026-11-24T10:00:00Z\",\
         \"event_type\":\"MetricRecorded\",\"metric_name\":\"{name}\",\"metric_value\":{value},\
         \"metric_type\":\"{kind}\",\"tags\":{{{tags}}}}}",
        id.wrapping_mul(0x9e37_79b1) & 0xffff_ffff
    )
}

/// The tags of a series, about 66 bytes as label text.
fn tags(number: u64) -> String {
    format!(
        "\"host\":\"host-{:06}\",\"method\":\"GET\",\"path\":\"/api/v1/transcripts/segments/{}\"",
        number / 7,
        number % 7
    )
}

fn grow(kind: &str, value: &str, most: u64) {
    let mut world = World::new();
    // Rings and tables that have their size whatever the series are.
    world.send(300_000, |id, number| {
        event(id, "warm", ("counter", "1"), &format!("\"n\":\"{}\"", number % 7))
    });
    world.pass(Duration::from_mins(5));
    let (before, mut last) = (memory_bytes(), (0, 0));
    for count in [10_000, 100_000, most] {
        let known = last.0;
        world.send(count - known, |id, number| {
            event(id, "http_requests", (kind, value), &tags(known + number))
        });
        world.pass(Duration::from_secs(10));
        let bytes = memory_bytes().saturating_sub(before);
        println!(
            "{count:>9} {kind}s: {:>6.1} bytes each, {:>6.1} those since",
            bytes as f64 / count as f64,
            (bytes - last.1) as f64 / (count - known) as f64
        );
        last = (count, bytes);
    }
    world.pass(Duration::from_mins(5));
    let bytes = memory_bytes().saturating_sub(before);
    println!("          five minutes later: {:>6.1} bytes each", bytes as f64 / most as f64);
}

/// Births and expiries in rounds.
fn churn() {
    let mut world = World::new();
    let before = memory_bytes();
    for round in 0..8 {
        world
            .send(100_000, |id, number| event(id, "load", ("gauge", "0.5"), &tags(round * 100_000 + number)));
        let full = memory_bytes() - before;
        world.pass(Duration::from_hours(1));
        println!(
            "round {round}: {} KiB with 100,000 gauges, {} KiB once they expired; {} series",
            full >> 10,
            (memory_bytes() - before) >> 10,
            world.engine.store().len()
        );
    }
}

fn memory_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
