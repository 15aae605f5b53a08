//! Prometheus' JSON, for the HTTP API and the commands: results of queries, rules and alerts, numbers as Go writes them.

mod numbers;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::engine::exposition::push_seconds;
use crate::engine::labels::Labels;
use crate::engine::promql::storage::Matcher;
use crate::engine::promql::{EvalOutcome, QueryValue, Sample, SelectedSeries, Value as SampleValue};
use crate::engine::rules::view::{AlertView, AlertingState, GroupView, Health, KindView, RuleView};
use crate::engine::time::Timestamp;

use numbers::{exponential, push_float, scalar};
pub(crate) use numbers::{float, seconds};

/// The instant Go writes for one that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `{"status":"success","data":…}`, with what the evaluation has to say, as one text.
pub(crate) fn outcome(outcome: &EvalOutcome, at: Timestamp) -> String {
    let mut text = Vec::new();
    // Writing into a vector does not fail.
    let _ = write_outcome(outcome, at, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// The same, written as it is worked out: an answer may be long.
///
/// # Errors
/// What `out` refuses.
pub(crate) fn write_outcome(outcome: &EvalOutcome, at: Timestamp, out: &mut impl Write) -> io::Result<()> {
    write_answer(outcome, at, None, out)
}

/// What a query cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryStats {
    /// How long it waited for a thread.
    pub(crate) waited: Duration,
    /// How long its evaluation took.
    pub(crate) evaluated: Duration,
    /// How many samples it held and showed to functions.
    pub(crate) samples: usize,
}

impl QueryStats {
    fn to_json(self) -> Value {
        let (waited, evaluated) = (self.waited.as_secs_f64(), self.evaluated.as_secs_f64());
        json!({
            "timings": {
                "evalTotalTime": evaluated,
                "resultSortTime": 0,
                "queryPreparationTime": 0,
                "innerEvalTime": evaluated,
                "execQueueTime": waited,
                "execTotalTime": waited + evaluated,
            },
            "samples": { "totalQueryableSamples": self.samples, "peakSamples": self.samples },
        })
    }
}

/// The same, with what it cost where that is asked for.
///
/// # Errors
/// What `out` refuses.
pub(crate) fn write_answer(
    outcome: &EvalOutcome,
    at: Timestamp,
    stats: Option<QueryStats>,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(b"{\"data\":{\"result\":")?;
    let kind = match &outcome.value {
        QueryValue::Scalar(number) => {
            write!(out, "[{},\"{}\"]", seconds(at.millis()), scalar(*number))?;
            "scalar"
        }
        QueryValue::String(text) => {
            serde_json::to_writer(&mut *out, &json!([seconds(at.millis()), text]))?;
            "string"
        }
        QueryValue::Vector(samples) => {
            write_list(out, samples, |pieces, (set, value)| {
                push_element(set, (at.millis(), value), &mut pieces.text)
            })?;
            "vector"
        }
        QueryValue::Matrix(series) => {
            write_list(out, series, |pieces, series| write_series(series, pieces))?;
            "matrix"
        }
    };
    write!(out, ",\"resultType\":\"{kind}\"")?;
    if let Some(stats) = stats {
        write!(out, ",\"stats\":{}", stats.to_json())?;
    }
    out.write_all(b"}")?;
    if !outcome.infos.is_empty() {
        write!(out, ",\"infos\":{}", json!(outcome.infos))?;
    }
    out.write_all(b",\"status\":\"success\"")?;
    if !outcome.warnings.is_empty() {
        write!(out, ",\"warnings\":{}", json!(outcome.warnings))?;
    }
    out.write_all(b"}")
}

/// Bytes of an answer that are handed on together.
const PIECE_BYTES: usize = 16 << 10;

/// What of an answer was not handed on yet.
struct Pieces<'a, W> {
    out: &'a mut W,
    text: Vec<u8>,
}

impl<W: Write> Pieces<'_, W> {
    /// Hands on what there is, where that is enough for a piece.
    fn hand_on(&mut self) -> io::Result<()> {
        if self.text.len() >= PIECE_BYTES {
            self.out.write_all(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }
}

fn write_list<'a, T: 'a, W: Write>(
    out: &mut W,
    items: impl IntoIterator<Item = &'a T>,
    mut write: impl FnMut(&mut Pieces<'_, W>, &'a T) -> io::Result<()>,
) -> io::Result<()> {
    let mut pieces = Pieces { out, text: Vec::with_capacity(PIECE_BYTES) };
    pieces.text.push(b'[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            pieces.text.push(b',');
        }
        write(&mut pieces, item)?;
        pieces.hand_on()?;
    }
    pieces.text.push(b']');
    let Pieces { out, text } = pieces;
    out.write_all(&text)
}

/// Appends `[seconds,"number"]`.
fn push_pair((time_ms, number): (i64, f64), out: &mut Vec<u8>) {
    out.push(b'[');
    push_seconds(Timestamp::from_millis(time_ms), out);
    out.extend_from_slice(b",\"");
    push_float(number, out);
    out.extend_from_slice(b"\"]");
}

/// Appends a label set as an object.
fn push_labels(set: &Labels, out: &mut Vec<u8>) {
    out.push(b'{');
    for (place, (name, value)) in set.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push_text(name, out);
        out.push(b':');
        push_text(value, out);
    }
    out.push(b'}');
}

fn push_text(text: &str, out: &mut Vec<u8>) {
    // Writing text into a vector does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends an element of a vector.
fn push_element(set: &Labels, (time_ms, value): (i64, &SampleValue), out: &mut Vec<u8>) -> io::Result<()> {
    match value {
        SampleValue::Float(number) => {
            out.extend_from_slice(b"{\"metric\":");
            push_labels(set, out);
            out.extend_from_slice(b",\"value\":");
            push_pair((time_ms, *number), out);
            out.push(b'}');
            Ok(())
        }
        SampleValue::Histogram(histogram) => {
            let pair = json!([seconds(time_ms), native(histogram)]);
            write!(out, "{{\"histogram\":{pair},\"metric\":{}}}", labels(set))
        }
    }
}

/// Writes a series of a matrix.
fn write_series(series: &SelectedSeries, pieces: &mut Pieces<'_, impl Write>) -> io::Result<()> {
    let histograms: Vec<Value> = series
        .samples
        .iter()
        .filter_map(|sample| match &sample.value {
            SampleValue::Float(_) => None,
            SampleValue::Histogram(histogram) => Some(json!([seconds(sample.time_ms), native(histogram)])),
        })
        .collect();
    pieces.text.push(b'{');
    if !histograms.is_empty() {
        write!(pieces.text, "\"histograms\":{},", Value::Array(histograms))?;
    }
    pieces.text.extend_from_slice(b"\"metric\":");
    push_labels(&series.labels, &mut pieces.text);
    let mut floats = series.samples.iter().filter_map(float_of).peekable();
    if floats.peek().is_some() || series.samples.is_empty() {
        pieces.text.extend_from_slice(b",\"values\":[");
        while let Some(pair) = floats.next() {
            push_pair(pair, &mut pieces.text);
            if floats.peek().is_some() {
                pieces.text.push(b',');
            }
            pieces.hand_on()?;
        }
        pieces.text.push(b']');
    }
    pieces.text.push(b'}');
    Ok(())
}

fn float_of(sample: &Sample) -> Option<(i64, f64)> {
    match &sample.value {
        SampleValue::Float(number) => Some((sample.time_ms, *number)),
        SampleValue::Histogram(_) => None,
    }
}

/// `{"status":"success","data":…}`.
pub(crate) fn success(data: Value) -> Value {
    let mut answer = Map::new();
    answer.insert("status".to_owned(), json!("success"));
    answer.insert("data".to_owned(), data);
    Value::Object(answer)
}

/// A label set as an object.
pub(crate) fn labels(set: &Labels) -> Value {
    Value::Object(set.iter().map(|(name, value)| (name.to_string(), json!(value.as_ref()))).collect())
}

fn native(histogram: &crate::engine::promql::histogram::FloatHistogram) -> Value {
    let buckets: Vec<Value> = histogram
        .buckets()
        .iter()
        .filter(|bucket| bucket.count != 0.0)
        .map(|bucket| {
            // Which of the two bounds belong to the bucket, in Prometheus' numbering.
            let boundaries = match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            json!([boundaries, float(bucket.lower), float(bucket.upper), float(bucket.count)])
        })
        .collect();
    let mut entry = Map::new();
    entry.insert("count".to_owned(), json!(float(histogram.count)));
    entry.insert("sum".to_owned(), json!(float(histogram.sum)));
    if !buckets.is_empty() {
        entry.insert("buckets".to_owned(), Value::Array(buckets));
    }
    Value::Object(entry)
}

/// Which rules are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleFilter {
    /// The kind of rule; both where there is none.
    pub(crate) kind: Option<WantedKind>,
    /// Rule names; all where it is empty.
    pub(crate) names: Vec<String>,
    /// Group names.
    pub(crate) groups: Vec<String>,
    /// Files.
    pub(crate) files: Vec<String>,
    /// Selectors on the labels of rules; all rules where there is none.
    pub(crate) selectors: Vec<Vec<Matcher>>,
    /// Whether alerts are shown.
    pub(crate) alerts: ShowAlerts,
}

/// A page of the list of groups.
#[derive(Clone, Debug)]
pub(crate) struct RulePage {
    /// The most groups.
    pub(crate) groups_max: usize,
    /// Where it begins, as the page before said; at the first group where there is none.
    pub(crate) token: Option<String>,
}

/// A token that no group has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid parameter \"group_next_token\": invalid group_next_token '{0}'. were rule groups changed?")]
pub(crate) struct UnknownToken(String);

/// What a page of groups that begins with this one is asked for by.
fn token_of(group: &GroupView) -> String {
    let name = format!("{};{}", group.file, group.name);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string()
}

/// The two kinds of rule, as the parameter `type` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WantedKind {
    /// `alert`
    Alerting,
    /// `record`
    Recording,
}

/// Whether rules show their alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ShowAlerts {
    /// They do.
    #[default]
    Yes,
    /// `exclude_alerts=true`.
    No,
}

impl RuleFilter {
    fn takes_group(&self, group: &GroupView) -> bool {
        takes(&self.groups, &group.name) && takes(&self.files, &group.file)
    }

    fn takes_rule(&self, rule: &RuleView) -> bool {
        let kind = match rule.kind {
            KindView::Recording => WantedKind::Recording,
            KindView::Alerting { .. } => WantedKind::Alerting,
        };
        let label = |name: &str| rule.labels.iter().find(|(label, _)| label.as_ref() == name);
        let meets =
            |matcher: &Matcher| matcher.condition.holds(label(&matcher.name).map_or("", |(_, value)| value));
        let is_selected =
            self.selectors.is_empty() || self.selectors.iter().any(|matchers| matchers.iter().all(meets));
        self.kind.is_none_or(|wanted| wanted == kind) && takes(&self.names, &rule.name) && is_selected
    }
}

fn takes(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

/// `/api/v1/rules`, whole or a page of it.
///
/// # Errors
/// A token that no group has.
pub(crate) fn rules(
    groups: &[Arc<GroupView>],
    filter: &RuleFilter,
    page: Option<&RulePage>,
) -> Result<Value, UnknownToken> {
    let from = match page.and_then(|page| page.token.as_ref()) {
        Some(token) => groups
            .iter()
            .position(|group| token_of(group) == *token)
            .ok_or_else(|| UnknownToken(token.clone()))?,
        None => 0,
    };
    let mut shown = groups.iter().skip(from).filter_map(|one| Some((one, group(one, filter)?)));
    let most = page.map_or(usize::MAX, |page| page.groups_max);
    let entries: Vec<Value> = shown.by_ref().take(most).map(|(_, entry)| entry).collect();
    let mut data = json!({ "groups": entries });
    if let (Some((next, _)), Some(members)) = (shown.next(), data.as_object_mut()) {
        members.insert("groupNextToken".to_owned(), token_of(next).into());
    }
    Ok(success(data))
}

/// A group with those of its rules that are wanted; none where it is not, or has none of them.
fn group(group: &GroupView, filter: &RuleFilter) -> Option<Value> {
    if !filter.takes_group(group) {
        return None;
    }
    let wanted = group.rules.iter().filter(|rule| filter.takes_rule(rule));
    let rules: Vec<Value> = wanted.map(|one| rule(one, filter.alerts)).collect();
    let filtered = filter.kind.is_some() || !filter.names.is_empty() || !filter.selectors.is_empty();
    (!filtered || !rules.is_empty()).then(|| {
        json!({
            "name": group.name.as_ref(),
            "file": group.file.as_ref(),
            "rules": rules,
            "interval": seconds_of(group.interval),
            "limit": group.limit,
            "evaluationTime": group.evaluation_time.as_secs_f64(),
            "lastEvaluation": group.last_evaluation.map_or_else(|| NEVER.to_owned(), |at| at.to_string()),
        })
    })
}

fn rule(rule: &RuleView, show: ShowAlerts) -> Value {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Value| entry.insert(name.to_owned(), value);
    let pairs: Map<String, Value> =
        rule.labels.iter().map(|(name, value)| (name.to_string(), json!(value.as_ref()))).collect();
    put("name", json!(rule.name.as_ref()));
    put("query", json!(rule.query.as_ref()));
    if !pairs.is_empty() || rule.kind != KindView::Recording {
        put("labels", Value::Object(pairs));
    }
    put("health", json!(rule.health.name()));
    put("evaluationTime", json!(rule.evaluation_time.as_secs_f64()));
    put("lastEvaluation", json!(rule.last_evaluation.map_or_else(|| NEVER.to_owned(), |at| at.to_string())));
    if let Health::Err(error) = &rule.health {
        put("lastError", json!(error));
    }
    match &rule.kind {
        KindView::Recording => {
            put("type", json!("recording"));
        }
        KindView::Alerting { wait, keep_firing_for, annotations, state, alerts, .. } => {
            put("type", json!("alerting"));
            put("state", json!(state.name()));
            put("duration", seconds_of(*wait));
            put("keepFiringFor", seconds_of(*keep_firing_for));
            let pairs: Map<String, Value> =
                annotations.iter().map(|(name, value)| (name.to_string(), json!(value.as_ref()))).collect();
            put("annotations", Value::Object(pairs));
            let alerts: Vec<Value> = match show {
                ShowAlerts::Yes => alerts.iter().map(alert).collect(),
                ShowAlerts::No => Vec::new(),
            };
            put("alerts", Value::Array(alerts));
        }
    }
    Value::Object(entry)
}

/// `/api/v1/alerts`.
pub(crate) fn alerts(alerts: &[&AlertView]) -> Value {
    success(json!({ "alerts": alerts.iter().map(|shown| alert(shown)).collect::<Vec<_>>() }))
}

fn alert(alert: &AlertView) -> Value {
    let annotations: Map<String, Value> =
        alert.annotations.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    let mut entry = Map::new();
    entry.insert("labels".to_owned(), labels(&alert.labels));
    entry.insert("annotations".to_owned(), Value::Object(annotations));
    entry.insert("state".to_owned(), json!(alert.state.name()));
    entry.insert("activeAt".to_owned(), json!(alert.active_at.to_string()));
    if let (AlertingState::Firing, Some(since)) = (alert.state, alert.keep_firing_since) {
        entry.insert("keepFiringSince".to_owned(), json!(since.to_string()));
    }
    entry.insert("value".to_owned(), json!(exponential(alert.value)));
    Value::Object(entry)
}

fn seconds_of(span: Duration) -> Value {
    if span.subsec_nanos() == 0 { json!(span.as_secs()) } else { json!(span.as_secs_f64()) }
}

#[cfg(test)]
mod tests;
