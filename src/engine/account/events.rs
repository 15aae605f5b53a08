//! The accounting of every event.
//!
//! Events are tallied in arrays while a batch is applied and added to the store at its end, so that
//! received = applied + duplicate + rejected holds, per lane, at every scrape.

mod saved;

use crate::engine::admission::majors::Standing;
use crate::engine::catalogue::{Metric, Registered};
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::{Event, EventType, Lane, Reason, Version};

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
    received: [SeriesId; TYPES],
    applied: [SeriesId; TYPES],
    duplicate: [SeriesId; TYPES],
    rejected: [SeriesId; REASONS.len()],
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

/// The accounts of events.
#[derive(Debug)]
pub(super) struct EventAccount {
    lanes: [LaneSeries; 2],
    tally: Tally,
    /// The lags of a batch, in seconds.
    lags: Vec<f64>,
    versions: Vec<Vec<VersionCount>>,
}

/// A place in the tally for a type; what is no event of the specification is `unknown`, the last.
fn place(event_type: Option<EventType>) -> usize {
    event_type.map_or(TYPES - 1, |event_type| event_type as usize)
}

fn type_name(place: usize) -> &'static str {
    EventType::ALL.get(place).map_or("unknown", |event_type| event_type.name())
}

impl EventAccount {
    /// Declares every type and reason of both lanes at zero.
    pub(super) fn new(metrics: &Registered, board: &mut Board<'_>) -> Self {
        let lanes = LANES.map(|lane| LaneSeries::declared(metrics, board, lane));
        Self { lanes, tally: Tally::default(), lags: Vec::new(), versions: vec![Vec::new(); TYPES] }
    }

    /// Finds the series again that began anew.
    pub(super) fn look_again(&mut self, metrics: &Registered, board: &mut Board<'_>) {
        self.lanes = LANES.map(|lane| LaneSeries::declared(metrics, board, lane));
    }

    pub(super) fn received(&mut self, event_type: Option<EventType>) {
        if let Some(count) = self.tally.received.get_mut(place(event_type)) {
            *count += 1;
        }
    }

    pub(super) fn duplicate(&mut self, event_type: EventType) {
        if let Some(count) = self.tally.duplicate.get_mut(place(Some(event_type))) {
            *count += 1;
        }
    }

    pub(super) fn rejected(&mut self, reason: Reason) {
        if let Some(count) = self.tally.rejected.get_mut(reason as usize) {
            *count += 1;
        }
    }

    pub(super) fn applied(
        &mut self,
        metrics: &Registered,
        board: &mut Board<'_>,
        event: &Event<'_>,
        standing: Standing,
    ) {
        let event_type = event.payload.event_type();
        if let Some(count) = self.tally.applied.get_mut(place(Some(event_type))) {
            *count += 1;
        }
        let Some(known) = self.versions.get_mut(event_type as usize) else { return };
        let same = |count: &&mut VersionCount| count.version == event.version && count.standing == standing;
        if let Some(count) = known.iter_mut().find(same) {
            count.count += 1;
            return;
        }
        let distinct = known.iter().filter(|count| count.standing == standing).count();
        let text = if distinct < VERSIONS_MAX { event.version.to_string() } else { String::from("other") };
        let values = [event_type.name(), text.as_str(), standing.word()];
        let series = metrics.resolve(board, Metric::EventVersions, &values);
        if distinct < VERSIONS_MAX {
            known.push(VersionCount { version: event.version, standing, series, count: 1 });
        } else {
            board.add(series, 1.0);
        }
    }

    pub(super) fn lag(&mut self, timestamp: Timestamp, now: Timestamp) {
        self.lags.push(now.since(timestamp).as_secs_f64());
    }

    /// Adds the tally of a batch to the store.
    pub(super) fn settle(&mut self, metrics: &Registered, board: &mut Board<'_>, lane: Lane) {
        let tally = std::mem::take(&mut self.tally);
        if let Some(series) = self.lanes.get(lane as usize) {
            let pairs = series.received.iter().zip(tally.received);
            let pairs = pairs.chain(series.applied.iter().zip(tally.applied));
            let pairs = pairs.chain(series.duplicate.iter().zip(tally.duplicate));
            for (series, count) in pairs.chain(series.rejected.iter().zip(tally.rejected)) {
                if count > 0 {
                    board.add(*series, count as f64);
                }
            }
            if !self.lags.is_empty() {
                board.store.observe_all(series.lag, &self.lags, board.cause);
                self.lags.clear();
            }
        }
        for (event_type, count) in EventType::ALL.iter().zip(tally.applied) {
            if count > 0 {
                let now = board.cause.now.seconds();
                metrics.set(board, Metric::EventLastTimestamp, &[event_type.name()], now);
            }
        }
        for version in self.versions.iter_mut().flatten().filter(|version| version.count > 0) {
            board.add(version.series, std::mem::take(&mut version.count) as f64);
        }
    }
}

impl LaneSeries {
    fn declared(metrics: &Registered, board: &mut Board<'_>, lane: Lane) -> Self {
        let lane = lane.name();
        let mut by_type =
            |metric| std::array::from_fn(|place| metrics.resolve(board, metric, &[type_name(place), lane]));
        Self {
            received: by_type(Metric::EventsReceived),
            applied: by_type(Metric::EventsApplied),
            duplicate: by_type(Metric::EventsDuplicate),
            rejected: REASONS
                .map(|reason| metrics.resolve(board, Metric::EventsRejected, &[lane, reason.name()])),
            lag: metrics.resolve(board, Metric::EventLag, &[lane]),
        }
    }
}
