//! A family that is declared again while it has series.
//!
//! What was counted stays where it was counted: where labels are left out, what comes from then on goes to series without
//! them, so that sums are exact and no total goes back. Only what cannot be told apart by other bounds begins anew.

use std::sync::Arc;

use super::store::Marks;
use super::{FamilyId, FamilySpec, SeriesId, Store, Timestamp};
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;

/// What a family that was declared again does with the series it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redeclared {
    /// They go on.
    GoesOn,
    /// Their buckets are others, so they begin anew at zero.
    BeginsAnew,
}

/// Whether series are born with other labels than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labelling {
    /// With the same.
    Same,
    /// With others.
    Other,
}

impl Store {
    /// Takes over the texts, the time to leave and the buckets of another declaration of a family of the same type.
    pub(crate) fn redeclare(&mut self, id: FamilyId, spec: &FamilySpec, now: Timestamp) -> Redeclared {
        self.set_stale_after(id, spec.stale_after);
        let born_again =
            if self.family(id).buckets == spec.buckets { Vec::new() } else { self.clear_out(id, now) };
        if let Some(known) = self.families.get_mut(id.0 as usize) {
            let known = Arc::make_mut(&mut known.spec);
            known.help.clone_from(&spec.help);
            known.unit.clone_from(&spec.unit);
            known.buckets.clone_from(&spec.buckets);
        }
        for labels in &born_again {
            let pairs: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
            self.bear_again(id, &pairs, now);
        }
        if born_again.is_empty() { Redeclared::GoesOn } else { Redeclared::BeginsAnew }
    }

    /// The labels that series of a family are born without.
    pub(crate) fn left_out(&self, id: FamilyId) -> &[Arc<str>] {
        self.families.get(id.0 as usize).map_or(&[], |family| &family.left_out)
    }

    /// Leaves labels out of the series that will be born. A gauge that has one of them and shows the last event leaves:
    /// the next one moves another. What stands for entries of a tracker stays until they have left it.
    pub(crate) fn leave_out<L: AsRef<str>>(
        &mut self,
        id: FamilyId,
        labels: &[L],
        now: Timestamp,
    ) -> Labelling {
        let before = Arc::clone(match self.families.get(id.0 as usize) {
            Some(family) => &family.left_out,
            None => return Labelling::Same,
        });
        if before.iter().map(AsRef::as_ref).eq(labels.iter().map(AsRef::as_ref)) {
            return Labelling::Same;
        }
        let left_out: Arc<[Arc<str>]> = labels.iter().map(|label| Arc::from(label.as_ref())).collect();
        if let Some(family) = self.families.get_mut(id.0 as usize) {
            family.left_out = Arc::clone(&left_out);
        }
        if self.family(id).metric_type == MetricType::Gauge {
            let leaves = |series: &SeriesId| {
                let is_held = self.slot(*series).is_some_and(|slot| slot.marks.has(Marks::HELD));
                let labels = self.labels(*series);
                !is_held && left_out.iter().any(|label| labels.get(label).is_some())
            };
            let leaving: Vec<SeriesId> = self.series_of(id).filter(leaves).collect();
            for series in leaving {
                self.remove(series, now);
            }
        }
        Labelling::Other
    }

    /// Takes every series of a family away; yields the label sets that are to be born again, which those that stand for
    /// what exceeds a limit are not.
    fn clear_out(&mut self, id: FamilyId, now: Timestamp) -> Vec<Labels> {
        let series: Vec<SeriesId> = self.series_of(id).collect();
        let mut born_again = Vec::with_capacity(series.len());
        for series in series {
            if !self.slot(series).is_some_and(|slot| slot.marks.has(Marks::OVERFLOW)) {
                born_again.push(self.labels(series));
            }
            self.remove(series, now);
        }
        born_again
    }
}
