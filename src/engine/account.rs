//! The sidecar's own metrics (`METRICS.md`, "The sidecar's own metrics") and the accounting of every event.
//!
//! Events are tallied in arrays while a batch is applied and added to the store at its end, so that
//! received = applied + duplicate + rejected holds, per lane, at every scrape.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;

use super::admission::majors::Standing;
use super::fact::{DropReason, EpochReason, Fact, ReloadResult};
use super::history::History;
use super::metric::MetricType;
use super::rules::GroupCounts;
use super::rules::event::AlertEvent;
use super::rules::set::Group;
use super::series::{Cause, FamilyId, FamilySpec, SeriesId, Store};
use super::time::Timestamp;
use super::wire::{EventType, Lane, Reason, Version};

/// Versions of one type that are told apart; further ones are `other`.
const VERSIONS_MAX: usize = 32;

/// Event types and `unknown`.
const TYPES: usize = EventType::ALL.len() + 1;

const LANES: [Lane; 2] = [Lane::Core, Lane::JetStream];

const REASONS: [Reason; 7] = [
    Reason::Malformed,
    Reason::UnknownType,
    Reason::UnsupportedVersion,
    Reason::InvalidField,
    Reason::Conflict,
    Reason::OtherLane,
    Reason::TooLarge,
];

/// Seconds: from a tenth of a millisecond to a day, for what should be instant and may have waited for days.
const LAG_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0, 86_400.0];
const LATENCY_BUCKETS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0, 60.0];
const EVALUATION_BUCKETS: &[f64] = &[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// One own metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnMetric {
    /// The family name, without a counter's `_total`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub metric_type: MetricType,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// The OpenMetrics unit.
    pub unit: Option<&'static str>,
    /// Upper bounds of a histogram's buckets.
    pub buckets: &'static [f64],
    /// The HELP text.
    pub help: &'static str,
}

const fn own(
    name: &'static str,
    metric_type: MetricType,
    labels: &'static [&'static str],
    help: &'static str,
) -> OwnMetric {
    OwnMetric { name, metric_type, labels, unit: None, buckets: &[], help }
}

const fn seconds(
    name: &'static str,
    labels: &'static [&'static str],
    buckets: &'static [f64],
    help: &'static str,
) -> OwnMetric {
    OwnMetric { name, metric_type: MetricType::Histogram, labels, unit: Some("seconds"), buckets, help }
}

use MetricType::{Counter, Gauge};

/// Every own metric that the engine keeps.
#[rustfmt::skip]
pub const OWN_METRICS: &[OwnMetric] = &[
    own("signalbox_events_received", Counter, &["event_type", "lane"], "Events taken from NATS, its own alerts not included."),
    own("signalbox_events_applied", Counter, &["event_type", "lane"], "Events that moved their metrics."),
    own("signalbox_events_duplicate", Counter, &["event_type", "lane"], "Events whose event_id had been applied already."),
    own("signalbox_events_rejected", Counter, &["lane", "reason"], "Events that were refused, by the first check that failed."),
    own("signalbox_events_dropped", Counter, &["reason"], "Core NATS messages lost before they could be read."),
    own("signalbox_event_versions", Counter, &["event_type", "version", "deprecated"], "Applied events by the version they were sent in."),
    seconds("signalbox_event_lag_seconds", &["lane"], LAG_BUCKETS, "Time from an event's own timestamp to its application."),
    own("signalbox_series", Gauge, &[], "Series in the store."),
    own("signalbox_series_limit", Gauge, &[], "Series the store may hold (limits.series)."),
    own("signalbox_series_overflow", Counter, &["metric"], "Observations folded into a metric's __overflow__ series because of a series limit."),
    own("signalbox_nats_connected", Gauge, &[], "1 while connected to NATS."),
    own("signalbox_stream_pending", Gauge, &["stream"], "Messages of the stream that are still to be read."),
    own(
        "signalbox_stream_subject_missing",
        Gauge,
        &["event_type"],
        "1 where the stream does not take the subject of a type of the JetStream lane.",
    ),
    own("signalbox_stream_lost", Counter, &["stream"], "Messages that left the stream before they were read."),
    own("signalbox_stream_epochs", Counter, &["stream", "reason"], "Times the stream began anew."),
    own("signalbox_rule_evaluations", Counter, &["group"], "Rule evaluations, one for each rule."),
    own("signalbox_rule_evaluation_failures", Counter, &["group"], "Rule evaluations that failed; the rule's alerts stay as they were."),
    own("signalbox_rule_evaluations_missed", Counter, &["group"], "Evaluations of the group left out because the one before took too long."),
    own("signalbox_rule_limit_refused", Counter, &["group", "rule"], "Alerts refused because of the group's limit."),
    own("signalbox_template_failures", Counter, &["group"], "Alert templates that failed; the alert went out with its raw text."),
    own("signalbox_rule_nan_values", Counter, &["group"], "Values of NaN that a threshold took for no data."),
    seconds("signalbox_rule_evaluation_duration_seconds", &["group"], EVALUATION_BUCKETS, "Time one evaluation of the group took."),
    own("signalbox_alert_events_published", Counter, &["type"], "Alert events acknowledged by NATS."),
    own("signalbox_alert_events_pending", Gauge, &["type"], "Alert events waiting to be acknowledged."),
    own("signalbox_alert_publish_failures", Counter, &["type"], "Failed attempts to publish an alert event; each is tried again."),
    seconds("signalbox_alert_latency_seconds", &[], LATENCY_BUCKETS, "Time from the event that moved the value to the acknowledgement of AlertTriggered."),
    own("signalbox_rejected_copies_dropped", Counter, &["reason"], "Rejected events of which no copy was published."),
    own("signalbox_config_last_reload_successful", Gauge, &[], "1 where the last load of configuration and rules refused nothing."),
    OwnMetric { unit: Some("seconds"), ..own("signalbox_config_last_reload_timestamp_seconds", Gauge, &[], "When configuration and rules were last loaded without a refusal.") },
    own("signalbox_config_reloads", Counter, &["result"], "Reloads of configuration and rules."),
    OwnMetric { unit: Some("bytes"), ..own("signalbox_history_bytes", Gauge, &[], "Memory that the recent past of the series takes.") },
    own("signalbox_history_families_left_out", Gauge, &[], "Metrics without a past because history.bytes_max was reached."),
    own("signalbox_recorded_samples_refused", Counter, &[], "Samples of recording rules refused because rules write too many series."),
    own("signalbox_duplicate_window_entries", Gauge, &[], "Event ids in the duplicate window."),
    own("signalbox_build_info", Gauge, &["version", "revision"], "The build; always 1."),
];

/// What is tallied while a batch is applied.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    received: [u64; TYPES],
    applied: [u64; TYPES],
    duplicate: [u64; TYPES],
    rejected: [u64; REASONS.len()],
}

/// The series of one lane, in the order of the tally.
#[derive(Clone, Debug)]
struct LaneSeries {
    received: Vec<SeriesId>,
    applied: Vec<SeriesId>,
    duplicate: Vec<SeriesId>,
    rejected: Vec<SeriesId>,
    lag: SeriesId,
}

/// How often one version of one type was applied in this batch.
#[derive(Clone, Debug)]
struct VersionCount {
    version: Version,
    standing: Standing,
    series: SeriesId,
    count: u64,
}

/// The accounts.
#[derive(Debug)]
pub struct Account {
    families: HashMap<&'static str, FamilyId>,
    lanes: [LaneSeries; 2],
    tally: Tally,
    versions: Vec<Vec<VersionCount>>,
}

/// A place in the tally for a type; what is no event of the specification is `unknown`, the last.
fn place(event_type: Option<EventType>) -> usize {
    event_type.map_or(TYPES - 1, |event_type| event_type as usize)
}

fn type_name(place: usize) -> &'static str {
    EventType::ALL.get(place).map_or("unknown", |event_type| event_type.name())
}

impl Account {
    /// Registers every own metric and declares the label sets that are known from the start.
    pub fn new(store: &mut Store, series_limit: usize, now: Timestamp) -> Self {
        let mut families = HashMap::new();
        for metric in OWN_METRICS {
            let spec = FamilySpec {
                name: Arc::from(metric.name),
                metric_type: metric.metric_type,
                help: Cow::Borrowed(metric.help),
                unit: metric.unit.map(Arc::from),
                buckets: Arc::from(metric.buckets),
                stale_after: None,
            };
            if let Ok(family) = store.register(spec) {
                families.insert(metric.name, family);
            }
        }
        let lanes = LANES.map(|lane| LaneSeries::declared(store, &families, lane, now));
        let versions = vec![Vec::new(); TYPES];
        let account = Self { families, lanes, tally: Tally::default(), versions };
        account.declare(store, series_limit, now);
        account
    }

    fn declare(&self, store: &mut Store, series_limit: usize, now: Timestamp) {
        // A replay has no connection; whoever has one says at the start that it does not stand yet.
        let from_the_start =
            |metric: &&OwnMetric| metric.labels.is_empty() && metric.name != "signalbox_nats_connected";
        for metric in OWN_METRICS.iter().filter(from_the_start) {
            self.resolve(store, metric.name, &[], now);
        }
        for reason in DropReason::ALL {
            self.resolve(store, "signalbox_events_dropped", &[("reason", reason.word())], now);
        }
        for name in ["published", "pending", "publish_failures"] {
            for event_type in [EventType::AlertTriggered, EventType::AlertCleared] {
                let name = match name {
                    "published" => "signalbox_alert_events_published",
                    "pending" => "signalbox_alert_events_pending",
                    _ => "signalbox_alert_publish_failures",
                };
                self.resolve(store, name, &[("type", event_type.name())], now);
            }
        }
        for result in ["success", "failure"] {
            self.resolve(store, "signalbox_config_reloads", &[("result", result)], now);
        }
        self.set(store, "signalbox_series_limit", &[], series_limit as f64, now);
        self.set(store, "signalbox_config_last_reload_successful", &[], 1.0, now);
        self.set(store, "signalbox_config_last_reload_timestamp_seconds", &[], now.seconds(), now);
    }

    /// One more event taken from `lane`.
    pub fn received(&mut self, event_type: Option<EventType>) {
        if let Some(count) = self.tally.received.get_mut(place(event_type)) {
            *count += 1;
        }
    }

    /// The event was applied.
    pub fn applied(&mut self, event_type: EventType) {
        if let Some(count) = self.tally.applied.get_mut(place(Some(event_type))) {
            *count += 1;
        }
    }

    /// The event was a duplicate.
    pub fn duplicate(&mut self, event_type: EventType) {
        if let Some(count) = self.tally.duplicate.get_mut(place(Some(event_type))) {
            *count += 1;
        }
    }

    /// The event was refused.
    pub fn rejected(&mut self, reason: Reason) {
        if let Some(count) = self.tally.rejected.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// The lag of an applied event.
    pub fn lag(&self, store: &mut Store, lane: Lane, timestamp: Timestamp, now: Timestamp) {
        if let Some(series) = self.lanes.get(lane as usize) {
            store.observe(series.lag, now.since(timestamp).as_secs_f64(), Cause { now, event: None });
        }
    }

    /// The version an applied event was sent in.
    pub fn version(
        &mut self,
        store: &mut Store,
        event_type: EventType,
        version: Version,
        standing: Standing,
        now: Timestamp,
    ) {
        let Some(known) = self.versions.get_mut(event_type as usize) else { return };
        let same = |count: &&mut VersionCount| count.version == version && count.standing == standing;
        if let Some(count) = known.iter_mut().find(same) {
            count.count += 1;
            return;
        }
        let distinct = known.iter().filter(|count| count.standing == standing).count();
        let text = if distinct < VERSIONS_MAX { version.to_string() } else { String::from("other") };
        let labels =
            [("event_type", event_type.name()), ("version", text.as_str()), ("deprecated", standing.word())];
        let Some(family) = self.families.get("signalbox_event_versions") else { return };
        let series = store.resolve(*family, &labels, now);
        if distinct < VERSIONS_MAX {
            known.push(VersionCount { version, standing, series, count: 1 });
        } else {
            store.add(series, 1.0, Cause { now, event: None });
        }
    }

    /// Adds the tally of a batch of `lane` to the store.
    pub fn settle(&mut self, store: &mut Store, lane: Lane, now: Timestamp) {
        let cause = Cause { now, event: None };
        let tally = std::mem::take(&mut self.tally);
        if let Some(series) = self.lanes.get(lane as usize) {
            let pairs = series.received.iter().zip(tally.received);
            let pairs = pairs.chain(series.applied.iter().zip(tally.applied));
            let pairs = pairs.chain(series.duplicate.iter().zip(tally.duplicate));
            for (series, count) in pairs.chain(series.rejected.iter().zip(tally.rejected)) {
                if count > 0 {
                    store.add(*series, count as f64, cause);
                }
            }
        }
        for version in self.versions.iter_mut().flatten().filter(|version| version.count > 0) {
            store.add(version.series, std::mem::take(&mut version.count) as f64, cause);
        }
    }

    /// Counts what the shell reports.
    pub fn observe(&self, store: &mut Store, fact: &Fact, now: Timestamp) {
        match fact {
            Fact::Connected => self.set(store, "signalbox_nats_connected", &[], 1.0, now),
            Fact::Disconnected => self.set(store, "signalbox_nats_connected", &[], 0.0, now),
            Fact::Dropped { reason, count } => {
                self.add(store, "signalbox_events_dropped", &[("reason", reason.word())], *count as f64, now);
            }
            Fact::StreamPending { stream, count } => {
                self.set(store, "signalbox_stream_pending", &[("stream", stream)], *count as f64, now);
            }
            Fact::StreamSubjects { held, missing } => {
                for (types, value) in [(held, 0.0), (missing, 1.0)] {
                    for event_type in types {
                        let labels = [("event_type", event_type.name())];
                        self.set(store, "signalbox_stream_subject_missing", &labels, value, now);
                    }
                }
            }
            Fact::StreamLost { stream, count } => {
                self.add(store, "signalbox_stream_lost", &[("stream", stream)], *count as f64, now);
            }
            Fact::StreamEpoch { stream, reason } => {
                let labels = [("stream", stream.as_ref()), ("reason", reason.word())];
                self.add(store, "signalbox_stream_epochs", &labels, 1.0, now);
            }
            Fact::PublishFailed { kind } => {
                self.add(store, "signalbox_alert_publish_failures", &[("type", kind.name())], 1.0, now);
            }
            Fact::RejectedCopyDropped { reason } => {
                self.add(store, "signalbox_rejected_copies_dropped", &[("reason", reason.word())], 1.0, now);
            }
            Fact::Reloaded(result) => self.reloaded(store, *result, now),
        }
    }

    /// Counts what a group of rules did; its counters are there from the first call.
    pub fn rule_group(&self, store: &mut Store, group: &Group, counts: &GroupCounts, now: Timestamp) {
        let labels = [("group", group.name.as_ref())];
        for round in &counts.rounds {
            let cause = Cause { now, event: None };
            self.observe_seconds(
                store,
                "signalbox_rule_evaluation_duration_seconds",
                &labels,
                round.as_secs_f64(),
                cause,
            );
        }
        let counters = [
            ("signalbox_rule_evaluations", counts.evaluations),
            ("signalbox_rule_evaluation_failures", counts.failures),
            ("signalbox_rule_evaluations_missed", counts.missed),
            ("signalbox_template_failures", counts.template_failures),
            ("signalbox_rule_nan_values", counts.nan_values),
        ];
        for (name, count) in counters {
            self.add(store, name, &labels, count as f64, now);
        }
        for (rule, count) in &counts.limit_refused {
            let labels = [("group", group.name.as_ref()), ("rule", rule.as_ref())];
            self.add(store, "signalbox_rule_limit_refused", &labels, *count as f64, now);
        }
    }

    /// Declares the counters of a stream at zero.
    pub fn declare_stream(&self, store: &mut Store, stream: &str, now: Timestamp) {
        self.resolve(store, "signalbox_stream_pending", &[("stream", stream)], now);
        self.resolve(store, "signalbox_stream_lost", &[("stream", stream)], now);
        for reason in [EpochReason::Recreated, EpochReason::RolledBack] {
            self.resolve(
                store,
                "signalbox_stream_epochs",
                &[("stream", stream), ("reason", reason.word())],
                now,
            );
        }
    }

    fn reloaded(&self, store: &mut Store, result: ReloadResult, now: Timestamp) {
        let (word, value) = match result {
            ReloadResult::Success => ("success", 1.0),
            ReloadResult::Failure => ("failure", 0.0),
        };
        self.add(store, "signalbox_config_reloads", &[("result", word)], 1.0, now);
        self.set(store, "signalbox_config_last_reload_successful", &[], value, now);
        if result == ReloadResult::Success {
            self.set(store, "signalbox_config_last_reload_timestamp_seconds", &[], now.seconds(), now);
        }
    }

    /// Adds to an own counter.
    pub fn add(
        &self,
        store: &mut Store,
        name: &'static str,
        labels: &[(&str, &str)],
        count: f64,
        now: Timestamp,
    ) {
        if let Some(series) = self.resolve(store, name, labels, now) {
            store.add(series, count, Cause { now, event: None });
        }
    }

    /// Sets an own gauge.
    pub fn set(
        &self,
        store: &mut Store,
        name: &'static str,
        labels: &[(&str, &str)],
        value: f64,
        now: Timestamp,
    ) {
        if let Some(series) = self.resolve(store, name, labels, now) {
            store.set(series, value, Cause { now, event: None });
        }
    }

    /// Observes into an own histogram.
    pub fn observe_seconds(
        &self,
        store: &mut Store,
        name: &'static str,
        labels: &[(&str, &str)],
        value: f64,
        cause: Cause,
    ) {
        if let Some(series) = self.resolve(store, name, labels, cause.now) {
            store.observe(series, value, cause);
        }
    }

    /// An alert event was acknowledged.
    pub fn published(&self, store: &mut Store, event: &AlertEvent, now: Timestamp) {
        let event_type = event.event_type();
        self.add(store, "signalbox_alert_events_published", &[("type", event_type.name())], 1.0, now);
        if let (EventType::AlertTriggered, Some(moved_at)) = (event_type, event.moved_at) {
            let latency = now.since(moved_at).as_secs_f64();
            self.observe_seconds(
                store,
                "signalbox_alert_latency_seconds",
                &[],
                latency,
                Cause { now, event: None },
            );
        }
    }

    /// Observations went to a metric's overflow series.
    pub fn overflowed(&self, store: &mut Store, metric: &str, count: u64, now: Timestamp) {
        self.add(store, "signalbox_series_overflow", &[("metric", metric)], count as f64, now);
    }

    /// The gauges that say how full the engine is.
    pub fn gauges(&self, store: &mut Store, history: &History, window_entries: usize, now: Timestamp) {
        let series = store.len() as f64;
        self.set(store, "signalbox_series", &[], series, now);
        self.set(store, "signalbox_history_bytes", &[], history.bytes() as f64, now);
        self.set(store, "signalbox_history_families_left_out", &[], history.left_out().len() as f64, now);
        self.set(store, "signalbox_duplicate_window_entries", &[], window_entries as f64, now);
    }

    /// How many alert events wait, by type.
    pub fn pending<'a>(
        &self,
        store: &mut Store,
        outbox: impl Iterator<Item = &'a AlertEvent>,
        now: Timestamp,
    ) {
        let (mut triggered, mut cleared) = (0.0, 0.0);
        for event in outbox {
            match event.event_type() {
                EventType::AlertTriggered => triggered += 1.0,
                _ => cleared += 1.0,
            }
        }
        self.set(store, "signalbox_alert_events_pending", &[("type", "AlertTriggered")], triggered, now);
        self.set(store, "signalbox_alert_events_pending", &[("type", "AlertCleared")], cleared, now);
    }

    /// The build that runs.
    pub fn build(&self, store: &mut Store, version: &str, revision: &str, now: Timestamp) {
        self.set(store, "signalbox_build_info", &[("version", version), ("revision", revision)], 1.0, now);
    }

    fn resolve(
        &self,
        store: &mut Store,
        name: &'static str,
        labels: &[(&str, &str)],
        now: Timestamp,
    ) -> Option<SeriesId> {
        self.families.get(name).map(|family| store.resolve(*family, labels, now))
    }
}

impl LaneSeries {
    fn declared(
        store: &mut Store,
        families: &HashMap<&'static str, FamilyId>,
        lane: Lane,
        now: Timestamp,
    ) -> Self {
        let mut each =
            |name: &str, labels: &dyn Fn(usize) -> [(&'static str, &'static str); 2], count: usize| {
                let Some(family) = families.get(name) else { return Vec::new() };
                (0..count).map(|at| store.resolve(*family, &labels(at), now)).collect()
            };
        let by_type = |at: usize| [("event_type", type_name(at)), ("lane", lane.name())];
        let by_reason = |at: usize| {
            [("lane", lane.name()), ("reason", REASONS.get(at).map_or("", |reason| reason.name()))]
        };
        let received = each("signalbox_events_received", &by_type, TYPES);
        let applied = each("signalbox_events_applied", &by_type, TYPES);
        let duplicate = each("signalbox_events_duplicate", &by_type, TYPES);
        let rejected = each("signalbox_events_rejected", &by_reason, REASONS.len());
        let lag = families
            .get("signalbox_event_lag_seconds")
            .map(|family| store.resolve(*family, &[("lane", lane.name())], now));
        let lag = lag.unwrap_or(SeriesId { slot: u32::MAX, generation: 0 });
        Self { received, applied, duplicate, rejected, lag }
    }
}
