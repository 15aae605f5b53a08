//! The folder of the state: who holds it, what is in it, and how a checkpoint gets there whole or not at all.
//!
//! A checkpoint is written beside the last one, synced, and renamed over it; the last one becomes the previous one.
//! After a clean stop the file `clean` names the checkpoint that holds everything anybody saw; whoever starts from it
//! takes it away first.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::engine::Ending;
use crate::engine::checkpoint::{Checkpoint, SavedState, StateError, VERSION};

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
    #[error("cannot use the state folder {}: {error}", .folder.display())]
    Disk {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// What is in the folder.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A state, and how the run ended that left it.
    State {
        /// The state.
        state: Box<SavedState>,
        /// How the run ended.
        ending: Ending,
        /// What was wrong with the last checkpoint, where this is the one before it.
        instead_of: Option<String>,
    },
    /// Only states that cannot be read; with the reasons.
    Damaged(String),
}

/// The folder, held by this process until it ends.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Makes the folder where it is missing, and takes hold of it.
    ///
    /// # Errors
    /// Another process holds it, it is no folder, or the disk refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let disk = |error: io::Error| FolderError::Disk { folder: path.to_owned(), error };
        if path.exists() && !path.is_dir() {
            return Err(FolderError::NoFolder(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(disk)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::Taken(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(disk(error)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there: the last checkpoint, else the one before it. What cannot be read is set aside.
    ///
    /// # Errors
    /// A newer release wrote it.
    pub(crate) fn load(&self) -> Result<Found, FolderError> {
        let mut faults: Vec<String> = Vec::new();
        // Between two renames of an interrupted write the new one is whole and the last one is the previous one.
        let last = if self.path.join(CURRENT).exists() { CURRENT } else { NEXT };
        for name in [last, PREVIOUS] {
            let bytes = match read(&self.path.join(name)) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    faults.push(format!("{name} cannot be read: {error}"));
                    continue;
                }
            };
            match SavedState::read(&bytes) {
                Ok(state) => {
                    let ending =
                        if name == CURRENT && self.is_clean(&bytes) { Ending::Clean } else { Ending::Crash };
                    let instead_of = (!faults.is_empty()).then(|| faults.join("; "));
                    return Ok(Found::State { state: Box::new(state), ending, instead_of });
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
        Ok(if faults.is_empty() { Found::Nothing } else { Found::Damaged(faults.join("; ")) })
    }

    /// Takes note that the state is gone on from: what comes now is in no clean checkpoint. Where that cannot be noted,
    /// nobody may rely on it.
    pub(crate) fn begin(&self, ending: Ending) -> Ending {
        match fs::remove_file(self.path.join(CLEAN)).and_then(|()| self.sync()) {
            Ok(()) => ending,
            Err(_) => Ending::Crash,
        }
    }

    /// Puts a checkpoint in the place of the last one; says how many bytes it has.
    ///
    /// # Errors
    /// The disk refuses; the last checkpoint stays.
    pub(crate) fn store(&self, checkpoint: &Checkpoint, ending: Ending) -> io::Result<u64> {
        let next = self.path.join(NEXT);
        let written = write(&next, checkpoint);
        let (bytes, checksum) = match written {
            Ok(written) => written,
            Err(error) => {
                // It would only take room that others may need.
                drop(fs::remove_file(&next));
                return Err(error);
            }
        };
        let current = self.path.join(CURRENT);
        if current.exists() {
            fs::rename(&current, self.path.join(PREVIOUS))?;
        }
        fs::rename(&next, &current)?;
        self.sync()?;
        if ending == Ending::Clean {
            let mut file = File::create(self.path.join(CLEAN))?;
            file.write_all(name_of(bytes, checksum).as_bytes())?;
            file.sync_all()?;
            self.sync()?;
        }
        Ok(bytes)
    }

    fn is_clean(&self, bytes: &[u8]) -> bool {
        let named = fs::read(self.path.join(CLEAN)).unwrap_or_default();
        named == name_of(bytes.len() as u64, crc32fast::hash(bytes)).as_bytes()
    }

    /// Keeps what cannot be read, for a person to look at.
    fn set_aside(&self, name: &str) {
        // Where that fails it stays, and is written over.
        drop(fs::rename(self.path.join(name), self.path.join(DAMAGED)));
    }

    /// Makes renames last.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// How the file of a clean stop names a checkpoint.
fn name_of(bytes: u64, checksum: u32) -> String {
    format!("{bytes} {checksum:08x}\n")
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes a checkpoint and waits until the disk has it; its size and checksum.
fn write(path: &Path, checkpoint: &Checkpoint) -> io::Result<(u64, u32)> {
    let mut file = File::create(path)?;
    let (mut bytes, mut checksum) = (0, crc32fast::Hasher::new());
    for piece in checkpoint.pieces() {
        file.write_all(&piece)?;
        checksum.update(&piece);
        bytes += piece.len() as u64;
    }
    file.sync_all()?;
    Ok((bytes, checksum.finalize()))
}
