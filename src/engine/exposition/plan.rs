//! Which families and which of their samples a scrape shows: all of them, or what `name[]` keeps.

use crate::engine::metric::Part;
use crate::engine::series::{FamilySpec, Frozen, underscored_metric};

use super::format::Syntax;

/// A set of the parts of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts(u8);

impl Parts {
    const NONE: Self = Self(0);
    const ALL: Self = Self(u8::MAX);

    /// Whether this part is among them.
    pub(super) const fn has(self, part: Part) -> bool {
        self.0 & Self::only(part).0 != 0
    }

    const fn only(part: Part) -> Self {
        Self(1 << part as u8)
    }

    const fn and(self, part: Part) -> Self {
        Self(self.0 | Self::only(part).0)
    }

    const fn without(self, part: Part) -> Self {
        Self(self.0 & !Self::only(part).0)
    }
}

/// A family to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// Its place among the frozen ones.
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
    /// One part of a histogram or counter alone, as a metric of unknown type: without its buckets it would be no valid
    /// histogram.
    Sample(Part),
}

/// What to show, in the order of names; all of it where `names` is empty.
pub(super) fn plan(frozen: &Frozen, names: &[String], syntax: Syntax) -> Vec<Planned> {
    let mut planned = Vec::new();
    for (family, shown) in frozen.families().iter().enumerate().filter(|(_, shown)| !shown.is_empty()) {
        let parts = if names.is_empty() { Parts::ALL } else { kept(shown.spec(), names, syntax) };
        if parts.has(Part::Value) || parts.has(Part::Bucket) {
            planned.push(Planned { family, parts, header: Header::Family });
            continue;
        }
        let alone = shown.spec().metric_type.exposed_parts().iter().filter(|part| parts.has(**part));
        let header = |part: &Part| (Parts::only(*part), Header::Sample(*part));
        planned.extend(alone.map(header).map(|(parts, header)| Planned { family, parts, header }));
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
        let named =
            spec.metric_type.exposed_parts().iter().find(|part| rest == Some(part.suffix(spec.metric_type)));
        parts = named.map_or(parts, |part| parts.and(*part));
    }
    match syntax {
        // Here a counter's family has the name of its only sample.
        Syntax::Text | Syntax::Text1 | Syntax::Protobuf if parts == Parts::only(Part::Value) => Parts::ALL,
        Syntax::Text | Syntax::Text1 | Syntax::Protobuf => parts.without(Part::Created),
        Syntax::OpenMetrics | Syntax::OpenMetrics0 => parts,
    }
}
