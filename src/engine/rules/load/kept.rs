//! Rules as they were last read, so that a file that is loaded at every keystroke costs what was typed.
//!
//! A rule is what its lines say, in the light of its group and of the metrics; where it stands only moves what was found.
//! What its lines alone do not settle is read each time: aliases, and findings that stand elsewhere.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::RuleDraft;
use super::rule::{self, Surroundings};
use crate::engine::diagnostic::{Diagnostic, Severity};
use crate::engine::yaml::{Findings, KeptPieces, Node};

/// What rules were read to, for one set of known metrics.
#[derive(Debug, Default)]
pub(crate) struct KeptRules {
    /// The groups as YAML.
    pub(super) pieces: KeptPieces,
    /// Those of the last load.
    before: HashMap<Written, Vec<ReadRule>>,
    /// Those of the load that is under way.
    now: HashMap<Written, Vec<ReadRule>>,
}

/// Everything a rule is read from but the metrics.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Written {
    /// Its lines.
    lines: Arc<str>,
    interval: Duration,
    /// The labels of its group.
    labels: Vec<(String, String)>,
}

/// What a rule was read to.
#[derive(Debug)]
struct ReadRule {
    /// Where its lines began.
    start: usize,
    draft: Option<RuleDraft>,
    found: Vec<Diagnostic>,
    later: Vec<(String, Range<usize>)>,
}

impl KeptRules {
    /// Reads a rule, or says again what reading it said.
    pub(super) fn read(
        &mut self,
        node: &Node,
        around: Surroundings<'_>,
        findings: &mut Findings<'_>,
    ) -> Option<RuleDraft> {
        let Some(lines) = lines(node, findings) else { return rule::read(node, around, findings) };
        let text = findings.source.text.get(lines.clone()).unwrap_or_default();
        let labels = around.labels.iter().map(|(name, value)| (name.content.clone(), value.content.clone()));
        let written = Written { lines: Arc::from(text), interval: around.interval, labels: labels.collect() };
        if let Some(read) = self.before.get_mut(&written).and_then(Vec::pop) {
            let (draft, read) = read.again(lines.start, findings);
            self.now.entry(written).or_default().push(read);
            return draft;
        }
        let (found, listed, later) = (findings.found, findings.list.len(), findings.later.len());
        let draft = rule::read(node, around, findings);
        let (news, later) = (findings.list.get(listed..), findings.later.get(later..));
        let read = ReadRule {
            start: lines.start,
            draft: draft.clone(),
            found: news.unwrap_or_default().to_vec(),
            later: later.unwrap_or_default().to_vec(),
        };
        if read.found.len() == findings.found - found && read.stands_in(&lines) {
            self.now.entry(written).or_default().push(read);
        }
        draft
    }

    /// A load has read every rule.
    pub(super) fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
        self.pieces.turn();
    }
}

impl ReadRule {
    /// Whether everything that was found of it stands in its own lines.
    fn stands_in(&self, lines: &Range<usize>) -> bool {
        let spans = self.found.iter().map(|found| &found.span).chain(self.later.iter().map(|(_, span)| span));
        spans.into_iter().all(|span| lines.start <= span.start && span.end <= lines.end)
    }

    /// Says the same of lines that begin elsewhere.
    fn again(mut self, start: usize, findings: &mut Findings<'_>) -> (Option<RuleDraft>, Self) {
        let before = self.start;
        let move_by = |span: &Range<usize>| (span.start - before + start)..(span.end - before + start);
        for found in &mut self.found {
            found.span = move_by(&found.span);
            let advice = match found.severity {
                Severity::Error => findings.error(found.code, &found.span, found.message.as_str()),
                Severity::Warning => findings.warning(found.code, &found.span, found.message.as_str()),
            };
            if let Some(words) = &found.advice {
                advice.advise(words.as_str());
            }
        }
        for (_, span) in &mut self.later {
            *span = move_by(span);
        }
        findings.later.extend(self.later.iter().cloned());
        self.draft = self.draft.map(|mut draft| {
            let written = &mut draft.rule.written;
            written.name = move_by(&written.name);
            (written.line, _) = findings.line(start);
            draft.explicit_id = draft.explicit_id.map(|id| id.moved(move_by));
            draft
        });
        self.start = start;
        (self.draft.clone(), self)
    }
}

/// The whole lines of a rule; none where they do not say everything about it.
fn lines(node: &Node, findings: &Findings<'_>) -> Option<Range<usize>> {
    let text = findings.source.text.as_ref();
    let (_, start) = findings.line(node.span.start);
    let rest = text.get(node.span.end..)?;
    let end = node.span.end + rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    let bytes = text.as_bytes().get(start..end)?;
    let may_be_alias = bytes.windows(3).any(|three| {
        let [before, star, after] = three else { return false };
        let begins = before.is_ascii_whitespace() || matches!(before, b'[' | b'{' | b',');
        *star == b'*' && begins && !after.is_ascii_whitespace()
    });
    // Of a block that keeps the empty lines behind it some stand behind the rule.
    let keeps_lines = text.get(start..end)?.lines().any(|line| line.trim_end().ends_with('+'));
    (!may_be_alias && !keeps_lines).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::catalogue::known_metrics;
    use crate::engine::config::Config;
    use crate::engine::diagnostic::Source;
    use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load, load_again};

    const TEXTS: [&str; 3] = [
        include_str!("../../../../rules/queue.yaml"),
        include_str!("../../../../rules/database.yaml"),
        concat!(
            "groups:\n- name: a\n  labels: {team: \"{{ $labels.x }\"}\n  rules:\n",
            "  - &one {alert: A, expr: nope > 1, labels: {severity: info}}\n  - *one\n",
            "  - alert: B\n    id: b\n    expr: |+\n      queue-depth *2\n\n\n    above: 1\n",
            "  - record: é:b\n    expr: sum(queue_depth) # why\n- name: b\n  interval: 1m\n  rules:\n",
            "  - alert: B\n    metric: queue_dept\n    above: x\n    annotations: {summary: \"{{ nope }}\"}\n",
        ),
    ];

    /// What is put into a text.
    const WORDS: [&str; 14] = [
        "\n",
        " ",
        "x",
        "é",
        "\"",
        "  - alert: C\n    expr: up == 0\n",
        "# signalbox disable unknown-metric: why\n",
        "}",
        ": ",
        "*one",
        "    for: 5m\n",
        "- name: c\n",
        "\r\n",
        "+",
    ];

    /// What somebody does to a text: from where on so many bytes go, and what comes there.
    fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, usize)>> {
        let removed = prop_oneof![3 => Just(0_usize), 2 => 1..4_usize, 1 => 4..400_usize];
        prop::collection::vec((any::<prop::sample::Index>(), removed, 0..WORDS.len()), 1..12)
    }

    fn edit(text: &mut String, (at, removed, word): &(prop::sample::Index, usize, usize)) {
        let at = text.floor_char_boundary(at.index(text.len() + 1));
        let end = text.floor_char_boundary((at + removed).min(text.len())).max(at);
        text.replace_range(at..end, WORDS[*word]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn loading_again_says_what_loading_says(start in 0..TEXTS.len(), edits in edits()) {
            let metrics = known_metrics(&Config::default());
            let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
            let mut kept = KeptRules::default();
            let mut text = TEXTS[start].to_owned();
            let other = Source { name: Arc::from("other.yaml"), text: Arc::from(TEXTS[0]) };
            for one in &edits {
                let source = Source { name: Arc::from("rules.yaml"), text: Arc::from(text.as_str()) };
                let sources = [source, other.clone()];
                let (again, anew) = (load_again(&sources, &context, &mut kept), load(&sources, &context));
                prop_assert_eq!(format!("{:#?}", again), format!("{:#?}", anew));
                edit(&mut text, one);
            }
        }
    }

    #[test]
    fn rules_that_stand_as_they_stood_are_not_read_again() {
        let metrics = known_metrics(&Config::default());
        let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
        let mut kept = KeptRules::default();
        let mut queries = |text: &str| -> Vec<Arc<str>> {
            let source = Source { name: Arc::from("rules.yaml"), text: Arc::from(text) };
            let set = load_again(&[source], &context, &mut kept).set;
            set.groups.iter().flat_map(|group| &group.rules).map(|rule| Arc::clone(&rule.query)).collect()
        };
        let before = queries(TEXTS[0]);
        let after = queries(&format!("# more\n{}", TEXTS[0].replacen("above: ", "above: 1", 1)));
        let same = before.iter().zip(&after).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert!(before.len() > 2 && same == before.len() - 1, "{same} of {}", before.len());
    }
}
