//! A disk that fills up, tears, flips bits, fails to sync, and loses what was not synced when the power goes.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::random::Random;
use crate::shell::state::disk::{Disk, DiskFile};

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskFault {
    /// Nothing.
    None,
    /// Nothing more can be written.
    Full,
    /// Nothing that was written can be made to last.
    Unsynced,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// It is killed: what it wrote is there.
    Kill,
    /// The power goes: what it did not sync may be there or not.
    PowerLoss,
}

/// A file's number.
type Number = u64;

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

/// A change to names that no sync made last yet.
#[derive(Clone, Debug)]
enum Change {
    Put(PathBuf, Number),
    Take(PathBuf),
    Move(PathBuf, PathBuf, Number),
}

#[derive(Debug)]
struct Inside {
    names: BTreeMap<PathBuf, Number>,
    lasting: BTreeMap<PathBuf, Number>,
    changes: Vec<Change>,
    contents: BTreeMap<Number, Content>,
    made: Number,
    fault: DiskFault,
    /// Operations until the process dies in the middle of one.
    dies_in: Option<u64>,
    random: Random,
}

/// The disk, shared by all who use it.
#[derive(Clone, Debug)]
pub(super) struct FakeDisk(Rc<RefCell<Inside>>);

/// A file of it that is open.
#[derive(Debug)]
pub(super) struct FakeFile {
    disk: FakeDisk,
    number: Number,
}

impl FakeDisk {
    /// An empty one.
    pub(super) fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Inside {
            names: BTreeMap::new(),
            lasting: BTreeMap::new(),
            changes: Vec::new(),
            contents: BTreeMap::new(),
            made: 0,
            fault: DiskFault::None,
            dies_in: None,
            random: Random::new(seed),
        })))
    }

    fn inside(&self) -> RefMut<'_, Inside> {
        self.0.borrow_mut()
    }

    /// What is wrong with it from now on.
    pub(super) fn fail(&self, fault: DiskFault) {
        self.inside().fault = fault;
    }

    /// The process dies in the middle of the operation after so many.
    pub(super) fn kill_in(&self, operations: u64) {
        self.inside().dies_in = Some(operations);
    }

    /// Whether the process died in the middle of an operation.
    pub(super) fn has_killed(&self) -> bool {
        self.inside().dies_in == Some(0)
    }

    /// Whether nothing is wrong with it, now and soon.
    pub(super) fn is_well(&self) -> bool {
        let inside = self.inside();
        inside.fault == DiskFault::None && inside.dies_in.is_none()
    }

    /// Whether what is written can be made to last.
    pub(super) fn syncs(&self) -> bool {
        self.inside().fault != DiskFault::Unsynced
    }

    /// The process is gone.
    pub(super) fn outlive(&self, death: Death) {
        let mut inside = self.inside();
        inside.dies_in = None;
        if death == Death::PowerLoss {
            inside.lose_power();
        }
    }

    /// Takes everything away.
    pub(super) fn wipe(&self) {
        let mut inside = self.inside();
        inside.names.clear();
        inside.lasting.clear();
        inside.changes.clear();
        inside.contents.clear();
    }

    /// Flips a bit of the file of this name.
    pub(super) fn flip(&self, name: &str) {
        let mut inside = self.inside();
        let named = inside.names.iter().find(|(path, _)| path.ends_with(name)).map(|(_, number)| *number);
        let Some(number) = named else { return };
        let drawn = inside.random.next();
        if let Some(content) = inside.contents.get_mut(&number) {
            let place = drawn.checked_rem(content.bytes.len() as u64).unwrap_or(0);
            if let Some(byte) = content.bytes.get_mut(place as usize) {
                *byte ^= 1_u8 << (drawn >> 61);
            }
            content.synced = content.bytes.clone();
        }
    }

    /// Cuts the file of this name somewhere.
    pub(super) fn tear(&self, name: &str) {
        let mut inside = self.inside();
        let named = inside.names.iter().find(|(path, _)| path.ends_with(name)).map(|(_, number)| *number);
        let Some(number) = named else { return };
        let drawn = inside.random.next();
        if let Some(content) = inside.contents.get_mut(&number) {
            let length = drawn.checked_rem(content.bytes.len() as u64).unwrap_or(0);
            content.bytes.truncate(length as usize);
            content.synced = content.bytes.clone();
        }
    }

    /// What the file of this name holds.
    pub(super) fn holds(&self, name: &str) -> Option<Vec<u8>> {
        let inside = self.inside();
        let number = inside.names.iter().find(|(path, _)| path.ends_with(name))?.1;
        inside.contents.get(number).map(|content| content.bytes.clone())
    }
}

impl Inside {
    /// Counts an operation; whether it is done.
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.dies_in {
            None => Ok(()),
            Some(0) => Err(gone()),
            Some(left) => {
                *left -= 1;
                if *left == 0 { Err(gone()) } else { Ok(()) }
            }
        }
    }

    /// An operation that needs room.
    fn operate_with_room(&mut self) -> io::Result<()> {
        self.operate()?;
        if self.fault == DiskFault::Full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// An operation that makes something last.
    fn operate_lasting(&mut self) -> io::Result<()> {
        self.operate()?;
        if self.fault == DiskFault::Unsynced { Err(io::Error::other("it does not sync")) } else { Ok(()) }
    }

    fn make(&mut self, path: &Path) -> Number {
        if let Some(number) = self.names.get(path) {
            return *number;
        }
        self.made += 1;
        self.contents.insert(self.made, Content::default());
        self.put(path.to_owned(), self.made);
        self.made
    }

    fn put(&mut self, path: PathBuf, number: Number) {
        self.names.insert(path.clone(), number);
        self.changes.push(Change::Put(path, number));
    }

    fn take(&mut self, path: &Path) -> io::Result<Number> {
        let number = self.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        self.changes.push(Change::Take(path.to_owned()));
        Ok(number)
    }

    fn make_names_last(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            self.apply(change);
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(path, number) => drop(self.lasting.insert(path, number)),
            Change::Take(path) => drop(self.lasting.remove(&path)),
            Change::Move(from, to, number) => {
                self.lasting.remove(&from);
                self.lasting.insert(to, number);
            }
        }
    }

    /// Names are as they were after some of the changes, in order; of what was written behind the last sync a part is
    /// there.
    fn lose_power(&mut self) {
        let kept = self.random.below(self.changes.len() as u64 + 1);
        for change in std::mem::take(&mut self.changes).into_iter().take(kept as usize) {
            self.apply(change);
        }
        self.names = self.lasting.clone();
        let Self { contents, random, .. } = self;
        for content in contents.values_mut() {
            let written = content.bytes.len();
            if content.bytes.starts_with(&content.synced) {
                let more = random.below((written - content.synced.len()) as u64 + 1);
                content.bytes.truncate(content.synced.len() + more as usize);
            } else if random.percent(50) {
                content.bytes.clone_from(&content.synced);
            }
            content.synced.clone_from(&content.bytes);
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the process is gone")
}

impl Disk for FakeDisk {
    type File = FakeFile;
    type Hold = ();

    fn make_folder(&self, _path: &Path) -> io::Result<()> {
        self.inside().operate()
    }

    fn hold(&self, _path: &Path) -> io::Result<Option<()>> {
        self.inside().operate().map(Some)
    }

    fn exists(&self, path: &Path) -> bool {
        self.is_folder(path) || self.inside().names.contains_key(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        path == Path::new(super::process::STATE_FOLDER)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let inside = self.inside();
        let content = inside.names.get(path).and_then(|number| inside.contents.get(number));
        Ok(content.map(|content| content.bytes.clone()))
    }

    fn create(&self, path: &Path) -> io::Result<FakeFile> {
        let mut inside = self.inside();
        inside.operate_with_room()?;
        let number = inside.make(path);
        if let Some(content) = inside.contents.get_mut(&number) {
            content.bytes.clear();
        }
        Ok(FakeFile { disk: self.clone(), number })
    }

    fn open(&self, path: &Path) -> io::Result<(FakeFile, Vec<u8>)> {
        let mut inside = self.inside();
        inside.operate()?;
        let number = inside.make(path);
        let bytes = inside.contents.get(&number).map(|content| content.bytes.clone());
        Ok((FakeFile { disk: self.clone(), number }, bytes.unwrap_or_default()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inside = self.inside();
        inside.operate()?;
        let number = inside.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inside.names.insert(to.to_owned(), number);
        inside.changes.push(Change::Move(from.to_owned(), to.to_owned(), number));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inside = self.inside();
        inside.operate()?;
        inside.take(path).map(drop)
    }

    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        let mut inside = self.inside();
        inside.operate_lasting()?;
        inside.make_names_last();
        Ok(())
    }
}

impl Write for FakeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.disk.inside();
        let done = inside.operate_with_room();
        let drawn = inside.random.below(bytes.len() as u64 + 1);
        let Some(content) = inside.contents.get_mut(&self.number) else { return Err(gone()) };
        match done {
            Ok(()) => {
                content.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Err(error) => {
                content.bytes.extend_from_slice(bytes.get(..drawn as usize).unwrap_or_default());
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for FakeFile {
    fn tail(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let inside = self.disk.inside();
        let content = inside.contents.get(&self.number).ok_or_else(gone)?;
        Ok(content.bytes.get(from as usize..).unwrap_or_default().to_vec())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let mut inside = self.disk.inside();
        inside.operate()?;
        if let Some(content) = inside.contents.get_mut(&self.number) {
            content.bytes.truncate(bytes as usize);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inside = self.disk.inside();
        inside.operate_lasting()?;
        if let Some(content) = inside.contents.get_mut(&self.number) {
            content.synced = content.bytes.clone();
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }
}
