//! What the sidecar tells of itself (`METRICS.md`, "The sidecar's own metrics"): the accounting of every event, and what
//! the shell and the rules report.
//!
//! Which metrics there are, the catalogue's table says; here is when they move.

mod events;
mod process;

use super::admission::majors::Standing;
use super::catalogue::{Metric, Registered, Source, Unrepeatable};
use super::checkpoint::head::HeadTwin;
use super::fact::{AlertmanagerNews, EpochReason, Fact, PairLed, PairStanding, ReloadResult, RestartPending};
use super::history::History;
use super::rules::GroupCounts;
use super::rules::event::AlertEvent;
use super::rules::set::Group;
use super::series::{Cause, Store};
use super::time::Timestamp;
use super::trackers::gauges::Board;
use super::wire::{Event, EventType, Lane, Reason};
use events::EventAccount;

/// The accounts.
#[derive(Debug)]
pub(crate) struct Account {
    metrics: Registered,
    events: EventAccount,
    /// Alert events refused, as counted so far.
    alerts_refused: u64,
    /// The instant of the state that was last saved.
    saved: Option<Timestamp>,
}

/// What nobody but time and the sidecar itself moves.
fn board(store: &mut Store, now: Timestamp) -> Board<'_> {
    Board { store, cause: Cause { now, event: None } }
}

fn reloaded(metrics: &Registered, board: &mut Board<'_>, result: ReloadResult) {
    metrics.add(board, Metric::Reloads, &[result.word()], 1.0);
    let success = match result {
        ReloadResult::Success => {
            let now = board.cause.now.seconds();
            metrics.set(board, Metric::ReloadTimestamp, &[], now);
            1.0
        }
        ReloadResult::Failure => 0.0,
    };
    metrics.set(board, Metric::ReloadSuccessful, &[], success);
}

impl Account {
    /// Declares the label sets that are known from the start.
    pub(crate) fn new(metrics: Registered, store: &mut Store, series_limit: usize, now: Timestamp) -> Self {
        let board = &mut board(store, now);
        metrics.declare(board, |row| row.source == Source::Sidecar);
        metrics.set(board, Metric::SeriesLimit, &[], series_limit as f64);
        metrics.set(board, Metric::ReloadSuccessful, &[], 1.0);
        metrics.set(board, Metric::ReloadTimestamp, &[], now.seconds());
        let events = EventAccount::new(&metrics, board);
        Self { metrics, events, alerts_refused: 0, saved: None }
    }

    /// The accounts that were saved, over a store that was.
    pub(crate) fn restored(
        metrics: Registered,
        store: &mut Store,
        saved: &HeadTwin,
        series_limit: usize,
    ) -> Self {
        let mut account = Self::new(metrics, store, series_limit, saved.now);
        account.alerts_refused = saved.alerts_refused;
        account.saved = Some(saved.now);
        account.events.restore(&saved.versions, &account.metrics, &mut board(store, saved.now));
        account
    }

    /// Lets what counts since the start of the process begin anew.
    pub(crate) fn begin_process_anew(&self, store: &mut Store, now: Timestamp) {
        self.metrics.begin_process_anew(store, now);
    }

    /// Says when the process began, for what counts since then.
    pub(crate) fn begin_process_at(&self, store: &mut Store, start: Timestamp) {
        self.metrics.begin_process_at(store, start);
    }

    /// Lets the counters begin anew whose events nobody repeats.
    pub(crate) fn begin_anew(&self, store: &mut Store, lost: Unrepeatable<'_>, now: Timestamp) {
        self.metrics.begin_anew(store, lost, now);
    }

    /// What is to be saved beside the store.
    pub(crate) fn save(&self, store: &Store, head: &mut HeadTwin) {
        head.alerts_refused = self.alerts_refused;
        head.versions = self.events.save();
        head.catalogue = self.metrics.save(store);
    }

    /// One more event taken from the lane of this batch.
    pub(crate) fn received(&mut self, event_type: Option<EventType>) {
        self.events.received(event_type);
    }

    /// The event was a duplicate.
    pub(crate) fn duplicate(&mut self, event_type: EventType) {
        self.events.duplicate(event_type);
    }

    /// The event was refused.
    pub(crate) fn rejected(&mut self, reason: Reason) {
        self.events.rejected(reason);
    }

    /// The event was applied, in a version of this standing.
    pub(crate) fn applied(
        &mut self,
        store: &mut Store,
        event: &Event<'_>,
        standing: Standing,
        now: Timestamp,
    ) {
        self.events.applied(&self.metrics, &mut board(store, now), event, standing);
    }

    /// The lag of an applied event of this batch.
    pub(crate) fn lag(&mut self, timestamp: Timestamp, now: Timestamp) {
        self.events.lag(timestamp, now);
    }

    /// Adds the tally of a batch of `lane` to the store.
    pub(crate) fn settle(&mut self, store: &mut Store, lane: Lane, now: Timestamp) {
        self.events.settle(&self.metrics, &mut board(store, now), lane);
    }

    /// Counts what the shell reports.
    pub(crate) fn observe(&mut self, store: &mut Store, fact: &Fact, now: Timestamp) {
        let (metrics, board) = (&self.metrics, &mut board(store, now));
        match fact {
            Fact::Connected => metrics.set(board, Metric::NatsConnected, &[], 1.0),
            Fact::Disconnected => metrics.set(board, Metric::NatsConnected, &[], 0.0),
            Fact::Dropped { reason, count } => {
                metrics.add(board, Metric::EventsDropped, &[reason.word()], *count as f64);
            }
            Fact::StreamPending { stream, count } => {
                metrics.set(board, Metric::StreamPending, &[stream], *count as f64);
            }
            Fact::StreamSubjects { held, missing } => {
                for (types, value) in [(held, 0.0), (missing, 1.0)] {
                    for event_type in types {
                        metrics.set(board, Metric::SubjectMissing, &[event_type.name()], value);
                    }
                }
            }
            Fact::StreamLost { stream, count } => {
                metrics.add(board, Metric::StreamLost, &[stream], *count as f64);
            }
            Fact::StreamEpoch { stream, reason } => {
                metrics.add(board, Metric::StreamEpochs, &[stream, reason.word()], 1.0);
            }
            Fact::PublishFailed { kind } => {
                metrics.add(board, Metric::AlertPublishFailures, &[kind.name()], 1.0);
            }
            Fact::AlertsUnread { count } => metrics.add(board, Metric::AlertEventsUnread, &[], *count as f64),
            Fact::RejectedCopyDropped { reason } => {
                metrics.add(board, Metric::RejectedCopiesDropped, &[reason.word()], 1.0);
            }
            Fact::Saved { at, bytes, took } => {
                self.saved = Some(*at);
                let age = board.cause.now.since(*at).as_secs_f64();
                metrics.set(board, Metric::CheckpointAge, &[], age);
                metrics.set(board, Metric::CheckpointSize, &[], *bytes as f64);
                metrics.observe(board, Metric::CheckpointDuration, &[], took.as_secs_f64());
                metrics.resolve(board, Metric::CheckpointFailures, &[]);
                metrics.resolve(board, Metric::AlertLogFailures, &[]);
            }
            Fact::NotSaved => metrics.add(board, Metric::CheckpointFailures, &[], 1.0),
            Fact::NotLogged => metrics.add(board, Metric::AlertLogFailures, &[], 1.0),
            Fact::Reloaded(result) => reloaded(metrics, board, *result),
            Fact::RestartPending(pending) => {
                let value = match pending {
                    RestartPending::No => 0.0,
                    RestartPending::Yes => 1.0,
                };
                metrics.set(board, Metric::RestartPending, &[], value);
            }
            Fact::Pair(standing) => {
                let value = f64::from(u8::from(*standing == PairStanding::Leads));
                metrics.set(board, Metric::PairLeader, &[], value);
                metrics.resolve(board, Metric::PairYielded, &[]);
            }
            Fact::PairLed(led) => {
                let value = f64::from(u8::from(*led == PairLed::Yes));
                metrics.set(board, Metric::PairHasLeader, &[], value);
            }
            Fact::Process(reading) => process::show(metrics, board, reading),
            Fact::Queried { took } => {
                metrics.observe(board, Metric::ApiQueryDuration, &[], took.as_secs_f64());
            }
            Fact::QueryRefused(reason) => {
                metrics.add(board, Metric::ApiQueriesRefused, &[reason.word()], 1.0);
            }
            Fact::Alertmanager { url, news } => self.alertmanager(board, url, *news),
        }
    }

    /// Counts what became of what an Alertmanager is to be told; its counters are there from the first call.
    fn alertmanager(&self, board: &mut Board<'_>, url: &str, news: AlertmanagerNews) {
        let metrics = &self.metrics;
        match news {
            AlertmanagerNews::Known => {
                for metric in
                    [Metric::NotificationsSent, Metric::NotificationErrors, Metric::NotificationsDropped]
                {
                    metrics.resolve(board, metric, &[url]);
                }
                metrics.set(board, Metric::NotificationsWaiting, &[url], 0.0);
            }
            AlertmanagerNews::Took { alerts, took } => {
                metrics.add(board, Metric::NotificationsSent, &[url], alerts as f64);
                metrics.observe(board, Metric::NotificationLatency, &[url], took.as_secs_f64());
            }
            AlertmanagerNews::Failed => metrics.add(board, Metric::NotificationErrors, &[url], 1.0),
            AlertmanagerNews::Dropped { alerts } => {
                metrics.add(board, Metric::NotificationsDropped, &[url], alerts as f64);
            }
            AlertmanagerNews::Waiting { alerts } => {
                metrics.set(board, Metric::NotificationsWaiting, &[url], alerts as f64);
            }
        }
    }

    /// Counts what a group of rules did; its counters are there from the first call.
    pub(crate) fn rule_group(&self, store: &mut Store, group: &Group, counts: &GroupCounts, now: Timestamp) {
        let (metrics, board) = (&self.metrics, &mut board(store, now));
        let name = group.name.as_ref();
        for round in &counts.rounds {
            metrics.observe(board, Metric::RuleEvaluationDuration, &[name], round.as_secs_f64());
        }
        let counters = [
            (Metric::RuleEvaluations, counts.evaluations),
            (Metric::RuleEvaluationFailures, counts.failures),
            (Metric::RuleEvaluationsMissed, counts.missed),
            (Metric::TemplateFailures, counts.template_failures),
            (Metric::RuleFullEvaluations, counts.full),
            (Metric::RuleNanValues, counts.nan_values),
            (Metric::RuleUnknownSeries, counts.unknown_series),
        ];
        // A group that did nothing is one that is declared.
        let declares = counts.rounds.is_empty();
        for (metric, count) in counters.into_iter().filter(|(_, count)| declares || *count > 0) {
            metrics.add(board, metric, &[name], count as f64);
        }
        for (rule, count) in &counts.limit_refused {
            metrics.add(board, Metric::RuleLimitRefused, &[name, rule], *count as f64);
        }
    }

    /// Declares the counters of a stream at zero.
    pub(crate) fn declare_stream(&self, store: &mut Store, stream: &str, now: Timestamp) {
        let (metrics, board) = (&self.metrics, &mut board(store, now));
        metrics.resolve(board, Metric::StreamPending, &[stream]);
        metrics.resolve(board, Metric::StreamLost, &[stream]);
        for reason in [EpochReason::Recreated, EpochReason::RolledBack] {
            metrics.resolve(board, Metric::StreamEpochs, &[stream, reason.word()]);
        }
    }

    /// Shows another limit of series, and finds the series again that began anew under another configuration.
    pub(crate) fn configure(&mut self, store: &mut Store, series_limit: usize, now: Timestamp) {
        let board = &mut board(store, now);
        self.metrics.set(board, Metric::SeriesLimit, &[], series_limit as f64);
        self.events.look_again(&self.metrics, board);
    }

    /// An alert event was acknowledged.
    pub(crate) fn published(&self, store: &mut Store, event: &AlertEvent, now: Timestamp) {
        let (metrics, board) = (&self.metrics, &mut board(store, now));
        let event_type = event.event_type();
        metrics.add(board, Metric::AlertEventsPublished, &[event_type.name()], 1.0);
        if let (EventType::AlertTriggered, Some(moved_at)) = (event_type, event.moved_at) {
            let latency = now.since(moved_at).as_secs_f64();
            metrics.observe(board, Metric::AlertLatency, &[], latency);
        }
    }

    /// Observations went to a metric's overflow series.
    pub(crate) fn overflowed(&self, store: &mut Store, metric: &str, count: u64, now: Timestamp) {
        self.metrics.add(&mut board(store, now), Metric::SeriesOverflow, &[metric], count as f64);
    }

    /// Samples of recording rules were refused.
    pub(crate) fn recorded_refused(&self, store: &mut Store, count: u64, now: Timestamp) {
        self.metrics.add(&mut board(store, now), Metric::RecordedSamplesRefused, &[], count as f64);
    }

    /// Arrivals left no samples in the history.
    pub(crate) fn arrivals_refused(&self, store: &mut Store, count: u64, now: Timestamp) {
        self.metrics.add(&mut board(store, now), Metric::HistoryArrivalsRefused, &[], count as f64);
    }

    /// Alert events were refused in all so far.
    pub(crate) fn alerts_refused(&mut self, store: &mut Store, refused: u64, now: Timestamp) {
        let count = refused.saturating_sub(std::mem::replace(&mut self.alerts_refused, refused));
        self.metrics.add(&mut board(store, now), Metric::AlertEventsRefused, &[], count as f64);
    }

    /// So many alert events gave way to those of the other instance of a pair.
    pub(crate) fn yielded(&self, store: &mut Store, count: usize, now: Timestamp) {
        if count > 0 {
            self.metrics.add(&mut board(store, now), Metric::PairYielded, &[], count as f64);
        }
    }

    /// The gauges that say how full the engine is.
    pub(crate) fn gauges(&self, store: &mut Store, history: &History, window_entries: usize, now: Timestamp) {
        let (metrics, board) = (&self.metrics, &mut board(store, now));
        if let Some(saved) = self.saved {
            metrics.set(board, Metric::CheckpointAge, &[], now.since(saved).as_secs_f64());
        }
        let series = board.store.len() as f64;
        metrics.set(board, Metric::Series, &[], series);
        metrics.set(board, Metric::HistoryBytes, &[], history.bytes() as f64);
        metrics.set(board, Metric::HistoryFamiliesLeftOut, &[], history.left_out().len() as f64);
        metrics.set(board, Metric::DuplicateWindowEntries, &[], window_entries as f64);
    }

    /// How many alert events wait, by type.
    pub(crate) fn pending<'a>(
        &self,
        store: &mut Store,
        outbox: impl Iterator<Item = &'a AlertEvent>,
        now: Timestamp,
    ) {
        let (mut all, mut triggered) = (0.0, 0.0);
        for event in outbox {
            all += 1.0;
            triggered += f64::from(event.event_type() == EventType::AlertTriggered);
        }
        let board = &mut board(store, now);
        let waiting = [(EventType::AlertTriggered, triggered), (EventType::AlertCleared, all - triggered)];
        for (event_type, count) in waiting {
            self.metrics.set(board, Metric::AlertEventsPending, &[event_type.name()], count);
        }
    }

    /// The build that runs.
    pub(crate) fn build(&self, store: &mut Store, version: &str, revision: &str, now: Timestamp) {
        self.metrics.set(&mut board(store, now), Metric::BuildInfo, &[version, revision], 1.0);
    }
}
