//! Reads the groups of a file.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::rule::{self, Surroundings};
use super::{GroupDraft, Reading, hints};
use crate::engine::config::Evaluate;
use crate::engine::labels::METRIC_NAME;
use crate::engine::rules::set::Group;
use crate::engine::yaml::{Fields, Findings, Text};
use crate::engine::yaml::{Node, Notation, Value};

/// The keys it may have.
pub(crate) const KEYS: [&str; 7] =
    ["name", "interval", "evaluate", "limit", "query_offset", "labels", "rules"];

/// Every group of a document.
pub(super) fn read_all(
    root: &Node,
    findings: &mut Findings<'_>,
    reading: &mut Reading<'_>,
) -> Vec<GroupDraft> {
    if root.is_null() {
        return Vec::new();
    }
    if matches!(root.value, Value::Sequence(_)) {
        findings
            .error(
                "wrong-type",
                &root.span,
                format!("a rule file must be a mapping, here is {}", root.kind()),
            )
            .advise("It begins with `groups:`; what stands here belongs below.");
        return Vec::new();
    }
    let fields = findings.fields_with(root, "a rule file", &["groups"], hints::of_file);
    let Some(groups) = fields.get("groups") else { return Vec::new() };
    let mut names = BTreeMap::new();
    let mut drafts = Vec::new();
    for node in findings.items(groups, "`groups`").iter().filter(|node| !node.is_null()) {
        if let Some(draft) = read(node, &mut names, findings, reading) {
            drafts.push(draft);
        }
    }
    drafts
}

fn read(
    node: &Node,
    names: &mut BTreeMap<String, usize>,
    findings: &mut Findings<'_>,
    reading: &mut Reading<'_>,
) -> Option<GroupDraft> {
    let fields = findings.fields_with(node, "a group", &KEYS, hints::of_group);
    let name = name(&fields, names, findings);
    let interval = interval(&fields, findings, reading.context.interval);
    let evaluate = fields.get("evaluate").and_then(|node| evaluate(node, findings));
    let limit = fields.get("limit").and_then(|node| limit(node, findings));
    let query_offset = fields.get("query_offset").and_then(|node| findings.duration(node, "`query_offset`"));
    let labels = fields.get("labels").map(|node| findings.texts(node, "`labels`")).unwrap_or_default();
    check_labels(&labels, findings);
    let surroundings = Surroundings { labels: &labels, interval, metrics: reading.context.metrics };
    let mut rules = Vec::new();
    if let Some(node) = fields.get("rules") {
        for node in findings.items(node, "`rules`").iter().filter(|node| !node.is_null()) {
            rules.extend(match &mut reading.kept {
                Some(kept) => kept.read(node, surroundings, findings),
                None => rule::read(node, surroundings, findings),
            });
        }
    }
    let group = Group {
        file: findings.source.name.clone(),
        name: Arc::from(name?),
        interval,
        evaluate,
        limit,
        query_offset: query_offset.unwrap_or_default(),
        rules: Vec::new(),
    };
    Some(GroupDraft { group, rules })
}

fn name(
    fields: &Fields<'_>,
    names: &mut BTreeMap<String, usize>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let Some(node) = fields.get("name") else {
        findings.error("missing-key", &fields.span, "a group needs a `name`");
        return None;
    };
    let name = findings.text(node, "`name`")?.to_owned();
    if name.is_empty() {
        findings.error("missing-key", &node.span, "a group needs a `name`");
        return None;
    }
    let first = *names.entry(name.clone()).or_insert(node.span.start);
    if first != node.span.start {
        let (first, _) = findings.line(first);
        let message = format!("the group `{name}` stands twice in this file, first in line {first}");
        findings
            .error("repeated-group", &node.span, message)
            .advise("Rename one of the two, or put their rules together.");
    }
    Some(name)
}

fn interval(fields: &Fields<'_>, findings: &mut Findings<'_>, default: Duration) -> Duration {
    let Some(node) = fields.get("interval") else { return default };
    let interval = findings.duration(node, "`interval`").unwrap_or(default);
    // Prometheus takes an interval of 0 for its default.
    if interval.is_zero() { default } else { interval }
}

fn evaluate(node: &Node, findings: &mut Findings<'_>) -> Option<Evaluate> {
    match findings.text(node, "`evaluate`")? {
        "arrival" => Some(Evaluate::Arrival),
        "interval" => Some(Evaluate::Interval),
        other => {
            findings
                .error("unknown-word", &node.span, format!("`evaluate` cannot be `{other}`"))
                .advise("Write `interval`, or `arrival` to evaluate also when an event moves a series.");
            None
        }
    }
}

/// A whole number in any notation of YAML; 0 and less is no limit, as in Prometheus.
fn limit(node: &Node, findings: &mut Findings<'_>) -> Option<NonZeroUsize> {
    let scalar = node.scalar().filter(|scalar| scalar.style == Notation::Plain);
    if let Some(limit) = scalar.and_then(|scalar| whole_number(&scalar.text)) {
        return usize::try_from(limit).ok().and_then(NonZeroUsize::new);
    }
    findings.error("wrong-type", &node.span, "`limit` must be a whole number").advise("0 is no limit.");
    None
}

fn whole_number(text: &str) -> Option<i64> {
    let text = text.replace('_', "");
    let in_base = |prefix: &str, base| {
        text.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, base).ok())
    };
    let decimal = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    in_base("0x", 16)
        .or_else(|| in_base("0o", 8))
        .or_else(|| in_base("0b", 2))
        .or(decimal.map(|number| number as i64))
}

/// Names of labels, as Prometheus checks them.
pub(super) fn check_labels(labels: &[(Text, Text)], findings: &mut Findings<'_>) {
    for (name, _) in labels {
        if name.content.is_empty() || name.content == METRIC_NAME {
            let message = format!("`{}` cannot be the name of a label here", name.content);
            findings.error("label-name", &name.span, message);
        } else if !is_plain_label(&name.content) {
            findings
                .warning(
                    "label-name",
                    &name.span,
                    format!("the label name `{}` is not `[a-zA-Z_][a-zA-Z0-9_]*`", name.content),
                )
                .advise("Prometheus before 3.0 refuses it: write letters, digits and underscores.");
        }
    }
}

/// Whether a name is one that every Prometheus takes.
pub(super) fn is_plain_label(name: &str) -> bool {
    let mut characters = name.bytes();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && characters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a metric name can stand outside braces in PromQL.
pub(crate) fn is_plain_metric(name: &str) -> bool {
    let mut characters = name.bytes();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'_' | b':'))
        && characters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}
