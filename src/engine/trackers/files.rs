//! Files: active from their upload to their end, and in progress from their first to their last ProgressUpdated.

use super::NEVER;
use super::gauges::{Board, Counted, Family, ONE, Shown};
use super::key::IdKey;
use super::oldest::{Oldest, Ticket, Tickets};
use super::roll::{Eviction, Roll, Standing};
use super::words::{WordId, Words};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

/// The status with which a file's progress ends.
const COMPLETED: &str = "completed";

/// Ratios are summed in units of 2⁻⁶⁰, so that what left the sum leaves nothing behind.
const RATIO_UNITS: f64 = (1_u64 << 60) as f64;

/// The families that files feed.
#[derive(Debug)]
pub struct FileFamilies {
    /// `processing_files_active`.
    pub active: Family,
    /// `processing_files_in_progress`.
    pub in_progress: Family,
    /// `processing_file_progress_ratio`.
    pub ratio: Family,
    /// `processing_oldest_progress_age_seconds`.
    pub oldest_progress: Family,
    /// `signalbox_tracker_evictions_total`.
    pub evictions: Family,
}

/// A ProgressUpdated event.
#[derive(Clone, Copy, Debug)]
pub struct FileProgress<'a> {
    /// The file.
    pub file: &'a str,
    /// The status as it was sent.
    pub status: &'a str,
    /// The status as a label.
    pub label: &'a str,
    /// From 0 to 1.
    pub ratio: f64,
    /// The event's timestamp.
    pub at: Timestamp,
}

#[derive(Debug)]
struct File {
    /// Where it counts from its upload to its end.
    active: Option<SeriesId>,
    progress: Option<Progress>,
    /// The latest timestamp of an end of the file, which `completed` progress is not.
    ended: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    status: WordId,
    /// Where it counts in `processing_files_in_progress`.
    series: SeriesId,
    ratio: f64,
    moved: Timestamp,
    ratio_ticket: Ticket,
    moved_ticket: Ticket,
}

/// The tracker of files.
#[derive(Debug)]
pub struct Files {
    roll: Roll<IdKey, File>,
    words: Words,
    tickets: Tickets,
    active: Counted,
    in_progress: Counted,
    /// Keyed by the bits of the ratio, which for numbers not below 0 are in their order.
    least_ratio: Oldest<u64>,
    least_moved: Oldest<Timestamp>,
    /// The sum of the ratios, and of how many.
    ratio_units: u128,
    in_sum: u64,
    ratio: RatioGauge,
    oldest_progress: Shown,
}

impl Files {
    /// A tracker without files.
    pub fn new(limits: TrackerLimits, families: FileFamilies) -> Self {
        Self {
            roll: Roll::new(limits, families.evictions, "files"),
            words: Words::default(),
            tickets: Tickets::default(),
            active: Counted::new(families.active),
            in_progress: Counted::new(families.in_progress),
            least_ratio: Oldest::default(),
            least_moved: Oldest::default(),
            ratio_units: 0,
            in_sum: 0,
            ratio: RatioGauge { family: families.ratio, shown: None },
            oldest_progress: Shown::new(families.oldest_progress),
        }
    }

    /// FileUploadStarted: the file is active, unless the event is older than its end.
    pub fn uploaded(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let slot = self.slot(board, id);
        let Some(file) = self.roll.get_mut(slot) else { return };
        if at < file.ended {
            return;
        }
        if file.active.is_none() {
            let series = self.active.place(board, &[]);
            file.active = Some(series);
            self.active.enter(board, series, ONE);
        }
        self.roll.touch(slot, Standing::Held, board.cause.now);
    }

    /// FileProcessingCompleted or FileProcessingFailed: the file is neither active nor in progress.
    pub fn ended(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let slot = self.slot(board, id);
        let Some(file) = self.roll.get_mut(slot) else { return };
        file.ended = file.ended.max(at);
        if let Some(series) = file.active.take() {
            self.active.leave(board, series, ONE);
        }
        self.stop(board, slot);
        self.roll.touch(slot, Standing::Ended, board.cause.now);
    }

    /// ProgressUpdated: the file is in progress, or no more, unless the event is older than its end.
    pub fn progressed(&mut self, board: &mut Board<'_>, update: FileProgress<'_>) {
        let slot = self.slot(board, update.file);
        let Some(file) = self.roll.get_mut(slot) else { return };
        if update.at < file.ended {
            return;
        }
        if update.status == COMPLETED {
            let standing = if file.active.is_some() { Standing::Held } else { Standing::Ended };
            self.stop(board, slot);
            self.roll.touch(slot, standing, board.cause.now);
            return;
        }
        match file.progress {
            Some(before) => self.go_on(board, slot, before, update),
            None => self.begin(board, slot, update),
        }
        self.show_ratio(board);
        self.roll.touch(slot, Standing::Held, board.cause.now);
    }

    /// How many files are known.
    pub fn len(&self) -> usize {
        self.roll.len()
    }

    /// Whether no file is known.
    pub fn is_empty(&self) -> bool {
        self.roll.is_empty()
    }

    /// Evicts what nothing moved for too long and shows the age of now.
    pub fn refresh(&mut self, board: &mut Board<'_>) {
        while let Some((slot, why)) = self.roll.overdue(board.cause.now) {
            self.evict(board, slot, why);
        }
        let mut values = Vec::new();
        if let Some(moved) = self.least_moved.least(|slot, ticket| moved(&self.roll, slot, ticket)) {
            let series = self.oldest_progress.place(board, &[]);
            values.push((series, board.cause.now.since(moved).as_secs_f64()));
        }
        self.oldest_progress.replace(board, values);
    }

    fn begin(&mut self, board: &mut Board<'_>, slot: u32, update: FileProgress<'_>) {
        let status = self.words.hold(update.label);
        let series = self.in_progress.place(board, &[update.label]);
        self.in_progress.enter(board, series, ONE);
        let progress = Progress {
            status,
            series,
            ratio: update.ratio,
            moved: update.at,
            ratio_ticket: self.tickets.issue(),
            moved_ticket: self.tickets.issue(),
        };
        if let Some(file) = self.roll.get_mut(slot) {
            file.progress = Some(progress);
        }
        self.ratio_units += units(update.ratio);
        self.in_sum += 1;
        self.least_ratio.enter(bits(update.ratio), progress.ratio_ticket, slot);
        self.least_ratio.sweep(|slot, ticket| ratio(&self.roll, slot, ticket));
        self.least_moved.enter(update.at, progress.moved_ticket, slot);
        self.least_moved.sweep(|slot, ticket| moved(&self.roll, slot, ticket));
    }

    fn go_on(&mut self, board: &mut Board<'_>, slot: u32, before: Progress, update: FileProgress<'_>) {
        let mut progress = Progress { ratio: update.ratio, moved: update.at, ..before };
        if self.words.text(before.status) != update.label {
            self.words.replace(&mut progress.status, update.label);
            progress.series = self.in_progress.place(board, &[update.label]);
            self.in_progress.leave(board, before.series, ONE);
            self.in_progress.enter(board, progress.series, ONE);
        }
        if update.ratio < before.ratio {
            progress.ratio_ticket = self.tickets.issue();
        }
        if update.at < before.moved {
            progress.moved_ticket = self.tickets.issue();
        }
        if let Some(file) = self.roll.get_mut(slot) {
            file.progress = Some(progress);
        }
        self.ratio_units = (self.ratio_units + units(update.ratio)).saturating_sub(units(before.ratio));
        if progress.ratio_ticket != before.ratio_ticket {
            self.least_ratio.fell(bits(update.ratio), progress.ratio_ticket, slot);
            self.least_ratio.sweep(|slot, ticket| ratio(&self.roll, slot, ticket));
        }
        if progress.moved_ticket != before.moved_ticket {
            self.least_moved.fell(update.at, progress.moved_ticket, slot);
            self.least_moved.sweep(|slot, ticket| moved(&self.roll, slot, ticket));
        }
    }

    /// Takes a file out of progress.
    fn stop(&mut self, board: &mut Board<'_>, slot: u32) {
        let Some(progress) = self.roll.get_mut(slot).and_then(|file| file.progress.take()) else { return };
        self.leave(board, progress);
        self.show_ratio(board);
    }

    fn leave(&mut self, board: &mut Board<'_>, progress: Progress) {
        self.in_progress.leave(board, progress.series, ONE);
        self.words.release(progress.status);
        self.ratio_units = self.ratio_units.saturating_sub(units(progress.ratio));
        self.in_sum = self.in_sum.saturating_sub(1);
        self.least_ratio.leave();
        self.least_moved.leave();
    }

    fn show_ratio(&mut self, board: &mut Board<'_>) {
        match self.least_ratio.least(|slot, ticket| ratio(&self.roll, slot, ticket)) {
            Some(least) => {
                let average = self.ratio_units as f64 / RATIO_UNITS / self.in_sum as f64;
                self.ratio.show(board, f64::from_bits(least), average);
            }
            None => self.ratio.hide(board),
        }
    }

    fn slot(&mut self, board: &mut Board<'_>, id: &str) -> u32 {
        let key = IdKey::new(id);
        if let Some(slot) = self.roll.find(key) {
            return slot;
        }
        while let Some((slot, why)) = self.roll.crowded() {
            self.evict(board, slot, why);
        }
        let file = File { active: None, progress: None, ended: NEVER };
        self.roll.insert(key, file, board.cause.now)
    }

    fn evict(&mut self, board: &mut Board<'_>, slot: u32, why: Eviction) {
        let Some(file) = self.roll.remove(slot) else { return };
        if let Some(series) = file.active {
            self.active.leave(board, series, ONE);
        }
        if let Some(progress) = file.progress {
            self.leave(board, progress);
            self.show_ratio(board);
        }
        self.roll.count(board, why);
    }
}

/// `processing_file_progress_ratio`; set at every ProgressUpdated, so it remembers its two series.
#[derive(Debug)]
struct RatioGauge {
    family: Family,
    shown: Option<[SeriesId; 2]>,
}

impl RatioGauge {
    fn show(&mut self, board: &mut Board<'_>, least: f64, average: f64) {
        let known = self.shown.filter(|both| both.iter().all(|series| board.store.is_live(*series)));
        let [min, avg] = known
            .unwrap_or_else(|| [self.family.resolve(board, &["min"]), self.family.resolve(board, &["avg"])]);
        self.shown = Some([min, avg]);
        board.set(min, least);
        board.set(avg, average);
    }

    fn hide(&mut self, board: &mut Board<'_>) {
        for series in self.shown.take().into_iter().flatten() {
            board.store.remove(series, board.cause.now);
        }
    }
}

fn ratio(roll: &Roll<IdKey, File>, slot: u32, ticket: Ticket) -> Option<u64> {
    let progress = roll.get(slot)?.progress?;
    (progress.ratio_ticket == ticket).then(|| bits(progress.ratio))
}

fn moved(roll: &Roll<IdKey, File>, slot: u32, ticket: Ticket) -> Option<Timestamp> {
    let progress = roll.get(slot)?.progress?;
    (progress.moved_ticket == ticket).then_some(progress.moved)
}

/// The bits of a ratio, -0 as 0.
fn bits(ratio: f64) -> u64 {
    (ratio + 0.0).to_bits()
}

fn units(ratio: f64) -> u128 {
    (ratio * RATIO_UNITS).round() as u128
}
