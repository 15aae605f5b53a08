//! Noticing that files changed, and telling a file that is whole from one that is being written.

mod settling;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(crate) use settling::{Patience, Settling, Verdict};

/// What tells that files changed without reading them: by file its size, its time and its place on the disk, links
/// followed; none of a file that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature(BTreeMap<PathBuf, Option<Facts>>);

/// What changes with a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
}

impl Facts {
    fn of(found: &Metadata) -> Self {
        Self {
            bytes: found.size(),
            seconds: found.mtime(),
            nanoseconds: found.mtime_nsec(),
            inode: found.ino(),
        }
    }
}

impl Signature {
    /// The files as they are now.
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        Sight::of(files).signature
    }

    /// The files that are not the same in both.
    pub(crate) fn differing(&self, other: &Self) -> BTreeSet<PathBuf> {
        let paths = self.0.keys().chain(other.0.keys());
        paths.filter(|path| self.facts(path) != other.facts(path)).cloned().collect()
    }

    /// The same, where files of an earlier look are as they were then.
    pub(crate) fn over(mut self, earlier: &Self) -> Self {
        for (path, facts) in &mut self.0 {
            if let Some(then) = earlier.0.get(path) {
                *facts = *then;
            }
        }
        self
    }

    /// The same, and all files of an earlier look as they were then.
    pub(crate) fn and(mut self, earlier: &Self) -> Self {
        self.0.extend(earlier.0.iter().map(|(path, facts)| (path.clone(), *facts)));
        self
    }

    fn facts(&self, path: &Path) -> Option<Facts> {
        self.0.get(path).copied().flatten()
    }
}

/// One look at files.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    signature: Signature,
    /// For how long the system has changed nothing of a file, by its clock.
    quiet: BTreeMap<PathBuf, Duration>,
    /// The files that somebody writes and has not closed.
    unfinished: BTreeSet<PathBuf>,
}

impl Sight {
    /// The files as they are now.
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        let now = SystemTime::now();
        let mut sight = Self::default();
        for path in files {
            let found = std::fs::metadata(&path).ok();
            if let Some(quiet) = found.as_ref().and_then(|found| quiet_for(found, now)) {
                sight.quiet.insert(path.clone(), quiet);
            }
            sight.signature.0.insert(path, found.as_ref().map(Facts::of));
        }
        sight
    }

    /// The same, where somebody writes these files and has not closed them.
    pub(crate) fn with_unfinished(self, unfinished: BTreeSet<PathBuf>) -> Self {
        Self { unfinished, ..self }
    }
}

/// Since when nothing of a file changed; none where the clock that dated it is ahead.
fn quiet_for(found: &Metadata, now: SystemTime) -> Option<Duration> {
    let seconds = Duration::from_secs(u64::try_from(found.ctime()).ok()?);
    let nanoseconds = Duration::from_nanos(u64::try_from(found.ctime_nsec()).ok()?);
    now.duration_since(SystemTime::UNIX_EPOCH + seconds + nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_content_or_of_a_links_target_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let look = || Signature::of(vec![at("rules.yaml")]);
        let before = look();
        std::fs::write(at("one"), "groups: []").unwrap();
        std::fs::write(at("two"), "groups: []").unwrap();
        std::os::unix::fs::symlink(at("one"), at("rules.yaml")).unwrap();
        let there = look();
        assert_eq!(before.differing(&there), BTreeSet::from([at("rules.yaml")]));
        assert_eq!(there, look());
        std::fs::remove_file(at("rules.yaml")).unwrap();
        std::os::unix::fs::symlink(at("two"), at("rules.yaml")).unwrap();
        assert_ne!(there, look());
    }
}
