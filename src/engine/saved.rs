//! The engine as a checkpoint, and from one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::Account;
use super::admission::duplicates::DuplicateWindow;
use super::admission::majors::Majors;
use super::arrival::applied_set::AppliedSet;
use super::arrival::position::Applied;
use super::arrival::{CatchUp, Epoch, Owed, Position, RunEnding, Share};
use super::catalogue::{Catalogue, CatalogueState, Metric, Registered, Unrepeatable};
use super::checkpoint::bytes::Damage;
use super::checkpoint::head::{AppliedTwin, HeadTwin, PositionTwin};
use super::checkpoint::{Checkpoint, CheckpointAge, SavedState, Section, StateError};
use super::config::Config;
use super::fact::Notice;
use super::history::History;
use super::rules::notify::Notifier;
use super::rules::reads::Watch;
use super::rules::shown::ShownAlerts;
use super::rules::{Beginnings, LogRecord, RuleSet, RuleSettings, Rules, StoredAlert};
use super::series::Store;
use super::series::recent::RecentEvents;
use super::time::Timestamp;
use super::wire::{Decoder, EventId, Lane};
use super::{Engine, State};

impl Engine {
    /// Everything that lives across a restart, as it is now, to be written elsewhere. Cheap: what is large is shared with
    /// the engine, and copied when it is next written.
    pub fn save(&mut self, now: Timestamp) -> Checkpoint {
        self.frozen = None;
        let core_types = self.decoder.types_of(Lane::Core);
        let state = &mut self.state;
        let now = state.advance(now);
        state.refresh(now);
        // Behind it, so that nothing moved or left of which rules do not know.
        state.tell_moved(now);
        let mut head = HeadTwin {
            now,
            position: state.position.as_ref().map(position_twin),
            core_types: core_types.iter().map(|event_type| Arc::from(event_type.name())).collect(),
            majors: state.majors.save(),
            silent: u8::from(!state.catch_up.rules_speak()),
            ..HeadTwin::default()
        };
        state.account.save(&state.store, &mut head);
        let (catalogue, trackers) = state.catalogue.save(&state.store);
        (head.recorded, head.slow_queries) = (catalogue.recorded, catalogue.slow_queries);
        Checkpoint {
            now,
            age: if state.catch_up.is_present() { CheckpointAge::Present } else { CheckpointAge::Past },
            parts: vec![
                (Section::Head, Box::new(head)),
                (Section::Series, Box::new(state.store.save())),
                (Section::Recent, Box::new(state.recent.clone())),
                (Section::Window, Box::new(state.window.save())),
                (Section::Trackers, Box::new(trackers)),
                (Section::Rules, Box::new(state.rules.save())),
                (Section::History, Box::new(state.history.save())),
                (Section::Told, Box::new(state.notifier.save())),
                (Section::Share, Box::new(state.share.save())),
                (Section::Unsampled, Box::new(state.watch.save())),
                (Section::Settled, Box::new(state.rules.save_settled())),
            ],
        }
    }

    /// Whether there is anything to be saved: not before the stream was seen that everything comes from.
    pub(crate) const fn can_be_saved(&self) -> bool {
        self.state.catch_up.has_begun()
    }

    /// The engine's time.
    pub(crate) const fn now(&self) -> Timestamp {
        self.state.now
    }

    /// Goes on from a state, under this configuration and these rules: alerts of rules that changed or are gone end, as
    /// with a reload, and a metric whose buckets are others now begins anew (which ones is returned). Time
    /// stands where the state was saved until [`Engine::await_stream`] or [`Engine::go_on`].
    ///
    /// # Errors
    /// The state contradicts itself.
    pub fn restore(
        config: &Config,
        rules: RuleSet,
        saved: SavedState,
        ending: RunEnding,
    ) -> Result<(Self, Vec<String>), StateError> {
        let now = saved.head.now;
        let waited = saved.rules.outbox.pending.len();
        let mut store = Store::restored(saved.series, (&config.limits).into())?;
        store.set_park_after(config.park_after);
        let (metrics, mut anew) = Registered::restored(&mut store, config, &saved.head.catalogue, now)?;
        let account = Account::restored(metrics.clone(), &mut store, &saved.head, config.limits.series);
        account.begin_process_anew(&mut store, now);
        let mut catalogue = Catalogue::new(metrics.clone(), config);
        let state = CatalogueState { recorded: saved.head.recorded, slow_queries: saved.head.slow_queries };
        anew.extend(catalogue.restore(&mut store, (state, saved.trackers), config, now)?);
        store.schedule_all();
        let mut history = History::restored(&config.history, saved.history)?;
        history.retire(store.removed());
        let mut notifier = Notifier::default();
        notifier.configure(config);
        let mut state = State {
            now,
            notifier,
            catch_up: if saved.head.silent == 0 { CatchUp::remembering(now) } else { CatchUp::silent(now) },
            position: saved.head.position.map(position_of).transpose()?,
            window: DuplicateWindow::restored(saved.window)?.resized(config.dedupe.clone()),
            majors: Majors::restored(saved.head.majors, config.deprecate_after),
            recent: RecentEvents::restored(saved.recent),
            moment: None,
            stored_at: None,
            shown: ShownAlerts::restored(metrics.family(Metric::OwnAlerts).id(), &store),
            store,
            catalogue,
            account,
            next_step: history.next_step(now),
            history,
            rules: Rules::restored(rules, RuleSettings::of(config), saved.rules, now)?,
            watch: Watch::default(),
            notices: Vec::new(),
            owed: Owed::after(ending, &saved.head.core_types),
            share: Share::of(config),
            copied: BTreeSet::new(),
            waiting_since: BTreeMap::new(),
        };
        state.take_share(&Share::restored(saved.share));
        state.rules.restored_at(state.position.as_ref().map_or(u64::MAX, |position| position.sequence));
        state.rules.restore_settled(saved.settled);
        state.rules_changed();
        state.watch.restore(&saved.unsampled, &state.store);
        state.write_annotations(now);
        state.notifier.restore(saved.told, &state.rules.views(), now);
        // What ended with its rule just now may have been told of after this was saved.
        state.notifier.notice(state.rules.outbox().skip(waited));
        // The first look at the series that rules read is no arrival.
        state.store.touched();
        Ok((Self { decoder: Decoder::new(&config.wire(), config.alert_source()), state, frozen: None }, anew))
    }

    /// Goes on with what a log tells since the state was saved, before anything else happens.
    pub(crate) fn recall(&mut self, log: &[LogRecord]) {
        self.frozen = None;
        let now = self.state.now;
        self.state.copied.extend(log.iter().filter_map(LogRecord::copied));
        self.state.rules.recall(log, now);
        self.state.write_annotations(now);
        let groups = self.state.rules.views();
        self.state.notifier.recall(log, &groups);
        self.state.notifier.go_on(&groups, now);
    }

    /// Whether what a stream shows was told since the state was saved is to be known before its past is lived through. The
    /// instances of a pair follow each other instead.
    pub(crate) fn recalls_stored(&self) -> bool {
        self.state.catch_up.is_remembering()
            && !self.state.catch_up.is_present()
            && self.state.rules.beginnings() == Beginnings::AsDecided
    }

    /// Goes on with what a stream shows was told since the state was saved, before anything of that time is applied.
    pub(crate) fn recall_stored(&mut self, told: &[StoredAlert]) {
        self.frozen = None;
        let now = self.state.now;
        self.state.rules.recall_stored(told, now);
        self.state.write_annotations(now);
        self.state.notifier.go_on(&self.state.rules.views(), now);
    }

    /// What makes the alerting rule of this id the rule it is.
    pub(crate) fn essence_of(&self, rule_id: &str) -> Option<Arc<str>> {
        self.state.rules.essence_of(rule_id)
    }
}

impl SavedState {
    /// Leaves out alerts that ended after this was saved, as a log tells.
    pub(crate) fn forget(&mut self, log: &[LogRecord]) {
        self.rules.forget(log);
    }
}

impl State {
    /// Has trackers begin anew whose events come to another instance since the state was saved; counters stay.
    fn take_share(&mut self, before: &Share) {
        let trackers = self.share.reassigned(before);
        if !trackers.is_empty() {
            self.catalogue.reassign(&mut self.store, &trackers, self.now);
            self.notices.push(Notice::Reassigned { trackers });
        }
    }

    /// Lets the counters begin anew whose events nobody repeats, once.
    pub(super) fn begin_core_anew(&mut self, now: Timestamp) {
        if let Some(types) = self.owed.core.take() {
            let lost = Unrepeatable { lane: Lane::Core, types: &types };
            self.account.begin_anew(&mut self.store, lost, now);
        }
    }

    /// Messages that were applied after the state was saved have left the stream: its counters begin anew, once.
    pub(super) fn begin_stream_anew(&mut self, now: Timestamp) {
        if let Some(types) = self.owed.stream.take() {
            let lost = Unrepeatable { lane: Lane::JetStream, types: &types };
            self.account.begin_anew(&mut self.store, lost, now);
        }
    }
}

fn position_twin(position: &Position) -> PositionTwin {
    PositionTwin {
        stream: Arc::clone(&position.stream),
        created: Arc::clone(&position.epoch.created),
        rollbacks: position.epoch.rollbacks,
        sequence: position.sequence,
        applied: position.applied.map(|applied| AppliedTwin {
            sequence: applied.sequence,
            stored: applied.stored,
            event_id: applied.event_id.map(|id| id.0),
        }),
        delivered: (
            position.delivered.through(),
            position.delivered.ranges().map(|range| (*range.start(), *range.end())).collect(),
        ),
    }
}

fn position_of(twin: PositionTwin) -> Result<Position, Damage> {
    let (through, ranges) = twin.delivered;
    let delivered = AppliedSet::of(through, ranges.into_iter().map(|(first, last)| first..=last));
    Ok(Position {
        stream: twin.stream,
        epoch: Epoch { created: twin.created, rollbacks: twin.rollbacks },
        sequence: twin.sequence,
        applied: twin.applied.map(|applied| Applied {
            sequence: applied.sequence,
            stored: applied.stored,
            event_id: applied.event_id.map(EventId),
        }),
        delivered: delivered.ok_or(Damage("sequences that were applied are out of order"))?,
    })
}
