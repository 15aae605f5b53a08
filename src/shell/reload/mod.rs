//! Reloading: the configuration and the rules are read again when somebody asks or files change, and put in force.
//!
//! A configuration is put in force whole or not at all; of what it changes, live keys count at once and the others
//! wait for a restart. Rule files are put in force one by one: a bad one keeps the last good version of its groups. A file
//! that is being written is left alone until it is whole ([`Settling`]).

mod report;
mod watch;

use std::collections::BTreeSet;
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
use super::file_changes::{Patience, Settling, Sight, Signature, Verdict};
use super::nats::credentials::Credentials;
use super::rule_files::{Load, RuleFiles, folder_of, paths_of};
use super::status::Topic;
use watch::Watch;

pub(crate) use report::ReloadReport;

/// How often files are looked at without a sign that they changed.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// How soon what is being written is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long files that changed are left to settle.
const NOTICED: Patience = Patience {
    changed: Duration::from_millis(150),
    emptied: Duration::from_secs(2),
    unfinished: Duration::from_secs(10),
    at_most: Duration::from_secs(3),
};

/// The same where somebody asks, who is done with writing.
const ASKED: Patience = Patience {
    changed: Duration::from_millis(50),
    emptied: Duration::from_millis(500),
    at_most: Duration::from_secs(1),
    ..NOTICED
};

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
    settling: Settling,
    /// What was last said to be written without an end.
    busy: BTreeSet<PathBuf>,
    watch: Watch,
    changes: mpsc::Receiver<()>,
}

impl Reloader {
    /// A reloader of what was loaded at the start.
    pub(crate) fn new(files: RuleFiles, source: Option<ConfigSource>, context: ShellContext) -> Self {
        let started = context.config.get();
        let (signs, changes) = mpsc::channel(1);
        let mut reloader = Self {
            files,
            source,
            credentials: Credentials::new(&context.settings.nats.auth),
            context,
            started,
            waiting: Vec::new(),
            settling: Settling::default(),
            busy: BTreeSet::new(),
            watch: Watch::new(signs),
            changes,
        };
        // What changed since the rules were read is seen as a change.
        let read = reloader.look().and(reloader.files.read_as());
        reloader.settling = Settling::of(read);
        reloader
    }

    /// Reloads until nobody can ask any more.
    pub(crate) async fn run(mut self, mut wishes: mpsc::Receiver<ReloadWish>) {
        self.turn(&mut wishes, &NOTICED).await;
    }

    /// Takes wishes and signs of change in turn. Who asks while a change settles is answered all the same, with what changed.
    async fn turn(&mut self, wishes: &mut mpsc::Receiver<ReloadWish>, noticed: &Patience) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut next_look = None;
        loop {
            self.watch.folders(&self.folders());
            tokio::select! {
                wish = wishes.recv() => {
                    let Some(wish) = wish else { return };
                    let report = self.reload_when_whole().await;
                    // Who asked may have left.
                    drop(wish.send(report));
                }
                Some(()) = self.changes.recv() => {
                    next_look.get_or_insert_with(|| Instant::now() + LOOK_AGAIN);
                }
                () = until(next_look) => next_look = self.reload_if_changed(noticed).await,
                _ = looks.tick() => next_look = self.reload_if_changed(noticed).await,
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

    fn watched(&self) -> Vec<PathBuf> {
        let mut files = self.files.files();
        files.extend(self.source.as_ref().map(|source| source.path.clone()));
        let awaited = self.source.as_ref().map(|source| &source.default_rules);
        // Of a folder that is read its files tell.
        files.extend(awaited.filter(|_| !self.files.has_paths()).cloned());
        files
    }

    fn look(&self) -> Signature {
        Signature::of(self.watched())
    }

    fn verdict(&mut self, patience: &Patience) -> Verdict {
        let files = self.watched();
        let unfinished = self.watch.unfinished(&files);
        let sight = Sight::of(files).with_unfinished(unfinished);
        self.settling.look(&sight, Instant::now().into_std(), patience)
    }

    /// Reloads where files changed and are whole; yields when to look again where they are not.
    async fn reload_if_changed(&mut self, patience: &Patience) -> Option<Instant> {
        let again = |left: Duration| Some(Instant::now() + left.min(LOOK_AGAIN));
        match self.verdict(patience) {
            Verdict::Unchanged => {
                self.busy.clear();
                None
            }
            Verdict::Later(left) => again(left),
            Verdict::Read(held) => {
                self.note_busy(&held);
                self.reload(held).await;
                None
            }
            Verdict::Busy(held) => {
                self.note_busy(&held);
                again(LOOK_AGAIN)
            }
        }
    }

    /// Says once of files that they are written without an end.
    fn note_busy(&mut self, held: &BTreeSet<PathBuf>) {
        for file in held.difference(&self.busy) {
            tracing::warn!(
                file = %file.display(),
                "the file is still being written: it is read once it is whole, and what it said before stays in force"
            );
        }
        self.busy.clone_from(held);
    }

    /// Reloads for somebody who asks, whether or not anything changed; waits for what is being written, but not for long.
    async fn reload_when_whole(&mut self) -> ReloadReport {
        loop {
            match self.verdict(&ASKED) {
                Verdict::Later(left) => tokio::time::sleep(left.min(LOOK_AGAIN)).await,
                Verdict::Unchanged => return self.reload(BTreeSet::new()).await,
                Verdict::Read(held) | Verdict::Busy(held) => return self.reload(held).await,
            }
        }
    }

    /// Reloads all but the files that are being written, which say what they said.
    async fn reload(&mut self, mut held: BTreeSet<PathBuf>) -> ReloadReport {
        self.context.service_manager.reloading();
        if self.credentials.changed(&self.context.settings.nats.auth) {
            tracing::info!("the NATS credentials changed: signing in anew");
            self.context.renewals.renew();
        }
        let mut seen = self.look();
        let config = self.reread(&seen, &mut held);
        if let Some(next) = &config.next {
            self.files.point_at(paths_of(next), known_metrics(next));
            // Other paths have other files.
            seen = self.look().over(&seen);
        }
        let texts = self.files.read();
        held.extend(seen.differing(&self.look()));
        let load = self.files.load(texts, &held);
        self.settling.take(seen, &held);
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

    /// Reads the configuration again where it is not being written, and works out what it changes. The file is as it was
    /// `seen`, or is held from now on.
    fn reread(&mut self, seen: &Signature, held: &mut BTreeSet<PathBuf>) -> ConfigOutcome {
        let Some(source) = &self.source else { return ConfigOutcome::default() };
        let read = (source.reread)();
        held.extend(seen.differing(&self.look()));
        if held.contains(&source.path) {
            return ConfigOutcome::default();
        }
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
