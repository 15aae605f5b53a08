//! The recent past of every series, for range selectors (`CONTRACT.md`, "What a rule sees").
//!
//! Series are sampled together on one [`axis`]; each cell keeps its changes alone ([`track`]). A cell that has not
//! changed since its birth costs eight bytes. What rules write themselves (recording rules, `ALERTS`) is in
//! [`written`]; [`past`] is what the evaluator reads through.

mod axis;
mod past;
mod track;
mod written;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::config::HistoryConfig;
use super::labels::Labels;
use super::series::{FamilyId, Removed, SeriesId, Store};
use super::time::Timestamp;
use axis::{Axis, Sampled};
use track::{Place, Track};

pub use past::Past;
pub use written::Written;

/// The bits a cell's last value has before it was ever sampled: a NaN no arithmetic makes.
const UNSAMPLED: u64 = 0xfff8_dead_dead_dead;

/// Bytes a cell costs that never changed.
const CELL_BYTES: usize = size_of::<u64>() + size_of::<Option<Box<Track>>>();

/// The recent past.
#[derive(Debug)]
pub struct History {
    step: Duration,
    window: Duration,
    bytes_max: usize,
    bytes: usize,
    axis: Axis,
    /// By cell: the bits last sampled.
    last: Vec<u64>,
    /// By cell: its changes, where there were any.
    tracks: Vec<Option<Box<Track>>>,
    gone: VecDeque<Gone>,
    /// Families whose past does not fit.
    left_out: BTreeSet<FamilyId>,
    /// Those of them nobody was told of yet.
    unsaid: Vec<FamilyId>,
    written: Written,
    labels: past::LabelCache,
}

/// A series that left, while its past is in the window.
#[derive(Debug)]
struct Gone {
    family: FamilyId,
    labels: Labels,
    born: Timestamp,
    at: Timestamp,
    last: Vec<f64>,
    tracks: Vec<Option<Box<Track>>>,
}

impl History {
    /// An empty past.
    pub fn new(config: &HistoryConfig) -> Self {
        Self {
            step: config.step.max(Duration::from_millis(1)),
            window: config.window,
            bytes_max: config.bytes_max,
            bytes: 0,
            axis: Axis::default(),
            last: Vec::new(),
            tracks: Vec::new(),
            gone: VecDeque::new(),
            left_out: BTreeSet::new(),
            unsaid: Vec::new(),
            written: Written::default(),
            labels: past::LabelCache::default(),
        }
    }

    /// Keeps at least this much, because a rule reads so far back.
    pub fn extend_window(&mut self, needed: Duration) {
        self.window = self.window.max(needed);
    }

    /// The next instant of the grid (multiples of the step since the Unix epoch) after `now`.
    pub fn next_step(&self, now: Timestamp) -> Timestamp {
        let step = i64::try_from(self.step.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros((now.micros().div_euclid(step).saturating_add(1)).saturating_mul(step))
    }

    /// Samples every series, as a scrape at `now` would.
    pub fn sample_all(&mut self, store: &Store, now: Timestamp, read: &BTreeSet<FamilyId>) {
        self.forget_old(now);
        let Some(place) = self.axis.push(now.millis(), Sampled::All) else { return };
        for family in store.families() {
            self.sample_family(store, family, place);
        }
        if self.bytes() > self.bytes_max {
            self.make_room(store, now, read);
        }
    }

    /// Samples the series of the families that rules evaluated at `now` read.
    pub fn sample_read(&mut self, store: &Store, now: Timestamp, families: &Arc<[FamilyId]>) {
        if self.bytes() > self.bytes_max {
            return;
        }
        let Some(place) = self.axis.push(now.millis(), Sampled::Families(Arc::clone(families))) else {
            return;
        };
        for family in families.iter() {
            self.sample_family(store, *family, place);
        }
    }

    /// Keeps the past of series that have just left the store; call before their cells serve others.
    pub fn retire(&mut self, removed: Vec<Removed>) {
        for series in removed {
            let cells = series.cells.start as usize..series.cells.end as usize;
            let last =
                cells.clone().map(|cell| f64::from_bits(self.last.get(cell).copied().unwrap_or(UNSAMPLED)));
            let last = last.collect();
            let tracks = cells.clone().map(|cell| self.tracks.get_mut(cell).and_then(Option::take)).collect();
            for cell in cells {
                if let Some(bits) = self.last.get_mut(cell) {
                    *bits = UNSAMPLED;
                }
            }
            self.gone.push_back(Gone {
                family: series.family,
                labels: series.labels,
                born: series.born,
                at: series.at,
                last,
                tracks,
            });
        }
    }

    /// What rules wrote themselves.
    pub fn written_mut(&mut self) -> &mut Written {
        &mut self.written
    }

    /// Families whose past did not fit, for `signalbox_history_left_out_series`.
    pub fn left_out(&self) -> &BTreeSet<FamilyId> {
        &self.left_out
    }

    /// Families left out since the last call.
    pub fn take_newly_left_out(&mut self) -> Vec<FamilyId> {
        std::mem::take(&mut self.unsaid)
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.bytes + self.last.len() * CELL_BYTES + self.axis.bytes() + self.written.bytes()
    }

    fn sample_family(&mut self, store: &Store, family: FamilyId, place: Place) {
        if self.left_out.contains(&family) {
            return;
        }
        for series in store.series_of(family) {
            self.sample_cells(store, store.cells(series), place);
        }
    }

    fn sample_cells(&mut self, store: &Store, cells: Range<u32>, place: Place) {
        if self.last.len() < cells.end as usize {
            self.last.resize(cells.end as usize, UNSAMPLED);
            self.tracks.resize_with(cells.end as usize, || None);
        }
        for cell in cells {
            let value = store.cell(cell);
            let (Some(last), Some(track)) =
                (self.last.get_mut(cell as usize), self.tracks.get_mut(cell as usize))
            else {
                continue;
            };
            if *last == value.to_bits() {
                continue;
            }
            if *last != UNSAMPLED {
                let before = track.as_ref().map_or(0, |track| track.bytes());
                let track = track.get_or_insert_with(|| Box::new(Track::starting(f64::from_bits(*last))));
                track.push(place, value);
                // A full chunk gives its spare room back, so a track may shrink as it grows.
                self.bytes = (self.bytes + track.bytes()).saturating_sub(before);
            }
            *last = value.to_bits();
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.before(self.window).before(self.step);
        let place = self.axis.forget_before(oldest.millis());
        for track in self.tracks.iter_mut().flatten() {
            self.bytes -= track.forget_before(place).min(self.bytes);
        }
        while self.gone.front().is_some_and(|gone| gone.at < oldest) {
            let freed = self.gone.pop_front().into_iter().flat_map(|gone| gone.tracks).flatten();
            self.bytes -= freed.map(|track| track.bytes()).sum::<usize>().min(self.bytes);
        }
        self.written.forget_before(oldest.millis());
    }

    /// Leaves out the families that no rule reads, the largest first; where that is not enough the window shrinks.
    fn make_room(&mut self, store: &Store, now: Timestamp, read: &BTreeSet<FamilyId>) {
        let mut sizes: BTreeMap<FamilyId, usize> = BTreeMap::new();
        for family in store.families().filter(|family| !read.contains(family)) {
            let cells = store.series_of(family).flat_map(|series| store.cells(series));
            let bytes =
                cells.filter_map(|cell| self.tracks.get(cell as usize)?.as_ref()).map(|track| track.bytes());
            sizes.insert(family, bytes.sum());
        }
        let mut largest: Vec<(usize, FamilyId)> =
            sizes.into_iter().map(|(family, bytes)| (bytes, family)).collect();
        largest.sort_unstable_by(|left, right| right.cmp(left));
        for (bytes, family) in largest {
            if self.bytes() <= self.bytes_max / 10 * 9 || bytes == 0 {
                break;
            }
            self.leave_out(store, family);
        }
        let mut window = self.window;
        while self.bytes() > self.bytes_max && window > self.step {
            window /= 2;
            let place = self.axis.forget_before(now.before(window).millis());
            for track in self.tracks.iter_mut().flatten() {
                self.bytes -= track.forget_before(place).min(self.bytes);
            }
            self.gone.clear();
        }
    }

    fn leave_out(&mut self, store: &Store, family: FamilyId) {
        for cell in store.series_of(family).flat_map(|series| store.cells(series)) {
            let Some(track) = self.tracks.get_mut(cell as usize).and_then(Option::take) else { continue };
            self.bytes -= track.bytes().min(self.bytes);
            if let Some(last) = self.last.get_mut(cell as usize) {
                *last = UNSAMPLED;
            }
        }
        if self.left_out.insert(family) {
            self.unsaid.push(family);
        }
    }

    /// The values of one cell at `places`; `present` where it was never sampled.
    fn cell_values(&self, cell: u32, present: f64, places: &[Place], out: &mut Vec<f64>) {
        if let Some(Some(track)) = self.tracks.get(cell as usize) {
            track.values(places, out);
            return;
        }
        let last = self.last.get(cell as usize).copied().unwrap_or(UNSAMPLED);
        let value = if last == UNSAMPLED { present } else { f64::from_bits(last) };
        out.extend(places.iter().map(|_| value));
    }

    /// Whether the past of this series is kept.
    fn keeps(&self, store: &Store, series: SeriesId) -> bool {
        !self.left_out.contains(&store.family_of(series))
    }
}

#[cfg(test)]
mod tests;
