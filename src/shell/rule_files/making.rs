//! Rule files that are made and removed on the page. What is removed is kept beside as every version before is, until it
//! is brought back.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::edits::{self, EditFault, EditedFile, KeptVersion, Version, kept_in, sync_folder};
use super::{folder_of, is_rule_file, shown};

use crate::shell::plain::plain;

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
            format!("signalbox may not write here ({}): make the file where it comes from.", plain(error))
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
    EditedFile::at(path.clone()).write_anew(BEGINNING.as_bytes(), None)?;
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
        for (name, versions) in kept_in(folder) {
            let path = folder.join(name);
            let is_there = fs::symlink_metadata(&path).is_ok();
            let last = versions.into_iter().next().filter(|_| !is_there && is_rule_file(&path));
            found.extend(last.map(|last| (path, last)));
        }
    }
    let removed = found.into_iter();
    let mut removed: Vec<RemovedFile> = removed
        .map(|(path, version)| RemovedFile { name: shown(&path).to_string(), version, path })
        .collect();
    removed.sort_by_key(|file| Reverse(file.version.replaced_at));
    removed.truncate(REMOVED_MAX);
    removed
}

/// Brings a removed file back as it was last.
///
/// # Errors
/// It was not removed, something of its name is there again, or the disk refuses.
pub(crate) fn bring_back(paths: &[PathBuf], name: &str) -> Result<EditedFile, EditFault> {
    let file = removed(paths).into_iter().find(|file| file.name == name).ok_or(EditFault::NoSuchVersion)?;
    EditedFile::at(file.path).bring_back(file.version.number)?;
    edits::find(paths, name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

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
    fn a_file_comes_back_with_its_line_ends_and_for_the_same_readers() {
        let folder = tempfile::tempdir().unwrap();
        let (paths, path) = ([folder.path().to_owned()], folder.path().join("a.yaml"));
        fs::write(&path, "groups: []\r\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = edits::find(&paths, &path.display().to_string()).unwrap();
        file.remove(&paths, &opened(&file)).unwrap();
        bring_back(&paths, &file.name).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"groups: []\r\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
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
