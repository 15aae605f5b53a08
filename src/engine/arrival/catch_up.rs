//! Catching up: whether the engine lives in the present or in the time of what was stored before the start.
//!
//! It begins in the past where a stream is to be read. There each message's stored time is `now`, rules are silent,
//! and neither readiness nor a scrape may say that all is well. The present begins when everything is applied that
//! the stream held when it was first seen, or when there is nothing to wait for.

use std::sync::Arc;
use std::time::Duration;

use super::origin::{Epoch, Order, Origin, Stored};
use crate::engine::fact::{Fact, Novelty};
use crate::engine::time::Timestamp;

/// How long the present waits for a broker that cannot be reached; without one there is no past to read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Messages stored closer to each other than this are applied at one instant.
pub(super) const TOGETHER: Duration = Duration::from_millis(10);

/// Facts kept for the present; more are counted in the past.
const HELD_MAX: usize = 64;

/// What a lane learns of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamNews {
    /// It is read from here on.
    Found {
        /// The stream.
        stream: Arc<str>,
        /// Which life of it.
        epoch: Epoch,
        /// The last sequence it held when it was looked at.
        last_sequence: u64,
        /// Messages that wait to be read.
        pending: u64,
    },
    /// Everything that waited was read.
    Drained,
    /// Everything up to this sequence is acknowledged.
    Acknowledged {
        /// The sequence.
        sequence: u64,
    },
    /// It does not exist: whatever it will hold is new.
    Missing,
    /// The broker does not let it be read.
    Unreadable,
    /// The broker cannot be reached.
    Unreachable,
}

/// How far catching up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The stream was not seen yet.
    Awaiting,
    /// So many messages were stored before the start.
    Reading {
        /// How many waited when reading began.
        messages: u64,
    },
    /// Time is the clock's.
    Present,
}

/// What follows from news or from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CatchUpStep {
    /// Nothing.
    Stay,
    /// Rules fall silent.
    Begin,
    /// The present begins.
    Arrive,
}

/// Where each lane stands between the past and the present.
#[derive(Clone, Debug)]
pub(crate) struct CatchUp {
    stage: CatchUpStage,
    memory: Memory,
    first_look: FirstLook,
    held: Vec<Fact>,
}

/// Whether there is a state to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// There is none: what was stored before the start is history, and rules are silent in it.
    Nothing,
    /// There is, of while that history was read: the rest of it is read in silence.
    Silence,
    /// There is: what was stored since is lived through as if the engine had been there.
    State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CatchUpStage {
    /// Time stands still before the past until the stream is seen.
    Awaiting {
        at: Timestamp,
        since: Timestamp,
    },
    /// Time is that of the message read last.
    Reading {
        at: Timestamp,
        until: u64,
        messages: u64,
        read: Read,
    },
    Present,
}

/// Whether a message of the past was applied: before the first one there is no time to tick through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Nothing,
    Something,
}

/// What the stream held before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstLook {
    /// Nobody looked yet.
    NotYet,
    /// The stream did not exist.
    Missing,
    /// It held what an earlier run has told of.
    Held { last_sequence: u64 },
    /// It held nothing that anybody told of.
    AllNew,
}

impl CatchUp {
    /// No stream is read: there is no past.
    pub(crate) fn nothing() -> Self {
        let (stage, memory) = (CatchUpStage::Present, Memory::Nothing);
        Self { stage, memory, first_look: FirstLook::AllNew, held: Vec::new() }
    }

    /// Time stands where a state was saved.
    pub(crate) const fn remembering(at: Timestamp) -> Self {
        let (stage, memory) = (CatchUpStage::Awaiting { at, since: at }, Memory::State);
        Self { stage, memory, first_look: FirstLook::NotYet, held: Vec::new() }
    }

    /// Time stands where a state was saved while what the stream stored before the first start was read.
    pub(crate) const fn silent(at: Timestamp) -> Self {
        let (stage, memory) = (CatchUpStage::Awaiting { at, since: at }, Memory::Silence);
        Self { stage, memory, first_look: FirstLook::NotYet, held: Vec::new() }
    }

    /// A stream is to be read, and its past begins at `at`.
    #[must_use]
    pub(crate) fn awaiting(self, at: Timestamp, present: Timestamp) -> Self {
        let stage = CatchUpStage::Awaiting { at, since: present };
        Self { stage, first_look: FirstLook::NotYet, ..self }
    }

    /// How far it is.
    pub(crate) const fn standing(&self) -> Standing {
        match self.stage {
            CatchUpStage::Awaiting { .. } => Standing::Awaiting,
            CatchUpStage::Reading { messages, .. } => Standing::Reading { messages },
            CatchUpStage::Present => Standing::Present,
        }
    }

    /// The engine's time when the clock says `present`.
    pub(crate) const fn now(&self, present: Timestamp) -> Timestamp {
        match self.stage {
            CatchUpStage::Awaiting { at, .. } | CatchUpStage::Reading { at, .. } => at,
            CatchUpStage::Present => present,
        }
    }

    /// Whether time is the clock's.
    pub(crate) const fn is_present(&self) -> bool {
        matches!(self.stage, CatchUpStage::Present)
    }

    /// Whether there is more than there was at the start: the stream is read, or was before.
    pub(crate) const fn has_begun(&self) -> bool {
        self.is_remembering() || !matches!(self.stage, CatchUpStage::Awaiting { .. })
    }

    /// Whether rules are evaluated.
    pub(crate) const fn rules_speak(&self) -> bool {
        self.is_present() || self.is_remembering()
    }

    /// Whether it goes on from a state.
    pub(crate) const fn is_remembering(&self) -> bool {
        matches!(self.memory, Memory::State)
    }

    /// Whether there was a state, of whatever time.
    pub(crate) const fn is_restored(&self) -> bool {
        matches!(self.memory, Memory::State | Memory::Silence)
    }

    /// Takes news of the stream.
    pub(crate) fn hear(&mut self, news: &StreamNews, present: Timestamp) -> CatchUpStep {
        match news {
            StreamNews::Found { last_sequence, pending, .. } => self.found(*last_sequence, *pending, present),
            StreamNews::Drained => self.arrive_from_reading(),
            StreamNews::Missing => {
                if self.first_look == FirstLook::NotYet {
                    self.first_look = FirstLook::Missing;
                }
                self.stop_waiting()
            }
            StreamNews::Acknowledged { .. } => CatchUpStep::Stay,
            StreamNews::Unreadable => self.stop_waiting(),
            StreamNews::Unreachable => match self.stage {
                // What a state holds is less than was shown already, until the stream was read on.
                CatchUpStage::Awaiting { since, .. }
                    if self.memory == Memory::Nothing && present.since(since) > PATIENCE =>
                {
                    self.stop_waiting()
                }
                CatchUpStage::Awaiting { .. } | CatchUpStage::Reading { .. } | CatchUpStage::Present => {
                    CatchUpStep::Stay
                }
            },
        }
    }

    /// The stream began anew: what it holds was told of by nobody.
    pub(crate) fn forget_first_look(&mut self) {
        self.first_look = FirstLook::AllNew;
    }

    /// To which instant time moves before a message that was stored then; none where it is applied with those before it.
    pub(crate) fn due(&self, stored: Stored, next_tick: Timestamp, present: Timestamp) -> Option<Timestamp> {
        let CatchUpStage::Reading { at: before, .. } = self.stage else { return None };
        let at = stored.at.min(present).max(before);
        (next_tick <= at || at.since(before) >= TOGETHER).then_some(at)
    }

    /// Moves time to `at`; yields whether there is a time to tick through before it.
    pub(crate) fn move_to(&mut self, to: Timestamp) -> bool {
        let CatchUpStage::Reading { at, read, .. } = &mut self.stage else { return false };
        *at = to;
        std::mem::replace(read, Read::Something) == Read::Something
    }

    /// Whether there is a time to tick through up to the present: the engine remembers, or messages of the past were
    /// applied.
    pub(crate) const fn has_past(&self) -> bool {
        match self.stage {
            CatchUpStage::Awaiting { .. } => self.is_remembering(),
            CatchUpStage::Reading { read, .. } => self.is_remembering() || matches!(read, Read::Something),
            CatchUpStage::Present => false,
        }
    }

    /// Looks whether the past ends with the message of this sequence.
    pub(crate) fn ends_with(&self, origin: &Origin, sequence: u64) -> bool {
        match (self.stage, origin.order) {
            (CatchUpStage::Reading { until, .. }, Order::Stream) => sequence >= until,
            (CatchUpStage::Reading { .. }, Order::Consumer)
            | (CatchUpStage::Awaiting { .. } | CatchUpStage::Present, Order::Stream | Order::Consumer) => {
                false
            }
        }
    }

    /// Looks whether the past ends with a batch.
    pub(crate) fn ends_with_batch(&self, origin: &Origin) -> bool {
        let may_end = matches!(self.stage, CatchUpStage::Reading { .. }) && origin.order == Order::Stream;
        may_end && (origin.pending == 0 || self.ends_with(origin, origin.last_sequence))
    }

    /// Whether an earlier run has told of what was stored at this place.
    pub(crate) fn novelty(&self, origin: &Origin, sequence: u64) -> Novelty {
        match (self.first_look, origin.order) {
            // The run that left the state told of nothing behind it.
            (FirstLook::Held { last_sequence }, Order::Stream)
                if sequence <= last_sequence && !self.is_remembering() =>
            {
                Novelty::Known
            }
            (
                FirstLook::NotYet | FirstLook::Missing | FirstLook::Held { .. } | FirstLook::AllNew,
                Order::Stream | Order::Consumer,
            ) => Novelty::New,
        }
    }

    /// Keeps a fact whose time counts until the present; the others come back. What the process is like now is nothing
    /// of the past, and is told again soon.
    pub(crate) fn hold(&mut self, fact: Fact) -> Option<Fact> {
        if self.is_present() {
            return Some(fact);
        }
        if matches!(fact, Fact::Process(_)) {
            return None;
        }
        let is_link = |fact: &Fact| matches!(fact, Fact::Connected | Fact::Disconnected);
        if self.is_remembering() && is_link(&fact) {
            // Rules that live through the past must not see the connection of now.
            self.held.retain(|held| !is_link(held));
            self.held.push(fact);
            return None;
        }
        if matches!(fact, Fact::Reloaded(_)) && self.held.len() < HELD_MAX {
            self.held.push(fact);
            return None;
        }
        Some(fact)
    }

    /// Begins the present; yields what was kept for it.
    pub(crate) fn arrive(&mut self) -> Vec<Fact> {
        self.stage = CatchUpStage::Present;
        std::mem::take(&mut self.held)
    }

    fn found(&mut self, last_sequence: u64, pending: u64, present: Timestamp) -> CatchUpStep {
        let is_first = matches!(self.first_look, FirstLook::NotYet | FirstLook::Missing);
        match self.first_look {
            FirstLook::NotYet => self.first_look = FirstLook::Held { last_sequence },
            FirstLook::Missing => self.first_look = FirstLook::AllNew,
            FirstLook::Held { .. } | FirstLook::AllNew => {}
        }
        match (self.stage, pending) {
            (CatchUpStage::Awaiting { .. } | CatchUpStage::Reading { .. }, 0) => CatchUpStep::Arrive,
            (CatchUpStage::Awaiting { at, .. }, _) => self.begin(at, last_sequence, pending),
            // Time never goes back: a stream that comes late is read in the present.
            (CatchUpStage::Present, 1..) if is_first => self.begin(present, last_sequence, pending),
            (CatchUpStage::Reading { .. } | CatchUpStage::Present, _) => CatchUpStep::Stay,
        }
    }

    const fn begin(&mut self, at: Timestamp, until: u64, messages: u64) -> CatchUpStep {
        self.stage = CatchUpStage::Reading { at, until, messages, read: Read::Nothing };
        CatchUpStep::Begin
    }

    const fn arrive_from_reading(&self) -> CatchUpStep {
        match self.stage {
            CatchUpStage::Reading { .. } => CatchUpStep::Arrive,
            CatchUpStage::Awaiting { .. } | CatchUpStage::Present => CatchUpStep::Stay,
        }
    }

    const fn stop_waiting(&self) -> CatchUpStep {
        match self.stage {
            CatchUpStage::Awaiting { .. } => CatchUpStep::Arrive,
            CatchUpStage::Reading { .. } | CatchUpStage::Present => CatchUpStep::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::{ProcessReading, ReloadResult};

    const BEGIN: i64 = -3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_764_000_000_000 + seconds * 1_000)
    }

    fn found(last_sequence: u64, pending: u64) -> StreamNews {
        StreamNews::Found { stream: Arc::from("S"), epoch: Epoch::first("a"), last_sequence, pending }
    }

    fn origin(order: Order, pending: u64) -> Origin {
        let epoch = Epoch::first("a");
        Origin { stream: Arc::from("S"), epoch, order, first_sequence: 1, last_sequence: 1, pending }
    }

    /// Hears news, each a second after the one before it, and arrives where it says so; what came of each.
    fn hear(news: &[StreamNews]) -> (CatchUp, Vec<CatchUpStep>) {
        let mut catch_up = CatchUp::nothing().awaiting(at(BEGIN), at(0));
        let mut steps = Vec::new();
        for (second, news) in (0..).zip(news) {
            let step = catch_up.hear(news, at(second));
            if step == CatchUpStep::Arrive {
                catch_up.arrive();
            }
            steps.push(step);
        }
        (catch_up, steps)
    }

    #[test]
    fn the_past_begins_and_ends_once_whatever_the_lane_hears() {
        use CatchUpStep::{Arrive, Begin, Stay};
        use StreamNews::{Drained, Missing, Unreachable, Unreadable};
        let cases: &[(&[StreamNews], &[CatchUpStep])] = &[
            (&[found(0, 0), found(9, 9), Drained], &[Arrive, Stay, Stay]),
            (&[found(9, 9), found(12, 3), Drained, found(12, 4)], &[Begin, Stay, Arrive, Stay]),
            (&[found(9, 9), Unreachable, Missing, found(9, 0)], &[Begin, Stay, Stay, Arrive]),
            (&[Missing, Missing, found(9, 9), Drained, found(20, 9)], &[Arrive, Stay, Begin, Arrive, Stay]),
            (&[Unreadable, found(9, 9), found(9, 0)], &[Arrive, Begin, Arrive]),
            (&[Unreachable, Unreachable, Unreachable, Unreachable], &[Stay, Stay, Stay, Arrive]),
        ];
        for (news, expected) in cases {
            assert_eq!(hear(news).1, *expected, "{news:?}");
        }
    }

    #[test]
    fn a_state_waits_for_the_broker_however_little_is_in_it() {
        for catch_up in [CatchUp::remembering(at(0)), CatchUp::silent(at(0))] {
            let mut catch_up = catch_up.awaiting(at(0), at(0));
            for second in 0..60 {
                let step = catch_up.hear(&StreamNews::Unreachable, at(second));
                assert_eq!(step, CatchUpStep::Stay, "{second}");
            }
            assert_eq!(catch_up.hear(&found(9, 9), at(60)), CatchUpStep::Begin);
        }
    }

    #[test]
    fn time_is_the_messages_until_the_present_begins() {
        let (mut catch_up, _) = hear(&[found(9, 9)]);
        assert_eq!(catch_up.now(at(50)), at(BEGIN));
        let far = at(10_000);
        // A message of this second: where time moves to, and whether ticks lie before it.
        let cases =
            [(-100, Some(-100), false), (-100, None, true), (-90, Some(-90), true), (90, Some(50), true)];
        for (second, due, ticks) in cases {
            let stored = Stored { sequence: 1, at: at(second) };
            let moved = catch_up.due(stored, far, at(50));
            assert_eq!(moved, due.map(at), "{second}");
            if let Some(moved) = moved {
                assert_eq!(catch_up.move_to(moved), ticks, "{second}");
            }
        }
        assert_eq!(catch_up.now(at(60)), at(50));
        catch_up.arrive();
        assert_eq!((catch_up.now(at(60)), catch_up.standing()), (at(60), Standing::Present));
    }

    #[test]
    fn what_was_stored_before_the_start_was_told_of_by_an_earlier_run() {
        let cases: &[(&[StreamNews], Order, u64, Novelty)] = &[
            (&[found(9, 9)], Order::Stream, 9, Novelty::Known),
            (&[found(9, 9)], Order::Stream, 10, Novelty::New),
            (&[found(9, 9)], Order::Consumer, 9, Novelty::New),
            (&[StreamNews::Missing, found(9, 9)], Order::Stream, 3, Novelty::New),
            (&[StreamNews::Unreadable, found(9, 9)], Order::Stream, 3, Novelty::Known),
        ];
        for (news, order, sequence, expected) in cases {
            let novelty = hear(news).0.novelty(&origin(*order, 1), *sequence);
            assert_eq!(novelty, *expected, "{news:?} {order:?} {sequence}");
        }
    }

    #[test]
    fn the_past_ends_with_the_last_message_of_the_first_look() {
        let (catch_up, _) = hear(&[found(9, 9)]);
        let ends = |order, sequence| catch_up.ends_with(&origin(order, 1), sequence);
        assert_eq!([8, 9, 12].map(|sequence| ends(Order::Stream, sequence)), [false, true, true]);
        assert!(!ends(Order::Consumer, 9));
        assert!(catch_up.ends_with_batch(&origin(Order::Stream, 0)));
        assert!(!catch_up.ends_with_batch(&origin(Order::Stream, 3)));
    }

    #[test]
    fn a_reload_is_counted_in_the_present() {
        let (mut catch_up, _) = hear(&[found(9, 9)]);
        let reload = Fact::Reloaded(ReloadResult::Success);
        let process = Fact::Process(ProcessReading::default());
        assert_eq!(catch_up.hold(reload.clone()), None);
        assert_eq!(catch_up.hold(process.clone()), None);
        assert_eq!(catch_up.hold(Fact::Connected), Some(Fact::Connected));
        assert_eq!(catch_up.arrive(), std::slice::from_ref(&reload));
        assert_eq!(catch_up.hold(reload.clone()), Some(reload));
        assert_eq!(catch_up.hold(process.clone()), Some(process));
    }
}
