//! Which families and which of their samples a scrape shows: all of them, or what `name[]` keeps.

use crate::engine::metric::MetricType;
use crate::engine::series::{FamilySpec, Frozen, underscored_metric};

use super::format::Syntax;

/// A set of the samples a series has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts(u8);

impl Parts {
    /// A counter's total, a gauge's value.
    pub(super) const VALUE: Self = Self(1);
    /// When a counter or histogram was born.
    pub(super) const CREATED: Self = Self(2);
    /// A histogram's buckets.
    pub(super) const BUCKET: Self = Self(4);
    /// A histogram's sum.
    pub(super) const SUM: Self = Self(8);
    /// A histogram's count.
    pub(super) const COUNT: Self = Self(16);
    const NONE: Self = Self(0);
    const ALL: Self = Self(31);

    /// Whether any of `parts` is among them.
    pub(super) fn has(self, parts: Self) -> bool {
        self.0 & parts.0 != 0
    }

    fn and(self, parts: Self) -> Self {
        Self(self.0 | parts.0)
    }
}

/// What a sample adds to its family's name, and whose samples do.
const SAMPLES: [(&str, Parts, &[MetricType]); 5] = [
    ("_total", Parts::VALUE, &[MetricType::Counter]),
    ("_created", Parts::CREATED, &[MetricType::Counter, MetricType::Histogram]),
    ("_bucket", Parts::BUCKET, &[MetricType::Histogram]),
    ("_sum", Parts::SUM, &[MetricType::Histogram]),
    ("_count", Parts::COUNT, &[MetricType::Histogram]),
];

/// A family to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// Which of the frozen sources it is in.
    pub(super) source: usize,
    /// Its place there.
    pub(super) family: usize,
    /// The samples to show.
    pub(super) parts: Parts,
    /// How it is introduced.
    pub(super) header: Header,
}

/// How samples are introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// As their family.
    Family,
    /// One kind of a histogram's or counter's samples alone, as a metric of unknown type: without its buckets it
    /// would be no valid histogram.
    Sample,
}

/// What to show of `sources`, in the order of names; all of it where `names` is empty.
pub(super) fn plan(sources: &[&Frozen], names: &[String], syntax: Syntax) -> Vec<Planned> {
    let mut planned = Vec::new();
    for (source, frozen) in sources.iter().enumerate() {
        for (family, shown) in frozen.families().iter().enumerate().filter(|(_, shown)| !shown.is_empty()) {
            let parts = if names.is_empty() { Parts::ALL } else { kept(shown.spec(), names, syntax) };
            if parts.has(Parts(Parts::VALUE.0 | Parts::BUCKET.0)) {
                planned.push(Planned { source, family, parts, header: Header::Family });
            } else if parts != Parts::NONE {
                let alone = SAMPLES.iter().map(|(_, part, _)| *part).filter(|part| parts.has(*part));
                planned.extend(alone.map(|parts| Planned { source, family, parts, header: Header::Sample }));
            }
        }
    }
    if sources.len() > 1 {
        let name = |planned: &Planned| {
            let frozen = sources.get(planned.source)?;
            Some(frozen.families().get(planned.family)?.spec().name.as_ref())
        };
        planned.sort_by(|left, right| name(left).cmp(&name(right)));
    }
    planned
}

/// The samples of a family that `names` keeps, whether they name the family or the samples.
fn kept(spec: &FamilySpec, names: &[String], syntax: Syntax) -> Parts {
    let shown = underscored_metric(&spec.name);
    let mut parts = Parts::NONE;
    for name in names {
        if *name == *spec.name || *name == shown {
            return Parts::ALL;
        }
        let rest = name.strip_prefix(spec.name.as_ref()).or_else(|| name.strip_prefix(shown.as_ref()));
        for (suffix, part, types) in &SAMPLES {
            if rest == Some(suffix) && types.contains(&spec.metric_type) {
                parts = parts.and(*part);
            }
        }
    }
    match syntax {
        // Here a counter's family has the name of its only sample.
        Syntax::Text | Syntax::Text1 | Syntax::Protobuf if parts == Parts::VALUE => Parts::ALL,
        Syntax::Text | Syntax::Text1 | Syntax::Protobuf => Parts(parts.0 & !Parts::CREATED.0),
        Syntax::OpenMetrics | Syntax::OpenMetrics0 => parts,
    }
}
