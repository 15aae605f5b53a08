//! Loads rule files: from YAML texts to a [`RuleSet`], or to everything that is wrong with them.
//!
//! The format is Prometheus' and more (`CONTRACT.md`, "Rule files"). One error refuses the whole file it stands in,
//! whose last good groups stay; warnings refuse nothing.

mod condition;
mod filter;
#[cfg(test)]
pub(crate) mod for_tests;
mod group;
mod hints;
mod kept;
mod rule;
mod stat;
mod twins;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::checks;
use super::set::{Group, Rule, RuleKind, RuleSet};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::yaml::{Findings, Text};
use twins::Twins;

pub(crate) use group::is_plain_metric;
pub(crate) use kept::KeptRules;
pub(crate) use stat::STATS;

#[cfg(test)]
pub(crate) use {group::KEYS as GROUP_KEYS, rule::KEYS as RULE_KEYS};

/// What a load needs beside the texts.
#[derive(Clone, Debug)]
pub struct LoadContext<'a> {
    /// The interval of groups that name none.
    pub interval: Duration,
    /// The metrics that rules may read.
    pub metrics: &'a KnownMetrics,
    /// The rules in force, whose groups stay where their file is bad now.
    pub previous: Option<&'a RuleSet>,
}

/// The default interval of a group.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// What became of a load.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The groups of every good file, and the last good ones of every bad file.
    pub set: RuleSet,
    /// What is wrong, in the order of files.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Each file with what became of it.
    pub(crate) files: Vec<(Arc<str>, FileOutcome)>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOutcome {
    /// Its groups are in the set.
    Loaded {
        /// How many rules it holds.
        rules: usize,
    },
    /// It has errors; nothing of it is in the set.
    Refused,
    /// It has errors; its last good groups are in the set.
    Kept,
}

impl Loaded {
    /// Whether no file was refused.
    pub(crate) fn is_good(&self) -> bool {
        self.diagnostics.iter().all(|finding| finding.severity == Severity::Warning)
    }
}

/// What a load goes by, and what an earlier one read.
struct Reading<'a> {
    context: &'a LoadContext<'a>,
    kept: Option<&'a mut KeptRules>,
}

/// A group with what its rules still need: ids.
struct GroupDraft {
    group: Group,
    rules: Vec<RuleDraft>,
}

/// A rule before it has an id.
#[derive(Clone, Debug)]
struct RuleDraft {
    rule: Rule,
    explicit_id: Option<Text>,
}

/// Loads the files together, so that ids are unique over all of them.
pub fn load(sources: &[Source], context: &LoadContext<'_>) -> Loaded {
    load_all(sources, &mut Reading { context, kept: None })
}

/// The same for who loads again and again what hardly changed: rules that stand as they stood are not read anew.
pub(crate) fn load_again(sources: &[Source], context: &LoadContext<'_>, kept: &mut KeptRules) -> Loaded {
    let loaded = load_all(sources, &mut Reading { context, kept: Some(kept) });
    kept.turn();
    loaded
}

fn load_all(sources: &[Source], reading: &mut Reading<'_>) -> Loaded {
    let context = reading.context;
    let mut loaded = Loaded::default();
    let mut ids = Ids::default();
    let mut files = Vec::new();
    for source in sources {
        let mut findings = Findings::new(source);
        let root = match &mut reading.kept {
            Some(kept) => findings.document_again("groups", &mut kept.pieces),
            None => findings.document(),
        };
        let groups = root.map(|root| group::read_all(&root, &mut findings, reading)).unwrap_or_default();
        files.push((findings, groups));
    }
    let recorded: Vec<Arc<str>> = files.iter().flat_map(|(_, groups)| recorded_names(groups)).collect();
    let mut twins = Twins::default();
    for (findings, groups) in &mut files {
        ids.claim_explicit(groups, findings);
        twins.notice(groups, findings);
    }
    for (mut findings, groups) in files {
        checks::report_unknown_metrics(&mut findings, context.metrics, &recorded);
        checks::disable(&mut findings);
        findings.tell_of_more();
        let name = findings.source.name.clone();
        if findings.refuse() {
            let kept = context.previous.map(|set| kept_groups(set, &name, &mut ids)).unwrap_or_default();
            let outcome = if kept.is_empty() { FileOutcome::Refused } else { FileOutcome::Kept };
            loaded.set.groups.extend(kept);
            loaded.files.push((name, outcome));
        } else {
            let groups: Vec<Arc<Group>> = groups.into_iter().map(|draft| Arc::new(ids.name(draft))).collect();
            let rules = groups.iter().map(|group| group.rules.len()).sum();
            loaded.set.groups.extend(groups);
            loaded.files.push((name, FileOutcome::Loaded { rules }));
        }
        findings.list.sort_by_key(|finding| finding.span.start);
        loaded.diagnostics.append(&mut findings.list);
    }
    loaded
}

fn recorded_names(groups: &[GroupDraft]) -> Vec<Arc<str>> {
    let rules = groups.iter().flat_map(|group| &group.rules);
    rules
        .filter(|draft| matches!(draft.rule.kind, RuleKind::Recording))
        .map(|draft| draft.rule.name.clone())
        .collect()
}

fn kept_groups(previous: &RuleSet, file: &str, ids: &mut Ids) -> Vec<Arc<Group>> {
    let kept: Vec<Arc<Group>> =
        previous.groups.iter().filter(|group| group.file.as_ref() == file).cloned().collect();
    for rule in kept.iter().flat_map(|group| &group.rules) {
        ids.taken(rule).insert(rule.id.to_string());
    }
    kept
}

/// A place as people follow it: `file:line:column`.
fn place(source: &Source, span: &Range<usize>) -> String {
    let (line, column) = source.position(span.start);
    format!("{}:{line}:{column}", source.name)
}

/// The ids in use.
#[derive(Default)]
struct Ids {
    alerts: BTreeSet<String>,
    records: BTreeSet<String>,
    /// Where each explicit one stands first.
    places: BTreeMap<String, (Source, Range<usize>)>,
    /// The number to try next for a default id that is taken.
    numbers: BTreeMap<String, usize>,
}

impl Ids {
    fn taken(&mut self, rule: &Rule) -> &mut BTreeSet<String> {
        match rule.kind {
            RuleKind::Recording => &mut self.records,
            RuleKind::Alerting(_) => &mut self.alerts,
        }
    }

    /// Takes the ids that stand in the file.
    fn claim_explicit(&mut self, groups: &[GroupDraft], findings: &mut Findings<'_>) {
        for draft in groups.iter().flat_map(|group| &group.rules) {
            let Some(id) = &draft.explicit_id else { continue };
            let is_new = self.taken(&draft.rule).insert(id.content.clone());
            let here = (findings.source.clone(), id.span.clone());
            let (source, span) = self.places.entry(id.content.clone()).or_insert(here);
            if !is_new {
                // Telling the column of each of many would take longer than reading the file.
                let first = if findings.is_full() { String::new() } else { place(source, span) };
                let message = format!("the id `{}` is given twice, first at {first}", id.content);
                findings
                    .error("duplicate-id", &id.span, message)
                    .advise("Open alerts are known by it: give each rule its own, or leave it out.");
            }
        }
    }

    /// Gives every rule of a group its id.
    fn name(&mut self, draft: GroupDraft) -> Group {
        let GroupDraft { mut group, rules } = draft;
        for RuleDraft { mut rule, explicit_id } in rules {
            let id = explicit_id.map_or_else(|| self.default_id(&group, &rule), |id| id.content);
            rule.id = Arc::from(id);
            group.rules.push(Arc::new(rule));
        }
        group
    }

    /// Group and alert, slugged; a repeat gets `-2`, `-3` and so on.
    fn default_id(&mut self, group: &Group, rule: &Rule) -> String {
        let base = slug(&format!("{} {}", group.name, rule.name));
        let kind = if matches!(rule.kind, RuleKind::Recording) { "record" } else { "alert" };
        let mut number = self.numbers.get(&format!("{kind} {base}")).copied().unwrap_or(1);
        let taken = self.taken(rule);
        let id = loop {
            let id = if number == 1 { base.clone() } else { format!("{base}-{number}") };
            number += 1;
            if taken.insert(id.clone()) {
                break id;
            }
        };
        self.numbers.insert(format!("{kind} {base}"), number);
        id
    }
}

/// Lower case, every run of other characters than letters and digits one dash.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
