//! The configuration: one tree of keys, each declared once.
//!
//! [`keys`] and its neighbours declare; `declare` says what follows from a declaration. [`Config::parse`] reads a file
//! and finds everything that is wrong with it at once, [`Config::changes`] tells what another file would change and
//! whether that needs a restart.

mod alertmanager;
mod broker;
mod changes;
mod checks;
mod declare;
#[cfg(test)]
mod docs_tests;
mod faults;
#[cfg(test)]
mod file_tests;
mod glob;
mod http_url;
mod keys;
mod metrics;
mod nats_names;
mod pair;
mod secrets;
pub(crate) mod server_url;
mod trackers;
mod transforms;
pub(crate) mod web;

pub(crate) use alertmanager::{AlertmanagerConfig, HttpTlsConfig};
#[cfg(test)]
pub(crate) use broker::SubjectToken;
pub(crate) use broker::{JetStreamConfig, NatsConfig, PartitionConfig};
pub use broker::{Secret, StreamStart, TlsMode};
pub(crate) use changes::Changes;
pub(crate) use checks::{IDS_MAX, PARTS_MAX, is_address};
pub(crate) use faults::Fault;
pub(crate) use glob::{glob_matches, metric_glob_matches};
pub(crate) use http_url::{HttpScheme, HttpUrl};
pub use keys::{AlertDelivery, Config, Evaluate};
pub(crate) use keys::{
    CheckConfig, DedupeConfig, HistoryConfig, LimitsConfig, LogFormat, NameScheme, QueryConfig, RejectedLanes,
};
pub(crate) use metrics::MetricSettings;
#[cfg(test)]
pub(crate) use metrics::StaleAfter;
pub(crate) use trackers::{TrackerLimits, TrackerName};

use super::diagnostic::{Diagnostic, Source};
use super::time::Timestamp;
use super::wire::{Lane, Subjects, WireSettings};
use super::yaml::{Findings, Values};

/// Where the instants of rule groups lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grid {
    /// Spread by file and name of the group, so that not all are evaluated at once.
    #[default]
    Spread,
    /// Whole intervals after this instant: tests and replays, whose times people reckon by hand.
    From(Timestamp),
}

impl Config {
    /// The defaults, for the instance of this name.
    pub fn with_defaults(instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..Self::default() }
    }

    /// The same under a name, where it has none.
    #[must_use]
    pub(crate) fn named(&self, instance: &str) -> Self {
        let named = if self.instance.is_empty() { instance } else { &self.instance };
        Self { instance: named.to_owned(), ..self.clone() }
    }

    /// Reads a configuration file. The configuration is there unless one of the diagnostics is an error; no
    /// diagnostic holds a secret.
    pub fn parse(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        Self::parse_beside(source, &|_| Vec::new())
    }

    /// Reads a configuration file and holds it against what lies outside it, such as the files it names.
    pub(crate) fn parse_beside(
        source: &Source,
        outside: &dyn Fn(&Self) -> Vec<Fault>,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let mut findings = Findings::new(source);
        let root = findings.document();
        let values = root.as_ref().map(|root| findings.section(root, Self::KEYS, "")).unwrap_or_default();
        let values = Values(values);
        let mut config = Self::of_values(&values);
        config.written = secrets::painted(source, root.as_ref());
        checks::check(&config, &values, &mut findings);
        for fault in outside(&config) {
            let span = root.as_ref().map_or(0..0, |root| faults::place(root, &fault.key));
            findings.error(fault.code, &span, fault.message).advise(fault.advice);
        }
        findings.tell_of_more();
        let refused = findings.refuse();
        let diagnostics = secrets::masked(source, root.as_ref(), findings.list);
        ((!refused).then_some(config), diagnostics)
    }

    /// What the decoder of messages is set up with.
    pub fn wire(&self) -> WireSettings {
        let mut lanes = self.lanes.by_type().clone();
        if !self.jetstream.enabled {
            for lane in lanes.values_mut() {
                *lane = Lane::Core;
            }
        }
        WireSettings {
            message_bytes_max: self.limits.message_bytes,
            elements_max: self.limits.array_elements,
            depth_max: self.limits.depth,
            lanes,
            transforms: self.transforms.0.clone(),
        }
    }

    /// The subjects that events are published to and come by.
    pub(crate) fn event_subjects(&self) -> Subjects {
        // The configuration was checked before it came here.
        let subjects = Subjects::below(&self.subjects.prefix).unwrap_or_default();
        let (tokens, partition) = (&self.subjects.tokens, &self.partition);
        if partition.count < 2 {
            return subjects.followed_by(tokens.len());
        }
        let key = tokens.iter().position(|token| token.name == partition.token).unwrap_or(0);
        subjects.followed_by(tokens.len().max(1)).of_part(partition.index, key)
    }

    /// What of all events this instance does not read, in sentences for people; none where it reads all.
    pub(crate) fn share_words(&self) -> Vec<String> {
        let off = self.lanes.off_words();
        let off = (!off.is_empty())
            .then(|| format!("Off here (`lanes`), for other instances to read: {}.", off.join(", ")));
        let PartitionConfig { count, index, token } = &self.partition;
        let part = (*count > 1).then(|| format!("Part {index} of {count} by `{token}` (`partition`)."));
        off.into_iter().chain(part).collect()
    }

    /// The bounds of every tracker.
    pub(crate) fn trackers(&self) -> TrackerLimits {
        TrackerLimits {
            entries: self.limits.tracker_entries,
            age: self.limits.tracker_age,
            abandon_after: self.limits.abandon_after.clone(),
        }
    }
}
