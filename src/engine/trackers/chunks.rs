//! Chunks: active from ChunkProcessingStarted to the next ChunkProcessingCompleted or ChunkProcessingFailed.

mod saved;

use super::frame::{Frame, FrameParts, Lifted, Tracker};
use super::gauges::{Board, Counted, Family};
use super::key::IdKey;
use super::table::{Standing, Table, TablePlace};
use crate::engine::config::TrackerName;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

/// A chunk of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    /// Where it counts while it is active.
    active: Option<SeriesId>,
    /// The latest timestamp of an end.
    ended: Option<Timestamp>,
}

/// What chunks count in.
#[derive(Debug)]
pub(crate) struct ChunkBooks {
    active: Counted,
}

/// The tracker of chunks.
pub(crate) type Chunks = Frame<ChunkBooks>;

impl Chunks {
    /// A tracker without chunks; feeds `processing_chunks_active`.
    pub(crate) fn of_chunks(parts: FrameParts<'_>, active: Family) -> Self {
        Self::new(parts, ChunkBooks { active: Counted::new(active) })
    }

    /// ChunkProcessingStarted: the chunk is active, under its new strategy, unless the event is older than its end.
    pub(crate) fn started(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp, strategy: &str) {
        let place = self.enter(board, IdKey::new(id), Chunk::default);
        let Some(chunk) = self.table.get_mut(place) else { return };
        if Some(at) < chunk.ended {
            return;
        }
        let series = self.own.active.place(board, &[strategy]);
        self.own.active.change(board, &mut chunk.active, series);
        self.table.touch(place, Standing::Alive, board.cause.now);
    }

    /// ChunkProcessingCompleted or ChunkProcessingFailed: the chunk is active no more.
    pub(crate) fn ended(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let place = self.enter(board, IdKey::new(id), Chunk::default);
        let Some(chunk) = self.table.get_mut(place) else { return };
        chunk.ended = chunk.ended.max(Some(at));
        self.own.active.lift(board, &mut chunk.active);
        self.table.touch(place, Standing::Ended, board.cause.now);
    }
}

impl Tracker for ChunkBooks {
    type Key = IdKey;
    type Entry = Chunk;

    const NAME: TrackerName = TrackerName::Chunks;

    fn lift(&mut self, board: &mut Board<'_>, _: TablePlace, chunk: &mut Chunk) -> Lifted {
        self.active.lift(board, &mut chunk.active)
    }

    fn forget(&mut self, _: Chunk) {}

    fn show(&mut self, _: &mut Board<'_>, _: &mut Table<IdKey, Chunk>) {}
}
