//! Gauges that trackers feed: sums by series, and sets of series that come and go.

mod saved;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::frame::Lifted;
use crate::engine::series::known::Known;
use crate::engine::series::{Cause, FamilyId, SeriesId, Store};
use crate::engine::wire::payload::Quantity;

pub(super) use saved::{quantity_of, quantity_twin};

/// The most labels a family of the catalogue has, those that tokens of the subject become counted.
const LABELS_MAX: usize = 8;

/// Where a change is written, and what it is put down to.
#[derive(Debug)]
pub(crate) struct Board<'a> {
    /// The store.
    pub(crate) store: &'a mut Store,
    /// What moves the series.
    pub(crate) cause: Cause,
}

impl Board<'_> {
    /// Adds to a counter.
    pub(crate) fn add(&mut self, series: SeriesId, delta: f64) {
        self.store.add(series, delta, self.cause);
    }

    /// Sets a gauge.
    pub(crate) fn set(&mut self, series: SeriesId, value: f64) {
        self.store.set(series, value, self.cause);
    }

    /// Observes in a histogram.
    pub(crate) fn observe(&mut self, series: SeriesId, value: f64) {
        self.store.observe(series, value, self.cause);
    }
}

/// A registered family with its label names, of which the store may leave some out.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    id: FamilyId,
    labels: &'static [&'static str],
}

impl Family {
    /// A family with `labels`.
    pub(crate) fn new(id: FamilyId, labels: &'static [&'static str]) -> Self {
        Self { id, labels }
    }

    /// Its place in the store.
    pub(crate) fn id(&self) -> FamilyId {
        self.id
    }

    /// The labels that are kept.
    pub(crate) fn kept_labels<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'static str> + 'a {
        let left_out = store.left_out(self.id);
        self.labels.iter().copied().filter(|label| !left_out.iter().any(|left| left.as_ref() == *label))
    }

    /// The series with these values, one for each label in the family's order, none empty.
    pub(crate) fn resolve(&self, board: &mut Board<'_>, values: &[&str]) -> SeriesId {
        self.resolve_with(board, values, &[])
    }

    /// The same with more labels; a name that the family has itself stays its own.
    pub(crate) fn resolve_with(
        &self,
        board: &mut Board<'_>,
        values: &[&str],
        more: &[(&str, &str)],
    ) -> SeriesId {
        let mut pairs = [("", ""); LABELS_MAX];
        let mut count = 0;
        let left_out = board.store.left_out(self.id);
        let is_kept = |name: &str| !left_out.iter().any(|left| left.as_ref() == name);
        let own = self.labels.iter().copied().zip(values.iter().copied());
        let others = more.iter().copied().filter(|(name, _)| !self.labels.contains(name));
        let kept = own.chain(others).filter(|(name, _)| is_kept(name));
        for (place, (name, value)) in pairs.iter_mut().zip(kept) {
            *place = (name, value);
            count += 1;
        }
        board.store.resolve(self.id, pairs.get(..count).unwrap_or(&[]), board.cause.now)
    }
}

/// A sum of quantities that forgets nothing: whole numbers are exact, others are gone when the last one left.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    entries: u64,
    whole: u128,
    real: f64,
    reals: u64,
}

impl Total {
    fn plus(&mut self, amount: Quantity) {
        self.entries += 1;
        match amount {
            Quantity::Whole(whole) => self.whole = self.whole.saturating_add(u128::from(whole)),
            Quantity::Real(real) => {
                self.real += real;
                self.reals += 1;
            }
        }
    }

    fn minus(&mut self, amount: Quantity) {
        self.entries = self.entries.saturating_sub(1);
        match amount {
            Quantity::Whole(whole) => self.whole = self.whole.saturating_sub(u128::from(whole)),
            Quantity::Real(real) => {
                self.reals = self.reals.saturating_sub(1);
                self.real = if self.reals == 0 { 0.0 } else { (self.real - real).max(0.0) };
            }
        }
    }

    fn value(self) -> f64 {
        (self.whole as f64 + self.real).min(f64::MAX)
    }
}

/// A gauge that is the sum of what entries hold in it. While any does, it stays however long nothing moves; when the
/// last one left it is 0 until `stale_after`, and then leaves.
#[derive(Debug)]
pub(crate) struct Counted {
    family: Family,
    totals: HashMap<SeriesId, Total, RandomState>,
    /// Series that were looked up before, by their values and the labels that were left out.
    known: Known<SeriesId>,
}

impl Counted {
    /// A gauge in which nothing is held.
    pub(crate) fn new(family: Family) -> Self {
        Self { family, totals: HashMap::default(), known: Known::new() }
    }

    /// The series for these label values, there from now on. It is an entry's to keep only while the entry is in it.
    pub(crate) fn place(&mut self, board: &mut Board<'_>, values: &[&str]) -> SeriesId {
        let mut printer = self.known.begin(0);
        for value in values {
            printer.add(value.as_bytes());
        }
        board.store.left_out(self.family.id).iter().for_each(|label| printer.add(label.as_bytes()));
        let print = printer.end();
        if let Some(series) = self.known.get(print).filter(|series| board.store.is_live(*series)) {
            return series;
        }
        let series = self.family.resolve(board, values);
        // What overflows may find room later.
        if !board.store.is_overflow(series) {
            self.known.insert(print, series);
        }
        series
    }

    /// Adds what an entry holds.
    pub(crate) fn enter(&mut self, board: &mut Board<'_>, series: SeriesId, amount: Quantity) {
        let total = self.totals.entry(series).or_default();
        if total.entries == 0 {
            board.store.hold(series);
        }
        total.plus(amount);
        board.set(series, total.value());
    }

    /// Takes away what an entry held, exactly as it was added.
    pub(crate) fn leave(&mut self, board: &mut Board<'_>, series: SeriesId, amount: Quantity) {
        let Some(total) = self.totals.get_mut(&series) else { return };
        total.minus(amount);
        board.set(series, total.value());
        if total.entries == 0 {
            self.totals.remove(&series);
            board.store.release(series);
        }
    }

    /// Moves an entry that counts as one to another series.
    pub(crate) fn change(&mut self, board: &mut Board<'_>, place: &mut Option<SeriesId>, to: SeriesId) {
        let before = place.replace(to);
        if before != Some(to) {
            before.inspect(|before| self.leave(board, *before, ONE));
            self.enter(board, to, ONE);
        }
    }

    /// Takes an entry that counts as one out of the series it is in.
    pub(crate) fn lift(&mut self, board: &mut Board<'_>, place: &mut Option<SeriesId>) -> Lifted {
        match place.take() {
            Some(series) => {
                self.leave(board, series, ONE);
                Lifted::Counted
            }
            None => Lifted::Uncounted,
        }
    }

    /// Shows the sum as it is, 0 where nothing is held.
    pub(crate) fn show(&self, board: &mut Board<'_>, series: SeriesId) {
        board.set(series, self.totals.get(&series).map_or(0.0, |total| total.value()));
    }
}

/// One entry in a [`Counted`] that counts entries.
pub(crate) const ONE: Quantity = Quantity::Whole(1);

/// What becomes of a series that shows no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeriesEnding {
    /// It is 0 until `stale_after`.
    Zero,
    /// It leaves at once: 0 would be as much of a claim as any other value.
    Leave,
}

/// A gauge whose series show the values of the last call; of two values for one series the greater shows.
#[derive(Debug)]
pub(crate) struct ShownGauge {
    family: Family,
    ending: SeriesEnding,
    last: Vec<(SeriesId, f64)>,
}

impl ShownGauge {
    /// A gauge without series.
    pub(crate) fn new(family: Family, ending: SeriesEnding) -> Self {
        Self { family, ending, last: Vec::new() }
    }

    /// The series for these label values.
    pub(crate) fn place(&self, board: &mut Board<'_>, values: &[&str]) -> SeriesId {
        self.family.resolve(board, values)
    }

    /// Shows a series that has its first entry, so that it ends as any other where the next call no longer finds it.
    pub(crate) fn begin(&mut self, board: &mut Board<'_>, series: SeriesId, value: f64) {
        if let Err(place) = self.last.binary_search_by_key(&series, |(known, _)| *known) {
            self.last.insert(place, (series, value));
            board.store.hold(series);
            board.set(series, value);
        }
    }

    /// Shows these values and ends all others; a series whose value stays is not moved.
    pub(crate) fn replace(&mut self, board: &mut Board<'_>, mut values: Vec<(SeriesId, f64)>) {
        values.sort_by(|left, right| left.0.cmp(&right.0).then(right.1.total_cmp(&left.1)));
        values.dedup_by_key(|(series, _)| *series);
        let mut before = std::mem::take(&mut self.last).into_iter().peekable();
        for (series, value) in &values {
            while let Some((gone, _)) = before.next_if(|(known, _)| known < series) {
                self.end(board, gone);
            }
            let same = before.next_if(|(known, _)| known == series);
            if same.is_none() {
                board.store.hold(*series);
            }
            if same.is_none_or(|(_, shown)| shown != *value) {
                board.set(*series, *value);
            }
        }
        for (gone, _) in before {
            self.end(board, gone);
        }
        self.last = values;
    }

    fn end(&self, board: &mut Board<'_>, series: SeriesId) {
        match self.ending {
            SeriesEnding::Zero => {
                board.set(series, 0.0);
                board.store.release(series);
            }
            SeriesEnding::Leave => board.store.remove(series, board.cause.now),
        }
    }
}
