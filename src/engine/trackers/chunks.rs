//! Chunks: active from ChunkProcessingStarted to the next ChunkProcessingCompleted or ChunkProcessingFailed.

use super::NEVER;
use super::gauges::{Board, Counted, Family, ONE};
use super::key::IdKey;
use super::roll::{Eviction, Roll, Standing};
use crate::engine::config::TrackerLimits;
use crate::engine::series::SeriesId;
use crate::engine::time::Timestamp;

#[derive(Debug)]
struct Chunk {
    /// Where it counts while it is active.
    active: Option<SeriesId>,
    /// The latest timestamp of an end.
    ended: Timestamp,
}

/// The tracker of chunks.
#[derive(Debug)]
pub struct Chunks {
    roll: Roll<IdKey, Chunk>,
    active: Counted,
}

impl Chunks {
    /// A tracker without chunks; feeds `processing_chunks_active`.
    pub fn new(limits: TrackerLimits, evictions: Family, active: Family) -> Self {
        Self { roll: Roll::new(limits, evictions, "chunks"), active: Counted::new(active) }
    }

    /// ChunkProcessingStarted: the chunk is active, under its new strategy, unless the event is older than its end.
    pub fn started(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp, strategy: &str) {
        let slot = self.slot(board, id);
        let Some(chunk) = self.roll.get_mut(slot) else { return };
        if at < chunk.ended {
            return;
        }
        let series = self.active.place(board, &[strategy]);
        let before = chunk.active.replace(series);
        if before != Some(series) {
            before.inspect(|before| self.active.leave(board, *before, ONE));
            self.active.enter(board, series, ONE);
        }
        self.roll.touch(slot, Standing::Held, board.cause.now);
    }

    /// ChunkProcessingCompleted or ChunkProcessingFailed: the chunk is active no more.
    pub fn ended(&mut self, board: &mut Board<'_>, id: &str, at: Timestamp) {
        let slot = self.slot(board, id);
        let Some(chunk) = self.roll.get_mut(slot) else { return };
        chunk.ended = chunk.ended.max(at);
        if let Some(series) = chunk.active.take() {
            self.active.leave(board, series, ONE);
        }
        self.roll.touch(slot, Standing::Ended, board.cause.now);
    }

    /// How many chunks are known.
    pub fn len(&self) -> usize {
        self.roll.len()
    }

    /// Whether no chunk is known.
    pub fn is_empty(&self) -> bool {
        self.roll.is_empty()
    }

    /// Evicts what nothing moved for too long.
    pub fn refresh(&mut self, board: &mut Board<'_>) {
        while let Some((slot, why)) = self.roll.overdue(board.cause.now) {
            self.evict(board, slot, why);
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
        self.roll.insert(key, Chunk { active: None, ended: NEVER }, board.cause.now)
    }

    fn evict(&mut self, board: &mut Board<'_>, slot: u32, why: Eviction) {
        if let Some(series) = self.roll.remove(slot).and_then(|chunk| chunk.active) {
            self.active.leave(board, series, ONE);
        }
        self.roll.count(board, why);
    }
}
