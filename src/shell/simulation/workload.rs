//! The events of a simulated world, and what each of them says, known beside the bytes.

use std::collections::BTreeMap;

use crate::engine::time::Timestamp;

/// Where events of the stream and of core NATS go.
pub(super) const RECORDED: &str = "events.monitoring.MetricRecorded";
/// Where jobs go.
pub(super) const QUEUED: &str = "events.queue.JobQueued";

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// A counter of the stream grows.
    Count { shop: u8, by: u8 },
    /// A gauge of the stream is set.
    Level { tank: u8, value: u8 },
    /// A counter of core NATS grows.
    Queue { queue: u8 },
    /// Nothing that can be read.
    Garbage,
}

/// An event that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) number: u64,
    pub(super) says: Says,
}

/// Every event so far by its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Workload {
    specs: BTreeMap<Vec<u8>, Spec>,
    /// Events of the stream in the order in which they were first published.
    stored: Vec<Vec<u8>>,
    numbers: u64,
}

impl Workload {
    /// A new event: where it goes, and its bytes.
    pub(super) fn make(&mut self, says: Says, now: Timestamp) -> (&'static str, Vec<u8>) {
        self.numbers += 1;
        let number = self.numbers;
        let envelope = |event_type: &str, fields: &str| {
            format!(
                r#"{{"event_id":"00000000-0000-4000-8000-{number:012x}","event_type":"{event_type}","timestamp":"{now}",{fields}}}"#
            )
        };
        let metric = |name: &str, kind: &str, value: u8, tag: &str| {
            envelope(
                "MetricRecorded",
                &format!(
                    r#""metric_name":"{name}","metric_type":"{kind}","metric_value":{value},"tags":{{{tag}}}"#
                ),
            )
        };
        let (subject, text) = match says {
            Says::Count { shop, by } => {
                (RECORDED, metric("clicks", "counter", by, &format!(r#""shop":"{shop}""#)))
            }
            Says::Level { tank, value } => {
                (RECORDED, metric("level", "gauge", value, &format!(r#""tank":"{tank}""#)))
            }
            Says::Queue { queue } => {
                let fields = format!(
                    r#""job_id":"j{number}","job_type":"t","priority":"p","queue_name":"q{queue}","payload_size":1,"submitter":"s""#
                );
                (QUEUED, envelope("JobQueued", &fields))
            }
            Says::Garbage => (RECORDED, format!("{{ no event {number}")),
        };
        let bytes = text.into_bytes();
        self.specs.insert(bytes.clone(), Spec { number, says });
        if subject == RECORDED {
            self.stored.push(bytes.clone());
        }
        (subject, bytes)
    }

    /// An event of the stream that was published before, counted from the last.
    pub(super) fn earlier(&self, back: usize) -> Option<Vec<u8>> {
        self.stored.iter().rev().nth(back).cloned()
    }

    /// What these bytes say; none where nobody here made them.
    pub(super) fn spec(&self, bytes: &[u8]) -> Option<Spec> {
        self.specs.get(bytes).copied()
    }
}
