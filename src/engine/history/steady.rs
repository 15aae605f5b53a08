//! Selections that stand, and the two ends of windows over them, for expressions that are worked out ahead.

use super::past::{Past, name_of};
use super::rows::{added_up, needed, only_grows, plus};
use crate::engine::metric::Part;
use crate::engine::promql::steady::{
    GrowthKind, SelectionStamp, SteadySelection, SteadySeries, SteadyStorage, WindowSpan, WindowStarts,
};
use crate::engine::promql::storage::Matcher;
use crate::engine::series::{FamilyId, SeriesSource, Store};

impl Past<'_, Store> {
    fn stamp(&self, family: FamilyId) -> SelectionStamp {
        SelectionStamp {
            family: family.0,
            births: self.store.family_epoch(family),
            families: self.store.families_len(),
            written: self.timeline.written.names_epoch(),
        }
    }
}

fn sum(series: &SteadySeries, value: impl Fn(u32) -> f64) -> f64 {
    series.places.clone().fold(0.0, |total, cell| plus(total, value(cell)))
}

impl SteadyStorage for Past<'_, Store> {
    fn now_ms(&self) -> i64 {
        self.now.millis()
    }

    fn steady(&self, matchers: &[Matcher]) -> Option<SteadySelection> {
        let name = name_of(matchers)?;
        if self.timeline.written.named(name).next().is_some() {
            return None;
        }
        let mut candidates = self.named(name).into_iter();
        let (Some((family, part)), None) = (candidates.next(), candidates.next()) else { return None };
        let spec = self.store.family_spec(family);
        let growth =
            if only_grows(spec.metric_type, part) { GrowthKind::OnlyGrows } else { GrowthKind::MayFall };
        let entries = self.timeline.labels.entries(self.store, family, part);
        let series = entries.matching(matchers).into_iter().map(|entry| {
            let cells = needed(part, self.cells_of(family, entry.cell));
            let added = added_up(part, entry.bucket, cells.len());
            let places = cells.start + added.start as u32..cells.start + added.end as u32;
            SteadySeries { labels: entry.labels.clone(), places, born_ms: entry.born.millis() }
        });
        let series = if part == Part::Created { return None } else { series.collect() };
        Some(SteadySelection { stamp: self.stamp(family), series, growth })
    }

    fn stands(&self, stamp: &SelectionStamp) -> bool {
        self.stamp(FamilyId(stamp.family)) == *stamp
    }

    fn present(&self, series: &SteadySeries) -> f64 {
        sum(series, |cell| self.store.cell_value(cell))
    }

    fn begin_windows(
        &self,
        selection: &SteadySelection,
        span: WindowSpan,
        starts: &mut WindowStarts,
    ) -> Option<()> {
        let family = FamilyId(selection.stamp.family);
        let has_gone = || self.timeline.gone.of(family, span.start_ms).next().is_some();
        if !self.keeps(family) || has_gone() {
            return None;
        }
        let instants = &self.timeline.instants;
        let before_ms = self.now.millis() - 1;
        let Some(first) = instants.beginning(family, (span.start_ms, before_ms), span.since_ms) else {
            starts.instant = None;
            return Some(());
        };
        let instant = Some((first.place, first.arrival));
        if !starts.settled || starts.instant != instant {
            starts.instant = instant;
            starts.time_ms = first.time_ms;
            // The last instant may be sampled once more, and arrivals are forgotten.
            starts.settled = first.arrival.is_none() && first.place < instants.last_place();
            starts.values.clear();
            let value = |series| sum(series, |cell| self.timeline.value(cell, &first));
            starts.values.extend(selection.series.iter().map(value));
        }
        Some(())
    }

    fn sampled_since(&self, selection: &SteadySelection, from_ms: i64) -> usize {
        let family = FamilyId(selection.stamp.family);
        self.timeline.instants.count_between(from_ms, self.now.millis() - 1, family)
    }
}
