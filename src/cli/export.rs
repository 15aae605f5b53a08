//! `signalbox rules export`: the rules as one plain Prometheus rule file.
//!
//! What Prometheus has no word for becomes the nearest expression, and a comment where it is not the same: hysteresis
//! asks `ALERTS` whether the alert fires already, an override is a rule of its own for the series it matches, and a
//! lower severity gives way while a higher one fires.

mod expression;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::terminal::Terminal;
use super::{CommandOutcome, config_file, rule_files, settings};
use crate::engine::catalogue::known_metrics;
use crate::engine::rules::set::{Alerting, Condition, Group, Level, NoData, Policy, Rule, RuleKind};
use crate::engine::rules::spanning::Spanning;
use crate::engine::rules::template::Template;
use crate::engine::yaml::units::duration_text;
use expression::{Alert, SeriesChoice, plain};

/// Which rules to export.
#[derive(Args)]
pub(super) struct Arguments {
    /// Rule files or folders [default: rules/ if present].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Option<Vec<PathBuf>>,
    /// The configuration file [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Exports only what one part of the keys cannot tell (`partition`), over the series of all parts: for the Prometheus
    /// or Mimir that scrapes them all.
    #[arg(long)]
    spanning: bool,
}

/// Prints the file.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let file = config_file::read_or_say(arguments.config.as_deref(), terminal)?;
    let paths = settings::rule_paths(arguments.rules.as_deref(), &file);
    if paths.is_empty() {
        anyhow::bail!("export rules: there is no rules/ here; name rule files with --rules");
    }
    let rules = rule_files::load_or_say(&paths, &file, terminal)?;
    if !arguments.spanning {
        terminal.text(&exported(&rules.groups));
        return Ok(CommandOutcome::Fine);
    }
    if file.partition.count < 2 {
        anyhow::bail!(
            "export rules over parts: the configuration has no `partition`; name that of an instance with --config"
        );
    }
    let metrics = known_metrics(&file);
    let spanning = Spanning::of(&rules, &metrics).rules_over_parts(&rules);
    terminal.text(OVER_PARTS);
    terminal.text(&exported(&spanning.groups));
    Ok(CommandOutcome::Fine)
}

/// What is said of rules over parts.
const OVER_PARTS: &str = "\
# Over the series of all parts, which differ by `instance` (and `pod`). Where `avg without` stands, an average of the parts'
# averages takes the place of the whole's, which their values do not tell.
";

/// The groups as one Prometheus rule file.
fn exported(groups: &[Arc<Group>]) -> String {
    let mut text = String::from(
        "# Exported by signalbox. Prometheus evaluates these rules at the interval alone, not when events arrive.\ngroups:\n",
    );
    let mut names = BTreeSet::new();
    for group in groups {
        let mut name = group.name.to_string();
        let stem = Path::new(group.file.as_ref()).file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        let mut number = 1;
        // Group names are unique in a file; here several files become one.
        while !names.insert(name.clone()) {
            number += 1;
            name = if number == 2 {
                format!("{} ({stem})", group.name)
            } else {
                format!("{} ({stem} {number})", group.name)
            };
        }
        write_group(&mut text, group, &name);
    }
    if groups.is_empty() {
        text = text.replace("groups:\n", "groups: []\n");
    }
    text
}

fn write_group(text: &mut String, group: &Group, name: &str) {
    // Writing to a text does not fail.
    let _ = writeln!(text, "  - name: {}", quoted(name));
    let _ = writeln!(text, "    interval: {}", duration_text(group.interval));
    if let Some(limit) = group.limit {
        let _ = writeln!(
            text,
            "    # Over the limit Prometheus drops every alert of the rule; here those that fire stay."
        );
        let _ = writeln!(text, "    limit: {limit}");
    }
    if group.query_offset > Duration::ZERO {
        let offset = duration_text(group.query_offset);
        let _ = writeln!(
            text,
            "    # query_offset: {offset} is left out: Prometheus before 2.53 does not know it."
        );
    }
    if group.rules.is_empty() {
        let _ = writeln!(text, "    rules: []");
        return;
    }
    let _ = writeln!(text, "    rules:");
    for rule in &group.rules {
        match &rule.kind {
            RuleKind::Recording => write_recording(text, rule),
            RuleKind::Alerting(alerting) => write_alerting(text, rule, alerting, group.interval),
        }
    }
}

fn write_recording(text: &mut String, rule: &Rule) {
    let (expr, was_anchored) = plain(&rule.expr);
    if was_anchored {
        write_comment(text, ANCHORED);
    }
    let _ = writeln!(text, "      - record: {}", quoted(&rule.name));
    let _ = writeln!(text, "        expr: {}", quoted(&expr));
    write_pairs(text, "labels", &rule.labels, None);
}

/// What is said where a rate was exact.
const ANCHORED: &str = "The window is exact here; Prometheus extrapolates to its ends.";

fn write_comment(text: &mut String, words: &str) {
    let _ = writeln!(text, "      # {words}");
}

/// A rule as it will stand in the file.
struct Draft {
    comments: Vec<String>,
    expr: String,
    level: Level,
}

fn write_alerting(text: &mut String, rule: &Rule, alerting: &Alerting, interval: Duration) {
    let mut drafts = Vec::new();
    for (index, exception) in alerting.overrides.iter().enumerate() {
        let not = alerting.overrides.get(..index).unwrap_or_default();
        let place = SeriesChoice { of: Some(exception), not };
        draft(&Alert { rule, alerting, place: &place, interval }, &exception.policy, &mut drafts);
    }
    let place = SeriesChoice { of: None, not: &alerting.overrides };
    draft(&Alert { rule, alerting, place: &place, interval }, &alerting.policy, &mut drafts);
    // The highest first, so that lower ones see whether it fires.
    drafts.sort_by_key(|draft| std::cmp::Reverse(draft.level.severity));
    for draft in drafts {
        for comment in &draft.comments {
            write_comment(text, comment);
        }
        let _ = writeln!(text, "      - alert: {}", quoted(&rule.name));
        let _ = writeln!(text, "        expr: {}", quoted(&draft.expr));
        if draft.level.wait > Duration::ZERO {
            let _ = writeln!(text, "        for: {}", duration_text(draft.level.wait));
        }
        if alerting.keep_firing_for > Duration::ZERO {
            let _ = writeln!(text, "        keep_firing_for: {}", duration_text(alerting.keep_firing_for));
        }
        let severity = draft.level.severity.map(|severity| ("severity", severity.name()));
        write_pairs(text, "labels", &rule.labels, severity);
        write_pairs(text, "annotations", &alerting.annotations, None);
    }
}

/// One rule a level; a level that waits as long as one of an override has, is one rule with it.
fn draft(alert: &Alert<'_>, policy: &Policy, drafts: &mut Vec<Draft>) {
    for (index, level) in policy.levels.iter().enumerate() {
        let higher = policy.levels.get(index + 1..).unwrap_or_default();
        let (expr, was_anchored) = alert.expression(level, higher);
        let same =
            |known: &&mut Draft| (known.level.severity, known.level.wait) == (level.severity, level.wait);
        if let Some(known) = drafts.iter_mut().find(same) {
            known.expr = format!("({}) or ({expr})", known.expr);
            continue;
        }
        let mut comments = Vec::new();
        if was_anchored {
            comments.push(ANCHORED.to_owned());
        }
        if !higher.is_empty() && level.wait > Duration::ZERO {
            comments.push(
                "`for` begins again when a higher severity ends; here each level waits on its own condition."
                    .to_owned(),
            );
        }
        let band = match level.condition {
            Condition::Expression => false,
            Condition::Above { threshold, clear } | Condition::Below { threshold, clear } => {
                threshold != clear
            }
        };
        if band && alert.alerting.keep_firing_for > Duration::ZERO {
            comments.push("While keep_firing_for holds an alert, a value short of the clear value holds it on; here it does not.".to_owned());
        }
        match alert.alerting.no_data {
            NoData::Alert if higher.is_empty() => {
                comments.push(
                    "no_data: alert: fires while the series was there within the last hour and is gone."
                        .to_owned(),
                );
            }
            NoData::Keep => {
                comments
                    .push("no_data: keep is left out: Prometheus ends the alert with its series.".to_owned());
            }
            NoData::Ok | NoData::Alert => {}
        }
        drafts.push(Draft { comments, expr, level: *level });
    }
}

fn write_pairs(text: &mut String, title: &str, pairs: &[(Arc<str>, Template)], more: Option<(&str, &str)>) {
    let kept = pairs.iter().filter(|(name, _)| more.is_none_or(|(known, _)| known != name.as_ref()));
    let mut lines: Vec<(&str, &str)> =
        kept.map(|(name, value)| (name.as_ref(), value.text().as_ref())).collect();
    lines.extend(more);
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "        {title}:");
    for (name, value) in lines {
        let _ = writeln!(text, "          {}: {}", quoted(name), quoted(value));
    }
}

/// A YAML scalar that reads as this text.
fn quoted(text: &str) -> String {
    let is_plain_word = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"]
            .contains(&text.to_ascii_lowercase().as_str());
    if is_plain_word {
        text.to_owned()
    } else if text.chars().any(char::is_control) {
        // JSON's notation is YAML's double-quoted one.
        serde_json::Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
