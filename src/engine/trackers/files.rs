//! Files: active from their upload to their end, and in progress from their first to their last ProgressUpdated.

mod saved;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family, ONE, SeriesEnding, ShownGauge};
use super::key::IdKey;
use super::oldest::{Oldest, Ticket, Tickets};
use super::ratios::{HeldRatio, Ratios};
use super::table::{Standing, Table, TablePlace};
use super::words::{WordId, Words};
use crate::engine::config::TrackerName;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

/// The status with which a file's progress ends.
const COMPLETED: &str = "completed";

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

/// A file from its upload to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrackedFile {
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
    held: HeldRatio,
    moved: Timestamp,
    moved_ticket: Ticket,
}

/// What files count in.
#[derive(Debug)]
pub(crate) struct FileBooks {
    words: Words,
    tickets: Tickets,
    active: Counted,
    in_progress: Counted,
    ratios: Ratios,
    least_moved: Oldest<Timestamp>,
    oldest_progress: ShownGauge,
}

/// The tracker of files.
pub(crate) type Files = Frame<FileBooks>;

impl Files {
    /// A tracker without files.
    pub(crate) fn of_files(parts: FrameParts<'_>, families: FileFamilies) -> Self {
        let books = FileBooks {
            words: Words::default(),
            tickets: Tickets::default(),
            active: Counted::new(families.active),
            in_progress: Counted::new(families.in_progress),
            ratios: Ratios::new(families.ratio),
            least_moved: Oldest::default(),
            oldest_progress: ShownGauge::new(families.oldest_progress, SeriesEnding::Zero),
        };
        Self::new(parts, books)
    }

    /// FileUploadStarted: the file is active, unless the event is older than its end.
    pub(crate) fn uploaded(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let place = self.enter(board, IdKey::new(id), TrackedFile::default);
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
        let place = self.enter(board, IdKey::new(id), TrackedFile::default);
        let Some(file) = self.table.get_mut(place) else { return };
        file.ended = file.ended.max(Some(at));
        self.own.lift(board, place, file);
        self.show_ratio(board);
        self.table.touch(place, Standing::Ended, board.cause.now);
    }

    /// ProgressUpdated: the file is in progress, or no more, unless the event is older than its end.
    pub(crate) fn progressed(&mut self, board: &mut Board<'_>, update: FileProgress<'_>) {
        let place = self.enter(board, IdKey::new(update.file), TrackedFile::default);
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
            file.progress = Some(match file.progress {
                Some(before) => self.own.go_on(board, place, before, update),
                None => self.own.begin(board, place, update),
            });
            self.own.least_moved.sweep(|place, ticket| moved(&self.table, place, ticket));
        }
        self.show_ratio(board);
        self.table.touch(place, standing, board.cause.now);
    }

    fn show_ratio(&mut self, board: &mut Board<'_>) {
        self.own.ratios.show(board, |place, ticket| ratio(&self.table, place, ticket));
    }
}

impl FileBooks {
    /// The first progress of a file, counted.
    fn begin(&mut self, board: &mut Board<'_>, place: TablePlace, update: FileProgress<'_>) -> Progress {
        let status = self.words.hold(update.label);
        let series = self.in_progress.place(board, &[update.label]);
        self.in_progress.enter(board, series, ONE);
        let held = HeldRatio {
            series: self.ratios.place(board, &[]),
            ratio: update.ratio,
            ticket: self.tickets.issue(),
        };
        self.ratios.enter(board, held, place);
        let moved_ticket = self.tickets.issue();
        if self.least_moved.is_empty() {
            let series = self.oldest_progress.place(board, &[]);
            self.oldest_progress.begin(board, series, board.cause.now.since(update.at).as_secs_f64());
        }
        self.least_moved.enter(update.at, moved_ticket, place);
        Progress { status, series, held, moved: update.at, moved_ticket }
    }

    /// What the progress of a file is after another, counted.
    fn go_on(
        &mut self,
        board: &mut Board<'_>,
        place: TablePlace,
        before: Progress,
        update: FileProgress<'_>,
    ) -> Progress {
        let mut progress = Progress { moved: update.at, ..before };
        progress.held.ratio = update.ratio;
        if self.words.text(before.status) != update.label {
            self.words.replace(&mut progress.status, update.label);
            progress.series = self.in_progress.place(board, &[update.label]);
            self.in_progress.leave(board, before.series, ONE);
            self.in_progress.enter(board, progress.series, ONE);
        }
        if update.ratio < before.held.ratio {
            progress.held.ticket = self.tickets.issue();
        }
        if update.at < before.moved {
            progress.moved_ticket = self.tickets.issue();
            self.least_moved.fell(update.at, progress.moved_ticket, place);
        }
        self.ratios.change(before.held, progress.held, place);
        progress
    }

    /// Takes a file out of progress.
    fn stop(&mut self, board: &mut Board<'_>, file: &mut TrackedFile) -> Lifted {
        let Some(progress) = file.progress.take() else { return Lifted::Uncounted };
        self.in_progress.leave(board, progress.series, ONE);
        self.words.release(progress.status);
        self.ratios.leave(board, progress.held);
        self.least_moved.leave();
        Lifted::Counted
    }
}

impl Tracker for FileBooks {
    type Key = IdKey;
    type Entry = TrackedFile;

    const NAME: TrackerName = TrackerName::Files;

    fn lift(&mut self, board: &mut Board<'_>, _: TablePlace, file: &mut TrackedFile) -> Lifted {
        match (self.active.lift(board, &mut file.active), self.stop(board, file)) {
            (Lifted::Uncounted, Lifted::Uncounted) => Lifted::Uncounted,
            (Lifted::Counted, _) | (_, Lifted::Counted) => Lifted::Counted,
        }
    }

    fn forget(&mut self, _: TrackedFile) {}

    fn show(&mut self, board: &mut Board<'_>, table: &mut Table<IdKey, TrackedFile>) {
        self.ratios.show(board, |place, ticket| ratio(table, place, ticket));
        let mut values = Vec::new();
        if let Some(moved) = self.least_moved.least(|place, ticket| moved(table, place, ticket)) {
            let series = self.oldest_progress.place(board, &[]);
            values.push((series, board.cause.now.since(moved).as_secs_f64()));
        }
        self.oldest_progress.replace(board, values);
    }
}

fn ratio(table: &Table<IdKey, TrackedFile>, place: TablePlace, ticket: Ticket) -> Option<u64> {
    let held = table.get(place)?.progress?.held;
    (held.ticket == ticket).then(|| held.key())
}

fn moved(table: &Table<IdKey, TrackedFile>, place: TablePlace, ticket: Ticket) -> Option<Timestamp> {
    let progress = table.get(place)?.progress?;
    (progress.moved_ticket == ticket).then_some(progress.moved)
}
