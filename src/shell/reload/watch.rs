//! Noticing that files changed: a watch on their folders, and a look at what they are now.
//!
//! Folders are watched, not files: a file that is replaced, as a Kubernetes `ConfigMap` replaces its own through the link
//! `..data`, takes a watch on itself along.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// What tells that files changed without reading them: by file its size, its time and its place on the disk, links
/// followed; none of a file that is not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature(BTreeMap<PathBuf, Option<Facts>>);

/// What changes with a file's content.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
}

impl Signature {
    /// The files as they are now.
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        let facts = |found: Metadata| Facts {
            bytes: found.size(),
            seconds: found.mtime(),
            nanoseconds: found.mtime_nsec(),
            inode: found.ino(),
        };
        let seen = files.into_iter().map(|path| {
            let found = std::fs::metadata(&path).ok().map(facts);
            (path, found)
        });
        Self(seen.collect())
    }
}

/// A watch on folders.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
}

impl Watch {
    /// A watch on nothing yet, which says through `signs` that something happened.
    pub(super) fn new(signs: mpsc::Sender<()>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading is no change; one waiting sign is as good as many.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = signs.try_send(());
            }
        });
        Self { watcher: watcher.ok(), folders: Vec::new() }
    }

    /// Watches these folders and no others.
    pub(super) fn folders(&mut self, folders: &[PathBuf]) {
        if self.folders == folders {
            return;
        }
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.iter().filter(|folder| !folders.contains(folder)) {
            // A folder that is away is watched no longer anyway.
            let _ = watcher.unwatch(gone);
        }
        for new in folders.iter().filter(|folder| !self.folders.contains(folder)) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::debug!(folder = %new.display(), error = %error, "cannot watch; looking now and then");
            }
        }
        self.folders = folders.to_vec();
    }
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
        assert_ne!(before, there);
        assert_eq!(there, look());
        std::fs::remove_file(at("rules.yaml")).unwrap();
        std::os::unix::fs::symlink(at("two"), at("rules.yaml")).unwrap();
        assert_ne!(there, look());
    }
}
