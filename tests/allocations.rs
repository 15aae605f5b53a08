//! What applying events allocates once everything they name is known: nothing for an event.
//!
//! It stands alone because it counts what its whole process allocates.

#[path = "../benches/flood/events.rs"]
mod events;

use std::alloc::System;
use std::time::Duration;

use signalbox::engine::Engine;
use signalbox::engine::config::Config;
use signalbox::engine::rules::RuleSet;
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{Lane, Message};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Events until every table has its size: the rings of recent events and moves, and the ids of eight generations.
const WARM_UP: u64 = 300_000;
const EVENTS: u64 = 1_000_000;
const BATCH: u64 = 1_000;

#[test]
fn a_million_events_of_known_series_allocate_next_to_nothing() {
    let mut engine = Engine::new(&Config::with_defaults("test"), RuleSet::default(), Timestamp::EPOCH);
    let mut now = Timestamp::from_millis(1_795_515_000_000);
    let (mut allocations, mut bytes) = (0, 0);
    for start in (0..WARM_UP + EVENTS).step_by(BATCH as usize) {
        let payloads: Vec<(&str, String)> = (start..start + BATCH)
            .map(|number| {
                let mut payload = String::new();
                (events::event(number, &mut payload), payload)
            })
            .collect();
        let messages: Vec<Message<'_>> = payloads
            .iter()
            .map(|(subject, payload)| Message { subject, headers: &[], payload: payload.as_bytes() })
            .collect();
        now = now.after(Duration::from_micros(100));
        let region = Region::new(ALLOCATOR);
        let rejected = engine.apply(Lane::Core, &messages, now);
        let change = region.change();
        assert!(rejected.is_empty(), "{:?}", rejected.first());
        if start >= WARM_UP {
            allocations += change.allocations + change.reallocations;
            bytes += change.bytes_allocated;
        }
    }
    let batches = (EVENTS / BATCH) as usize;
    assert!(allocations <= batches, "{allocations} allocations of {bytes} bytes in {batches} batches");
}
