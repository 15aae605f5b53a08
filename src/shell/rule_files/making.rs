//! Rule files that are made and removed on the page. What is removed is kept beside as every version before is, until it
//! is brought back.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::edits::{self, EditFault, EditedFile, KeptVersion, Version};
use super::{folder_of, is_rule_file, shown};

/// Rule files of a folder, past which no more are made here.
const FILES_MAX: usize = 1_000;

/// Bytes of a new file's name.
const NAME_BYTES_MAX: usize = 100;

/// Removed files that are offered.
const REMOVED_MAX: usize = 50;

/// What a new file says.
const BEGINNING: &str = "groups: []\n";

/// A folder that rule files are read from.
#[derive(Clone, Debug)]
pub(crate) struct RulesFolder {
    /// As it is shown everywhere.
    pub(crate) name: String,
    /// Why no file can be made there; none where one can.
    pub(crate) read_only: Option<String>,
    path: PathBuf,
}

/// A file that was removed and can be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemovedFile {
    /// As it was loaded.
    pub(crate) name: String,
    /// What is kept of it last.
    pub(crate) version: KeptVersion,
    path: PathBuf,
}

/// The folders among the paths.
pub(crate) fn folders(paths: &[PathBuf]) -> Vec<RulesFolder> {
    let of = |path: &PathBuf| RulesFolder {
        name: shown(path).to_string(),
        read_only: access(path, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| {
            let error = io::Error::from(error);
            format!("signalbox may not write here ({error}): make the file where it comes from.")
        }),
        path: path.clone(),
    };
    paths.iter().filter(|path| path.is_dir()).map(of).collect()
}

/// Makes a file without rules in one of the folders.
///
/// # Errors
/// The folder is none that is read, the name is none of a rule file or is taken, or the disk refuses.
pub(crate) fn make(paths: &[PathBuf], folder: &str, name: &str) -> Result<EditedFile, EditFault> {
    let folder = folders(paths).into_iter().find(|known| known.name == folder).ok_or(EditFault::Unknown)?;
    if let Some(why) = folder.read_only {
        return Err(EditFault::ReadOnly(why));
    }
    let path = folder.path.join(file_name(name)?);
    let here = edits::all(std::slice::from_ref(&folder.path));
    if here.len() >= FILES_MAX {
        let why = format!("The folder holds {FILES_MAX} files, past which none are made on the page.");
        return Err(EditFault::ReadOnly(why));
    }
    write_where_none_is(&path, BEGINNING)?;
    edits::find(paths, &shown(&path))
}

/// The name of a new file, `.yaml` added where it has no ending.
fn file_name(written: &str) -> Result<String, EditFault> {
    let written = written.trim();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name = if written.contains('.') { written.to_owned() } else { format!("{written}.yaml") };
    let fits = !written.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain);
    if fits && is_rule_file(Path::new(&name)) { Ok(name) } else { Err(EditFault::Name) }
}

impl EditedFile {
    /// Takes the file away; it is kept as the versions before it are.
    ///
    /// # Errors
    /// The configuration names the file itself, it is another by now, or it cannot be written.
    pub(crate) fn remove(&self, paths: &[PathBuf], opened: &Version) -> Result<(), EditFault> {
        if !is_of_a_folder(self.path(), paths) {
            let why = "The configuration names this file: take it out there, then it may go.";
            return Err(EditFault::ReadOnly(why.to_owned()));
        }
        if let Some(why) = self.read_only() {
            return Err(EditFault::ReadOnly(why));
        }
        if self.open()?.version != *opened {
            return Err(EditFault::Changed);
        }
        fs::rename(self.path(), self.next_kept())?;
        sync_folder(self.path());
        self.forget_old();
        Ok(())
    }

    /// Whether the page may take it away.
    pub(crate) fn is_removable(&self, paths: &[PathBuf]) -> bool {
        is_of_a_folder(self.path(), paths) && self.read_only().is_none()
    }
}

/// Whether a file is read because its folder is, and not for its own sake.
fn is_of_a_folder(path: &Path, paths: &[PathBuf]) -> bool {
    let folder = folder_of(path);
    paths.iter().any(|known| known.is_dir() && *known == folder) && !paths.iter().any(|known| known == path)
}

/// The files that were removed from the folders, those that were last removed first.
pub(crate) fn removed(paths: &[PathBuf]) -> Vec<RemovedFile> {
    let mut found: BTreeMap<PathBuf, KeptVersion> = BTreeMap::new();
    for folder in paths.iter().filter(|path| path.is_dir()) {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let of = entry.file_name();
            let Some((name, number)) = of.to_str().and_then(kept_of) else { continue };
            let path = folder.join(name);
            // Not followed: a link is no version.
            let Some(kept) = entry.metadata().ok().filter(fs::Metadata::is_file) else { continue };
            if fs::symlink_metadata(&path).is_ok() || !is_rule_file(&path) {
                continue;
            }
            let version = KeptVersion { number, replaced_at: kept.modified().ok(), bytes: kept.len() };
            let last = found.entry(path).or_insert_with(|| version.clone());
            if version.number > last.number {
                *last = version;
            }
        }
    }
    let removed = found.into_iter();
    let mut removed: Vec<RemovedFile> = removed
        .map(|(path, version)| RemovedFile { name: shown(&path).to_string(), version, path })
        .collect();
    removed.sort_by_key(|file| std::cmp::Reverse(file.version.replaced_at));
    removed.truncate(REMOVED_MAX);
    removed
}

/// The file's name and the number in the name of a version: `.queue.yaml.before-3`.
fn kept_of(name: &str) -> Option<(&str, u64)> {
    let (name, number) = name.strip_prefix('.')?.rsplit_once(".before-")?;
    Some((name, number.parse().ok()?))
}

/// Brings a removed file back as it was last.
///
/// # Errors
/// It was not removed, something of its name is there again, or the disk refuses.
pub(crate) fn bring_back(paths: &[PathBuf], name: &str) -> Result<EditedFile, EditFault> {
    let file = removed(paths).into_iter().find(|file| file.name == name).ok_or(EditFault::NoSuchVersion)?;
    let gone = EditedFile::at(file.path.clone());
    let text = gone.version(file.version.number)?;
    write_where_none_is(&file.path, &text)?;
    edits::find(paths, name)
}

/// Writes a file where nothing lies.
fn write_where_none_is(path: &Path, text: &str) -> Result<(), EditFault> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half of it says something else.
            drop(fs::remove_file(path));
        }
        written
    });
    match written {
        Ok(()) => {
            sync_folder(path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(EditFault::Taken),
        Err(error) => Err(EditFault::Disk(error)),
    }
}

/// Has the disk keep what became of a file's name.
fn sync_folder(path: &Path) {
    if let Err(error) = File::open(folder_of(path)).and_then(|folder| folder.sync_all()) {
        tracing::warn!(file = %path.display(), %error, "a rule file was made or removed, which may not outlive a loss of power");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn opened(file: &EditedFile) -> Version {
        file.open().unwrap().version
    }

    #[test]
    fn a_file_is_made_removed_and_brought_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        let name = folder.path().display().to_string();
        let file = make(&paths, &name, "queue").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("queue.yaml")).unwrap(), BEGINNING);
        let before = opened(&file);
        let version = file.save("groups: [] # mine\n", &before).unwrap();
        assert!(matches!(file.remove(&paths, &before), Err(EditFault::Changed)));
        file.remove(&paths, &version).unwrap();
        assert!(edits::all(&paths).is_empty());
        let gone = removed(&paths);
        assert_eq!(
            gone.iter().map(|file| (file.name.clone(), file.version.number)).collect::<Vec<_>>(),
            [(file.name.clone(), 2)]
        );
        assert_eq!(bring_back(&paths, &file.name).unwrap().open().unwrap().text, "groups: [] # mine\n");
        assert!(removed(&paths).is_empty());
        assert!(matches!(bring_back(&paths, &file.name), Err(EditFault::NoSuchVersion)));
    }

    #[test]
    fn nothing_that_is_there_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        let name = folder.path().display().to_string();
        fs::write(folder.path().join("a.yaml"), "groups: [] # by hand\n").unwrap();
        symlink("nowhere", folder.path().join("b.yaml")).unwrap();
        for taken in ["a", "a.yaml", "b.yaml"] {
            assert!(matches!(make(&paths, &name, taken), Err(EditFault::Taken)), "{taken}");
        }
        let file = make(&paths, &name, "c.yml").unwrap();
        file.remove(&paths, &opened(&file)).unwrap();
        fs::write(folder.path().join("c.yml"), "groups: [] # anew\n").unwrap();
        assert!(removed(&paths).is_empty());
        assert!(matches!(bring_back(&paths, &file.name), Err(EditFault::NoSuchVersion)));
    }

    #[test]
    fn a_name_leads_nowhere_and_is_one_that_a_load_reads() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_owned()];
        let name = folder.path().display().to_string();
        let long = "x".repeat(200);
        for bad in ["", " ", "../a.yaml", "a/b.yaml", ".a.yaml", "a.test.yaml", "a.txt", "a b", "ä", &long] {
            assert!(matches!(make(&paths, &name, bad), Err(EditFault::Name)), "{bad:?}");
        }
        assert!(matches!(make(&paths, "/tmp", "a"), Err(EditFault::Unknown)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_the_configuration_names_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, BEGINNING).unwrap();
        let both = [folder.path().to_owned(), path.clone()];
        for paths in [&both[1..], &both[..]] {
            let file = edits::find(paths, &path.display().to_string()).unwrap();
            assert!(!file.is_removable(paths));
            assert!(matches!(file.remove(paths, &opened(&file)), Err(EditFault::ReadOnly(_))));
        }
        assert!(path.exists());
    }
}
