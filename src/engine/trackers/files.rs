//! Files: active from their upload to their end, and in progress from their first to their last ProgressUpdated.

use super::frame::{Frame, FrameFamilies, Tracker};
use super::gauges::{Board, Counted, Family, ONE, Shown};
use super::key::IdKey;
use super::oldest::{Oldest, Ticket, Tickets};
use super::table::{Place, Standing, Table};
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
pub(crate) struct FileFamilies {
    /// `processing_files_active`.
    pub(crate) active: Family,
    /// `processing_files_in_progress`.
    pub(crate) in_progress: Family,
    /// `processing_file_progress_ratio`.
    pub(crate) ratio: Family,
    /// `processing_oldest_progress_age_seconds`.
    pub(crate) oldest_progress: Family,
}

/// A ProgressUpdated event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileProgress<'a> {
    /// The file.
    pub(crate) file: &'a str,
    /// The status as it was sent.
    pub(crate) status: &'a str,
    /// The status as a label.
    pub(crate) label: &'a str,
    /// From 0 to 1.
    pub(crate) ratio: f64,
    /// The event's timestamp.
    pub(crate) at: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct File {
    /// Where it counts from its upload to its end.
    active: Option<SeriesId>,
    progress: Option<Progress>,
    /// The latest timestamp of an end of the file, which `completed` progress is not.
    ended: Option<Timestamp>,
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

/// What files count in.
#[derive(Debug)]
pub(crate) struct FileBooks {
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

/// The tracker of files.
pub(crate) type Files = Frame<FileBooks>;

impl Files {
    /// A tracker without files.
    pub(crate) fn of_files(limits: TrackerLimits, frame: FrameFamilies, families: FileFamilies) -> Self {
        let books = FileBooks {
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
        };
        Self::new(limits, frame, books)
    }

    /// FileUploadStarted: the file is active, unless the event is older than its end.
    pub(crate) fn uploaded(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let place = self.enter(board, IdKey::new(id), File::default);
        let Some(file) = self.table.get_mut(place) else { return };
        if Some(at) < file.ended {
            return;
        }
        if file.active.is_none() {
            let series = self.own.active.place(board, &[]);
            file.active = Some(series);
            self.own.active.enter(board, series, ONE);
        }
        self.table.touch(place, Standing::Alive, board.cause.now);
    }

    /// FileProcessingCompleted or FileProcessingFailed: the file is neither active nor in progress.
    pub(crate) fn ended(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let place = self.enter(board, IdKey::new(id), File::default);
        let Some(file) = self.table.get_mut(place) else { return };
        file.ended = file.ended.max(Some(at));
        self.own.lift(board, file);
        self.show_ratio(board);
        self.table.touch(place, Standing::Ended, board.cause.now);
    }

    /// ProgressUpdated: the file is in progress, or no more, unless the event is older than its end.
    pub(crate) fn progressed(&mut self, board: &mut Board<'_>, update: FileProgress<'_>) {
        let place = self.enter(board, IdKey::new(update.file), File::default);
        let Some(file) = self.table.get_mut(place) else { return };
        if Some(update.at) < file.ended {
            return;
        }
        let mut standing = Standing::Alive;
        if update.status == COMPLETED {
            if file.active.is_none() {
                standing = Standing::Ended;
            }
            self.own.stop(board, file);
        } else {
            let progress = self.own.go_on(board, file.progress, update);
            let before = file.progress.replace(progress);
            self.note(place, before, progress);
        }
        self.show_ratio(board);
        self.table.touch(place, standing, board.cause.now);
    }

    /// Puts what moved against the order of the heaps into them.
    fn note(&mut self, place: Place, before: Option<Progress>, progress: Progress) {
        let (table, own) = (&self.table, &mut self.own);
        let (least, key, ticket) = (&mut own.least_ratio, bits(progress.ratio), progress.ratio_ticket);
        match before {
            None => least.enter(key, ticket, place),
            Some(before) if before.ratio_ticket != ticket => least.fell(key, ticket, place),
            Some(_) => {}
        }
        least.sweep(|place, ticket| ratio(table, place, ticket));
        let (least, key, ticket) = (&mut own.least_moved, progress.moved, progress.moved_ticket);
        match before {
            None => least.enter(key, ticket, place),
            Some(before) if before.moved_ticket != ticket => least.fell(key, ticket, place),
            Some(_) => {}
        }
        least.sweep(|place, ticket| moved(table, place, ticket));
    }

    fn show_ratio(&mut self, board: &mut Board<'_>) {
        self.own.show_ratio(board, &self.table);
    }
}

impl FileBooks {
    /// What the progress of a file is after an update, counted.
    fn go_on(
        &mut self,
        board: &mut Board<'_>,
        before: Option<Progress>,
        update: FileProgress<'_>,
    ) -> Progress {
        self.ratio_units += units(update.ratio);
        let Some(before) = before else {
            let status = self.words.hold(update.label);
            let series = self.in_progress.place(board, &[update.label]);
            self.in_progress.enter(board, series, ONE);
            self.in_sum += 1;
            return Progress {
                status,
                series,
                ratio: update.ratio,
                moved: update.at,
                ratio_ticket: self.tickets.issue(),
                moved_ticket: self.tickets.issue(),
            };
        };
        self.ratio_units = self.ratio_units.saturating_sub(units(before.ratio));
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
        progress
    }

    /// Takes a file out of every gauge but the ratio, which needs the table to be shown.
    fn lift(&mut self, board: &mut Board<'_>, file: &mut File) {
        if let Some(series) = file.active.take() {
            self.active.leave(board, series, ONE);
        }
        self.stop(board, file);
    }

    /// Takes a file out of progress.
    fn stop(&mut self, board: &mut Board<'_>, file: &mut File) {
        let Some(progress) = file.progress.take() else { return };
        self.in_progress.leave(board, progress.series, ONE);
        self.words.release(progress.status);
        self.ratio_units = self.ratio_units.saturating_sub(units(progress.ratio));
        self.in_sum = self.in_sum.saturating_sub(1);
        self.least_ratio.leave();
        self.least_moved.leave();
    }

    fn show_ratio(&mut self, board: &mut Board<'_>, table: &Table<IdKey, File>) {
        match self.least_ratio.least(|place, ticket| ratio(table, place, ticket)) {
            Some(least) => {
                let average = self.ratio_units as f64 / RATIO_UNITS / self.in_sum as f64;
                self.ratio.show(board, f64::from_bits(least), average);
            }
            None => self.ratio.hide(board),
        }
    }
}

impl Tracker for FileBooks {
    type Key = IdKey;
    type Entry = File;

    const NAME: &'static str = "files";

    fn release(&mut self, board: &mut Board<'_>, _: Place, mut file: File) {
        self.lift(board, &mut file);
    }

    fn show(&mut self, board: &mut Board<'_>, table: &mut Table<IdKey, File>) {
        self.show_ratio(board, table);
        let mut values = Vec::new();
        if let Some(moved) = self.least_moved.least(|place, ticket| moved(table, place, ticket)) {
            let series = self.oldest_progress.place(board, &[]);
            values.push((series, board.cause.now.since(moved).as_secs_f64()));
        }
        self.oldest_progress.replace(board, values);
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

fn ratio(table: &Table<IdKey, File>, place: Place, ticket: Ticket) -> Option<u64> {
    let progress = table.get(place)?.progress?;
    (progress.ratio_ticket == ticket).then(|| bits(progress.ratio))
}

fn moved(table: &Table<IdKey, File>, place: Place, ticket: Ticket) -> Option<Timestamp> {
    let progress = table.get(place)?.progress?;
    (progress.moved_ticket == ticket).then_some(progress.moved)
}

/// The bits of a ratio, -0 as 0.
fn bits(ratio: f64) -> u64 {
    (ratio + 0.0).to_bits()
}

fn units(ratio: f64) -> u128 {
    (ratio * RATIO_UNITS).round() as u128
}
