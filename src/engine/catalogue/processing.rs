//! What the events of the processing context move.

use super::Catalogue;
use super::families::Group;
use super::rows::Metric;
use crate::engine::time::Timestamp;
use crate::engine::trackers::files::FileProgress;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::payload::{
    ChunkProcessingCompleted, ChunkProcessingFailed, ChunkProcessingStarted, FileProcessingCompleted,
    FileProcessingFailed, FileUploadStarted, ProgressUpdated,
};

const UPLOAD: Group<2, 1> = Group { metrics: [Metric::Uploads, Metric::UploadSize], labels: ["language"] };
const CHUNK_START: Group<2, 1> =
    Group { metrics: [Metric::ChunksStarted, Metric::ChunkSize], labels: ["strategy"] };
const CHUNK_END: Group<3, 1> = Group {
    metrics: [Metric::ChunksCompleted, Metric::ChunkDuration, Metric::ChunkTextLength],
    labels: ["cached"],
};
const CHUNK_FAILURE: Group<2, 2> = Group {
    metrics: [Metric::ChunksFailed, Metric::ChunkFailureRetries],
    labels: ["error_type", "will_retry"],
};
const FILE_END: Group<3, 1> = Group {
    metrics: [Metric::FilesCompleted, Metric::FileDuration, Metric::FileTextLength],
    labels: ["language"],
};
const FILE_CHUNKS: Group<1, 1> = Group { metrics: [Metric::FileChunks], labels: ["outcome"] };
const FILE_FAILURE: Group<1, 1> = Group { metrics: [Metric::FilesFailed], labels: ["error_type"] };
const PROGRESS: Group<1, 1> = Group { metrics: [Metric::ProgressUpdates], labels: ["status"] };

impl Catalogue {
    pub(super) fn file_upload_started(
        &mut self,
        board: &mut Board<'_>,
        event: &FileUploadStarted<'_>,
        at: Timestamp,
    ) {
        let language = event.language.as_deref().unwrap_or_default();
        let [uploads, size] = self.families.series(board, &UPLOAD, [language]);
        board.add(uploads, 1.0);
        board.observe(size, event.file_size.value());
        self.files.uploaded(board, &event.transcript_id, at);
    }

    pub(super) fn chunk_started(
        &mut self,
        board: &mut Board<'_>,
        event: &ChunkProcessingStarted<'_>,
        at: Timestamp,
    ) {
        let [started, size] = self.families.series(board, &CHUNK_START, [&event.processing_strategy]);
        board.add(started, 1.0);
        board.observe(size, event.chunk_size.value());
        let strategy = self.families.value(&event.processing_strategy);
        self.chunks.started(board, &event.chunk_id, at, strategy);
    }

    pub(super) fn chunk_completed(
        &mut self,
        board: &mut Board<'_>,
        event: &ChunkProcessingCompleted<'_>,
        at: Timestamp,
    ) {
        let [completed, duration, length] =
            self.families.series(board, &CHUNK_END, [Flag(event.was_cached).label()]);
        board.add(completed, 1.0);
        board.observe(duration, event.processing_duration_ms.value() / 1e3);
        board.observe(length, event.text_length.value());
        self.chunks.ended(board, &event.chunk_id, at);
    }

    pub(super) fn chunk_failed(
        &mut self,
        board: &mut Board<'_>,
        event: &ChunkProcessingFailed<'_>,
        at: Timestamp,
    ) {
        let values = [event.error_type.as_ref(), Flag(event.will_retry).label()];
        let [failed, retries] = self.families.series(board, &CHUNK_FAILURE, values);
        board.add(failed, 1.0);
        board.observe(retries, event.retry_count.value());
        self.chunks.ended(board, &event.chunk_id, at);
    }

    pub(super) fn file_completed(
        &mut self,
        board: &mut Board<'_>,
        event: &FileProcessingCompleted<'_>,
        at: Timestamp,
    ) {
        let [completed, duration, length] =
            self.families.series(board, &FILE_END, [&event.detected_language]);
        board.add(completed, 1.0);
        board.observe(duration, event.total_duration_ms.value() / 1e3);
        board.observe(length, event.final_text_length.value());
        for (outcome, chunks) in [
            ("successful", event.successful_chunks),
            ("failed", event.failed_chunks),
            ("cached", event.cache_hits),
        ] {
            let [count] = self.families.series(board, &FILE_CHUNKS, [outcome]);
            board.add(count, chunks.value());
        }
        self.files.ended(board, &event.transcript_id, at);
    }

    pub(super) fn file_failed(
        &mut self,
        board: &mut Board<'_>,
        event: &FileProcessingFailed<'_>,
        at: Timestamp,
    ) {
        let error = event.error_type.as_deref().unwrap_or_default();
        let [failed] = self.families.series(board, &FILE_FAILURE, [error]);
        board.add(failed, 1.0);
        if let Some(file) = &event.transcript_id {
            self.files.ended(board, file, at);
        }
    }

    pub(super) fn progress_updated(
        &mut self,
        board: &mut Board<'_>,
        event: &ProgressUpdated<'_>,
        at: Timestamp,
    ) {
        let [updates] = self.families.series(board, &PROGRESS, [&event.status]);
        board.add(updates, 1.0);
        let update = FileProgress {
            file: &event.transcript_id,
            status: &event.status,
            label: self.families.value(&event.status),
            ratio: event.progress.clamp(0.0, 1.0),
            at,
        };
        self.files.progressed(board, update);
    }
}

/// A yes or no as a label has it.
pub(super) struct Flag(pub(super) bool);

impl Flag {
    pub(super) const fn label(self) -> &'static str {
        if self.0 { "true" } else { "false" }
    }
}
