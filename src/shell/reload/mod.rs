//! Reloading: the configuration and the rules are read again when somebody asks or files change, and put in force.
//!
//! A configuration is put in force whole or not at all; of what it changes, live keys count at once and the others
//! wait for a restart. Rule files are put in force one by one: a bad one keeps the last good version of its groups.

mod report;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::engine::catalogue::known_metrics;
use crate::engine::config::{Changes, Config};
use crate::engine::diagnostic::Diagnostic;
use crate::engine::fact::{Fact, ReloadResult, RestartPending};

use super::context::ShellContext;
use super::nats::credentials::Credentials;
use super::rule_files::{Load, RuleFiles, folder_of, paths_of};
use super::status::Topic;
use watch::Watch;

pub(crate) use watch::Signature;

pub(crate) use report::ReloadReport;

/// How often files are looked at without a sign that they changed.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// How long a change is left to settle.
const SETTLE: Duration = Duration::from_millis(150);

/// So many things that are no rule files are named in the log.
const NAMED_MAX: usize = 20;

/// Where the outcome of a reload goes.
pub(crate) type ReloadWish = oneshot::Sender<ReloadReport>;

/// Where the configuration comes from.
pub struct ConfigSource {
    /// The file, whether or not it is there.
    pub(crate) path: PathBuf,
    /// The folder of rules that is read once it is there, where nothing names rules.
    pub(crate) default_rules: PathBuf,
    /// Reads it again, flags and environment over it.
    pub(crate) reread: Box<dyn Fn() -> Reread + Send>,
    /// Told of each configuration that was put in force, for what lies outside the shell.
    pub(crate) applied: Box<dyn Fn(&Config) + Send>,
}

/// A configuration that was read again.
#[derive(Clone, Debug)]
pub(crate) struct Reread {
    /// The configuration; none where something refuses it.
    pub(crate) config: Option<Config>,
    /// What was found in it.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What a reload made of the configuration.
#[derive(Debug, Default)]
struct ConfigOutcome {
    /// What was found in the file.
    diagnostics: Vec<Diagnostic>,
    /// What to put in force; none where the file is refused or changes nothing that is live.
    next: Option<Config>,
    /// What is put in force by that.
    changes: Changes,
    /// Whether the file was refused.
    is_refused: bool,
}

/// Reloads when it is asked to or files change.
pub(crate) struct Reloader {
    files: RuleFiles,
    source: Option<ConfigSource>,
    context: ShellContext,
    credentials: Credentials,
    /// The configuration of the start, which what needs a restart still follows.
    started: Arc<Config>,
    /// The keys that wait for a restart.
    waiting: Vec<String>,
    seen: Signature,
}

impl Reloader {
    /// A reloader of what was loaded at the start.
    pub(crate) fn new(files: RuleFiles, source: Option<ConfigSource>, context: ShellContext) -> Self {
        let started = context.config.get();
        let mut reloader = Self {
            files,
            source,
            credentials: Credentials::new(&context.settings.nats.auth),
            context,
            started,
            waiting: Vec::new(),
            seen: Signature::default(),
        };
        reloader.seen = reloader.look();
        reloader
    }

    /// Reloads until nobody can ask any more.
    pub(crate) async fn run(mut self, mut wishes: mpsc::Receiver<ReloadWish>) {
        let (signs, changes) = mpsc::channel(1);
        self.turn(&mut wishes, changes, (Watch::new(signs), SETTLE)).await;
    }

    /// Takes wishes and signs of change in turn, and lets a change settle for so long. Who asks meanwhile does not wait:
    /// the answer says what changed.
    async fn turn(
        &mut self,
        wishes: &mut mpsc::Receiver<ReloadWish>,
        mut changes: mpsc::Receiver<()>,
        (mut watch, settle): (Watch, Duration),
    ) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut settled = None;
        loop {
            watch.folders(&self.folders());
            tokio::select! {
                wish = wishes.recv() => {
                    let Some(wish) = wish else { return };
                    let report = self.reload().await;
                    // Who asked may have left.
                    drop(wish.send(report));
                }
                Some(()) = changes.recv() => {
                    settled.get_or_insert_with(|| Instant::now() + settle);
                }
                () = until(settled) => {
                    settled = None;
                    self.reload_if_changed().await;
                }
                _ = looks.tick() => self.reload_if_changed().await,
            }
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = self.files.folders();
        folders.extend(self.source.as_ref().map(|source| folder_of(&source.path)));
        folders.sort();
        folders.dedup();
        folders
    }

    fn look(&self) -> Signature {
        let mut files = self.files.files();
        files.extend(self.source.as_ref().map(|source| source.path.clone()));
        let awaited = self.source.as_ref().map(|source| &source.default_rules);
        // Of a folder that is read its files tell.
        files.extend(awaited.filter(|_| !self.files.has_paths()).cloned());
        Signature::of(files)
    }

    async fn reload_if_changed(&mut self) {
        if self.look() != self.seen {
            self.reload().await;
        }
    }

    async fn reload(&mut self) -> ReloadReport {
        self.context.service_manager.reloading();
        if self.credentials.changed(&self.context.settings.nats.auth) {
            tracing::info!("the NATS credentials changed: signing in anew");
            self.context.renewals.renew();
        }
        self.seen = self.look();
        let config = self.reread();
        if let Some(next) = &config.next {
            self.files.point_at(paths_of(next), known_metrics(next));
            // Other paths have other files.
            self.seen = self.look();
        }
        let load = self.files.load();
        let anew = self.put_in_force(config.next.clone(), &load).await;
        let report = report::write(&config, &load, &self.waiting, &anew);
        report::log(&config, &load, &self.waiting, &anew);
        tell(&self.context, &load);
        self.context.status.note_diagnostics(&report.shown);
        let pending = if self.waiting.is_empty() { RestartPending::No } else { RestartPending::Yes };
        self.context.fact(Fact::RestartPending(pending));
        let result = if report.is_good { ReloadResult::Success } else { ReloadResult::Failure };
        self.context.fact(Fact::Reloaded(result));
        self.context.service_manager.ready();
        report
    }

    /// Reads the configuration again and works out what it changes.
    fn reread(&mut self) -> ConfigOutcome {
        let Some(source) = &self.source else { return ConfigOutcome::default() };
        let read = (source.reread)();
        let diagnostics = read.diagnostics;
        let Some(config) = read.config else {
            return ConfigOutcome { diagnostics, is_refused: true, ..ConfigOutcome::default() };
        };
        let waiting = self.started.changes(&config);
        self.waiting = waiting.restart().into_iter().map(str::to_owned).collect();
        let next = config.until_restart(&self.started);
        let changes = self.context.config.get().changes(&next);
        let next = (!changes.0.is_empty()).then_some(next);
        ConfigOutcome { diagnostics, next, changes, is_refused: false }
    }

    /// Puts rules and configuration in force in one turn of the driver; yields the metrics that begin anew.
    async fn put_in_force(&mut self, next: Option<Config>, load: &Load) -> Vec<String> {
        let next = next.map(Arc::new);
        let anew = self.context.mailbox.reload(next.clone(), load.rules.clone()).await;
        if let Some(next) = next {
            if let Some(source) = &self.source {
                (source.applied)(&next);
            }
            self.context.config.put(next);
        }
        anew
    }
}

/// Waits until then; for ever where there is no such instant.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Says in the log and in readiness what a load of rules came to.
pub(crate) fn tell(context: &ShellContext, load: &Load) {
    for line in &load.lines {
        tracing::warn!(finding = line, "rules");
    }
    if !load.passed_over.is_empty() {
        let named = load.passed_over.iter().take(NAMED_MAX).map(String::as_str);
        let names = named.collect::<Vec<_>>().join(", ");
        let more = load.passed_over.len().saturating_sub(NAMED_MAX);
        tracing::info!(names, more, "passed over: of a folder its *.yaml and *.yml files alone are read");
    }
    tracing::info!(files = load.files, rules = load.count(), "rules are in force");
    if !load.is_good && load.count() == 0 {
        context.status.set(Topic::Rules, "no rule file is good; see the log or the status page");
    } else {
        context.status.clear(Topic::Rules);
    }
}

#[cfg(test)]
mod tests;
