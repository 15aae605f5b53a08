//! What a checkpoint costs a full engine: how long the driver is held, what writing it takes elsewhere, what copying
//! pages afterwards adds to the events, and how long a start takes to go on from it.
//!
//! `cargo bench --bench checkpoint`; 100,000 counters, 200,000 jobs, a million ids in the duplicate window.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench measures the world"
)]

use std::time::{Duration, Instant};

use signalbox::engine::checkpoint::{Checkpoint, SavedState};
use signalbox::engine::config::Config;
use signalbox::engine::rules::RuleSet;
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{Lane, Message};
use signalbox::engine::{Engine, RunEnding};

const SERIES: usize = 100_000;
const JOBS: usize = 200_000;
const IDS: usize = 1_000_000;

/// Events in a batch, and batches in a second.
const BATCH: usize = 200;
const BATCHES: usize = 100;

struct World {
    engine: Engine,
    now: Timestamp,
    sent: usize,
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_795_515_000_000);
        Self { engine: Engine::new(&config(), RuleSet::default(), now), now, sent: 0 }
    }

    /// The next events: counters of any series, and jobs that move.
    fn events(&mut self, count: usize) -> Vec<(&'static str, String)> {
        let events = (self.sent..self.sent + count).map(|number| {
            // A step that meets every one of them in no order.
            let (series, job) = (number.wrapping_mul(7_919) % SERIES, number.wrapping_mul(104_729) % JOBS);
            if number % 4 == 0 {
                let fields = format!(
                    r#""job_id":"job-{job}","job_type":"t{}","priority":"p","queue_name":"q{}","payload_size":1,"submitter":"s""#,
                    job % 7,
                    job % 20
                );
                ("events.queue.JobQueued", event("JobQueued", number, &fields))
            } else {
                let fields = format!(
                    r#""metric_name":"made","metric_type":"counter","metric_value":1,"tags":{{"one":"{}","two":"{}"}}"#,
                    series % 1_000,
                    series / 1_000
                );
                ("events.monitoring.MetricRecorded", event("MetricRecorded", number, &fields))
            }
        });
        let events = events.collect();
        self.sent += count;
        events
    }

    /// Applies so many events in batches; the time that took, and the longest batch.
    fn apply(&mut self, count: usize) -> (Duration, Duration) {
        let (mut whole, mut longest) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..count / BATCH {
            let events = self.events(BATCH);
            let of_lane = |core: bool| {
                let events = events
                    .iter()
                    .filter(move |(subject, _)| (*subject == "events.monitoring.MetricRecorded") == core);
                let message = |(subject, text): &'_ (&'static str, String)| (*subject, text.clone());
                events.map(message).collect::<Vec<_>>()
            };
            let (core, stream) = (of_lane(true), of_lane(false));
            let messages = |events: &'_ [(&'static str, String)]| -> Vec<(&'static str, Vec<u8>)> {
                events.iter().map(|(subject, text)| (*subject, text.clone().into_bytes())).collect()
            };
            let (core, stream) = (messages(&core), messages(&stream));
            self.now = self.now.after(Duration::from_secs(1) / BATCHES as u32);
            let begun = Instant::now();
            for (lane, bytes) in [(Lane::Core, &core), (Lane::JetStream, &stream)] {
                let messages: Vec<Message<'_>> = bytes
                    .iter()
                    .map(|(subject, payload)| Message { subject, headers: b"", payload })
                    .collect();
                let refused = self.engine.apply(lane, &messages, self.now);
                assert!(refused.is_empty(), "{refused:?}");
            }
            if self.engine.next_tick() <= self.now {
                self.engine.tick(self.now);
            }
            let took = begun.elapsed();
            whole += took;
            longest = longest.max(took);
        }
        (whole, longest)
    }
}

fn event(event_type: &str, number: usize, fields: &str) -> String {
    format!(
        r#"{{"event_id":"00000000-0000-4000-8000-{number:012x}","event_type":"{event_type}","timestamp":"2026-11-24T00:00:00Z",{fields}}}"#
    )
}

fn config() -> Config {
    let mut config = Config::with_defaults("bench");
    config.limits.series = 2 * SERIES;
    config.limits.series_per_metric = 2 * SERIES;
    config.dedupe.entries = IDS;
    config
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// A checkpoint, and how long the engine was held for it.
fn save(world: &mut World) -> (Checkpoint, Duration) {
    let begun = Instant::now();
    let checkpoint = world.engine.save(world.now);
    (checkpoint, begun.elapsed())
}

fn main() {
    let mut world = World::new();
    world.apply(IDS + 4 * JOBS);
    let mut held = Vec::new();
    let mut written = Vec::new();
    let mut bytes = Vec::new();
    let (mut quiet, mut beside) = (Duration::ZERO, Duration::ZERO);
    let mut longest = Duration::ZERO;
    // Half of a second's events while the checkpoint is there, as many while none is.
    let half = BATCH * BATCHES / 2;
    for _ in 0..15 {
        quiet += world.apply(half).0;
        let (checkpoint, span) = save(&mut world);
        held.push(millis(span));
        let begun = Instant::now();
        bytes = checkpoint.pieces().flatten().collect();
        written.push(millis(begun.elapsed()));
        let (whole, batch) = world.apply(half);
        beside += whole;
        longest = longest.max(batch);
        drop(checkpoint);
    }
    held.sort_by(f64::total_cmp);
    written.sort_by(f64::total_cmp);
    let (median, most) = (held.len() / 2, held.len() - 1);
    let at = |values: &[f64], place: usize| values.get(place).copied().unwrap_or_default();
    println!("engine held: median {:.2} ms, most {:.2} ms", at(&held, median), at(&held, most));
    println!(
        "written elsewhere: median {:.1} ms CPU and memory, {:.1} MiB",
        at(&written, median),
        bytes.len() as f64 / f64::from(1 << 20)
    );
    let extra = millis(beside.saturating_sub(quiet)) / 15.0;
    println!(
        "10,000 events beside it: {:.1} ms more than without ({:.1} ms), longest batch of {BATCH} {:.2} ms",
        extra,
        millis(quiet) / 15.0,
        millis(longest)
    );
    let each = at(&held, median) + at(&written, median) + extra.max(0.0);
    println!("one each 30 s: {:.2} % of a core", each / 300.0);
    let mut restored = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let state = SavedState::read(&bytes).expect("what was written is read");
        let engine = Engine::restore(&config(), RuleSet::default(), state, RunEnding::Clean);
        restored.push(millis(begun.elapsed()));
        assert!(engine.is_ok());
    }
    restored.sort_by(f64::total_cmp);
    println!("restored: median {:.0} ms, most {:.0} ms", at(&restored, 2), at(&restored, 4));
}
