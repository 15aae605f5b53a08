//! Files as their twins, and from them.

use super::{FileBooks, Files, Progress, Table, TablePlace, TrackedFile};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{FileBooksTwin, FileProgressTwin, FileTwin, KeyTwin, TrackerTwin};
use crate::engine::series::SeriesId;
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::oldest::{Ticket, Tickets};
use crate::engine::trackers::ratios::HeldRatio;
use crate::engine::trackers::table::SavedTracker;
use crate::engine::trackers::words::{Books, WordId, Words};

impl Files {
    /// The files as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let entry: fn(&TrackedFile) -> FileTwin = file_twin;
        let own = &mut self.own;
        let shown = (own.in_progress.save(), own.oldest_progress.save());
        let books = Books(own.words.save(), (own.tickets.save(), (own.active.save(), shown)));
        SavedTracker { table: self.table.save(), key: IdKey::twin, entry, books }
    }

    /// Takes over the files that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(
        &mut self,
        twin: TrackerTwin<KeyTwin, FileTwin, FileBooksTwin>,
    ) -> Result<(), Damage> {
        self.table = Table::restored(twin.table, IdKey::of_twin, file_of, IdKey::new(""))?;
        let own = &mut self.own;
        own.words = Words::restored(twin.books.words)?;
        own.tickets = Tickets::restored(twin.books.tickets);
        own.active.restore(twin.books.active);
        own.in_progress.restore(twin.books.in_progress);
        own.oldest_progress.restore(twin.books.oldest_progress);
        for (place, file) in self.table.entries() {
            own.restore(place, file);
        }
        Ok(())
    }
}

impl FileBooks {
    /// Puts a file that was saved where it counts.
    fn restore(&mut self, place: TablePlace, file: &TrackedFile) {
        if let Some(progress) = &file.progress {
            self.ratios.restore(progress.held, place);
            self.least_moved.enter(progress.moved, progress.moved_ticket, place);
        }
    }
}

fn file_twin(file: &TrackedFile) -> FileTwin {
    FileTwin {
        active: file.active.map(SeriesId::twin),
        progress: file.progress.as_ref().map(|progress| FileProgressTwin {
            status: progress.status.twin(),
            series: progress.series.twin(),
            held: progress.held.twin(),
            moved: progress.moved,
            moved_ticket: progress.moved_ticket.twin(),
        }),
        ended: file.ended,
    }
}

fn file_of(twin: FileTwin) -> TrackedFile {
    TrackedFile {
        active: twin.active.map(SeriesId::of_twin),
        progress: twin.progress.map(|progress| Progress {
            status: WordId::of_twin(progress.status),
            series: SeriesId::of_twin(progress.series),
            held: HeldRatio::of_twin(&progress.held),
            moved: progress.moved,
            moved_ticket: Ticket::of_twin(progress.moved_ticket),
        }),
        ended: twin.ended,
    }
}
