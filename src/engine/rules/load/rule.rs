//! Reads one rule.

use std::sync::Arc;
use std::time::Duration;

use super::condition::{self, Policies};
use super::group::{check_labels, is_plain_label, is_plain_metric};
use super::stat;
use super::{RuleDraft, filter, hints};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::duration::parse_duration;
use crate::engine::promql::inspect::{self, selectors};
use crate::engine::promql::{self, Expr};
use crate::engine::rules::checks::{self, Subject, Written};
use crate::engine::rules::set::{Alerting, NoData, RefusedKind, Rule, RuleKind, WrittenRule};
use crate::engine::rules::template::Template;
use crate::engine::yaml::{Fields, Findings, Text};
use crate::engine::yaml::{Node, Value};

/// The keys it may have.
pub(crate) const KEYS: [&str; 20] = [
    "record",
    "alert",
    "id",
    "expr",
    "metric",
    "stat",
    "window",
    "where",
    "by",
    "above",
    "below",
    "clear_below",
    "clear_above",
    "severities",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
    "overrides",
    "no_data",
];

/// Keys that only an alert has.
const ALERT_KEYS: [&str; 10] = [
    "above",
    "below",
    "clear_below",
    "clear_above",
    "severities",
    "for",
    "keep_firing_for",
    "annotations",
    "overrides",
    "no_data",
];

/// Keys whose change makes a rule another one, `labels` of the group included.
const ESSENTIAL_KEYS: [&str; 14] = [
    "alert",
    "record",
    "expr",
    "metric",
    "stat",
    "window",
    "where",
    "by",
    "above",
    "below",
    "clear_below",
    "clear_above",
    "severities",
    "overrides",
];

/// What of its group a rule needs.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The labels of the group.
    pub(super) labels: &'a [(Text, Text)],
    pub(super) interval: Duration,
    pub(super) metrics: &'a KnownMetrics,
}

/// An expression and where it stands.
pub(super) struct Query {
    pub(super) expr: Expr,
    /// Where its bytes stand in the file.
    pub(super) written: Written,
    /// The kinds that its metric must not turn out to be.
    pub(super) refused: Vec<RefusedKind>,
}

/// Reads a rule; none where it cannot stand, which the findings tell.
pub(super) fn read(node: &Node, around: Surroundings<'_>, findings: &mut Findings<'_>) -> Option<RuleDraft> {
    let fields = findings.fields_with(node, "a rule", &KEYS, hints::of_rule);
    let kind = kind(&fields, findings);
    let mut query = query(&fields, around.metrics, findings);
    if let Some(query) = &mut query {
        promql::number_twins(&mut query.expr);
    }
    let own_labels = fields.get("labels").map(|node| findings.texts(node, "`labels`")).unwrap_or_default();
    check_labels(&own_labels, findings);
    let explicit_id = fields.get("id").and_then(|node| id(node, findings));
    let alerting = match &kind {
        Some((RuleWord::Record, _)) => {
            refuse_alert_keys(&fields, findings);
            None
        }
        Some((RuleWord::Alert, _)) | None => alerting(&fields, query.as_ref(), findings)
            .map(|alerting| exposed_overrides(alerting, query.as_ref(), around.metrics)),
    };
    let (word, name) = kind?;
    let labels = labels(word, around.labels, &own_labels, findings);
    let query = query?;
    let kind = match word {
        RuleWord::Record => RuleKind::Recording,
        RuleWord::Alert => RuleKind::Alerting(Box::new(alerting?)),
    };
    let rule = Rule {
        id: Arc::from(""),
        name: Arc::from(name.content.as_str()),
        selectors: selectors(&query.expr).into_iter().map(|found| found.vector.matchers.clone()).collect(),
        query: Arc::from(query.expr.to_string()),
        expr: query.expr,
        refused: query.refused,
        essence: Arc::from(essence(&fields, &labels)),
        labels,
        written: as_written(node, &name, findings),
        kind,
    };
    let subject = Subject {
        rule: &rule,
        fields: &fields,
        written: &query.written,
        interval: around.interval,
        metrics: around.metrics,
    };
    checks::run(&subject, findings);
    Some(RuleDraft { rule, explicit_id })
}

/// Of a rule over a `metric`, overrides for the labels as they are exposed: events may carry them under other names.
fn exposed_overrides(mut alerting: Alerting, query: Option<&Query>, metrics: &KnownMetrics) -> Alerting {
    if query.is_some_and(|query| matches!(query.written, Written::Metric { .. })) {
        for (label, _) in alerting.overrides.iter_mut().flat_map(|one| &mut one.wanted) {
            *label = Arc::from(metrics.named_label(label));
        }
    }
    alerting
}

/// Bytes of a rule's text that are kept.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// The lines of a rule, without the indentation they share.
fn as_written(node: &Node, name: &Text, findings: &Findings<'_>) -> WrittenRule {
    let source = findings.source;
    let text = source.text.as_ref();
    let (line, start) = findings.line(node.span.start);
    let lines = text.get(start..node.span.end).unwrap_or_default().trim_end();
    let lines = lines.get(..lines.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default();
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let shared = lines.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let kept: Vec<&str> = lines.lines().map(|line| line.get(shared..).unwrap_or_default()).collect();
    WrittenRule { line, name: name.span.clone(), text: Arc::from(kept.join("\n")) }
}

#[derive(Clone, Copy)]
enum RuleWord {
    Record,
    Alert,
}

fn kind(fields: &Fields<'_>, findings: &mut Findings<'_>) -> Option<(RuleWord, Text)> {
    let (word, what, node) = match (fields.get("record"), fields.get("alert")) {
        (Some(_), Some(_)) => {
            let span = fields.key("alert").map_or(fields.span.clone(), |key| key.span.clone());
            findings
                .error("record-and-alert", &span, "a rule has either `record` or `alert`")
                .advise("Make two rules of it.");
            return None;
        }
        (None, None) => {
            findings
                .error("missing-key", &fields.span, "a rule needs `alert` or `record`")
                .advise("`alert: Name` raises alerts, `record: name` stores the result.");
            return None;
        }
        (Some(node), None) => (RuleWord::Record, "`record`", node),
        (None, Some(node)) => (RuleWord::Alert, "`alert`", node),
    };
    let text = findings.text(node, what)?;
    let name = Text::new(node.scalar()?, &node.span);
    if text.is_empty() {
        findings.error("missing-key", &node.span, format!("{what} needs a name"));
        return None;
    }
    if matches!(word, RuleWord::Record) && text.contains(['{', '}']) {
        findings
            .error("metric-name", &node.span, format!("`{text}` cannot be the name of a metric"))
            .advise("Labels belong under `labels`, a selection into `expr`.");
    } else if matches!(word, RuleWord::Record) && !is_plain_metric(text) {
        findings
            .warning(
                "metric-name",
                &node.span,
                format!("the name `{text}` is not `[a-zA-Z_:][a-zA-Z0-9_:]*`"),
            )
            .advise("Prometheus before 3.0 refuses it: write letters, digits, underscores and colons.");
    }
    Some((word, name))
}

fn query(fields: &Fields<'_>, metrics: &KnownMetrics, findings: &mut Findings<'_>) -> Option<Query> {
    match (fields.get("expr"), fields.get("metric")) {
        (Some(_), Some(metric)) => {
            findings
                .error("expr-and-metric", &metric.span, "a rule has either `expr` or `metric`")
                .advise("Keep `expr` for PromQL, or `metric` with `stat` and `window`.");
            None
        }
        (None, None) => {
            let message = match fields.get("record") {
                Some(_) => "a rule needs `expr`",
                None => "a rule needs `expr`, or `metric` with a threshold",
            };
            findings.error("missing-key", &fields.span, message);
            None
        }
        (Some(node), None) => {
            stat::refuse_keys(fields, findings);
            expression(node, findings)
        }
        (None, Some(node)) => stat::compile(node, fields, metrics, findings),
    }
}

fn expression(node: &Node, findings: &mut Findings<'_>) -> Option<Query> {
    let text = findings.text(node, "`expr`")?.to_owned();
    let place = Text::new(node.scalar()?, &node.span);
    match promql::parse(&text) {
        Ok(expr) => {
            let written = Written::Expression { place, file: findings.source.text.clone() };
            Some(Query { expr, written, refused: Vec::new() })
        }
        Err(error) => {
            let span = place.place(&findings.source.text, &error.span);
            let advice = findings.error("promql", &span, error.message);
            if let Some(words) = error.advice {
                advice.advise(words);
            }
            None
        }
    }
}

fn id(node: &Node, findings: &mut Findings<'_>) -> Option<Text> {
    let text = findings.text(node, "`id`")?;
    if text.is_empty() || text.len() > 256 {
        findings.error("id", &node.span, "`id` must have 1 to 256 bytes");
        return None;
    }
    Some(Text::new(node.scalar()?, &node.span))
}

fn refuse_alert_keys(fields: &Fields<'_>, findings: &mut Findings<'_>) {
    let given = ALERT_KEYS.iter().filter(|name| !fields.get(name).is_some_and(is_zero));
    for key in given.filter_map(|name| fields.key(name)) {
        let name = key.scalar().map_or("", |scalar| scalar.text.as_str());
        findings.error("not-in-recording", &key.span, format!("a recording rule has no `{name}`"));
    }
}

/// Whether a value is what Go takes for not given: an empty mapping, a duration of 0.
fn is_zero(node: &Node) -> bool {
    match &node.value {
        Value::Scalar(scalar) => parse_duration(&scalar.text).is_ok_and(|span| span.is_zero()),
        Value::Sequence(items) => items.is_empty(),
        Value::Mapping(entries) => entries.is_empty(),
    }
}

fn alerting(fields: &Fields<'_>, query: Option<&Query>, findings: &mut Findings<'_>) -> Option<Alerting> {
    let own = query.and_then(|query| {
        inspect::comparison(&query.expr).map(|binary| query.written.place(&binary.op_span))
    });
    let from_metric = fields.get("metric").is_some();
    let policies =
        condition::read(fields, &condition::Expression { own_comparison: own, from_metric }, findings);
    let keep_firing_for =
        fields.get("keep_firing_for").and_then(|node| findings.duration(node, "`keep_firing_for`"));
    let no_data = fields.get("no_data").map_or(Some(NoData::Ok), |node| no_data(node, findings));
    let annotations =
        fields.get("annotations").map(|node| findings.texts(node, "`annotations`")).unwrap_or_default();
    let annotations = annotations
        .iter()
        .filter_map(|(name, text)| {
            if !is_plain_label(&name.content) && name.content.is_empty() {
                findings.error("label-name", &name.span, "an annotation needs a name");
            }
            Some((Arc::from(name.content.as_str()), template(text, findings)?))
        })
        .collect();
    // What has no policy was found wrong, so the file is refused; the checks still have a rule to look at.
    let Policies { policy, overrides } = policies.unwrap_or_default();
    let query = query?;
    let metric = match fields.get("metric").and_then(Node::scalar) {
        Some(metric) => Some(Arc::from(metric.text.trim())),
        None => selectors(&query.expr)
            .first()
            .and_then(|found| inspect::literal_name(found.vector).map(Arc::from)),
    };
    Some(Alerting {
        annotations: sorted(annotations),
        keep_firing_for: keep_firing_for.unwrap_or_default(),
        no_data: no_data.unwrap_or(NoData::Ok),
        metric: metric.unwrap_or_else(|| Arc::from("")),
        data: filter::data(&query.expr),
        policy,
        overrides,
    })
}

fn no_data(node: &Node, findings: &mut Findings<'_>) -> Option<NoData> {
    match findings.text(node, "`no_data`")? {
        "ok" => Some(NoData::Ok),
        "alert" => Some(NoData::Alert),
        "keep" => Some(NoData::Keep),
        other => {
            findings
                .error("unknown-word", &node.span, format!("`no_data` cannot be `{other}`"))
                .advise("Write `ok` (the alert clears), `alert` (it fires) or `keep` (it stays as it is).");
            None
        }
    }
}

/// The group's labels and the rule's own, which win; sorted by name.
fn labels(
    word: RuleWord,
    group: &[(Text, Text)],
    own: &[(Text, Text)],
    findings: &mut Findings<'_>,
) -> Vec<(Arc<str>, Template)> {
    let inherited =
        group.iter().filter(|(name, _)| own.iter().all(|(other, _)| other.content != name.content));
    let labels = inherited
        .chain(own)
        .filter_map(|(name, text)| {
            let template = match word {
                RuleWord::Record => Template::literal(&text.content),
                RuleWord::Alert => template(text, findings)?,
            };
            Some((Arc::from(name.content.as_str()), template))
        })
        .collect();
    sorted(labels)
}

fn sorted(mut texts: Vec<(Arc<str>, Template)>) -> Vec<(Arc<str>, Template)> {
    texts.sort_by(|left, right| left.0.cmp(&right.0));
    texts
}

fn template(text: &Text, findings: &mut Findings<'_>) -> Option<Template> {
    match Template::parse(&text.content) {
        Ok(template) => Some(template),
        Err(problem) => {
            let span = text.place(&findings.source.text, &problem.span);
            let advice = problem.advice().unwrap_or_else(|| {
                "Templates are Go's, as in Prometheus: `{{ $labels.queue }}`, `{{ $value | humanize }}`."
                    .to_owned()
            });
            findings.error("template", &span, format!("not a template: {problem}")).advise(advice);
            None
        }
    }
}

/// Everything that makes a rule this rule, as one text.
fn essence(fields: &Fields<'_>, labels: &[(Arc<str>, Template)]) -> String {
    let mut text = String::new();
    for name in ESSENTIAL_KEYS {
        if let Some(node) = fields.get(name) {
            text.push_str(name);
            canonical(node, &mut text);
        }
    }
    text.extend(["labels".to_owned(), format!("{labels:?}")]);
    text
}

/// A node without its notation: keys sorted, texts trimmed and quoted.
fn canonical(node: &Node, text: &mut String) {
    match &node.value {
        Value::Scalar(scalar) => text.extend([format!("{:?}", scalar.text.trim())]),
        Value::Sequence(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Mapping(entries) => {
            let mut parts: Vec<String> = entries
                .iter()
                .map(|(key, value)| {
                    let mut part = String::new();
                    canonical(key, &mut part);
                    canonical(value, &mut part);
                    part
                })
                .collect();
            parts.sort();
            text.extend(["{", parts.join(",").as_str(), "}"]);
        }
    }
}
