//! What the state needs of a disk, so that the same code runs over one that fails on purpose.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A disk.
pub(crate) trait Disk: Debug {
    /// A file that is open for writing.
    type File: DiskFile;
    /// Held by whoever uses a folder, until it is dropped.
    type Hold: Debug;

    /// Makes a folder where it is missing.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes hold of a folder by this file of it; none where another process has it.
    fn hold(&self, path: &Path) -> io::Result<Option<Self::Hold>>;

    /// Whether something is there.
    fn exists(&self, path: &Path) -> bool;

    /// Whether a folder is there.
    fn is_folder(&self, path: &Path) -> bool;

    /// What a file holds; none where it is missing.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// An empty file, in the place of the one that is there.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// A file with what it holds, to be written behind that; it is made where it is missing.
    fn open(&self, path: &Path) -> io::Result<(Self::File, Vec<u8>)>;

    /// Gives a file another name, over whatever has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file away.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes what was created, renamed and removed in a folder last.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A file that is open for writing.
pub(crate) trait DiskFile: Write + Debug {
    /// What it holds from here on, whatever its name is now; writing goes on behind it.
    fn tail(&mut self, from: u64) -> io::Result<Vec<u8>>;

    /// Cuts it to this length, and goes on behind it.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;

    /// Waits until the disk has all of it.
    fn sync(&self) -> io::Result<()>;

    /// Waits until the disk has what it holds.
    fn sync_data(&self) -> io::Result<()>;
}

/// The system's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    type File = File;
    type Hold = File;

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn hold(&self, path: &Path) -> io::Result<Option<File>> {
        let file = match OpenOptions::new().create(true).truncate(false).write(true).open(path) {
            // What is in a folder that cannot be written can still be gone on from.
            Err(error) if is_unwritable(&error) => File::open(path).map_err(|_| error)?,
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
    }

    fn open(&self, path: &Path) -> io::Result<(File, Vec<u8>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((file, bytes))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Whether something can be read there at the most.
fn is_unwritable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

impl DiskFile for File {
    fn tail(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.seek(SeekFrom::Start(from))?;
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)?;
        self.seek(SeekFrom::Start(bytes)).map(drop)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}
