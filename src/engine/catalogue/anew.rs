//! Which counters begin anew when what fed them cannot be read again.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;
use super::registered::Registered;
use super::rows::Metric;
use crate::engine::series::{FamilyId, Store, pairs};
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventType, Lane};

/// What feeds the counters that begin anew.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Unrepeatable<'a> {
    /// The lane.
    pub(in crate::engine) lane: Lane,
    /// The types that rode it.
    pub(in crate::engine) types: &'a BTreeSet<EventType>,
}

/// What a series is fed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    /// Events of this type.
    Events(EventType),
    /// The accounting of this lane.
    Lane(Lane),
    /// The process itself, whose doings nobody repeats.
    Process,
    /// What is told of a stream when it is looked at again.
    Stream,
}

impl Unrepeatable<'_> {
    fn feeds(&self, feed: Feed) -> bool {
        match feed {
            Feed::Events(event_type) => self.types.contains(&event_type),
            Feed::Lane(lane) => lane == self.lane,
            Feed::Process => self.lane == Lane::Core,
            Feed::Stream => false,
        }
    }
}

impl Registered {
    /// Lets the counters and histograms that `lost` feeds begin anew. What the process itself does goes with the core
    /// lane: neither can be read again.
    pub(in crate::engine) fn begin_anew(&self, store: &mut Store, lost: Unrepeatable<'_>, now: Timestamp) {
        let fed = self.fed_by_events(store);
        for metric in Metric::ALL {
            let id = self.family(*metric).id();
            match metric.row().source {
                Source::Event(event_type) | Source::Tracker(event_type) => {
                    if lost.feeds(Feed::Events(event_type)) {
                        store.begin_anew(id, &|_| true, now);
                    }
                }
                Source::Sidecar => {
                    store.begin_anew(id, &|labels| lost.feeds(feed_of(*metric, labels, &fed)), now);
                }
                // The operating system counts these.
                Source::Process => {}
            }
        }
        if lost.feeds(Feed::Events(EventType::MetricRecorded)) {
            let recorded: Vec<FamilyId> =
                store.families().filter(|family| store.is_recorded_family(*family)).collect();
            for family in recorded {
                store.begin_anew(family, &|_| true, now);
            }
        }
    }

    /// Lets what counts since the start of the process begin anew: the lag of events, and what the operating system
    /// says of it.
    pub(in crate::engine) fn begin_process_anew(&self, store: &mut Store, now: Timestamp) {
        for family in self.since_start() {
            store.begin_anew(family, &|_| true, now);
        }
    }

    /// Says when the process began whose counting [`Registered::begin_process_anew`] began at a time that was saved.
    pub(in crate::engine) fn begin_process_at(&self, store: &mut Store, start: Timestamp) {
        for family in self.since_start() {
            store.begin_at(family, start);
        }
    }

    fn since_start(&self) -> impl Iterator<Item = FamilyId> {
        let of_process = |metric: &&Metric| metric.row().source == Source::Process;
        let metrics = Metric::ALL.iter().filter(of_process).chain([&Metric::EventLag]);
        metrics.map(|metric| self.family(*metric).id())
    }

    fn fed_by_events(&self, store: &Store) -> ByName {
        let name = |family| store.family(family).exposed_name().into_owned();
        let rows = Metric::ALL.iter().filter_map(|metric| Some((*metric, metric.row().event()?)));
        let mut fed: ByName =
            rows.map(|(metric, event_type)| (name(self.family(metric).id()), event_type)).collect();
        for family in store.families().filter(|family| store.is_recorded_family(*family)) {
            fed.insert(name(family), EventType::MetricRecorded);
        }
        fed
    }
}

/// Which metrics events feed, by their exposed names.
type ByName = BTreeMap<String, EventType>;

/// What feeds a series of a metric of the sidecar's own, by its labels.
fn feed_of(metric: Metric, labels: &str, fed: &ByName) -> Feed {
    let label = |wanted: &str| {
        let found = pairs(labels).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let row = metric.row();
    if matches!(metric, Metric::StreamLost | Metric::StreamEpochs) {
        Feed::Stream
    } else if row.labels.contains(&"lane") {
        let lane = label("lane");
        let lanes = [Lane::Core, Lane::JetStream];
        lanes.into_iter().find(|known| known.name() == lane).map_or(Feed::Process, Feed::Lane)
    } else if metric == Metric::EventVersions {
        EventType::from_name(&label("event_type")).map_or(Feed::Process, Feed::Events)
    } else if row.labels.contains(&"metric") {
        fed.get(&label("metric")).copied().map_or(Feed::Process, Feed::Events)
    } else {
        Feed::Process
    }
}
