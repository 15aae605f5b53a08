//! Rule files on disk: reading them, noticing that they changed, and putting them in force.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, oneshot};

use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::{Diagnostic, Severity, Source, Style, render};
use crate::engine::fact::{Fact, ReloadResult};
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load};

use super::ConfigSource;
use super::context::ShellContext;
use super::status::Topic;

/// Bytes of a rule file.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// How often files are looked at without a sign that they changed.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// How long a change is left to settle.
const SETTLE: Duration = Duration::from_millis(150);

/// Somebody's wish to reload, and where the outcome goes.
pub(crate) type ReloadWish = oneshot::Sender<ReloadReport>;

/// What came of a reload.
#[derive(Clone, Debug)]
pub(crate) struct ReloadReport {
    /// Whether everything loaded.
    pub(crate) is_good: bool,
    /// What to tell who asked.
    pub(crate) text: String,
}

/// What was read of the paths.
#[derive(Debug, Default)]
pub struct RuleTexts {
    /// The files that could be read, in the order of paths and of names in a folder.
    pub sources: Vec<Source>,
    /// The files that could not.
    pub faults: Vec<Diagnostic>,
}

/// Reads rule files and folders, folders one level deep.
pub fn read_rules(paths: &[PathBuf]) -> RuleTexts {
    let mut texts = RuleTexts::default();
    for path in rule_files(paths, &mut texts.faults) {
        match read_file(&path) {
            Ok(text) => texts.sources.push(Source { name: shown(&path), text: Arc::from(text) }),
            Err(reason) => texts.faults.push(fault(&path, reason)),
        }
    }
    texts
}

/// The rule files the paths mean: a named file itself, of a folder its `*.yaml` and `*.yml` but for rule tests.
fn rule_files(paths: &[PathBuf], faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => match std::fs::read_dir(path) {
                Ok(entries) => {
                    let mut found: Vec<PathBuf> = entries
                        .filter_map(Result::ok)
                        .map(|entry| entry.path())
                        .filter(|it| is_rule_file(it))
                        .collect();
                    found.sort();
                    files.extend(found);
                }
                Err(error) => faults.push(fault(path, format!("the folder cannot be read: {error}"))),
            },
            Ok(metadata) if metadata.is_file() => files.push(path.clone()),
            Ok(_) => faults.push(fault(path, "neither a file nor a folder".to_owned())),
            Err(error) => faults.push(fault(path, format!("cannot be read: {error}"))),
        }
    }
    files
}

fn is_rule_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let named = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    let is_test = |stem: &str| stem.strip_suffix(".test").is_some();
    let wanted = named.is_some_and(|stem| !stem.is_empty() && !is_test(stem) && !stem.starts_with('.'));
    // A broken link stays in, so that it is said.
    wanted && std::fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

fn read_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("larger than 8 MiB".to_owned());
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

fn fault(path: &Path, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unreadable-file",
        source: Source { name: shown(path), text: Arc::from("") },
        span: 0..0,
        message,
        advice: None,
    }
}

fn shown(path: &Path) -> Arc<str> {
    Arc::from(path.display().to_string())
}

/// The rules in force and the paths they come from.
#[derive(Debug)]
pub(crate) struct RuleFiles {
    paths: Vec<PathBuf>,
    metrics: KnownMetrics,
    in_force: RuleSet,
    signature: Signature,
}

/// What tells that files changed without reading them.
type Signature = BTreeMap<PathBuf, (u64, i64, i64, u64)>;

/// One load.
#[derive(Debug)]
pub(crate) struct Load {
    /// The rules to put in force.
    pub(crate) rules: RuleSet,
    /// Whether nothing was refused.
    pub(crate) is_good: bool,
    /// Everything that was found, for people; empty where nothing was.
    pub(crate) text: String,
    /// The same, a line each, for the log.
    pub(crate) lines: Vec<String>,
    /// Files read.
    pub(crate) files: usize,
}

impl RuleFiles {
    /// No rules yet, from these paths, checked against what is known of metrics.
    pub(crate) fn new(paths: Vec<PathBuf>, metrics: KnownMetrics) -> Self {
        Self { paths, metrics, in_force: RuleSet::default(), signature: Signature::new() }
    }

    /// Reads everything again; bad files keep their last good groups.
    pub(crate) fn load(&mut self) -> Load {
        self.signature = self.look();
        let texts = read_rules(&self.paths);
        let context = LoadContext {
            interval: INTERVAL_DEFAULT,
            metrics: &self.metrics,
            previous: Some(&self.in_force),
        };
        let mut loaded = load(&texts.sources, &context);
        let unreadable: Vec<&str> = texts.faults.iter().map(|fault| fault.source.name.as_ref()).collect();
        let kept = self.in_force.groups.iter().filter(|group| unreadable.contains(&group.file.as_ref()));
        loaded.set.groups.extend(kept.cloned());
        let is_good = loaded.is_good() && texts.faults.is_empty();
        let mut diagnostics = texts.faults;
        diagnostics.append(&mut loaded.diagnostics);
        self.in_force = loaded.set.clone();
        let files = texts.sources.len();
        Load {
            rules: loaded.set,
            is_good,
            text: render(&diagnostics, Style::Plain),
            lines: diagnostics.iter().map(Diagnostic::summary).collect(),
            files,
        }
    }

    /// Whether files changed since they were read.
    fn changed(&self) -> bool {
        self.look() != self.signature
    }

    fn look(&self) -> Signature {
        let mut ignored = Vec::new();
        let files = rule_files(&self.paths, &mut ignored);
        files
            .into_iter()
            .map(|path| {
                let seen = std::fs::metadata(&path).ok();
                let number = |get: fn(&Metadata) -> u64| seen.as_ref().map_or(0, get);
                let signed = |get: fn(&Metadata) -> i64| seen.as_ref().map_or(0, get);
                let facts = (
                    number(MetadataExt::size),
                    signed(MetadataExt::mtime),
                    signed(MetadataExt::mtime_nsec),
                    number(MetadataExt::ino),
                );
                (path, facts)
            })
            .collect()
    }

    /// Has `changes` told whenever something happens in the folders of the rules.
    fn watch(&self, changes: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading is no change; one waiting sign is as good as many.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = changes.try_send(());
            }
        })
        .ok()?;
        for path in &self.paths {
            let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
            let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::debug!(folder = %folder.display(), error = %error, "cannot watch; looking now and then");
            }
        }
        Some(watcher)
    }
}

/// Reloads when it is asked to or files change.
pub(crate) struct Reloader {
    /// The rules in force.
    pub(crate) files: RuleFiles,
    /// Where the configuration comes from.
    pub(crate) source: Option<ConfigSource>,
    /// What lanes work with, too.
    pub(crate) context: ShellContext,
}

impl Reloader {
    /// Reloads until nobody can ask any more.
    pub(crate) async fn run(mut self, mut wishes: mpsc::Receiver<ReloadWish>) {
        let (signs, mut changes) = mpsc::channel(1);
        let _watcher = self.files.watch(signs.clone());
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                wish = wishes.recv() => {
                    let Some(wish) = wish else { return };
                    let report = self.reload().await;
                    // Who asked may have left.
                    drop(wish.send(report));
                }
                _ = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    self.reload_if_changed().await;
                }
                _ = looks.tick() => self.reload_if_changed().await,
            }
        }
    }

    async fn reload_if_changed(&mut self) {
        if self.files.changed() {
            self.reload().await;
        }
    }

    async fn reload(&mut self) -> ReloadReport {
        self.context.renewals.look(&self.context.settings.nats.auth);
        let config = self.source.as_ref().map_or(Ok(()), |source| {
            let read = (source.reread)();
            match read.config {
                Some(config) if config == *self.context.config.get() => Ok(()),
                Some(_) => {
                    tracing::warn!(
                        file = %source.path.display(),
                        "the configuration changed: restart to put it in force"
                    );
                    Ok(())
                }
                None => Err(render(&read.diagnostics, Style::Plain)),
            }
        });
        let load = self.files.load();
        let rules = load.rules.clone();
        let count: usize = rules.groups.iter().map(|group| group.rules.len()).sum();
        self.context.mailbox.replace_rules(rules).await;
        let is_good = load.is_good && config.is_ok();
        tell(&self.context, &load, count);
        let mut text = load.text;
        if let Err(problem) = config {
            tracing::warn!(problem, "the configuration is not usable; the last good one stays in force");
            text.insert_str(0, &format!("{problem}\n"));
        }
        self.context.status.note_diagnostics(&text);
        let result = if is_good { ReloadResult::Success } else { ReloadResult::Failure };
        self.context.fact(Fact::Reloaded(result));
        let summary = format!("{count} rules of {} files are in force.\n", load.files);
        ReloadReport { is_good, text: format!("{text}{summary}") }
    }
}

/// Says in the log and in readiness what a load came to.
pub(crate) fn tell(context: &ShellContext, load: &Load, rules: usize) {
    for line in &load.lines {
        tracing::warn!(finding = line, "rules");
    }
    tracing::info!(files = load.files, rules, "rules are in force");
    if !load.is_good && rules == 0 {
        context.status.set(Topic::Rules, "no rule file is good; see the log or the status page");
    } else {
        context.status.clear(Topic::Rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[PathBuf]) -> Vec<String> {
        files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_folder_is_read_one_level_deep_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "a.test.yaml", "note.txt", ".hidden.yaml"] {
            std::fs::write(folder.path().join(name), "groups: []").unwrap();
        }
        std::fs::create_dir(folder.path().join("folder.yaml")).unwrap();
        let mut faults = Vec::new();
        let files = rule_files(&[folder.path().to_owned()], &mut faults);
        assert_eq!(names(&files), ["a.yml", "b.yaml"]);
        assert!(faults.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("latin.yaml"), b"groups: \xe4").unwrap();
        let missing = folder.path().join("missing.yaml");
        let texts = read_rules(&[folder.path().to_owned(), missing]);
        let said: Vec<String> = texts.faults.iter().map(|fault| fault.message.clone()).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().any(|message| message.contains("not UTF-8 from byte 8")), "{said:?}");
    }

    #[test]
    fn a_file_may_have_eight_mebibytes_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let longest = usize::try_from(FILE_BYTES_MAX).unwrap();
        std::fs::write(folder.path().join("a.yaml"), "#".repeat(longest)).unwrap();
        std::fs::write(folder.path().join("b.yaml"), "#".repeat(longest + 1)).unwrap();
        let texts = read_rules(&[folder.path().to_owned()]);
        assert_eq!(texts.sources.len(), 1);
        assert_eq!(texts.faults.len(), 1);
        assert_eq!(texts.faults[0].message, "larger than 8 MiB");
    }

    #[test]
    fn a_change_of_content_or_of_a_links_target_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("one"), "groups: []").unwrap();
        std::fs::write(at("two"), "groups: []").unwrap();
        std::os::unix::fs::symlink(at("one"), at("rules.yaml")).unwrap();
        let mut files = RuleFiles::new(vec![folder.path().to_owned()], KnownMetrics::default());
        files.signature = files.look();
        assert!(!files.changed());
        std::fs::remove_file(at("rules.yaml")).unwrap();
        std::os::unix::fs::symlink(at("two"), at("rules.yaml")).unwrap();
        assert!(files.changed());
    }
}
