//! The files of a project as they stand in the editor, and what is known of them together.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::super::file_kind::FileKind;
use super::super::test::{TEST_KEYS, findings_of_test};
use super::super::{config_file, settings, sources};
use super::places::Lines;
use crate::engine::assist::outline::Outline;
use crate::engine::assist::{Document, Name, NameKind, declared};
use crate::engine::catalogue::{KnownMetrics, known_metrics};
use crate::engine::config::Config;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::rules::load::{INTERVAL_DEFAULT, KeptRules, LoadContext, load_again};
use crate::engine::rules::{Costs, FILE_KEYS, RuleSet, Survey};
use crate::engine::yaml::keys::Key;

/// The keys at the top of a file.
fn keys(kind: FileKind) -> &'static [Key] {
    match kind {
        FileKind::Rules => FILE_KEYS,
        FileKind::RuleTest => TEST_KEYS,
        FileKind::Config => Config::KEYS,
    }
}

/// A file with its text and its keys.
#[derive(Clone, Debug)]
pub(super) struct WorkspaceFile {
    /// What it holds.
    pub(super) kind: FileKind,
    /// Its text with its lines.
    pub(super) lines: Lines,
    outline: Outline,
    /// The names that its rules give.
    pub(super) names: Vec<Name>,
}

impl WorkspaceFile {
    fn new(path: &Path, text: Arc<str>) -> Self {
        let outline = Outline::of(&text);
        let names = declared(&text, &outline);
        Self { kind: FileKind::of(path, &outline), lines: Lines::of(text), outline, names }
    }

    /// The file for who helps to write it.
    pub(super) fn document(&self) -> Document<'_> {
        Document { text: self.lines.text(), outline: &self.outline, keys: keys(self.kind) }
    }
}

/// The files of a project.
pub(super) struct Workspace {
    root: PathBuf,
    open: BTreeMap<PathBuf, WorkspaceFile>,
    /// Files of rules and tests on disk, as they were when they were last looked at.
    on_disk: BTreeMap<PathBuf, WorkspaceFile>,
    /// The configuration that the metrics are from; none where there is none.
    config_read: Option<Arc<str>>,
    /// What rules are checked against.
    pub(super) metrics: KnownMetrics,
    /// What the rules of the last check were read to.
    kept: KeptRules,
    /// The rules that loaded.
    pub(super) rules: RuleSet,
    /// What recording rules write.
    pub(super) recorded: Vec<String>,
    /// The names of alerts.
    pub(super) alerts: Vec<String>,
    found: BTreeMap<PathBuf, Vec<Diagnostic>>,
}

impl Workspace {
    /// The project in a folder.
    pub(super) fn new(root: PathBuf) -> Self {
        let mut workspace = Self {
            root,
            open: BTreeMap::new(),
            on_disk: BTreeMap::new(),
            config_read: None,
            metrics: known_metrics(&Config::default()),
            kept: KeptRules::default(),
            rules: RuleSet::default(),
            recorded: Vec::new(),
            alerts: Vec::new(),
            found: BTreeMap::new(),
        };
        workspace.look_at_disk();
        workspace
    }

    /// Takes the text of a file that is open in the editor.
    pub(super) fn put(&mut self, path: PathBuf, text: &str) {
        let file = WorkspaceFile::new(&path, Arc::from(text));
        self.open.insert(path, file);
    }

    /// The editor closed a file: what is on disk counts again.
    pub(super) fn close(&mut self, path: &Path) {
        self.open.remove(path);
        self.look_at_disk();
    }

    /// The file that is open under a path.
    pub(super) fn opened(&self, path: &Path) -> Option<&WorkspaceFile> {
        self.open.get(path)
    }

    /// Every file, as it stands in the editor where it is open there.
    pub(super) fn files(&self) -> impl Iterator<Item = (&PathBuf, &WorkspaceFile)> {
        let closed = self.on_disk.iter().filter(|(path, _)| !self.open.contains_key(*path));
        self.open.iter().chain(closed)
    }

    /// Reads again which files of rules and tests lie on disk, and what is in them.
    pub(super) fn look_at_disk(&mut self) {
        let (config, _) = self.config();
        let paths: Vec<PathBuf> = match config.rules {
            Some(paths) => paths.iter().map(|path| self.root.join(path)).collect(),
            None => vec![self.root.join(settings::DEFAULT_RULES)],
        };
        let inside = |path: PathBuf| {
            if path.is_dir() {
                sources::listed(&path, &[".yaml", ".yml"]).unwrap_or_default()
            } else {
                vec![path]
            }
        };
        self.on_disk = paths
            .into_iter()
            .flat_map(inside)
            .filter_map(|path| {
                // What cannot be read is a finding of `check`, and nothing to help with.
                let source = sources::read(&path).ok()?;
                let path = plain(&path);
                let file = WorkspaceFile::new(&path, source.text);
                Some((path, file))
            })
            .collect();
    }

    /// The configuration: as it stands in the editor where it is open there and good, else as it lies on disk; and its text.
    fn config(&self) -> (Config, Option<Arc<str>>) {
        let path = self.root.join(config_file::DEFAULT_CONFIG);
        let source = match self.open.get(&path) {
            Some(file) => Some(self.source(&path, file)),
            None => sources::read(&path).ok(),
        };
        let config = source.as_ref().and_then(|source| Config::parse(source).0).unwrap_or_default();
        (config, source.map(|source| source.text))
    }

    /// A file under the name that people know it by.
    fn source(&self, path: &Path, file: &WorkspaceFile) -> Source {
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        Source { name: Arc::from(name.display().to_string()), text: Arc::clone(file.lines.text()) }
    }

    /// What is wrong with a file that is open, as it was last checked.
    pub(super) fn findings(&self, path: &Path) -> &[Diagnostic] {
        self.found.get(path).map_or(&[], Vec::as_slice)
    }

    /// Every file that is open, and what is wrong with it.
    pub(super) fn open_files(&self) -> impl Iterator<Item = (&PathBuf, &WorkspaceFile, &[Diagnostic])> {
        self.open.iter().map(|(path, file)| (path, file, self.findings(path)))
    }

    /// Checks everything again.
    pub(super) fn check(&mut self) {
        let (config, text) = self.config();
        if self.config_read != text {
            self.metrics = known_metrics(&config);
            (self.config_read, self.kept) = (text, KeptRules::default());
        }
        let mut found: BTreeMap<PathBuf, Vec<Diagnostic>> =
            self.open.keys().map(|path| (path.clone(), Vec::new())).collect();
        let rules: Vec<(PathBuf, Source)> = self
            .files()
            .filter(|(_, file)| file.kind == FileKind::Rules)
            .map(|(path, file)| (path.clone(), self.source(path, file)))
            .collect();
        let texts: Vec<Source> = rules.iter().map(|(_, source)| source.clone()).collect();
        let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &self.metrics, previous: None };
        let loaded = load_again(&texts, &context, &mut self.kept);
        let survey = Survey::of(&loaded.set, (&config.check, &self.metrics), Costs::Estimated);
        let surveyed: Vec<Diagnostic> = texts.iter().flat_map(|source| survey.findings(source)).collect();
        for diagnostic in loaded.diagnostics.into_iter().chain(surveyed) {
            let place = rules.iter().find(|(_, source)| source.name == diagnostic.source.name);
            if let Some(list) = place.and_then(|(path, _)| found.get_mut(path)) {
                list.push(diagnostic);
            }
        }
        for (path, file) in &self.open {
            let source = self.source(path, file);
            let more = match file.kind {
                FileKind::Rules => Vec::new(),
                FileKind::Config => config_file::checked(&source).1,
                FileKind::RuleTest => findings_of_test(&source, path),
            };
            found.entry(path.clone()).or_default().extend(more);
        }
        self.rules = loaded.set;
        self.recorded = self.names(NameKind::Recorded);
        self.alerts = self.names(NameKind::Alert);
        self.found = found;
    }

    fn names(&self, kind: NameKind) -> Vec<String> {
        let names = self.files().flat_map(|(_, file)| &file.names);
        let mut names: Vec<String> =
            names.filter(|name| name.kind == kind).map(|name| name.text.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What the rule at a line (from 1) of a file asks for, where it loaded.
    pub(super) fn query_at(&self, path: &Path, line: usize) -> Option<&str> {
        let name = path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let groups = self.rules.groups.iter().filter(|group| group.file.as_ref() == name);
        let before = groups.flat_map(|group| &group.rules).filter(|rule| rule.written.line <= line);
        before.max_by_key(|rule| rule.written.line).map(|rule| rule.query.as_ref())
    }
}

/// A path without `.` and `..`, as editors name it.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}
