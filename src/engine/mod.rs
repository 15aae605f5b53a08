//! The engine: events in, metrics and alert events out, time as an argument.
//!
//! [`Engine`] is what a driver calls: [`Engine::apply`] with batches of messages, [`Engine::tick`] when
//! [`Engine::next_tick`] has come, [`Engine::confirm`] for what of the [`Engine::outbox`] was acknowledged, and
//! [`Engine::freeze`] for a scrape. Nothing here fails or panics whatever arrives: what is refused is counted and
//! returned.

mod account;
pub(crate) mod admission;
pub(crate) mod arrival;
pub(crate) mod assist;
pub mod catalogue;
pub mod checkpoint;
pub mod config;
pub(crate) mod dashboards;
pub mod diagnostic;
pub(crate) mod duration;
pub mod exposition;
pub(crate) mod fact;
pub(crate) mod frozen;
pub mod history;
pub mod labels;
pub mod metric;
pub(crate) mod pattern;
pub mod promql;
pub mod rules;
mod saved;
pub mod series;
pub mod stopwatch;
pub mod time;
pub(crate) mod trackers;
pub mod wire;
pub(crate) mod yaml;

use account::Account;
use admission::duplicates::{DuplicateWindow, Seen};
use admission::majors::Majors;
use arrival::{CatchUp, Moment, Owed, Position, Share, Stored};
use catalogue::{Catalogue, Metric, Registered};
use config::{Config, DedupeConfig};
use exposition::FrozenMetrics;
use fact::{Fact, Notice, Novelty, Rejected};
use frozen::FrozenInstant;
use history::{History, Occasion, Sampled};
use rules::notify::{Notification, Notifier};
use rules::reads::{EvaluationView, RuleReads, Watch};
use rules::shown::ShownAlerts;
use rules::view::{AlertView, GroupView};
use rules::{AlertEvent, GroupCounts, RuleSet, RuleSettings, Rules};
use series::recent::RecentEvents;
use series::{Cause, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::{num::NonZero, sync::Arc, time::Duration};
use stopwatch::Stopwatch;
use time::Timestamp;
use wire::{Decoder, Element, Event, EventId, Lane, Message, Payload, Refusal, Verdict};

pub use arrival::RunEnding;

/// The whole of signalbox' decisions. Deterministic: the same calls yield the same bytes.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    state: State,
    /// What was frozen last, while nothing was written since.
    frozen: Option<Arc<FrozenInstant>>,
}

/// Everything but the decoder, which lends out what it read while the rest changes.
#[derive(Debug)]
struct State {
    now: Timestamp,
    catch_up: CatchUp,
    position: Option<Position>,
    window: DuplicateWindow,
    majors: Majors,
    recent: RecentEvents,
    /// The moment that the last message was of, while more of a backlog waits behind it.
    moment: Option<Moment>,
    /// When the message was stored that is applied, where episodes begin by that.
    stored_at: Option<Timestamp>,
    store: Store,
    catalogue: Catalogue,
    account: Account,
    history: History,
    next_step: Timestamp,
    rules: Rules,
    watch: Watch,
    shown: ShownAlerts,
    notifier: Notifier,
    notices: Vec<Notice>,
    owed: Owed,
    /// Which of all events come here.
    share: Share,
    /// Sequences of rejected messages of which an earlier run published copies after the state was saved.
    copied: BTreeSet<u64>,
    /// Since when alert events wait at an instance of a pair that follows, by its own clock; as they were when it last looked
    /// which of them the other one did not see.
    waiting_since: BTreeMap<EventId, Timestamp>,
}

/// How long a frozen instant is good for readers where nothing was written since: time alone moves little by then.
const FROZEN_FOR: Duration = Duration::from_millis(5);

/// Messages that are fetched ahead, with their places in the duplicate window: few enough to stay in the nearest cache.
const FETCHED_TOGETHER: usize = 64;

impl Engine {
    /// An engine that has seen no event.
    pub fn new(config: &Config, rules: RuleSet, now: Timestamp) -> Self {
        let limits = &config.limits;
        let mut store = Store::new(limits.into());
        store.set_park_after(config.park_after);
        let metrics = Registered::new(&mut store, config, now);
        let account = Account::new(metrics.clone(), &mut store, limits.series, now);
        let shown = ShownAlerts::new(metrics.family(Metric::OwnAlerts).id());
        let catalogue = Catalogue::new(metrics, config);
        let history = History::new(&config.history);
        let mut notifier = Notifier::default();
        notifier.configure(config);
        let mut state = State {
            now,
            catch_up: CatchUp::nothing(),
            position: None,
            window: DuplicateWindow::new(config.dedupe.clone()),
            majors: Majors::new(config.deprecate_after),
            recent: RecentEvents::default(),
            moment: None,
            stored_at: None,
            store,
            catalogue,
            account,
            next_step: history.next_step(now),
            history,
            rules: Rules::new(rules, RuleSettings::of(config), now),
            watch: Watch::default(),
            shown,
            notifier,
            notices: Vec::new(),
            owed: Owed::default(),
            share: Share::of(config),
            copied: BTreeSet::new(),
            waiting_since: BTreeMap::new(),
        };
        state.rules_changed();
        Self { decoder: Decoder::new(&config.wire(), config.alert_source()), state, frozen: None }
    }

    /// Shows which build runs, as `signalbox_build_info`.
    pub(crate) fn name_build(&mut self, version: &str, revision: &str, now: Timestamp) {
        self.frozen = None;
        let now = self.state.advance(now);
        self.state.account.build(&mut self.state.store, version, revision, now);
    }

    /// Measures the evaluation of rules with `stopwatch` from now on.
    pub fn time_with(&mut self, stopwatch: Arc<dyn Stopwatch>) {
        self.state.rules.time_with(stopwatch);
    }

    /// Applies a batch of one lane in its order; what is refused is counted and returned.
    pub fn apply(&mut self, lane: Lane, messages: &[Message<'_>], now: Timestamp) -> Vec<Rejected> {
        self.apply_stored(lane, (messages, &[]), now)
    }

    /// The same of messages that were stored then.
    fn apply_stored(
        &mut self,
        lane: Lane,
        (messages, stored): (&[Message<'_>], &[Stored]),
        now: Timestamp,
    ) -> Vec<Rejected> {
        let Self { decoder, state, frozen } = self;
        *frozen = None;
        let now = state.advance(now);
        if lane == Lane::Core {
            state.begin_core_anew(now);
        }
        let mut rejected = Vec::new();
        let mut place = 0;
        let mut glances = [None; FETCHED_TOGETHER];
        for few in messages.chunks(FETCHED_TOGETHER) {
            wire::fetch(few);
            glances.fill(None);
            glances.iter_mut().zip(few).for_each(|(glance, few)| *glance = wire::likely_id(few.payload));
            state.window.fetch(glances.iter().flatten().map(|glance| glance.id));
            for (message, glance) in few.iter().zip(glances) {
                let mut element = 0;
                state.catalogue.note_subject(message.subject);
                state.stored_at = stored.get(place).map(|stored| stored.at);
                decoder.decode_glanced(lane, message, glance, |found: Element<'_>| {
                    if let Err(refusal) = state.take(&found, now) {
                        let novelty = Novelty::New;
                        rejected.push(Rejected { message: place, element, refusal, novelty });
                    }
                    element += 1;
                });
                place += 1;
            }
        }
        state.account.settle(&mut state.store, lane, now);
        state.arrived(now);
        state.sample_again(now);
        rejected
    }

    /// Does what is due by now: timers, groups at their interval, history, expiry.
    pub fn tick(&mut self, now: Timestamp) {
        self.frozen = None;
        let now = self.state.advance(now);
        self.state.tick(now);
    }

    /// When [`Engine::tick`] has something to do next.
    pub fn next_tick(&self) -> Timestamp {
        self.state.next_tick()
    }

    /// Takes note of something that happened outside.
    pub(crate) fn observe(&mut self, fact: Fact, now: Timestamp) {
        if let Some(fact) = self.state.catch_up.hold(fact) {
            self.frozen = None;
            let now = self.state.advance(now);
            self.state.observe(&fact, now);
        }
    }

    /// The alert events that wait to be acknowledged, in the order in which they must be published.
    pub(crate) fn outbox(&self) -> impl Iterator<Item = &AlertEvent> {
        self.state.rules.outbox()
    }

    /// The alert event with this id was acknowledged; whether it waited to be.
    pub(crate) fn confirm(&mut self, id: EventId, now: Timestamp) -> bool {
        self.frozen = None;
        let state = &mut self.state;
        let now = state.advance(now);
        let Some(event) = state.rules.confirm(id) else { return false };
        state.account.published(&mut state.store, &event, now);
        true
    }

    /// Puts other rules in force; alerts of changed and removed ones end.
    pub(crate) fn replace_rules(&mut self, rules: RuleSet, now: Timestamp) {
        self.frozen = None;
        let state = &mut self.state;
        let now = state.advance(now);
        // What is overdue was due under the rules of before.
        if state.catch_up.is_present() {
            state.tick(now);
        }
        let waited = state.rules.outbox().len();
        state.rules.replace(rules, state.recent.upcoming(), now);
        state.rules_changed();
        state.write_annotations(now);
        state.notifier.retain(&state.rules.views());
        if state.catch_up.is_present() {
            state.notifier.tell_of_gone(now);
        } else {
            state.notifier.notice(state.rules.outbox().skip(waited));
        }
    }

    /// Goes on under another configuration, of which only live keys may differ; yields which metrics begin anew for it.
    pub(crate) fn reconfigure(&mut self, config: &Config, now: Timestamp) -> Vec<String> {
        self.decoder = Decoder::new(&config.wire(), config.alert_source());
        self.frozen = None;
        let state = &mut self.state;
        let now = state.advance(now);
        state.store.set_limits((&config.limits).into());
        state.store.set_park_after(config.park_after);
        let nothing = DuplicateWindow::new(DedupeConfig { entries: 0, age: config.dedupe.age });
        state.window = std::mem::replace(&mut state.window, nothing).resized(config.dedupe.clone());
        state.majors.deprecate_after(config.deprecate_after);
        state.history.configure(&config.history);
        state.next_step = state.history.next_step(now);
        state.rules.configure(RuleSettings::of(config), now);
        state.rules_changed();
        state.write_annotations(now);
        state.notifier.configure(config);
        let anew = state.catalogue.configure(&mut state.store, config, now);
        state.account.configure(&mut state.store, config.limits.series, now);
        anew
    }

    /// One consistent instant of everything that readers ask for, to be read elsewhere.
    pub fn freeze(&mut self, now: Timestamp) -> Arc<FrozenInstant> {
        let now = self.state.advance(now);
        if let Some(frozen) = self.frozen.as_ref().filter(|frozen| now.since(frozen.now()) < FROZEN_FOR) {
            return Arc::clone(frozen);
        }
        let frozen = Arc::new(self.state.freeze(now));
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// The rule groups with the state of each rule.
    pub fn groups(&self) -> Vec<GroupView> {
        self.state.rules.groups()
    }

    /// The alerts that are pending or firing.
    pub(crate) fn alerts(&self) -> Vec<AlertView> {
        self.state.rules.alerts()
    }

    /// What Alertmanagers are to be told, since the last call.
    pub(crate) fn take_notifications(&mut self) -> Vec<Notification> {
        self.state.notifier.take()
    }

    /// What a person should read of, since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.state.notices)
    }

    /// Every metric family, for `/api/v1/metadata`.
    pub fn store(&self) -> &Store {
        &self.state.store
    }
}

impl State {
    /// The engine's time when the caller's clock says `now`. It never runs backwards, whatever that clock does.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.now = self.now.max(self.catch_up.now(now));
        self.now
    }

    fn observe(&mut self, fact: &Fact, now: Timestamp) {
        if matches!(fact, Fact::StreamLost { .. }) {
            self.begin_stream_anew(now);
        }
        self.account.observe(&mut self.store, fact, now);
        self.arrived(now);
        self.sample_again(now);
    }

    /// What came of an instant comes before the history's sample of it.
    fn sample_again(&mut self, now: Timestamp) {
        self.history.sample_again(&mut self.store, now);
        self.watch.sample_again(&self.store, &mut self.history, now);
    }

    fn tick(&mut self, now: Timestamp) {
        let step = now >= self.next_step;
        let rules = self.catch_up.rules_speak() && self.rules.next_due().is_some_and(|due| due <= now);
        if step {
            self.step(now);
        }
        if rules {
            self.evaluate(now);
        }
    }

    fn next_tick(&self) -> Timestamp {
        let due = if self.catch_up.rules_speak() { self.rules.next_due() } else { None };
        due.map_or(self.next_step, |due| due.min(self.next_step))
    }

    /// Takes one element of a message through the checks of `METRICS.md` ("An event is checked in this order").
    fn take(&mut self, element: &Element<'_>, now: Timestamp) -> Result<(), Refusal> {
        let draft = match &element.verdict {
            Verdict::Own => return Ok(()),
            Verdict::Refused(refusal) => {
                self.account.received(element.event_type);
                return self.refuse(refusal.clone());
            }
            Verdict::Draft(draft) => draft,
        };
        self.account.received(element.event_type);
        if self.window.seen(draft.id()) == Seen::Duplicate {
            self.account.duplicate(draft.event_type());
            return Ok(());
        }
        // It stays where it was read: an event is too large to be moved for nothing.
        let read = draft.event();
        let event = match &read {
            Ok(event) => event,
            Err(refusal) => return self.refuse(refusal.clone()),
        };
        let cause = Cause { now, event: Some(self.recent.upcoming()) };
        if let Err(refusal) = self.catalogue.apply(&mut self.store, event, cause) {
            return self.refuse(refusal);
        }
        self.applied(event, now);
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        self.account.rejected(refusal.reason);
        Err(refusal)
    }

    fn applied(&mut self, event: &Event<'_>, now: Timestamp) {
        let query_hash =
            if let Payload::QueryExecuted(query) = &event.payload { query.query_hash.as_ref() } else { "" };
        self.recent.push(event.id, event.trace.map(NonZero::get), event.timestamp, query_hash);
        if let Some(at) = self.stored_at {
            self.recent.note_stored(at);
        }
        self.window.insert(event.id, now);
        let event_type = event.payload.event_type();
        let standing = self.majors.seen(event_type, event.version, now, &mut self.notices);
        self.account.applied(&mut self.store, event, standing, now);
        if self.catch_up.is_present() {
            self.account.lag(event.timestamp, now);
        }
        if self.catch_up.rules_speak() {
            if self.watch.is_behind(&self.store) {
                self.watch.look_again(&mut self.store);
            }
            self.arrived(now);
        }
    }

    /// A step of the history's grid: a scrape, so to say, by the history itself.
    fn step(&mut self, now: Timestamp) {
        self.refresh(now);
        self.retire();
        self.watch.look_again(&mut self.store);
        if self.history.sample_all(&mut self.store, now, self.watch.families()) == Sampled::Yes {
            self.watch.all_sampled();
        }
        for family in self.history.take_newly_left_out() {
            self.notices
                .push(Notice::HistoryFull { metric: self.store.family(family).exposed_name().into_owned() });
        }
        self.next_step = self.history.next_step(now);
        if self.catch_up.is_present() {
            self.notifier.tell_of_gone(now);
        }
    }

    /// Brings every gauge that time moves to this instant.
    fn refresh(&mut self, now: Timestamp) {
        self.store.expire(now);
        self.catalogue.refresh(&mut self.store, now);
        self.shown.show(&mut self.store, &self.rules.views(), now);
        for overflow in self.store.overflowed() {
            let metric = self.store.family(overflow.family).exposed_name().into_owned();
            self.account.overflowed(&mut self.store, &metric, overflow.count, now);
            self.notices.push(Notice::SeriesOverflow { metric, label: overflow.label.to_string() });
        }
        let refused = self.history.written_mut().take_refused();
        self.account.recorded_refused(&mut self.store, refused, now);
        let refused = self.history.take_arrivals_refused();
        self.account.arrivals_refused(&mut self.store, refused, now);
        self.account.gauges(&mut self.store, &self.history, self.window.len(), now);
        self.account.pending(&mut self.store, self.rules.outbox(), now);
        self.account.alerts_refused(&mut self.store, self.rules.outbox_refused(), now);
    }

    fn freeze(&mut self, now: Timestamp) -> FrozenInstant {
        self.refresh(now);
        self.retire();
        let metrics = FrozenMetrics::new(self.store.freeze(), self.recent.freeze());
        let rules = (self.rules.views(), self.rules.ended().clone());
        FrozenInstant::new(now, metrics, self.history.timeline().clone(), rules)
    }

    /// Expands the annotations of open alerts whose texts a reload took away.
    fn write_annotations(&mut self, now: Timestamp) {
        let mut view = EvaluationView {
            store: &self.store,
            recent: &self.recent,
            history: &mut self.history,
            now,
            occasion: Occasion::default(),
        };
        self.rules.write_annotations(&mut view, now);
    }

    fn rules_changed(&mut self) {
        self.history.extend_window(self.rules.range_needed());
        let reads = self.rules.reads().map(|selectors| RuleReads { selectors: selectors.to_vec() });
        self.watch.replace(reads.collect());
        for group in self.rules.in_force() {
            self.account.rule_group(&mut self.store, group, &GroupCounts::default(), self.now);
        }
        self.watch.look_again(&mut self.store);
    }
}

#[cfg(test)]
mod tests;
