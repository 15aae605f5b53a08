//! What should be counted, reckoned beside the engine from what was given to it: sums of its own, nothing of the
//! engine's code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::workload::{Says, Workload};
use crate::engine::arrival::{Epoch, Order, Stored, StreamNews};
use crate::engine::fact::Fact;
use crate::shell::driver::mailbox::{FromStream, LaneItem};

/// How many events of a lane came, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) received: u64,
    pub(super) applied: u64,
    pub(super) duplicate: u64,
    pub(super) rejected: u64,
}

/// Which life of the stream.
pub(super) type Life = (Arc<str>, u32);

/// Whether counters of the stream begin anew where it has lost something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owes {
    #[default]
    Nothing,
    ToBeginAnew,
}

/// Whether the tally is known to the last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exact {
    #[default]
    Yes,
    /// Counters began anew.
    No,
}

/// What should be counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) counts: BTreeMap<u8, f64>,
    pub(super) levels: BTreeMap<u8, f64>,
    pub(super) queues: BTreeMap<u8, f64>,
    seen: BTreeSet<u64>,
    pub(super) stream: Tally,
    pub(super) core: Tally,
    pub(super) place: Option<(Life, u64)>,
    /// What of the stream was given to the engine.
    given: BTreeMap<Life, BTreeSet<u64>>,
    pub(super) lost: u64,
    owes: Owes,
    pub(super) exact: Exact,
    /// How often counters of the stream began anew.
    pub(super) begun_anew: u64,
    /// Whether what core NATS brought is known to the last event.
    pub(super) core_exact: Exact,
}

fn life_of(epoch: &Epoch) -> Life {
    (Arc::clone(&epoch.created), epoch.rollbacks)
}

impl Model {
    /// What a process that died leaves to the next one, by way of this checkpoint.
    pub(super) fn after_crash(&self) -> Self {
        Self { queues: BTreeMap::new(), core: Tally::default(), owes: Owes::ToBeginAnew, ..self.clone() }
    }

    /// The past is read: nothing begins anew any more.
    pub(super) const fn arrive(&mut self) {
        self.owes = Owes::Nothing;
    }

    /// Whether the stream that is read was made then.
    pub(super) fn reads(&self, created: &str) -> bool {
        self.place.as_ref().is_some_and(|((life, _), _)| **life == *created)
    }

    /// What of the life of the stream that is read was given to the engine; none where nothing is read yet.
    pub(super) fn given(&self) -> Option<&BTreeSet<u64>> {
        self.given.get(&self.place.as_ref()?.0)
    }

    /// Whether the event of these bytes was given to the engine.
    pub(super) fn has_seen(&self, payload: &[u8], workload: &Workload) -> bool {
        workload.spec(payload).is_some_and(|spec| self.seen.contains(&spec.number))
    }

    /// Takes what the engine takes.
    pub(super) fn take(&mut self, item: &LaneItem, workload: &Workload) {
        match item {
            LaneItem::Core(batch) => {
                for message in batch.messages() {
                    self.take_core(message.payload, workload);
                }
            }
            LaneItem::Stream(FromStream { origin, batch, .. }) => {
                self.enter(&origin.epoch);
                let messages = batch.messages();
                let of_stream = batch.of_stream(origin, &messages);
                for (message, stored) in messages.iter().zip(of_stream.stored) {
                    let Stored { sequence, .. } = *stored;
                    self.take_stored((origin.order, sequence), message.payload, workload);
                }
                if let Some((_, place)) = &mut self.place {
                    *place = origin.last_sequence.max(*place);
                }
            }
            LaneItem::News(StreamNews::Found { epoch, .. }) => self.enter(epoch),
            LaneItem::Fact(Fact::StreamLost { count, .. }) => {
                self.lost += count;
                self.begin_anew();
            }
            LaneItem::News(
                StreamNews::Acknowledged { .. }
                | StreamNews::Drained
                | StreamNews::Missing
                | StreamNews::Unreadable
                | StreamNews::Unreachable,
            )
            | LaneItem::Fact(_) => {}
        }
    }

    fn enter(&mut self, epoch: &Epoch) {
        let life = life_of(epoch);
        match &self.place {
            Some((known, _)) if *known == life => {}
            Some(_) => {
                self.place = Some((life, 0));
                self.begin_anew();
                self.exact = Exact::No;
            }
            None => self.place = Some((life, 0)),
        }
    }

    fn begin_anew(&mut self) {
        if self.owes == Owes::ToBeginAnew {
            self.owes = Owes::Nothing;
            self.begun_anew += 1;
            self.counts.values_mut().for_each(|count| *count = 0.0);
            self.exact = Exact::No;
        }
    }

    fn take_core(&mut self, payload: &[u8], workload: &Workload) {
        let Some(spec) = workload.spec(payload) else { return };
        self.core.received += 1;
        if !self.seen.insert(spec.number) {
            self.core.duplicate += 1;
            return;
        }
        self.core.applied += 1;
        if let Says::Queue { queue } = spec.says {
            *self.queues.entry(queue).or_default() += 1.0;
        }
    }

    fn take_stored(&mut self, (order, sequence): (Order, u64), payload: &[u8], workload: &Workload) {
        let Some((life, place)) = self.place.clone() else { return };
        if order == Order::Stream && sequence <= place {
            return;
        }
        let is_new = self.given.entry(life).or_default().insert(sequence);
        if !is_new && order == Order::Consumer {
            return;
        }
        // Our own alert events count nowhere.
        let Some(spec) = workload.spec(payload) else { return };
        self.stream.received += 1;
        if spec.says == Says::Garbage {
            self.seen.insert(spec.number);
            self.stream.rejected += 1;
            return;
        }
        if !self.seen.insert(spec.number) {
            self.stream.duplicate += 1;
            return;
        }
        self.stream.applied += 1;
        match spec.says {
            Says::Count { shop, by } => *self.counts.entry(shop).or_default() += f64::from(by),
            Says::Level { tank, value } => drop(self.levels.insert(tank, f64::from(value))),
            Says::Queue { .. } | Says::Garbage => {}
        }
    }
}
