//! A stream's batches and news into the engine, the past before the present.

use std::ops::Range;
use std::sync::Arc;

use super::catch_up::{CatchUpStep, TOGETHER};
use super::moment::Moment;
use super::origin::Rise;
use super::{CatchUp, Epoch, Origin, Owed, Position, Standing, StreamBatch, StreamNews};
use crate::engine::fact::{Fact, Novelty, Rejected};
use crate::engine::rules::{Beginnings, GATHER, Reach};
use crate::engine::time::Timestamp;
use crate::engine::wire::Lane;
use crate::engine::{Engine, State};

/// Ticks made up for between two messages of the past.
const TICKS_MAX: usize = 10_000;

impl Engine {
    /// Declares the counters of a stream that will be read at zero, and waits for its past: the engine's time stands
    /// still at its present one until the stream is seen. `present` is the clock's time.
    pub(crate) fn await_stream(&mut self, stream: &str, present: Timestamp) {
        self.frozen = None;
        let state = &mut self.state;
        state.account.declare_stream(&mut state.store, stream, state.now);
        let catch_up = std::mem::replace(&mut state.catch_up, CatchUp::nothing());
        state.catch_up = catch_up.awaiting(state.now, present);
    }

    /// Goes on from a state where no stream is read: time moves on to the present.
    pub fn go_on(&mut self, present: Timestamp) {
        self.frozen = None;
        self.state.arrive(present);
    }

    /// Takes news of the stream that is read.
    pub(crate) fn hear(&mut self, news: &StreamNews, present: Timestamp) {
        self.frozen = None;
        if let StreamNews::Found { stream, epoch, .. } = news {
            self.state.enter(stream, epoch, present);
        }
        if let (StreamNews::Acknowledged { sequence }, Some(position)) = (news, &mut self.state.position) {
            position.delivered.insert_through(*sequence);
        }
        self.state.tell_position();
        match self.state.catch_up.hear(news, present) {
            CatchUpStep::Stay | CatchUpStep::Begin => {}
            CatchUpStep::Arrive => self.state.arrive(present),
        }
    }

    /// Applies a batch of a stream: what is at or below the position is dropped, and what was stored before the start
    /// is applied in its own time, the ticks in between included. What is refused is counted and returned.
    pub(crate) fn receive(&mut self, batch: &StreamBatch<'_>, present: Timestamp) -> Vec<Rejected> {
        self.frozen = None;
        self.state.enter(&batch.origin.stream, &batch.origin.epoch, present);
        self.state.rules.read_from(batch.least_sequence());
        let mut runs = Runs { batch, rise: batch.rise(), present, rejected: Vec::new() };
        let mut start = 0;
        for (place, stored) in batch.stored.iter().enumerate() {
            let position = self.state.position.as_ref();
            if position.is_some_and(|position| !position.is_new(batch.origin.order, stored.sequence)) {
                self.apply_run(&mut runs, start..place);
                start = place + 1;
                continue;
            }
            if self.state.begins_moment(stored.at, present) {
                self.apply_run(&mut runs, start..place);
                start = place;
                self.state.answer(present);
            }
            if let Some(at) = self.state.catch_up.due(*stored, self.state.next_tick(), present) {
                self.apply_run(&mut runs, start..place);
                start = place;
                self.state.live_until(at);
            }
            if self.state.catch_up.ends_with(batch.origin, stored.sequence) {
                self.apply_run(&mut runs, start..place + 1);
                start = place + 1;
                self.state.arrive(present);
            }
        }
        self.apply_run(&mut runs, start..batch.messages.len());
        if let Some(last) = batch.greatest_sequence() {
            self.state.rules.read_from(last.saturating_add(1));
        }
        if batch.origin.pending == 0 {
            // Nothing waits: what comes next is evaluated when it comes.
            self.state.moment = None;
        }
        if let Some(position) = &mut self.state.position {
            position.pass(batch);
        }
        self.state.tell_position();
        if self.state.catch_up.ends_with_batch(batch.origin) {
            self.state.arrive(present);
        }
        runs.rejected
    }

    /// How far the stream was applied; none before it was seen.
    pub(crate) const fn position(&self) -> Option<&Position> {
        self.state.position.as_ref()
    }

    /// Whether a stream was read, by this run or by one whose state or log it goes on from.
    pub(crate) fn knows_stream(&self) -> bool {
        self.state.position.is_some() || self.state.rules.are_over_stream()
    }

    /// How far catching up with the stream is.
    pub(crate) const fn standing(&self) -> Standing {
        self.state.catch_up.standing()
    }

    /// Applies the messages of a part of a batch at the engine's time.
    fn apply_run(&mut self, runs: &mut Runs<'_>, places: Range<usize>) {
        let Runs { batch, rise, present, .. } = *runs;
        let start = places.start;
        let stored = batch.stored.get(places.clone()).unwrap_or_default();
        let last = stored.last().map_or(0, |stored| stored.sequence);
        let first = stored.first().map_or(last, |stored| stored.sequence.min(last));
        let Some(messages) = batch.messages.get(places).filter(|messages| !messages.is_empty()) else {
            return;
        };
        self.state.read_from(rise, first);
        self.state.rules.applying(Reach { at_least: first, at_most: last });
        let told = match self.state.rules.beginnings() {
            Beginnings::AsDecided => &[],
            Beginnings::AsStored => stored,
        };
        for mut one in self.apply_stored(Lane::JetStream, (messages, told), present) {
            one.message += start;
            if let Some(stored) = batch.stored.get(one.message) {
                one.novelty = self.state.novelty(batch.origin, stored.sequence);
            }
            runs.rejected.push(one);
        }
        self.state.read_from(rise, last.saturating_add(1));
        self.state.rules.applying(Reach::exactly(last));
    }
}

/// A batch that is applied in runs, each at one instant, and what was refused of it so far.
struct Runs<'a> {
    batch: &'a StreamBatch<'a>,
    rise: Rise,
    present: Timestamp,
    rejected: Vec<Rejected>,
}

impl State {
    /// Takes note of which life of a stream is read.
    fn enter(&mut self, stream: &Arc<str>, epoch: &Epoch, present: Timestamp) {
        let known = self.position.as_ref();
        if known.is_some_and(|it| it.stream == *stream && it.epoch == *epoch) {
            return;
        }
        let reason = known.and_then(|position| position.change_to(epoch));
        self.position = Some(Position::before_all(stream, epoch));
        if let Some(reason) = reason {
            self.catch_up.forget_first_look();
            self.copied.clear();
            let now = self.advance(present);
            self.begin_stream_anew(now);
            self.observe(&Fact::StreamEpoch { stream: Arc::clone(stream), reason }, now);
        }
    }

    /// Says how far the stream is applied, for what is decided between two batches.
    fn tell_position(&mut self) {
        let sequence = self.position.as_ref().map_or(0, |position| position.sequence);
        self.rules.applying(Reach::exactly(sequence));
    }

    /// Everything before this sequence is applied, where the batch is in the stream's order.
    fn read_from(&mut self, rise: Rise, sequence: u64) {
        match rise {
            Rise::Throughout => self.rules.read_from(sequence),
            Rise::Broken => {}
        }
    }

    /// Whether a message that was stored then is of a later moment than those before it, which are to be evaluated first,
    /// however late all of them come. The instances of a pair are to see the same. One alone sees what is late as it would
    /// have seen it in time; what is not is evaluated as it comes.
    fn begins_moment(&mut self, stored: Timestamp, present: Timestamp) -> bool {
        if !self.catch_up.rules_speak() {
            return false;
        }
        let is_late = || self.catch_up.is_present() && present.since(stored) >= GATHER;
        let moment = match self.rules.beginnings() {
            Beginnings::AsStored => Some(Moment::of(stored, TOGETHER)),
            Beginnings::AsDecided => is_late().then(|| Moment::of(stored, GATHER)),
        };
        let is_later = self.moment.is_some_and(|before| moment.is_none_or(|moment| moment > before));
        self.moment = moment.and(self.moment.max(moment));
        is_later
    }

    /// Whether an earlier run has told of the message of this sequence.
    fn novelty(&self, origin: &Origin, sequence: u64) -> Novelty {
        if self.copied.contains(&sequence) {
            return Novelty::Known;
        }
        self.catch_up.novelty(origin, sequence)
    }

    /// Moves the past on to `at`, with the ticks before it.
    fn live_until(&mut self, at: Timestamp) {
        if self.catch_up.has_past() {
            self.tick_until(at);
        }
        self.catch_up.move_to(at);
    }

    fn tick_until(&mut self, at: Timestamp) {
        for _ in 0..TICKS_MAX {
            let next = self.next_tick();
            if next > at {
                return;
            }
            self.now = self.now.max(next);
            self.tick(self.now);
        }
        self.now = self.now.max(at);
        self.tick(self.now);
    }

    /// Begins the present: from here on rules speak.
    fn arrive(&mut self, present: Timestamp) {
        if self.catch_up.has_past() {
            self.tick_until(present);
        }
        let held = self.catch_up.arrive();
        let now = self.advance(present);
        self.begin_core_anew(now);
        if self.catch_up.is_restored() {
            // Until here time was the saved one, which is the same for two starts from one checkpoint.
            self.account.begin_process_at(&mut self.store, now);
        }
        self.owed = Owed::default();
        if self.catch_up.is_remembering() {
            self.rules.live(now);
            self.notifier.part_from_firing(&self.rules.views());
            self.arrived(now);
        } else {
            self.store.begin_unmoved(now);
            self.rules.resume(now);
            self.rules.live(now);
            self.step(now);
            self.evaluate(now);
        }
        for fact in held {
            self.observe(&fact, now);
        }
    }
}
