//! What two sets of rules would have said of the same events, and where they differ.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::ReplayFormat;
use super::chart::{self, Chart};
use super::episodes::{Comparison, Episode, Episodes, compared};
use crate::cli::playback::{Counts, Playback};
use crate::cli::recording::Recorded;
use crate::cli::terminal::Terminal;
use crate::engine::config::Config;
use crate::engine::fact::Rejected;
use crate::engine::rules::RuleSet;
use crate::engine::rules::event::AlertEventKind;
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;

/// One set of rules and what it says.
struct Side {
    playback: Playback,
    episodes: Episodes,
}

impl Side {
    fn new(config: &Config, rules: RuleSet, start: Timestamp) -> Self {
        Self { playback: Playback::new(config, rules, start), episodes: Episodes::default() }
    }

    fn take_decided(&mut self) {
        for event in self.playback.take_decided() {
            self.episodes.take(event);
        }
    }
}

/// Two sets of rules beside each other.
pub(super) struct Pair {
    rules: Side,
    compared: Side,
    start: Timestamp,
}

impl Pair {
    /// Both begin at `start`.
    pub(super) fn new(config: &Config, sets: (RuleSet, RuleSet), start: Timestamp) -> Self {
        let (rules, compared) = sets;
        Self { rules: Side::new(config, rules, start), compared: Side::new(config, compared, start), start }
    }

    /// Applies an event to both; what is refused is refused by both.
    pub(super) fn apply(&mut self, recorded: &Recorded) -> Vec<Rejected> {
        let refused = self.rules.playback.apply(recorded);
        self.compared.playback.apply(recorded);
        self.rules.take_decided();
        self.compared.take_decided();
        refused
    }

    /// Lives on after the last event.
    pub(super) fn live_on(&mut self, tail: std::time::Duration) {
        for side in [&mut self.rules, &mut self.compared] {
            side.playback.settle();
            side.playback.advance(side.playback.now().after(tail));
            side.take_decided();
        }
    }

    /// The engine with the rules of `--rules`.
    pub(super) const fn rules(&mut self) -> &mut Playback {
        &mut self.rules.playback
    }

    /// What went in.
    const fn counts(&self) -> &Counts {
        self.rules.playback.counts()
    }

    /// Writes what differs, and how much is alike.
    pub(super) fn write(&self, format: ReplayFormat, terminal: &mut Terminal) {
        let all = compared(&self.rules.episodes, &self.compared.episodes);
        for comparison in &all {
            match format {
                ReplayFormat::Text => lines(comparison).into_iter().for_each(|line| terminal.line(line)),
                ReplayFormat::Json => {
                    if let Some(line) = difference(comparison) {
                        terminal.line(line);
                    }
                }
            }
        }
        let count = |wanted: fn(&Comparison) -> bool| all.iter().filter(|it| wanted(it)).count();
        let alike = count(|it| matches!(it, Comparison::Alike));
        let moved = count(|it| matches!(it, Comparison::Moved { .. }));
        let only_rules = count(|it| matches!(it, Comparison::OnlyRules(_)));
        let only_compared = count(|it| matches!(it, Comparison::OnlyCompared(_)));
        match format {
            ReplayFormat::Text => terminal.line(format_args!(
                "{} events; episodes: {alike} alike, {moved} at other times, {only_rules} only with --rules, \
                 {only_compared} only with --compare",
                self.counts().read,
            )),
            ReplayFormat::Json => terminal.line(json!({"summary": {
                "events": self.counts().read, "rejected": self.counts().rejected, "alike": alike, "moved": moved,
                "only_rules": only_rules, "only_compare": only_compared,
            }})),
        }
    }

    /// Writes both sides over time.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write_chart(&self, path: &Path) -> anyhow::Result<()> {
        let end = self.rules.playback.now().max(self.compared.playback.now());
        let chart =
            Chart { start: self.start, end, rules: &self.rules.episodes, compared: &self.compared.episodes };
        std::fs::write(path, chart::svg(&chart)).with_context(|| format!("write {}", path.display()))
    }
}

/// One difference for people.
fn lines(comparison: &Comparison) -> Vec<String> {
    match comparison {
        Comparison::Alike => Vec::new(),
        Comparison::OnlyRules(episode) => vec![format!("only --rules    {}", described(episode))],
        Comparison::OnlyCompared(episode) => vec![format!("only --compare  {}", described(episode))],
        Comparison::Moved { rules, compared } => vec![
            format!("moved           {}", described(rules)),
            format!("                {} with --compare", times(compared)),
        ],
    }
}

fn described(episode: &Episode) -> String {
    let event = &episode.begin;
    let labels = event.labels.filtered(|name| name != "alertname" && name != "severity");
    let text = match &event.kind {
        AlertEventKind::Triggered { message, current_value, threshold, .. } => {
            format!(" value={current_value} threshold={threshold}: {message}")
        }
        AlertEventKind::Cleared { .. } => String::new(),
    };
    format!("{} {:<8} {}{labels}{text}", times(episode), event.severity.name(), event.alert_name)
}

fn times(episode: &Episode) -> String {
    let length = match episode.ended_at {
        Some(end) => format!("for {}", units::duration_text(end.since(episode.started_at()))),
        None => "open".to_owned(),
    };
    format!("{:<24} {length:<10}", episode.started_at().to_string())
}

/// One difference for programs.
fn difference(comparison: &Comparison) -> Option<Value> {
    let (word, rules, compared) = match comparison {
        Comparison::Alike => return None,
        Comparison::Moved { rules, compared } => ("moved", Some(rules), Some(compared)),
        Comparison::OnlyRules(episode) => ("only_rules", Some(episode), None),
        Comparison::OnlyCompared(episode) => ("only_compare", None, Some(episode)),
    };
    let of_both = &rules.or(compared)?.begin;
    Some(json!({
        "difference": word,
        "alert_name": of_both.alert_name.as_ref(),
        "severity": of_both.severity.name(),
        "labels": of_both.labels.iter().map(|(name, value)| (name.to_string(), json!(value.as_ref()))).collect::<serde_json::Map<_, _>>(),
        "rules": rules.map(|episode| side(episode)),
        "compare": compared.map(|episode| side(episode)),
    }))
}

fn side(episode: &Episode) -> Value {
    let (value, threshold, message) = match &episode.begin.kind {
        AlertEventKind::Triggered { current_value, threshold, message, .. } => {
            (json!(current_value), json!(threshold), json!(message))
        }
        AlertEventKind::Cleared { .. } => (Value::Null, Value::Null, Value::Null),
    };
    json!({
        "alert_rule_id": episode.begin.rule_id.as_ref(),
        "started_at": episode.started_at().to_string(),
        "ended_at": episode.ended_at.map(|end| end.to_string()),
        "value": value,
        "threshold": threshold,
        "message": message,
    })
}
