//! Rule files as they are edited on the page: found by the name they are loaded under, replaced whole or not at all, the
//! versions before kept beside them.
//!
//! A name is only ever compared with those of the files that a load reads: it leads nowhere. What is written is written
//! beside the file under a name of its own, which must be new, and renamed over it: a link is never followed by a write.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};
use rustix::fs::{Access, access};

use super::{folder_of, read_file, rule_files, shown};

use crate::shell::plain::plain;

/// Bytes of a file that is edited.
pub(crate) const TEXT_BYTES_MAX: usize = 256 << 10;

/// Versions of a file that are kept.
pub(crate) const VERSIONS_MAX: usize = 10;

/// A rule file that is loaded and may be opened.
#[derive(Clone, Debug)]
pub(crate) struct EditedFile {
    /// As it is shown everywhere.
    pub(crate) name: String,
    path: PathBuf,
}

/// A file as it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// Its text, each line ended by `\n`.
    pub(crate) text: String,
    /// What tells it from every other version.
    pub(crate) version: Version,
    /// The versions that were kept, the newest first.
    pub(crate) kept: Vec<KeptVersion>,
    /// Why it cannot be saved; none where it can.
    pub(crate) read_only: Option<String>,
}

/// What tells one content from another: its SHA-256 in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) String);

impl Version {
    fn of(bytes: &[u8]) -> Self {
        Self(hexadecimal(digest(&SHA256, bytes).as_ref()))
    }

    /// Enough of it for people.
    pub(crate) fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// A version that a save replaced, or what a removed file said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptVersion {
    /// Rises with every save.
    pub(crate) number: u64,
    /// When it was replaced.
    pub(crate) replaced_at: Option<SystemTime>,
    /// Its size.
    pub(crate) bytes: u64,
}

impl KeptVersion {
    /// The version of this number. It was replaced when it got its name (`ctime`): a removed file keeps the time of its content.
    fn of(number: u64, found: &Metadata) -> Self {
        let since = u64::try_from(found.ctime()).ok().map(Duration::from_secs);
        let replaced_at = since.map(|since| SystemTime::UNIX_EPOCH + since);
        Self { number, replaced_at, bytes: found.len() }
    }
}

/// The versions that were kept of the files of a folder, by the files' names, the newest first.
pub(super) fn kept_in(folder: &Path) -> BTreeMap<String, Vec<KeptVersion>> {
    let mut kept: BTreeMap<String, Vec<KeptVersion>> = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let called = entry.file_name();
        let Some((name, number)) = called.to_str().and_then(kept_of) else { continue };
        // Not followed: a link is no version.
        let Some(found) = entry.metadata().ok().filter(Metadata::is_file) else { continue };
        kept.entry(name.to_owned()).or_default().push(KeptVersion::of(number, &found));
    }
    for versions in kept.values_mut() {
        versions.sort_by_key(|version| Reverse(version.number));
    }
    kept
}

/// The file's name and the number in the name of a version: `.queue.yaml.before-3`.
fn kept_of(name: &str) -> Option<(&str, u64)> {
    let (name, number) = name.strip_prefix('.')?.rsplit_once(".before-")?;
    Some((name, number.parse().ok()?))
}

/// Why a file is not opened or not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditFault {
    /// No load reads it.
    #[error("it is none of the rule files that are loaded")]
    Unknown,
    /// It lies elsewhere.
    #[error("it is a link that leads out of the rules' folder; edit it where it lies")]
    Outside,
    /// It is too long for the page.
    #[error("it has more than 256 KiB, more than is edited on the page")]
    TooLarge,
    /// The system says no, or it is no text.
    #[error("it {0}")]
    Unreadable(String),
    /// Somebody else was faster.
    #[error("it changed on disk since it was opened")]
    Changed,
    /// It cannot be written.
    #[error("{0}")]
    ReadOnly(String),
    /// A new file cannot be called so.
    #[error("a rule file has a name of letters, digits, `-`, `_` and `.`, and ends in .yaml or .yml")]
    Name,
    /// Something of that name is there.
    #[error("something of that name is there already")]
    Taken,
    /// It was never kept, or is not any more.
    #[error("that version is not kept any more")]
    NoSuchVersion,
    /// The disk refuses; the file is as it was.
    #[error("it cannot be written: {}", plain(.0))]
    Disk(#[from] io::Error),
}

/// Every file that a load of these paths reads.
pub(crate) fn all(paths: &[PathBuf]) -> Vec<EditedFile> {
    let files = rule_files(paths).files.into_iter();
    files.map(EditedFile::at).collect()
}

/// The same, each with how many versions are kept of it.
pub(crate) fn all_and_kept(paths: &[PathBuf]) -> Vec<(EditedFile, usize)> {
    let mut folders: BTreeMap<PathBuf, BTreeMap<String, Vec<KeptVersion>>> = BTreeMap::new();
    let mut kept = |file: &EditedFile| {
        let folder = folders.entry(folder_of(&file.path)).or_insert_with_key(|folder| kept_in(folder));
        folder.get(&file.file_name()).map_or(0, Vec::len)
    };
    let with_kept = |file: EditedFile| {
        let count = kept(&file);
        (file, count)
    };
    all(paths).into_iter().map(with_kept).collect()
}

/// The file of this name.
///
/// # Errors
/// No load reads it, or it leads out of the folder it lies in.
pub(crate) fn find(paths: &[PathBuf], name: &str) -> Result<EditedFile, EditFault> {
    let file = all(paths).into_iter().find(|file| file.name == name).ok_or(EditFault::Unknown)?;
    let refused = |error: io::Error| EditFault::Unreadable(format!("cannot be read: {}", plain(error)));
    let folder = fs::canonicalize(folder_of(&file.path)).map_err(refused)?;
    let lies = fs::canonicalize(&file.path).map_err(refused)?;
    if lies.starts_with(folder) { Ok(file) } else { Err(EditFault::Outside) }
}

impl EditedFile {
    /// Its text, what is kept of it, and whether it can be saved.
    ///
    /// # Errors
    /// It cannot be read, or is too long.
    pub(crate) fn open(&self) -> Result<Opened, EditFault> {
        let (text, version) = self.content()?;
        Ok(Opened {
            text: text.replace("\r\n", "\n"),
            version,
            kept: self.kept(),
            read_only: self.read_only(),
        })
    }

    fn content(&self) -> Result<(String, Version), EditFault> {
        let refused = |error: io::Error| EditFault::Unreadable(format!("cannot be read: {}", plain(error)));
        if fs::metadata(&self.path).map_err(refused)?.len() > TEXT_BYTES_MAX as u64 {
            return Err(EditFault::TooLarge);
        }
        let text = read_file(&self.path).map_err(|fault| EditFault::Unreadable(fault.to_string()))?;
        let version = Version::of(text.as_bytes());
        Ok((text, version))
    }

    /// Its last part, under which it is downloaded.
    pub(crate) fn file_name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Why it cannot be saved.
    pub(crate) fn read_only(&self) -> Option<String> {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.is_symlink()) {
            let why =
                "The file is a link, as those of a Kubernetes ConfigMap are: change it where it comes from.";
            return Some(why.to_owned());
        }
        let folder = folder_of(&self.path);
        let may = |path: &Path, how| access(path, how);
        let tried =
            may(&folder, Access::WRITE_OK | Access::EXEC_OK).and_then(|()| may(&self.path, Access::WRITE_OK));
        tried.err().map(|error| {
            let error = io::Error::from(error);
            format!("signalbox may not write here ({}): change the file where it comes from.", plain(error))
        })
    }

    /// Puts a text in the place of the version that was opened, which is kept.
    ///
    /// # Errors
    /// The file is another by now, cannot be written, or the text is too long; the file is as it was.
    pub(crate) fn save(&self, text: &str, opened: &Version) -> Result<Version, EditFault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(EditFault::TooLarge);
        }
        if let Some(why) = self.read_only() {
            return Err(EditFault::ReadOnly(why));
        }
        let (before, version) = self.content()?;
        if version != *opened {
            return Err(EditFault::Changed);
        }
        // As its lines were ended.
        let text = if before.contains("\r\n") { text.replace('\n', "\r\n") } else { text.to_owned() };
        let mode = fs::metadata(&self.path)?.permissions();
        let next = self.beside("next");
        write_new(&next, text.as_bytes(), mode.clone())?;
        let kept = self.next_kept();
        let written = write_new(&kept, before.as_bytes(), mode).map_err(EditFault::from);
        // Writing took a while.
        let unchanged = written.and_then(|()| match self.content() {
            Ok((_, version)) if version == *opened => Ok(()),
            Ok(_) => Err(EditFault::Changed),
            Err(fault) => Err(fault),
        });
        if let Err(fault) = unchanged.and_then(|()| Ok(fs::rename(&next, &self.path)?)) {
            // Neither is what it is called then.
            drop((fs::remove_file(next), fs::remove_file(kept)));
            return Err(fault);
        }
        // It is replaced by now, whether or not the disk says that this lasts.
        sync_folder(&self.path);
        self.forget_old();
        Ok(Version::of(text.as_bytes()))
    }

    /// Where the next version that is kept goes.
    pub(super) fn next_kept(&self) -> PathBuf {
        let number = self.kept().first().map_or(1, |newest| newest.number.saturating_add(1));
        self.beside(&format!("before-{number}"))
    }

    /// Removes the versions that are too many.
    pub(super) fn forget_old(&self) {
        for old in self.kept().iter().skip(VERSIONS_MAX) {
            // What cannot be removed is tried again after the next save.
            drop(fs::remove_file(self.beside(&format!("before-{}", old.number))));
        }
    }

    /// The file there, whether or not it is.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { name: shown(&path).to_string(), path }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The versions that were kept, the newest first.
    pub(crate) fn kept(&self) -> Vec<KeptVersion> {
        kept_in(&folder_of(&self.path)).remove(&self.file_name()).unwrap_or_default()
    }

    /// Puts a version that was kept where the file was, which must be gone: its bytes, and who may read them.
    pub(super) fn bring_back(&self, number: u64) -> Result<(), EditFault> {
        let kept = self.beside(&format!("before-{number}"));
        let (bytes, mode) = (fs::read(&kept)?, fs::metadata(&kept)?.permissions());
        self.write_anew(&bytes, Some(mode))
    }

    /// Writes the file, which must not be there.
    pub(super) fn write_anew(&self, bytes: &[u8], mode: Option<Permissions>) -> Result<(), EditFault> {
        match write_fresh(&self.path, bytes, mode) {
            Ok(()) => {
                sync_folder(&self.path);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(EditFault::Taken),
            Err(error) => Err(EditFault::Disk(error)),
        }
    }

    /// The text of a version that was kept.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub(crate) fn version(&self, number: u64) -> Result<String, EditFault> {
        if !self.kept().iter().any(|version| version.number == number) {
            return Err(EditFault::NoSuchVersion);
        }
        let kept = Self { name: self.name.clone(), path: self.beside(&format!("before-{number}")) };
        Ok(kept.content()?.0.replace("\r\n", "\n"))
    }

    /// A file beside it that no load reads, as its name begins with a dot.
    fn beside(&self, what: &str) -> PathBuf {
        folder_of(&self.path).join(format!(".{}.{what}", self.file_name()))
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Writes a file that must be new, and waits until the disk has it.
fn write_new(path: &Path, bytes: &[u8], mode: Permissions) -> io::Result<()> {
    // One that an interrupted save left.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    write_fresh(path, bytes, Some(mode))
}

/// Writes a file where nothing lies.
fn write_fresh(path: &Path, bytes: &[u8], mode: Option<Permissions>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| mode.map_or(Ok(()), |mode| file.set_permissions(mode)))
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // Half of it says something else, and takes room that others may need.
        drop(fs::remove_file(path));
    }
    written
}

/// Has the disk keep what became of a file's name.
pub(super) fn sync_folder(path: &Path) {
    if let Err(error) = File::open(folder_of(path)).and_then(|folder| folder.sync_all()) {
        tracing::warn!(
            file = %path.display(), error = plain(&error),
            "a rule file was made, replaced or removed, which may not outlive a loss of power"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("queue.yaml"), "groups: []\n").unwrap();
        folder
    }

    fn file(folder: &Path) -> Result<EditedFile, EditFault> {
        find(&[folder.to_owned()], &folder.join("queue.yaml").display().to_string())
    }

    #[test]
    fn a_save_replaces_the_file_and_keeps_the_last_versions() {
        let folder = folder();
        let path = folder.path().join("queue.yaml");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let file = file(folder.path()).unwrap();
        let mut version = file.open().unwrap().version;
        for number in 1..=VERSIONS_MAX + 3 {
            version = file.save(&format!("groups: [] # {number}\n"), &version).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "groups: [] # 13\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let opened = file.open().unwrap();
        assert_eq!(opened.version, version);
        let numbers: Vec<u64> = opened.kept.iter().map(|kept| kept.number).collect();
        assert_eq!(numbers, (4..=13).rev().collect::<Vec<u64>>());
        assert_eq!(file.version(13).unwrap(), "groups: [] # 12\n");
        assert!(matches!(file.version(3), Err(EditFault::NoSuchVersion)));
        // What is kept is no rule file, and nothing else is left.
        assert_eq!(all(&[folder.path().to_owned()]).len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), VERSIONS_MAX + 1);
    }

    #[test]
    fn a_file_that_changed_since_it_was_opened_is_left_alone() {
        let folder = folder();
        let file = file(folder.path()).unwrap();
        let opened = file.open().unwrap();
        fs::write(folder.path().join("queue.yaml"), "groups: [] # by hand\n").unwrap();
        assert!(matches!(file.save("groups:\n", &opened.version), Err(EditFault::Changed)));
        assert_eq!(file.open().unwrap().text, "groups: [] # by hand\n");
        assert_eq!(file.kept(), []);
    }

    #[test]
    fn line_ends_stay_as_they_were() {
        let folder = folder();
        fs::write(folder.path().join("queue.yaml"), "groups:\r\n  []\r\n").unwrap();
        let file = file(folder.path()).unwrap();
        let opened = file.open().unwrap();
        assert_eq!(opened.text, "groups:\n  []\n");
        file.save("groups: [] # x\n", &opened.version).unwrap();
        assert_eq!(fs::read(folder.path().join("queue.yaml")).unwrap(), b"groups: [] # x\r\n");
    }

    #[test]
    fn only_what_is_loaded_is_opened_and_links_are_never_written() {
        let (folder, elsewhere) = (folder(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("secret.yaml"), "groups: []\n").unwrap();
        symlink(elsewhere.path().join("secret.yaml"), folder.path().join("out.yaml")).unwrap();
        symlink("queue.yaml", folder.path().join("inside.yaml")).unwrap();
        let paths = [folder.path().to_owned()];
        let name = |file: &str| folder.path().join(file).display().to_string();
        for odd in ["", "queue.yaml", "/etc/passwd", "../queue.yaml", ".queue.yaml.next"] {
            assert!(matches!(find(&paths, odd), Err(EditFault::Unknown)), "{odd}");
            assert!(
                matches!(find(&paths, &name(odd)), Err(EditFault::Unknown)) || odd == "queue.yaml",
                "{odd}"
            );
        }
        let around = folder.path().join("../").join(folder.path().file_name().unwrap()).join("queue.yaml");
        assert!(matches!(find(&paths, &around.display().to_string()), Err(EditFault::Unknown)));
        assert!(matches!(find(&paths, &name("out.yaml")), Err(EditFault::Outside)));
        let inside = find(&paths, &name("inside.yaml")).unwrap();
        let opened = inside.open().unwrap();
        assert!(opened.read_only.as_ref().is_some_and(|why| why.contains("is a link")), "{opened:?}");
        assert!(matches!(inside.save("groups:\n", &opened.version), Err(EditFault::ReadOnly(_))));
        // A link where the next version is written is replaced, not followed.
        symlink(elsewhere.path().join("secret.yaml"), folder.path().join(".queue.yaml.next")).unwrap();
        let file = file(folder.path()).unwrap();
        file.save("groups: [] # new\n", &file.open().unwrap().version).unwrap();
        assert_eq!(fs::read_to_string(elsewhere.path().join("secret.yaml")).unwrap(), "groups: []\n");
    }

    #[test]
    fn what_is_too_long_is_neither_opened_nor_saved() {
        let folder = folder();
        let file = file(folder.path()).unwrap();
        let opened = file.open().unwrap();
        let long = "#".repeat(TEXT_BYTES_MAX + 1);
        assert!(matches!(file.save(&long, &opened.version), Err(EditFault::TooLarge)));
        fs::write(folder.path().join("queue.yaml"), long).unwrap();
        assert!(matches!(file.open(), Err(EditFault::TooLarge)));
    }
}
