//! Nanoseconds an event costs the engine, from bytes to metrics, without any NATS.
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench measures the world"
)]

#[path = "flood/events.rs"]
mod events;

use signalbox::engine::Engine;
use signalbox::engine::config::Config;
use signalbox::engine::rules::RuleSet;
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{Lane, Message};

const EVENTS: u64 = 1_000_000;
const BATCH: usize = 256;

fn main() {
    let payloads: Vec<(&str, String)> = (0..EVENTS)
        .map(|number| {
            let mut payload = String::new();
            (events::event(number, &mut payload), payload)
        })
        .collect();
    let mut figures: Vec<f64> = (0..5).map(|_| nanoseconds_each(&payloads)).collect();
    figures.sort_by(f64::total_cmp);
    println!("apply: {:.0} ns an event (median of 5; {:.0} to {:.0})", figures[2], figures[0], figures[4]);
}

fn nanoseconds_each(payloads: &[(&str, String)]) -> f64 {
    let mut engine = Engine::new(&Config::with_defaults("bench"), RuleSet::default(), Timestamp::EPOCH);
    let start = cpu_nanoseconds();
    let mut now = Timestamp::from_millis(1_795_515_000_000);
    for batch in payloads.chunks(BATCH) {
        let messages: Vec<Message<'_>> = batch
            .iter()
            .map(|(subject, payload)| Message { subject, headers: &[], payload: payload.as_bytes() })
            .collect();
        now = now.after(std::time::Duration::from_micros(100));
        let rejected = engine.apply(Lane::Core, &messages, now);
        assert!(rejected.is_empty(), "{:?}", rejected.first());
    }
    (cpu_nanoseconds() - start) / EVENTS as f64
}

/// What this thread has run, by the kernel's account: other load on the machine does not count.
fn cpu_nanoseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}
