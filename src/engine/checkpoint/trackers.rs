//! State across events.

use super::bytes::{Damage, Reader, Twin, Writer, choice, twin};
use super::series::SeriesTwinId;
use crate::engine::time::Timestamp;

/// The bytes of an id.
pub(in crate::engine) type KeyTwin = [u8; 24];

twin! {
    /// Every tracker: its entries by their keys, and what it keeps beside them.
    struct TrackersTwin {
        jobs: TrackerTwin<KeyTwin, JobTwin, JobBooksTwin>,
        workers: TrackerTwin<KeyTwin, WorkerTwin, WorkerBooksTwin>,
        chunks: TrackerTwin<KeyTwin, ChunkTwin, CountedTwin>,
        files: TrackerTwin<KeyTwin, FileTwin, FileBooksTwin>,
        cache: TrackerTwin<(u32, KeyTwin), CacheEntryTwin, CacheBooksTwin>,
        warmers: TrackerTwin<KeyTwin, WarmerTwin, CountedTwin>,
        alerts: TrackerTwin<(KeyTwin, Option<KeyTwin>), ForeignAlertTwin, CountedTwin>,
        slow_queries: ShownTwin,
    }
}

/// A tracker.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct TrackerTwin<K, E, B> {
    pub(in crate::engine) table: TableTwin<K, E>,
    pub(in crate::engine) books: B,
}

/// The entries of a tracker.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct TableTwin<K, E> {
    /// How many places there are, free ones included.
    pub(in crate::engine) places: u32,
    /// Free places, in the order in which they were left.
    pub(in crate::engine) free: Vec<u32>,
    /// From the one that moved longest ago; those alive before those that ended.
    pub(in crate::engine) rows: Vec<EntryTwin<K, E>>,
}

/// An entry with its key.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct EntryTwin<K, E> {
    pub(in crate::engine) place: u32,
    pub(in crate::engine) key: K,
    pub(in crate::engine) standing: StandingTwin,
    pub(in crate::engine) moved: Timestamp,
    pub(in crate::engine) entry: E,
}

choice! {
    /// What an entry is kept for.
    enum StandingTwin {
        Alive = 0,
        Ended = 1,
    }
}

choice! {
    /// A number as it stood on the wire.
    enum QuantityTwin {
        Whole(whole: u64) = 0,
        Real(real: f64) = 1,
    }
}

impl Default for QuantityTwin {
    fn default() -> Self {
        Self::Whole(0)
    }
}

twin! {
    /// Texts that entries hold, by their numbers; those without a holder are free.
    struct WordsTwin {
        texts: Vec<(String, u32)>,
        free: Vec<u32>,
    }
}

twin! {
    /// A gauge of sums, by series.
    struct CountedTwin {
        totals: Vec<TotalTwin>,
    }
}

twin! {
    /// The sum of one series.
    struct TotalTwin {
        series: SeriesTwinId,
        entries: u64,
        whole: u128,
        real: f64,
        reals: u64,
    }
}

twin! {
    /// A gauge of what was shown last.
    struct ShownTwin {
        last: Vec<(SeriesTwinId, f64)>,
    }
}

twin! {
    /// A ratio that an entry holds.
    struct RatioTwin {
        min: SeriesTwinId,
        avg: SeriesTwinId,
        ratio: f64,
        ticket: u64,
    }
}

twin! {
    /// A job.
    struct JobTwin {
        queue: u32,
        kind: u32,
        priority: u32,
        state: JobStateTwin,
        queued: Option<Timestamp>,
        started: Option<Timestamp>,
        ended: Option<Timestamp>,
        reported: Option<(f64, Timestamp)>,
    }
}

choice! {
    /// Where a job is.
    #[derive(Default)]
    enum JobStateTwin {
        Waiting(stay: StayTwin) = 0,
        Running(run: RunTwin) = 1,
        #[default]
        Apart = 2,
        Done = 3,
    }
}

twin! {
    /// What a job counts in.
    struct StayTwin {
        series: SeriesTwinId,
        moved: Timestamp,
        ticket: u64,
    }
}

twin! {
    /// What a running job is beside.
    struct RunTwin {
        stay: StayTwin,
        worker: KeyTwin,
        progress: Option<RatioTwin>,
    }
}

twin! {
    /// What jobs count in.
    struct JobBooksTwin {
        words: WordsTwin,
        tickets: u64,
        depth: CountedTwin,
        running: CountedTwin,
        oldest_waiting: ShownTwin,
        oldest_progress: ShownTwin,
    }
}

twin! {
    /// A worker.
    struct WorkerTwin {
        queues: Vec<(SeriesTwinId, SeriesTwinId)>,
        concurrency: QuantityTwin,
    }
}

twin! {
    /// What workers count in.
    struct WorkerBooksTwin {
        alive: CountedTwin,
        slots: CountedTwin,
    }
}

twin! {
    /// A chunk.
    struct ChunkTwin {
        active: Option<SeriesTwinId>,
        ended: Option<Timestamp>,
    }
}

twin! {
    /// A file.
    struct FileTwin {
        active: Option<SeriesTwinId>,
        progress: Option<FileProgressTwin>,
        ended: Option<Timestamp>,
    }
}

twin! {
    /// The progress of a file.
    struct FileProgressTwin {
        status: u32,
        series: SeriesTwinId,
        held: RatioTwin,
        moved: Timestamp,
        moved_ticket: u64,
    }
}

twin! {
    /// What files count in.
    struct FileBooksTwin {
        words: WordsTwin,
        tickets: u64,
        active: CountedTwin,
        in_progress: CountedTwin,
        oldest_progress: ShownTwin,
    }
}

twin! {
    /// A cache entry.
    struct CacheEntryTwin {
        level: u32,
        counted: Option<CountedEntryTwin>,
        expires: Option<(Timestamp, u64)>,
    }
}

twin! {
    /// What a cache entry counts in.
    struct CountedEntryTwin {
        count: SeriesTwinId,
        size: SeriesTwinId,
        bytes: QuantityTwin,
    }
}

twin! {
    /// What cache entries count in.
    struct CacheBooksTwin {
        levels: WordsTwin,
        tickets: u64,
        count: CountedTwin,
        size: CountedTwin,
    }
}

twin! {
    /// A strategy of cache warmers.
    struct WarmerTwin {
        active: Option<(u64, SeriesTwinId)>,
    }
}

twin! {
    /// An alert of others.
    struct ForeignAlertTwin {
        active: Option<SeriesTwinId>,
    }
}

impl<K, E> Default for TableTwin<K, E> {
    fn default() -> Self {
        Self { places: 0, free: Vec::new(), rows: Vec::new() }
    }
}

impl<K: Twin, E: Twin, B: Twin> Twin for TrackerTwin<K, E, B> {
    fn write(&self, out: &mut Writer) {
        self.table.write(out);
        self.books.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self { table: Twin::read(from)?, books: Twin::read(from)? })
    }
}

impl<K: Twin, E: Twin> Twin for TableTwin<K, E> {
    fn write(&self, out: &mut Writer) {
        self.places.write(out);
        self.free.write(out);
        self.rows.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self { places: Twin::read(from)?, free: Twin::read(from)?, rows: Twin::read(from)? })
    }
}

impl<K: Twin, E: Twin> Twin for EntryTwin<K, E> {
    fn write(&self, out: &mut Writer) {
        self.place.write(out);
        self.key.write(out);
        self.standing.write(out);
        self.moved.write(out);
        self.entry.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damage> {
        Ok(Self {
            place: Twin::read(from)?,
            key: Twin::read(from)?,
            standing: Twin::read(from)?,
            moved: Twin::read(from)?,
            entry: Twin::read(from)?,
        })
    }
}
