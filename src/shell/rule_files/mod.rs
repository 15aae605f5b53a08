//! Rule files on disk, and the rules that came of them.

pub(crate) mod edits;
pub(crate) mod making;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::catalogue::KnownMetrics;
use crate::engine::config::Config;
use crate::engine::diagnostic::{Diagnostic, Severity, Source, Style, digest, render_all, sorted};
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load};
use crate::shell::file_changes::Signature;
use crate::shell::plain::plain;

/// Bytes of a rule file.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// What was read of the paths.
#[derive(Debug, Default)]
pub(crate) struct RuleTexts {
    /// The files that could be read, in the order of paths and of names in a folder.
    pub(crate) sources: Vec<Source>,
    /// The files that could not.
    pub(crate) faults: Vec<Diagnostic>,
    /// What lies in folders and is no rule file. Rule tests and what is hidden are left out.
    pub(crate) passed_over: Vec<PathBuf>,
}

/// Reads rule files and folders, folders one level deep.
pub(crate) fn read_rules(paths: &[PathBuf]) -> RuleTexts {
    let Listed { files, faults, passed_over } = rule_files(paths);
    let mut texts = RuleTexts { sources: Vec::new(), faults, passed_over };
    for path in files {
        match read_file(&path) {
            Ok(text) => texts.sources.push(Source { name: shown(&path), text: Arc::from(text) }),
            Err(reason) => texts.faults.push(fault(&path, reason.to_string())),
        }
    }
    texts
}

/// What the paths mean.
#[derive(Debug, Default)]
struct Listed {
    /// The rule files: a named file itself, of a folder its `*.yaml` and `*.yml` but for rule tests.
    files: Vec<PathBuf>,
    /// Paths and folders that cannot be read.
    faults: Vec<Diagnostic>,
    /// What else lies in the folders, rule tests and what is hidden apart.
    passed_over: Vec<PathBuf>,
}

fn rule_files(paths: &[PathBuf]) -> Listed {
    let mut listed = Listed::default();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => match std::fs::read_dir(path) {
                Ok(entries) => {
                    let all = entries.filter_map(Result::ok).map(|entry| entry.path());
                    let (mut found, others): (Vec<PathBuf>, Vec<PathBuf>) =
                        all.partition(|it| is_rule_file(it));
                    found.sort();
                    listed.files.extend(found);
                    listed.passed_over.extend(others.into_iter().filter(|it| !is_meant_to_be_there(it)));
                }
                Err(error) => {
                    listed.faults.push(fault(path, format!("the folder cannot be read: {}", plain(error))));
                }
            },
            Ok(metadata) if metadata.is_file() => listed.files.push(path.clone()),
            Ok(_) => listed.faults.push(fault(path, "neither a file nor a folder".to_owned())),
            Err(error) => listed.faults.push(fault(path, format!("cannot be read: {}", plain(error)))),
        }
    }
    listed
}

/// Endings of rule tests, which lie beside rule files and are none.
const TEST_ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// Whether a file's name says that it holds rule tests.
pub(crate) fn is_rule_test(path: &Path) -> bool {
    TEST_ENDINGS.iter().any(|ending| name_of(path).ends_with(ending))
}

/// The last part of a path; empty where it is no text.
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_rule_file(path: &Path) -> bool {
    let name = name_of(path);
    let named = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    let wanted = named.is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.')) && !is_rule_test(path);
    // A broken link stays in, so that it is said.
    wanted && std::fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

/// Whether what is no rule file is a rule test, or hidden.
fn is_meant_to_be_there(path: &Path) -> bool {
    name_of(path).starts_with('.') || is_rule_test(path)
}

/// Why a file is not read, as what follows its name.
#[derive(Debug, thiserror::Error)]
enum FileFault {
    /// The system says no.
    #[error("cannot be read: {}", plain(.0))]
    Unreadable(#[from] std::io::Error),
    /// It has more than [`FILE_BYTES_MAX`].
    #[error("larger than 8 MiB")]
    TooLarge,
    /// Its bytes are no text.
    #[error("not UTF-8 from byte {} on", .0.utf8_error().valid_up_to())]
    NoText(#[from] std::string::FromUtf8Error),
}

fn read_file(path: &Path) -> Result<String, FileFault> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileFault::TooLarge);
    }
    let text = String::from_utf8(bytes)?;
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
    /// What the files said when they were last read.
    said: Vec<Source>,
    /// The files as they were right before.
    read_as: Signature,
    /// What lay in the folders and was no rule file, when they were last read.
    passed_over: BTreeSet<PathBuf>,
}

/// One load.
#[derive(Debug)]
pub(crate) struct Load {
    /// The rules to put in force.
    pub(crate) rules: RuleSet,
    /// Whether nothing was refused.
    pub(crate) is_good: bool,
    /// Everything that was found, for people; empty where nothing was.
    pub(crate) text: String,
    /// The same for the log, in lines of which each tells of one or of many that are alike.
    pub(crate) lines: Vec<String>,
    /// Files read.
    pub(crate) files: usize,
    /// What lies in the folders and is no rule file, and was not there at the load before.
    pub(crate) passed_over: Vec<String>,
    /// The files that are being written, which say what they said.
    pub(crate) held: Vec<String>,
}

impl Load {
    /// How many rules there are.
    pub(crate) fn count(&self) -> usize {
        self.rules.groups.iter().map(|group| group.rules.len()).sum()
    }
}

impl RuleFiles {
    /// No rules yet, from these paths, checked against what is known of metrics.
    pub(crate) fn new(paths: Vec<PathBuf>, metrics: KnownMetrics) -> Self {
        Self {
            paths,
            metrics,
            in_force: RuleSet::default(),
            said: Vec::new(),
            read_as: Signature::default(),
            passed_over: BTreeSet::new(),
        }
    }

    /// Reads everything again.
    pub(crate) fn read(&mut self) -> RuleTexts {
        self.read_as = Signature::of(self.files());
        read_rules(&self.paths)
    }

    /// The files as they were before they were last read.
    pub(crate) fn read_as(&self) -> &Signature {
        &self.read_as
    }

    /// Makes rules of what was read; bad files keep their last good groups, and held ones say what they said before.
    pub(crate) fn load(&mut self, mut texts: RuleTexts, held: &BTreeSet<PathBuf>) -> Load {
        self.say_again(&mut texts, held);
        let context = LoadContext {
            interval: INTERVAL_DEFAULT,
            metrics: &self.metrics,
            previous: Some(&self.in_force),
        };
        let mut loaded = load(&texts.sources, &context);
        // A folder that cannot be read keeps what came of its files.
        let unreadable: Vec<&str> = texts.faults.iter().map(|fault| fault.source.name.as_ref()).collect();
        let is_kept = |file: &str| {
            let is_in = |path: &&str| Path::new(file).starts_with(path);
            unreadable.iter().any(is_in) && !held.contains(Path::new(file))
        };
        let kept = self.in_force.groups.iter().filter(|group| is_kept(&group.file));
        loaded.set.groups.extend(kept.cloned());
        let is_good = loaded.is_good() && texts.faults.is_empty();
        let mut diagnostics = texts.faults;
        diagnostics.append(&mut loaded.diagnostics);
        self.in_force = loaded.set.clone();
        let passed_over: BTreeSet<PathBuf> = texts.passed_over.into_iter().collect();
        let new = passed_over.difference(&self.passed_over);
        let new = new.map(|path| path.display().to_string()).collect();
        self.passed_over = passed_over;
        let files = texts.sources.len();
        self.said = texts.sources;
        // What refuses the load first: who reads it may see the beginning only.
        let mut shown = sorted(&diagnostics);
        shown.sort_by_key(|found| Reverse(found.severity));
        Load {
            rules: loaded.set,
            is_good,
            text: render_all(&shown, Style::Plain),
            lines: digest(&diagnostics),
            files,
            passed_over: new,
            held: held.iter().map(|path| path.display().to_string()).collect(),
        }
    }

    /// Puts what held files said before in the place of what was read of them: behind what stood before them then, as the
    /// ids of rules depend on their order.
    fn say_again(&self, texts: &mut RuleTexts, held: &BTreeSet<PathBuf>) {
        if held.is_empty() {
            return;
        }
        let is_held = |name: &str| held.contains(Path::new(name));
        texts.faults.retain(|fault| !is_held(&fault.source.name));
        texts.sources.retain(|source| !is_held(&source.name));
        let mut place = 0;
        for before in &self.said {
            match texts.sources.iter().position(|source| source.name == before.name) {
                Some(there) => place = there + 1,
                None if is_held(&before.name) => {
                    texts.sources.insert(place, before.clone());
                    place += 1;
                }
                None => {}
            }
        }
    }

    /// Whether any path is read.
    pub(crate) fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Takes rules from other paths from the next load on, checked against what is known of metrics now.
    pub(crate) fn point_at(&mut self, paths: Vec<PathBuf>, metrics: KnownMetrics) {
        (self.paths, self.metrics) = (paths, metrics);
    }

    /// The files that a load reads now.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        rule_files(&self.paths).files
    }

    /// The folders in which something has to happen for a load to read something else.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        self.paths.iter().map(|path| if path.is_dir() { path.clone() } else { folder_of(path) }).collect()
    }
}

/// The rule files and folders of a configuration, as they are given.
pub(crate) fn paths_of(config: &Config) -> Vec<PathBuf> {
    config.rules.iter().flatten().map(PathBuf::from).collect()
}

/// The folder a file lies in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests;
