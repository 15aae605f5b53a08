//! A watch on the folders of files.
//!
//! Folders are watched, not files: a file that is replaced, as a Kubernetes `ConfigMap` replaces its own through the link
//! `..data`, takes a watch on itself along.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::shell::plain::plain;
use crate::shell::rule_files::folder_of;

/// So many files that are being written are remembered.
const UNFINISHED_MAX: usize = 1_000;

/// A watch on folders.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
    unfinished: Unfinished,
}

/// The files in the folders that were written and not closed since.
#[derive(Clone, Debug, Default)]
struct Unfinished(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Unfinished {
    /// Takes note of what happened.
    fn note(&self, event: &Event) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
            || event.kind.is_remove()
            || matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        if event.need_rescan() {
            // What was missed may have been that a file was closed.
            files.clear();
        } else if is_over {
            files.retain(|file| !event.paths.contains(file));
        } else if matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) && files.len() < UNFINISHED_MAX
        {
            files.extend(event.paths.iter().cloned());
        }
    }
}

/// The one name of a folder, however it is written: the system tells events of a folder by one name too.
fn one_name(folder: &Path) -> PathBuf {
    std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

impl Watch {
    /// A watch on nothing yet, which says through `signs` that something happened.
    pub(super) fn new(signs: mpsc::Sender<()>) -> Self {
        let unfinished = Unfinished::default();
        let notes = unfinished.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            notes.note(&event);
            // Reading is no change; one waiting sign is as good as many.
            if !event.kind.is_access() {
                let _ = signs.try_send(());
            }
        });
        Self { watcher: watcher.ok(), folders: Vec::new(), unfinished }
    }

    /// Which of these files are being written.
    pub(super) fn unfinished(&self, files: &[PathBuf]) -> BTreeSet<PathBuf> {
        let unfinished = self.unfinished.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unfinished.is_empty() {
            return BTreeSet::new();
        }
        let is_written = |path: &&PathBuf| {
            let name = path.file_name().map(|name| one_name(&folder_of(path)).join(name));
            name.is_some_and(|name| unfinished.contains(&name))
        };
        files.iter().filter(is_written).cloned().collect()
    }

    /// Watches these folders and no others.
    pub(super) fn folders(&mut self, folders: &[PathBuf]) {
        let mut folders: Vec<PathBuf> = folders.iter().map(|folder| one_name(folder)).collect();
        folders.sort();
        folders.dedup();
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
                tracing::debug!(folder = %new.display(), error = plain(&error), "cannot watch; looking now and then");
            }
        }
        self.folders = folders;
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, Flag, RenameMode};

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    /// Which of `a.yaml` and `b.yaml` of the folder, as it is written beside, are unfinished after this happened to files.
    fn after(events: &[(EventKind, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let watch = Watch { watcher: None, folders: Vec::new(), unfinished: Unfinished::default() };
        for (kind, name) in events {
            watch.unfinished.note(&Event::new(*kind).add_path(root.join(name)));
        }
        let written = root.join("../").join(root.file_name().unwrap());
        let found = watch.unfinished(&[written.join("a.yaml"), written.join("b.yaml")]);
        found.iter().map(|path| path.file_name().unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_file_is_unfinished_from_the_first_write_until_it_is_closed() {
        let closed = |mode| EventKind::Access(AccessKind::Close(mode));
        assert_eq!(after(&[(WRITTEN, "a.yaml"), (WRITTEN, "b.yaml")]), ["a.yaml", "b.yaml"]);
        assert_eq!(after(&[(WRITTEN, "a.yaml"), (closed(AccessMode::Read), "a.yaml")]), ["a.yaml"]);
        assert!(after(&[(WRITTEN, "a.yaml"), (closed(AccessMode::Write), "a.yaml")]).is_empty());
    }

    #[test]
    fn what_takes_a_files_place_was_finished_elsewhere() {
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        assert!(after(&[(WRITTEN, "a.yaml"), (moved, "a.yaml")]).is_empty());
    }

    #[test]
    fn where_something_was_missed_nothing_is_known() {
        let watch = Watch { watcher: None, folders: Vec::new(), unfinished: Unfinished::default() };
        watch.unfinished.note(&Event::new(WRITTEN).add_path(PathBuf::from("a.yaml")));
        watch.unfinished.note(&Event::new(EventKind::Other).set_flag(Flag::Rescan));
        assert!(watch.unfinished(&["a.yaml".into()]).is_empty());
    }
}
