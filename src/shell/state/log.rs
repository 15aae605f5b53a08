//! The log of decided transitions on disk: appended and synced before an alert event is sent, begun anew with each
//! checkpoint.
//!
//! A write or sync that failed is never taken for one that may be tried again: what the disk has then nobody knows. The
//! log is given up until the next checkpoint, which holds everything up to its mark, and events go out without it. What
//! could not be written is kept in memory until then: the log that begins anew holds what came behind the mark, and the
//! one before it all of it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::folder::log_bytes_max;
use crate::engine::checkpoint::CheckpointAge;
use crate::engine::rules::{LOG_HEADER, LogRecord, ReadLog, read_log};
use crate::engine::time::Timestamp;
use crate::shell::plain::plain;

use super::disk::{Disk, DiskFile, RealDisk};

/// The log.
const LOG: &str = "transitions";
/// The one before it, for who goes on from the checkpoint before the last.
const PREVIOUS: &str = "transitions.previous";
/// One that is being begun.
const NEXT: &str = "transitions.next";

/// Bytes of records that are kept where they cannot be written; what comes behind them is in no log.
const UNWRITTEN_BYTES_MAX: usize = 4 << 20;

/// A log that is written.
#[derive(Debug)]
pub(crate) struct TransitionLog<D: Disk = RealDisk> {
    disk: D,
    folder: PathBuf,
    /// None after a failure.
    file: Option<D::File>,
    bytes: u64,
    /// Where the last checkpoint that was asked for stands.
    mark: Place,
    /// Records that could not be written since the log was begun.
    unwritten: Vec<u8>,
    /// Bytes after which nothing more is written until the next checkpoint.
    bytes_max: u64,
}

/// A place in a log and in what could not be written behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    bytes: u64,
    unwritten: usize,
}

/// Why something is not in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The disk refuses.
    #[error("the disk refuses: {}", plain(.0))]
    Disk(#[from] io::Error),
    /// It was given up before.
    #[error("it failed before, and waits for the next checkpoint")]
    GivenUp,
    /// No checkpoint was saved for too long.
    #[error("it has {0} bytes, all that state.bytes_max leaves it, and waits for the next checkpoint")]
    Full(u64),
}

impl<D: Disk> TransitionLog<D> {
    /// The log of this folder, and what it told before; its torn end is cut.
    pub(crate) fn open(disk: D, folder: &Path) -> (Self, Vec<LogRecord>) {
        let (folder, bytes_max) = (folder.to_owned(), u64::MAX);
        let (mark, unwritten) = (Place::default(), Vec::new());
        let mut log = Self { disk, folder, file: None, bytes: 0, mark, unwritten, bytes_max };
        let path = log.folder.join(LOG);
        let (file, bytes) = match log.disk.open(&path) {
            Ok((file, bytes)) => (Ok(file), bytes),
            Err(error) => (Err(error), log.disk.read(&path).ok().flatten().unwrap_or_default()),
        };
        // What it tells is known, whatever can be written behind it.
        let ReadLog { records, whole_bytes } = read_log(&bytes);
        (log.bytes, log.mark.bytes) = (whole_bytes as u64, whole_bytes as u64);
        let begun = file.and_then(|file| log.begin_behind(file, (whole_bytes, bytes.len())));
        match begun {
            Ok((file, bytes)) => (log.file, log.bytes) = (Some(file), bytes),
            Err(error) => {
                tracing::error!(%error, "the log of alert events cannot be written; they go out without it");
            }
        }
        (log, records)
    }

    /// What the log told before the last checkpoint, back to the one before that.
    pub(crate) fn earlier(disk: &D, folder: &Path) -> Vec<LogRecord> {
        let bytes = disk.read(&folder.join(PREVIOUS)).ok().flatten();
        bytes.map(|bytes| read_log(&bytes).records).unwrap_or_default()
    }

    /// Cuts the torn end, so that records can be written behind the whole ones; the file and its length.
    fn begin_behind(&self, mut file: D::File, (whole, all): (usize, usize)) -> io::Result<(D::File, u64)> {
        let mut whole = whole as u64;
        if whole < all as u64 {
            let lost = all as u64 - whole;
            tracing::warn!(lost, "the log of alert events ends in the middle of a record, which is cut");
        }
        file.cut(whole)?;
        if whole == 0 {
            let mark = LogRecord::Marked { at: Timestamp::EPOCH, age: CheckpointAge::Present }.to_bytes();
            file.write_all(&[LOG_HEADER.as_slice(), &mark].concat())?;
            whole = (LOG_HEADER.len() + mark.len()) as u64;
        }
        file.sync()?;
        self.disk.sync_folder(&self.folder)?;
        Ok((file, whole))
    }

    /// Keeps to the room a folder of at most `bytes_max` bytes has for it.
    pub(crate) const fn limit(&mut self, bytes_max: u64) {
        self.bytes_max = log_bytes_max(bytes_max);
    }

    /// Whether it failed, and waits for the next checkpoint.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) const fn is_given_up(&self) -> bool {
        self.file.is_none() || !self.unwritten.is_empty()
    }

    /// Whether a checkpoint should come before its time, so that it begins anew.
    pub(crate) const fn is_long(&self) -> bool {
        self.bytes > self.bytes_max / 2
    }

    /// Appends records and waits until the disk has them.
    ///
    /// # Errors
    /// Why they are not there for sure.
    pub(crate) fn append(&mut self, records: &[LogRecord]) -> Result<(), LogError> {
        self.write(records, D::File::sync_data)
    }

    /// Appends records that may be lost.
    ///
    /// # Errors
    /// Why they are not there.
    pub(crate) fn note(&mut self, records: &[LogRecord]) -> Result<(), LogError> {
        self.write(records, |_| Ok(()))
    }

    fn write(
        &mut self,
        records: &[LogRecord],
        sync: impl FnOnce(&D::File) -> io::Result<()>,
    ) -> Result<(), LogError> {
        let bytes: Vec<u8> = records.iter().flat_map(LogRecord::to_bytes).collect();
        let written = self.write_bytes(&bytes, sync);
        if written.is_err() && self.unwritten.len() < UNWRITTEN_BYTES_MAX {
            self.unwritten.extend_from_slice(&bytes);
        }
        written
    }

    fn write_bytes(
        &mut self,
        bytes: &[u8],
        sync: impl FnOnce(&D::File) -> io::Result<()>,
    ) -> Result<(), LogError> {
        if self.bytes + bytes.len() as u64 > self.bytes_max {
            return Err(LogError::Full(self.bytes));
        }
        // Nothing is written behind what is not.
        if !self.unwritten.is_empty() {
            return Err(LogError::GivenUp);
        }
        let mut file = self.file.take().ok_or(LogError::GivenUp)?;
        file.write_all(bytes)?;
        sync(&file)?;
        self.bytes += bytes.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// A checkpoint is asked for: it holds what the log tells up to here, as this record says.
    ///
    /// # Errors
    /// Why that is not there.
    pub(crate) fn mark(&mut self, record: &LogRecord) -> Result<(), LogError> {
        self.mark = Place { bytes: self.bytes, unwritten: self.unwritten.len() };
        match self.note(std::slice::from_ref(record)) {
            // It is in no file, and known all the same.
            Err(LogError::GivenUp | LogError::Full(_)) => Ok(()),
            marked => marked,
        }
    }

    /// A start goes on from this checkpoint, which may have no mark: the last one of an end in order has none.
    pub(crate) fn go_on_from(&mut self, record: &LogRecord) {
        if let Err(error) = self.mark(record) {
            tracing::error!(%error, "the log of alert events cannot be written; they go out without it");
        }
    }

    /// That checkpoint is saved: the log begins anew with what came since.
    ///
    /// # Errors
    /// The disk refuses: the old log stays, or is given up where a new one may have its place.
    pub(crate) fn begin_anew(&mut self) -> io::Result<()> {
        // Not by its name: somebody may have removed the folder.
        let written = match self.file.take() {
            Some(mut file) => {
                let written = file.tail(0);
                self.file = Some(file);
                written?
            }
            None => self.disk.read(&self.folder.join(LOG))?.unwrap_or_default(),
        };
        let written = written.get(..self.bytes as usize).unwrap_or(&written);
        let since = written.get(self.mark.bytes as usize..).unwrap_or_default();
        let since = [since, self.unwritten.get(self.mark.unwritten..).unwrap_or_default()].concat();
        let written = if written.is_empty() { LOG_HEADER.as_slice() } else { written };
        drop(self.beside(&[written, &self.unwritten])?);
        self.take_place(PREVIOUS)?;
        let file = self.beside(&[&LOG_HEADER, &since])?;
        // What is written to a file without a name nobody reads again; which of the two has it is not known until it lasts.
        self.file = None;
        (self.bytes, self.unwritten) = (0, since);
        self.mark = Place::default();
        self.take_place(LOG)?;
        self.bytes = (LOG_HEADER.len() + std::mem::take(&mut self.unwritten).len()) as u64;
        self.mark = Place { bytes: LOG_HEADER.len() as u64, unwritten: 0 };
        self.file = Some(file);
        Ok(())
    }

    /// A file of these pieces beside the others, which the disk has.
    fn beside(&self, pieces: &[&[u8]]) -> io::Result<D::File> {
        let mut file = self.disk.create(&self.folder.join(NEXT))?;
        for piece in pieces {
            file.write_all(piece)?;
        }
        file.sync()?;
        Ok(file)
    }

    /// Gives it a name, whoever had that.
    fn take_place(&self, name: &str) -> io::Result<()> {
        self.disk.rename(&self.folder.join(NEXT), &self.folder.join(name))?;
        self.disk.sync_folder(&self.folder)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};
    use std::rc::Rc;

    use super::*;
    use crate::engine::wire::EventId;

    const MARK: LogRecord =
        LogRecord::Marked { at: Timestamp::from_millis(7_000), age: CheckpointAge::Present };

    fn acknowledged(ids: &[u128]) -> Vec<LogRecord> {
        ids.iter().map(|id| LogRecord::Acknowledged(EventId(*id))).collect()
    }

    /// What a log tells, its marks left out.
    fn told(folder: &Path) -> Vec<LogRecord> {
        let (_, told) = TransitionLog::open(RealDisk, folder);
        told.into_iter().filter(|record| !matches!(record, LogRecord::Marked { .. })).collect()
    }

    #[test]
    fn what_was_appended_is_there_again_without_its_torn_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, before) = TransitionLog::open(RealDisk, folder.path());
        assert_eq!(before, []);
        log.append(&acknowledged(&[1, 2])).unwrap();
        log.note(&acknowledged(&[3])).unwrap();
        let path = folder.path().join(LOG);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[1, 2]));
        let (mut log, _) = TransitionLog::open(RealDisk, folder.path());
        log.append(&acknowledged(&[4])).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[1, 2, 4]));
    }

    #[test]
    fn a_checkpoint_takes_away_what_it_holds_and_nothing_that_came_since() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = TransitionLog::open(RealDisk, folder.path());
        log.append(&acknowledged(&[1])).unwrap();
        log.mark(&MARK).unwrap();
        log.append(&acknowledged(&[2])).unwrap();
        log.begin_anew().unwrap();
        log.append(&acknowledged(&[3])).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[2, 3]));
    }

    #[test]
    fn a_log_that_is_full_waits_for_the_next_checkpoint_and_wishes_for_it_before() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = TransitionLog::open(RealDisk, folder.path());
        log.limit(8 * 128);
        let mut written = 0;
        let wished = loop {
            if log.is_long() {
                break written;
            }
            log.append(&acknowledged(&[1])).unwrap();
            written += 1;
        };
        while log.append(&acknowledged(&[1])).is_ok() {
            written += 1;
        }
        assert!(0 < wished && wished < written, "{wished} {written}");
        assert!(fs::metadata(folder.path().join(LOG)).unwrap().len() <= 128);
        log.mark(&MARK).unwrap();
        log.begin_anew().unwrap();
        log.append(&acknowledged(&[2])).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[2]));
    }

    #[test]
    fn a_log_goes_on_in_a_folder_that_was_removed_and_made_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state");
        fs::create_dir(&folder).unwrap();
        let (mut log, _) = TransitionLog::open(RealDisk, &folder);
        log.append(&acknowledged(&[1])).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        log.mark(&MARK).unwrap();
        log.append(&acknowledged(&[2])).unwrap();
        fs::create_dir(&folder).unwrap();
        log.begin_anew().unwrap();
        assert_eq!(told(&folder), acknowledged(&[2]));
    }

    /// A disk that cannot make names last, from so many times on.
    #[derive(Clone, Debug)]
    struct Forgetful(Rc<Cell<u32>>);

    impl Disk for Forgetful {
        type File = File;
        type Hold = File;

        fn make_folder(&self, path: &Path) -> io::Result<()> {
            RealDisk.make_folder(path)
        }

        fn hold(&self, path: &Path) -> io::Result<Option<File>> {
            RealDisk.hold(path)
        }

        fn exists(&self, path: &Path) -> bool {
            RealDisk.exists(path)
        }

        fn is_folder(&self, path: &Path) -> bool {
            RealDisk.is_folder(path)
        }

        fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
            RealDisk.read(path)
        }

        fn create(&self, path: &Path) -> io::Result<File> {
            RealDisk.create(path)
        }

        fn open(&self, path: &Path) -> io::Result<(File, Vec<u8>)> {
            RealDisk.open(path)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            RealDisk.rename(from, to)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            RealDisk.remove(path)
        }

        fn sync_folder(&self, path: &Path) -> io::Result<()> {
            match self.0.get().checked_sub(1) {
                Some(left) => self.0.set(left),
                None => return Err(io::Error::other("no")),
            }
            RealDisk.sync_folder(path)
        }
    }

    #[test]
    fn nothing_is_written_to_a_log_that_has_lost_its_name() {
        let folder = tempfile::tempdir().unwrap();
        // The one of its opening and that of the earlier log last, the one that begins it anew does not.
        let disk = Forgetful(Rc::new(Cell::new(2)));
        let (mut log, _) = TransitionLog::open(disk.clone(), folder.path());
        log.append(&acknowledged(&[1])).unwrap();
        log.mark(&MARK).unwrap();
        assert!(log.begin_anew().is_err());
        assert!(matches!(log.append(&acknowledged(&[2])), Err(LogError::GivenUp)));
        disk.0.set(2);
        log.mark(&MARK).unwrap();
        log.begin_anew().unwrap();
        log.append(&acknowledged(&[3])).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[3]));
    }

    #[test]
    fn a_file_that_is_no_log_begins_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOG), b"something else").unwrap();
        let (mut log, before) = TransitionLog::open(RealDisk, folder.path());
        assert_eq!(before, []);
        log.append(&acknowledged(&[1])).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[1]));
    }

    #[test]
    fn what_a_log_could_not_take_is_in_the_next_one_behind_the_mark_of_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = TransitionLog::open(RealDisk, folder.path());
        let broken = |_: &File| Err(io::Error::other("no"));
        log.append(&acknowledged(&[1])).unwrap();
        assert!(log.write(&acknowledged(&[2]), broken).is_err());
        log.mark(&MARK).unwrap();
        assert!(matches!(log.append(&acknowledged(&[3])), Err(LogError::GivenUp)));
        log.begin_anew().unwrap();
        log.append(&acknowledged(&[4])).unwrap();
        let (_, told_now) = TransitionLog::open(RealDisk, folder.path());
        assert_eq!(told_now, [vec![MARK], acknowledged(&[3, 4])].concat());
        // Who goes on from the checkpoint before misses nothing either.
        let earlier = TransitionLog::earlier(&RealDisk, folder.path());
        assert_eq!(earlier[1..], [acknowledged(&[1, 2]), vec![MARK], acknowledged(&[3])].concat());
    }

    #[test]
    fn a_log_that_failed_waits_for_the_next_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = TransitionLog::open(RealDisk, folder.path());
        log.append(&acknowledged(&[1])).unwrap();
        let broken = |_: &File| Err(io::Error::other("no"));
        assert!(matches!(log.write(&acknowledged(&[2]), broken), Err(LogError::Disk(_))));
        assert!(matches!(log.append(&acknowledged(&[3])), Err(LogError::GivenUp)));
        log.mark(&MARK).unwrap();
        log.begin_anew().unwrap();
        log.append(&acknowledged(&[4])).unwrap();
        assert_eq!(told(folder.path()), acknowledged(&[4]));
    }
}
