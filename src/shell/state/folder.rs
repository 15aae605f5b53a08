//! The folder of the state: who holds it, what is in it, and how a checkpoint gets there whole or not at all.
//!
//! A checkpoint is written beside the last one, synced, and renamed over it; the last one becomes the previous one.
//! After a clean stop the file `clean` names the checkpoint that holds everything anybody saw; whoever starts from it
//! takes it away first.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::engine::RunEnding;
use crate::engine::checkpoint::{Checkpoint, SavedState, StateError, VERSION};
use crate::engine::time::Timestamp;
use crate::shell::plain::plain;

use super::disk::{Disk, DiskFile, RealDisk};

/// The last checkpoint.
const CURRENT: &str = "checkpoint";
/// The one before it.
const PREVIOUS: &str = "checkpoint.previous";
/// One that is being written.
const NEXT: &str = "checkpoint.next";
/// One that could not be read.
const DAMAGED: &str = "checkpoint.damaged";
/// Names the checkpoint of a clean stop.
const CLEAN: &str = "clean";
/// Held by the process that uses the folder.
const LOCK: &str = "lock";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Another process uses it.
    #[error("another signalbox uses the state folder {}; stop it, or give this one a folder of its own", .0.display())]
    Taken(PathBuf),
    /// It is no folder.
    #[error("{} is no folder; name one for the state, which is made where it is missing", .0.display())]
    NoFolder(PathBuf),
    /// A later release wrote what is in it.
    #[error(
        "the state in {} is of a newer signalbox (format {version}, this release reads up to {VERSION}); start that \
         release, or give this one a folder of its own",
        .folder.display()
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// The version of the format.
        version: u32,
    },
    /// The disk does not let it be used now.
    #[error("cannot use the state folder {}: {}", .folder.display(), plain(error))]
    Disk {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Checkpoints that are there at a time while one is written.
const FILES: u64 = 3;

/// The log may take this part of the folder.
const LOG_PART: u64 = 8;

/// Logs that are there at a time while one is begun anew: it, the one before it, and the next.
const LOGS: u64 = 3;

/// The most a log takes, however much a folder may hold.
const LOG_BYTES_MAX: u64 = 256 << 20;

/// The most bytes of the log in a folder of at most `bytes_max`.
pub(super) const fn log_bytes_max(bytes_max: u64) -> u64 {
    let part = bytes_max / LOG_PART;
    if part < LOG_BYTES_MAX { part } else { LOG_BYTES_MAX }
}

/// The most bytes of a checkpoint in such a folder.
const fn checkpoint_bytes_max(bytes_max: u64) -> u64 {
    (bytes_max - LOGS * log_bytes_max(bytes_max)) / FILES
}

/// How much of the state was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// All but the past, for which there was no room.
    WithoutPast,
}

/// What was stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// How many bytes.
    pub(crate) bytes: u64,
    /// How much of the state.
    pub(crate) extent: Extent,
}

/// What is in the folder.
#[derive(Debug)]
pub(crate) enum FoundState {
    /// Nothing.
    Nothing,
    /// A state, and how the run ended that left it.
    State {
        /// The state.
        state: Box<SavedState>,
        /// How the run ended.
        ending: RunEnding,
        /// What was wrong with the last checkpoint, where this is the one before it.
        instead_of: Option<String>,
        /// The file it was read from.
        name: &'static str,
    },
    /// Only states that cannot be read; with the reasons.
    Damaged(String),
}

impl FoundState {
    /// Whether what a log tells since the last checkpoint is too little to go on from here.
    pub(crate) fn needs_earlier_log(&self) -> bool {
        match self {
            Self::State { name, .. } => *name == PREVIOUS,
            Self::Damaged(_) => true,
            Self::Nothing => false,
        }
    }
}

/// The folder, held by this process until it ends.
#[derive(Debug)]
pub(crate) struct StateFolder<D: Disk = RealDisk> {
    disk: D,
    path: PathBuf,
    _hold: D::Hold,
}

impl<D: Disk> StateFolder<D> {
    /// Makes the folder where it is missing, and takes hold of it.
    ///
    /// # Errors
    /// Another process holds it, it is no folder, or the disk refuses.
    pub(crate) fn open(disk: D, path: &Path) -> Result<Self, FolderError> {
        let refused = |error: io::Error| FolderError::Disk { folder: path.to_owned(), error };
        if disk.exists(path) && !disk.is_folder(path) {
            return Err(FolderError::NoFolder(path.to_owned()));
        }
        disk.make_folder(path).map_err(refused)?;
        match disk.hold(&path.join(LOCK)).map_err(refused)? {
            Some(hold) => Ok(Self { disk, path: path.to_owned(), _hold: hold }),
            None => Err(FolderError::Taken(path.to_owned())),
        }
    }

    /// The disk it is on.
    pub(super) const fn disk(&self) -> &D {
        &self.disk
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there: the last checkpoint, else the one before it. What cannot be read is set aside.
    ///
    /// # Errors
    /// A newer release wrote it.
    pub(crate) fn load(&self) -> Result<FoundState, FolderError> {
        let mut faults: Vec<String> = Vec::new();
        // Between two renames of an interrupted write the new one is whole and the last one is the previous one.
        let last = if self.disk.exists(&self.path.join(CURRENT)) { CURRENT } else { NEXT };
        for name in [last, PREVIOUS] {
            let bytes = match self.disk.read(&self.path.join(name)) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    faults.push(format!("{name} cannot be read: {}", plain(error)));
                    continue;
                }
            };
            match SavedState::read(&bytes) {
                Ok(state) => {
                    let own_name = name_of(state.saved_at(), bytes.len() as u64);
                    let ending = if name == CURRENT && self.is_clean(&own_name) {
                        RunEnding::Clean
                    } else {
                        RunEnding::Crash
                    };
                    let instead_of = (!faults.is_empty()).then(|| faults.join("; "));
                    return Ok(FoundState::State { state: Box::new(state), ending, instead_of, name });
                }
                Err(StateError::Newer { version }) => {
                    return Err(FolderError::Newer { folder: self.path.clone(), version });
                }
                // A write that was broken off left it.
                Err(_) if name == NEXT => {}
                Err(error @ (StateError::Foreign | StateError::Damaged(_))) => {
                    faults.push(format!("{name}: {error}"));
                    self.set_aside(name);
                }
            }
        }
        Ok(if faults.is_empty() { FoundState::Nothing } else { FoundState::Damaged(faults.join("; ")) })
    }

    /// Sets aside a checkpoint that was read and contradicts itself, and reads the one before it.
    pub(crate) fn load_another(&self, name: &'static str, why: &str) -> FoundState {
        let why = format!("{name}: {why}");
        self.set_aside(name);
        match self.load() {
            Ok(FoundState::State { state, ending, instead_of, name }) => {
                let instead_of = [Some(why), instead_of].into_iter().flatten().collect::<Vec<_>>().join("; ");
                FoundState::State { state, ending, instead_of: Some(instead_of), name }
            }
            Ok(FoundState::Nothing) => FoundState::Damaged(why),
            Ok(FoundState::Damaged(more)) => FoundState::Damaged(format!("{why}; {more}")),
            Err(error) => FoundState::Damaged(format!("{why}; {error}")),
        }
    }

    /// Takes note that the state is gone on from: what comes now is in no clean checkpoint. Where that cannot be noted,
    /// nobody may rely on it.
    pub(crate) fn begin(&self, ending: RunEnding) -> RunEnding {
        match self.disk.remove(&self.path.join(CLEAN)).and_then(|()| self.sync()) {
            Ok(()) => ending,
            Err(_) => RunEnding::Crash,
        }
    }

    /// Puts a checkpoint in the place of the last one, in a folder of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// The disk refuses; the last checkpoint stays.
    pub(crate) fn store(
        &self,
        checkpoint: &Checkpoint,
        ending: RunEnding,
        bytes_max: u64,
    ) -> io::Result<Stored> {
        let next = self.path.join(NEXT);
        // The last one stays beside it until it is whole.
        let each_max = checkpoint_bytes_max(bytes_max);
        let mut extent = Extent::Whole;
        let mut written = self.write(&next, checkpoint.pieces(), each_max);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::FileTooLarge) {
            extent = Extent::WithoutPast;
            written = self.write(&next, checkpoint.pieces_without_past(), each_max);
        }
        let bytes = match written {
            Ok(bytes) => bytes,
            Err(error) => {
                // It would only take room that others may need.
                drop(self.disk.remove(&next));
                return Err(error);
            }
        };
        let current = self.path.join(CURRENT);
        if self.disk.exists(&current) {
            self.disk.rename(&current, &self.path.join(PREVIOUS))?;
        }
        self.disk.rename(&next, &current)?;
        self.sync()?;
        if ending == RunEnding::Clean {
            let mut file = self.disk.create(&self.path.join(CLEAN))?;
            file.write_all(name_of(checkpoint.now(), bytes).as_bytes())?;
            file.sync()?;
            self.sync()?;
        }
        Ok(Stored { bytes, extent })
    }

    fn is_clean(&self, name: &str) -> bool {
        let named = self.disk.read(&self.path.join(CLEAN));
        named.is_ok_and(|named| named.as_deref() == Some(name.as_bytes()))
    }

    /// Keeps what cannot be read, for a person to look at.
    fn set_aside(&self, name: &str) {
        // Where that fails it stays, and is written over.
        drop(self.disk.rename(&self.path.join(name), &self.path.join(DAMAGED)));
    }

    /// Writes a checkpoint and waits until the disk has it; its size.
    fn write(&self, path: &Path, pieces: impl Iterator<Item = Vec<u8>>, bytes_max: u64) -> io::Result<u64> {
        let mut file = self.disk.create(path)?;
        let mut bytes = 0;
        for piece in pieces {
            bytes += piece.len() as u64;
            if bytes > bytes_max {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "the state is larger than state.bytes_max allows; raise it, or lower limits.series or dedupe.entries",
                ));
            }
            file.write_all(&piece)?;
        }
        file.sync()?;
        Ok(bytes)
    }

    /// Makes renames last.
    fn sync(&self) -> io::Result<()> {
        self.disk.sync_folder(&self.path)
    }
}

/// How the file of a clean stop names a checkpoint: by its instant and size. A checksum of the whole would not tell one
/// from another, as every section ends with its own.
fn name_of(saved_at: Timestamp, bytes: u64) -> String {
    format!("{} {bytes}\n", saved_at.micros())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::Engine;
    use crate::engine::config::Config;
    use crate::engine::rules::RuleSet;

    fn checkpoint(seconds: i64) -> Checkpoint {
        let mut config = Config::with_defaults("test");
        config.dedupe.entries = 100;
        let now = Timestamp::from_millis(seconds * 1_000);
        Engine::new(&config, RuleSet::default(), now).save(now)
    }

    /// The second of what is found, and how the run ended.
    fn found(folder: &StateFolder) -> Option<(i64, RunEnding)> {
        match folder.load().unwrap() {
            FoundState::State { state, ending, .. } => Some((state.saved_at().millis() / 1_000, ending)),
            FoundState::Nothing | FoundState::Damaged(_) => None,
        }
    }

    const ROOM: u64 = 1 << 30;

    #[test]
    fn the_last_checkpoint_is_found_and_a_damaged_one_gives_way_to_the_one_before_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(RealDisk, &place.path().join("made")).unwrap();
        assert_eq!(found(&folder), None);
        folder.store(&checkpoint(1), RunEnding::Crash, ROOM).unwrap();
        folder.store(&checkpoint(2), RunEnding::Crash, ROOM).unwrap();
        assert_eq!(found(&folder), Some((2, RunEnding::Crash)));
        let current = folder.path().join(CURRENT);
        let bytes = fs::read(&current).unwrap();
        fs::write(&current, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(found(&folder), Some((1, RunEnding::Crash)));
        assert!(folder.path().join(DAMAGED).exists());
        fs::write(folder.path().join(PREVIOUS), b"torn").unwrap();
        assert!(matches!(folder.load().unwrap(), FoundState::Damaged(_)));
    }

    #[test]
    fn only_the_checkpoint_of_a_clean_stop_is_clean_and_only_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(RealDisk, place.path()).unwrap();
        folder.store(&checkpoint(1), RunEnding::Clean, ROOM).unwrap();
        assert_eq!(found(&folder), Some((1, RunEnding::Clean)));
        assert_eq!(folder.begin(RunEnding::Clean), RunEnding::Clean);
        assert_eq!(found(&folder), Some((1, RunEnding::Crash)));
        folder.store(&checkpoint(2), RunEnding::Clean, ROOM).unwrap();
        folder.store(&checkpoint(3), RunEnding::Crash, ROOM).unwrap();
        assert_eq!(found(&folder), Some((3, RunEnding::Crash)));
    }

    #[test]
    fn a_write_that_was_broken_off_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(RealDisk, place.path()).unwrap();
        folder.store(&checkpoint(1), RunEnding::Crash, ROOM).unwrap();
        fs::write(folder.path().join(NEXT), b"SIGNLBOX and no more").unwrap();
        assert_eq!(found(&folder), Some((1, RunEnding::Crash)));
        // Between the two renames.
        folder.store(&checkpoint(2), RunEnding::Crash, ROOM).unwrap();
        fs::rename(folder.path().join(CURRENT), folder.path().join(NEXT)).unwrap();
        assert_eq!(found(&folder), Some((2, RunEnding::Crash)));
    }

    #[test]
    fn what_has_no_room_is_refused_and_the_last_checkpoint_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(RealDisk, place.path()).unwrap();
        let stored = folder.store(&checkpoint(1), RunEnding::Crash, ROOM).unwrap();
        assert_eq!(stored.extent, Extent::Whole);
        assert!(folder.store(&checkpoint(2), RunEnding::Crash, 4 * stored.bytes - 8).is_err());
        assert_eq!(found(&folder), Some((1, RunEnding::Crash)));
        assert!(!folder.path().join(NEXT).exists());
    }

    #[test]
    fn one_that_contradicts_itself_gives_way_to_the_one_before_it_and_then_to_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(RealDisk, place.path()).unwrap();
        folder.store(&checkpoint(1), RunEnding::Crash, ROOM).unwrap();
        folder.store(&checkpoint(2), RunEnding::Clean, ROOM).unwrap();
        let FoundState::State { name, .. } = folder.load().unwrap() else { panic!("no state") };
        let FoundState::State { state, ending, instead_of, name } = folder.load_another(name, "it lies")
        else {
            panic!("no state")
        };
        assert_eq!((state.saved_at().millis(), ending, name), (1_000, RunEnding::Crash, PREVIOUS));
        assert_eq!(instead_of.as_deref(), Some("checkpoint: it lies"));
        assert!(
            matches!(folder.load_another(name, "it lies too"), FoundState::Damaged(why) if why.contains("lies too"))
        );
        assert!(folder.path().join(DAMAGED).exists());
    }

    #[test]
    fn a_folder_with_its_log_never_holds_more_than_it_may() {
        for bytes_max in [0, 1, 1_000, 1 << 20, 1 << 30, 1 << 40] {
            let most = FILES * checkpoint_bytes_max(bytes_max) + LOGS * log_bytes_max(bytes_max);
            assert!(most <= bytes_max, "{bytes_max}");
        }
    }

    #[test]
    fn a_folder_is_held_by_one_and_a_file_is_none() {
        let place = tempfile::tempdir().unwrap();
        let _held = StateFolder::open(RealDisk, place.path()).unwrap();
        assert!(matches!(StateFolder::open(RealDisk, place.path()), Err(FolderError::Taken(_))));
        assert!(matches!(
            StateFolder::open(RealDisk, &place.path().join(LOCK)),
            Err(FolderError::NoFolder(_))
        ));
    }
}
