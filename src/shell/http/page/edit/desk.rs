//! The rules as they lie on disk, one file of them as it stands in the editor: what is wrong with it, what may be
//! written in it, and what it would put in force. The loader and the language server's core say all of it.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::assist::outline::Outline;
use crate::engine::assist::{
    Completion, CompletionKind, Document, Fix, Knowledge, Name, NameKind, complete, declared, fixes,
};
use crate::engine::catalogue::{KnownMetrics, known_metrics};
use crate::engine::config::{CheckConfig, Config};
use crate::engine::diagnostic::{Diagnostic, Severity, Source};
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, Loaded, load};
use crate::engine::rules::{Costs, FILE_KEYS, RuleSet, Survey};
use crate::shell::rule_files::{paths_of, read_rules};

/// Completions of one place.
const COMPLETIONS_MAX: usize = 1_000;

/// The rules with one file as it stands in the editor.
pub(super) struct Desk {
    metrics: KnownMetrics,
    requirements: CheckConfig,
    /// As they lie on disk.
    on_disk: Vec<Source>,
    edited: Source,
}

/// What a check of the edited file came to.
#[derive(Debug)]
pub(super) struct Checked {
    /// What is wrong with the file, and what it newly breaks in others.
    pub(super) findings: Vec<Diagnostic>,
    /// The groups that it would put in force; none where it is refused.
    pub(super) set: Option<RuleSet>,
}

impl Desk {
    /// Reads the rules of a configuration, and puts a text in the place of one file.
    pub(super) fn of(config: &Config, name: &str, text: &str) -> Self {
        Self {
            metrics: known_metrics(config),
            requirements: config.check.clone(),
            on_disk: read_rules(&paths_of(config)).sources,
            edited: Source { name: Arc::from(name), text: Arc::from(text) },
        }
    }

    /// What is edited.
    pub(super) fn edited(&self) -> &Source {
        &self.edited
    }

    fn loaded(&self, sources: &[Source]) -> Loaded {
        let metrics = &self.metrics;
        load(sources, &LoadContext { interval: INTERVAL_DEFAULT, metrics, previous: None })
    }

    fn with_edit(&self) -> Vec<Source> {
        let or_edited =
            |source: &Source| if source.name == self.edited.name { &self.edited } else { source }.clone();
        self.on_disk.iter().map(or_edited).collect()
    }

    /// The groups of the file as it lies on disk; none where it is refused.
    pub(super) fn before(&self) -> Option<RuleSet> {
        let loaded = self.loaded(&self.on_disk);
        let is_bad =
            |found: &Diagnostic| found.severity == Severity::Error && found.source.name == self.edited.name;
        (!loaded.diagnostics.iter().any(is_bad)).then(|| self.own(&loaded))
    }

    fn own(&self, loaded: &Loaded) -> RuleSet {
        let groups = loaded.set.groups.iter().filter(|group| group.file == self.edited.name);
        RuleSet { groups: groups.cloned().collect() }
    }

    /// Checks the file as it stands in the editor, as `signalbox check` would.
    pub(super) fn check(&self) -> Checked {
        let loaded = self.loaded(&self.with_edit());
        let is_own = |found: &&Diagnostic| found.source.name == self.edited.name;
        let mut findings: Vec<Diagnostic> = loaded.diagnostics.iter().filter(is_own).cloned().collect();
        let survey = Survey::of(&loaded.set, (&self.requirements, &self.metrics), Costs::Estimated);
        findings.extend(survey.findings(&self.edited));
        let elsewhere = |found: &&Diagnostic| !is_own(found) && found.severity == Severity::Error;
        if loaded.diagnostics.iter().any(|found| elsewhere(&found)) {
            // What is broken already is no fault of the edit.
            let known: Vec<String> =
                self.loaded(&self.on_disk).diagnostics.iter().map(Diagnostic::summary).collect();
            let new =
                loaded.diagnostics.iter().filter(elsewhere).filter(|found| !known.contains(&found.summary()));
            findings.extend(new.cloned());
        }
        let is_refused = findings.iter().any(|found| found.severity == Severity::Error);
        let set = (!is_refused).then(|| self.own(&loaded));
        Checked { findings, set }
    }

    /// What may stand at a place of the file, counted as browsers do, as the editor takes it.
    pub(super) fn complete(&self, at: usize) -> Value {
        let text = self.edited.text.as_ref();
        let outline = Outline::of(text);
        let sources = self.with_edit();
        let names: Vec<Name> =
            sources.iter().flat_map(|source| declared(&source.text, &Outline::of(&source.text))).collect();
        let of_kind = |kind| {
            let mut names: Vec<String> =
                names.iter().filter(|name| name.kind == kind).map(|name| name.text.clone()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        let (recorded, alerts) = (of_kind(NameKind::Recorded), of_kind(NameKind::Alert));
        let knowledge =
            Knowledge { metrics: &self.metrics, recorded: &recorded, alerts: &alerts, query: None };
        let document = Document { text, outline: &outline, keys: FILE_KEYS };
        let found = complete(&document, byte_of(text, at), &knowledge);
        let Some(span) = found.first().map(|first| first.span.clone()) else { return json!({"options": []}) };
        let here = found.into_iter().filter(|completion| completion.span == span).take(COMPLETIONS_MAX);
        let (from, to) = units(text, &span);
        json!({"from": from, "to": to, "options": here.map(|completion| option(&completion)).collect::<Vec<Value>>()})
    }
}

fn option(completion: &Completion) -> Value {
    let kind = match completion.kind {
        CompletionKind::Key => "property",
        CompletionKind::Metric => "variable",
        CompletionKind::Function => "function",
        CompletionKind::Keyword => "keyword",
        CompletionKind::Label => "type",
        CompletionKind::Value => "constant",
    };
    json!({"label": completion.label, "type": kind, "detail": completion.detail, "info": completion.about,
        "apply": completion.insert})
}

impl Checked {
    /// The findings as the editor takes them; those of other files stand at the top.
    pub(super) fn diagnostics(&self, edited: &Source) -> Value {
        let outline = Outline::of(&edited.text);
        let shown = |found: &Diagnostic| {
            let is_own = found.source.name == edited.name;
            let (from, to) = if is_own { units(&edited.text, &found.span) } else { (0, 0) };
            let message = if is_own { found.message.clone() } else { found.summary() };
            let message = match &found.advice {
                Some(advice) => format!("{message}\n{advice}"),
                None => message,
            };
            let fixes = if is_own { fixes(found, &outline) } else { Vec::new() };
            let fix = |fix: Fix| {
                let (from, to) = units(&edited.text, &fix.span);
                json!({"name": fix.title, "from": from, "to": to, "insert": fix.text})
            };
            json!({"from": from, "to": to, "severity": found.severity.name(), "source": found.code,
                "message": message, "fixes": fixes.into_iter().map(fix).collect::<Vec<Value>>()})
        };
        json!({"diagnostics": self.findings.iter().map(shown).collect::<Vec<Value>>()})
    }
}

/// A span of bytes as browsers count: in units of UTF-16.
fn units(text: &str, span: &Range<usize>) -> (usize, usize) {
    let count = |part: Option<&str>| part.unwrap_or_default().encode_utf16().count();
    let from = count(text.get(..span.start));
    (from, from + count(text.get(span.start..span.end.max(span.start))))
}

/// The byte of a place that browsers count; the end of the text where there is none.
fn byte_of(text: &str, at: usize) -> usize {
    let mut left = at;
    for (byte, letter) in text.char_indices() {
        if left < letter.len_utf16() {
            return byte;
        }
        left -= letter.len_utf16();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "groups:\n  - name: 'é𝄞'\n    rules:\n      - alert: A\n        expr: sum(queue_dept)\n";

    fn desk(text: &str, others: &[(&str, &str)]) -> Desk {
        let source = |(name, text): &(&str, &str)| Source { name: Arc::from(*name), text: Arc::from(*text) };
        let config = Config::with_defaults("test");
        let mut desk = Desk::of(&Config { rules: Some(Vec::new()), ..config }, "a.yaml", text);
        desk.on_disk = others.iter().map(source).collect();
        desk
    }

    #[test]
    fn findings_stand_where_browsers_count_and_bring_their_edits() {
        let desk = desk(TEXT, &[("a.yaml", "groups: []\n")]);
        let checked = desk.check();
        assert!(checked.set.is_some(), "warnings refuse nothing: {checked:?}");
        let found = checked.diagnostics(desk.edited());
        let named = |code: &str| {
            let list = found["diagnostics"].as_array().unwrap();
            list.iter().find(|found| found["source"] == code).unwrap_or_else(|| panic!("{list:?}")).clone()
        };
        let unknown = named("unknown-metric");
        let place = |key: &str| unknown[key].as_u64().unwrap() as usize;
        let units: Vec<u16> = TEXT.encode_utf16().collect();
        assert_eq!(String::from_utf16(&units[place("from")..place("to")]).unwrap(), "queue_dept");
        assert_eq!(unknown["severity"], "warning");
        assert_eq!(unknown["fixes"][0]["insert"], "queue_depth");
    }

    #[test]
    fn an_edit_that_breaks_another_file_is_refused_and_what_was_broken_before_is_not_held_against_it() {
        let rule = "groups: [{name: g, rules: [{alert: A, id: one, expr: up == 0}]}]\n";
        let other = rule.replace("name: g", "name: h");
        let checked = desk(rule, &[("a.yaml", "groups: []\n"), ("b.yaml", &other)]).check();
        assert!(checked.set.is_none() && checked.findings.len() == 1, "{checked:?}");
        let checked = desk(rule, &[("a.yaml", "groups: []\n"), ("b.yaml", "groups: [")]).check();
        assert!(checked.set.is_some_and(|set| set.groups.len() == 1));
        let checked = desk("groups: [", &[("a.yaml", rule)]).check();
        assert!(checked.set.is_none());
    }

    #[test]
    fn a_rule_that_one_part_cannot_tell_is_named_as_check_names_it() {
        let text = "partition: {count: 4, index: 1}\nrules: []\n";
        let (config, found) = Config::parse(&Source { name: Arc::from("c.yaml"), text: Arc::from(text) });
        let config = config.unwrap_or_else(|| panic!("{found:?}"));
        let rule = "groups: [{name: g, rules: [{alert: A, expr: sum(queue_depth) > 9}]}]\n";
        let mut desk = Desk::of(&config, "a.yaml", rule);
        desk.on_disk = vec![desk.edited.clone()];
        let found = desk.check().findings;
        assert!(found.iter().any(|found| found.code == "spanning-rule"), "{found:?}");
    }

    #[test]
    fn completions_know_what_other_files_record() {
        let other = "groups: [{name: g, rules: [{record: queue:depth:sum, expr: sum(queue_depth)}]}]\n";
        let text = "groups:\n  - name: '𝄞'\n    rules:\n      - alert: A\n        expr: sum(queue:d)\n";
        let desk = desk(text, &[("a.yaml", ""), ("b.yaml", other)]);
        let units = text.encode_utf16().count();
        let found = desk.complete(units - 2);
        assert_eq!((&found["from"], &found["to"]), (&json!(units - 9), &json!(units - 2)));
        let labels: Vec<&str> =
            found["options"].as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap()).collect();
        assert!(labels.contains(&"queue:depth:sum") && labels.contains(&"queue_depth"), "{labels:?}");
    }
}
