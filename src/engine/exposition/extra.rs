//! Families that others have to show on `/metrics`: the process collector's.

use std::sync::Arc;

use crate::engine::metric::MetricType;
use crate::engine::series::{Cause, FamilySpec, Frozen, SeriesLimits, Store};
use crate::engine::time::Timestamp;

/// A family that is not in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraFamily {
    /// Its name without a counter's `_total`.
    pub name: String,
    /// Counter or gauge; a histogram is left out.
    pub metric_type: MetricType,
    /// The HELP text, unescaped.
    pub help: String,
    /// The OpenMetrics unit.
    pub unit: Option<String>,
    /// When its counters began.
    pub created: Timestamp,
    /// Its samples.
    pub samples: Vec<ExtraSample>,
}

/// A sample of an [`ExtraFamily`].
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraSample {
    /// Its labels, in any order.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

/// The families as a frozen store of their own, without those whose names `taken` has.
pub(super) fn freeze(families: Vec<ExtraFamily>, taken: &Frozen) -> Frozen {
    let mut store = Store::new(SeriesLimits { series: usize::MAX, series_per_metric: usize::MAX });
    for family in families {
        let is_taken = taken.families().iter().any(|known| *known.spec().name == *family.name);
        if is_taken || family.metric_type == MetricType::Histogram {
            continue;
        }
        let spec = FamilySpec {
            name: Arc::from(family.name.as_str()),
            metric_type: family.metric_type,
            help: family.help.into(),
            unit: family.unit.as_deref().map(Arc::from),
            buckets: Arc::from([]),
            stale_after: None,
        };
        let Ok(id) = store.register(spec) else { continue };
        let cause = Cause { now: family.created, event: None };
        for sample in &family.samples {
            let labels: Vec<(&str, &str)> =
                sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let series = store.resolve(id, &labels, family.created);
            store.set(series, sample.value, cause);
            store.add(series, sample.value, cause);
        }
    }
    store.freeze()
}
