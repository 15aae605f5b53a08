//! What the table of metrics says of each.

use crate::engine::metric::MetricType;
use crate::engine::wire::payload::EventType;

/// A metric of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CatalogueRow {
    /// The name as it is exposed without a namespace; a counter's with `_total`.
    pub(crate) name: &'static str,
    /// Counter, gauge or histogram.
    pub(crate) metric_type: MetricType,
    /// The label names.
    pub(crate) labels: &'static [&'static str],
    /// The unit: the last word of the name (`_total` aside) where it is one.
    pub(crate) unit: Option<&'static str>,
    /// The help text.
    pub(crate) help: &'static str,
    /// What feeds it.
    pub(crate) source: Source,
    /// The default bounds of a histogram's buckets.
    pub(crate) buckets: &'static [f64],
    /// Whether the configuration may set other buckets.
    pub(crate) buckets_fixed: bool,
    /// Which other labels its series may have.
    pub(crate) more: MoreLabels,
    /// The label values that are there at zero from the start.
    pub(crate) declared: &'static [&'static [&'static str]],
}

/// What feeds a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Each event of a type; a gauge is gone once no event came for `stale_after`.
    Event(EventType),
    /// A tracker, led by an event type and moved by others too; a gauge is gone when the tracker holds nothing.
    Tracker(EventType),
    /// The sidecar itself; no namespace is put in front.
    Sidecar,
    /// The operating system, about this process; no namespace is put in front.
    Process,
}

/// Labels beside those of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoreLabels {
    /// None.
    None,
    /// Those of the alert that a series tells of.
    OfTheAlert,
}

impl CatalogueRow {
    /// The event type it stands with in the catalogue, none where the sidecar itself feeds it.
    pub(crate) const fn event(&self) -> Option<EventType> {
        match self.source {
            Source::Event(event_type) | Source::Tracker(event_type) => Some(event_type),
            Source::Sidecar | Source::Process => None,
        }
    }

    /// The name of the family: without a counter's `_total`.
    pub(crate) fn family(&self) -> &'static str {
        self.metric_type.family_name(self.name)
    }

    /// `name` as it is exposed under a namespace.
    pub(crate) fn namespaced(&self, name: &str, namespace: &str) -> String {
        match self.source {
            Source::Event(_) | Source::Tracker(_) if !namespace.is_empty() => format!("{namespace}_{name}"),
            Source::Event(_) | Source::Tracker(_) | Source::Sidecar | Source::Process => name.to_owned(),
        }
    }

    pub(super) const fn new(
        name: &'static str,
        metric_type: MetricType,
        labels: &'static [&'static str],
        source: Source,
        help: &'static str,
    ) -> Self {
        let (unit, buckets, buckets_fixed) = (None, &[] as &[f64], false);
        let more = MoreLabels::None;
        Self { name, metric_type, labels, unit, help, source, buckets, buckets_fixed, more, declared: &[] }
    }

    pub(super) const fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    pub(super) const fn buckets(self, buckets: &'static [f64]) -> Self {
        Self { buckets, ..self }
    }

    pub(super) const fn fixed_buckets(self, buckets: &'static [f64]) -> Self {
        Self { buckets, buckets_fixed: true, ..self }
    }

    pub(super) const fn more_labels(self) -> Self {
        Self { more: MoreLabels::OfTheAlert, ..self }
    }

    pub(super) const fn declared(self, declared: &'static [&'static [&'static str]]) -> Self {
        Self { declared, ..self }
    }
}
