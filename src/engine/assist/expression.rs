//! What may be written in a PromQL expression, and what its words are.

use std::ops::Range;

use super::Knowledge;
use super::completion::{Completion, CompletionKind, plain};
use crate::engine::metric::MetricType;
use crate::engine::promql::ast::AggregateOp;
use crate::engine::promql::functions::{self, Function};
use crate::engine::promql::place::{self, ExprPlace};

/// Words between operands and behind aggregations.
const KEYWORDS: [&str; 11] =
    ["and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"];

/// Ranges to pick from.
const RANGES: [&str; 6] = ["30s", "1m", "5m", "15m", "30m", "1h"];

/// What may stand in an expression at a byte of the file; the expression begins at `start` of it.
pub(super) fn complete(
    text: &str,
    (start, at): (usize, usize),
    knowledge: &Knowledge<'_>,
) -> Vec<Completion> {
    let moved = |span: &Range<usize>| span.start + start..span.end + start;
    let read = place::metrics(text);
    let labels = |word: &Range<usize>, metric: Option<&str>| {
        let of = metric.map_or_else(|| read.clone(), |metric| vec![metric]);
        all(knowledge.labels(of), CompletionKind::Label, "label", &moved(word))
    };
    match place::place(text, at.saturating_sub(start)) {
        ExprPlace::Name(word) => by_name(knowledge, &moved(&word)),
        ExprPlace::LabelName { word, metric } => labels(&word, metric),
        ExprPlace::Grouping(word) => labels(&word, None),
        ExprPlace::LabelValue { word, metric, label } => {
            let of = metric.map_or_else(|| read.clone(), |metric| vec![metric]);
            let values = match label {
                "alertname" => knowledge.alerts.to_vec(),
                _ => knowledge.values(of, label),
            };
            all(values, CompletionKind::Value, "value of the label", &moved(&word))
        }
        ExprPlace::Duration(word) => {
            all(RANGES.map(str::to_owned).to_vec(), CompletionKind::Value, "range", &moved(&word))
        }
        ExprPlace::Free => Vec::new(),
    }
}

fn all(words: Vec<String>, kind: CompletionKind, detail: &str, span: &Range<usize>) -> Vec<Completion> {
    words.into_iter().map(|word| plain(word, kind, detail, span)).collect()
}

/// Every metric, those that rules record included.
pub(super) fn metrics(knowledge: &Knowledge<'_>, span: &Range<usize>) -> Vec<Completion> {
    let known = knowledge.metrics.names().map(|(name, metric_type)| {
        let about = knowledge.help(name).map(|(help, _)| help.to_owned()).unwrap_or_default();
        Completion { about, ..plain(name.to_owned(), CompletionKind::Metric, metric_type.name(), span) }
    });
    let recorded = knowledge
        .recorded
        .iter()
        .map(|name| plain(name.clone(), CompletionKind::Metric, "recorded by a rule", span));
    known.chain(recorded).collect()
}

/// Every metric's samples, functions, aggregations and words.
fn by_name(knowledge: &Knowledge<'_>, span: &Range<usize>) -> Vec<Completion> {
    let mut found = Vec::new();
    for metric in metrics(knowledge, span) {
        let is_histogram = metric.detail == MetricType::Histogram.name();
        if !is_histogram {
            found.push(metric);
            continue;
        }
        found.extend(["bucket", "sum", "count"].map(|part| {
            let name = format!("{}_{part}", metric.label);
            Completion { insert: name.clone(), label: name, ..metric.clone() }
        }));
    }
    found.extend(functions::all().iter().map(|function| {
        plain(function.name.to_owned(), CompletionKind::Function, &signature(function), span)
    }));
    found.extend(AggregateOp::ALL.iter().map(|aggregate| {
        plain(aggregate.name().to_owned(), CompletionKind::Function, &aggregation(*aggregate), span)
    }));
    found.extend(all(KEYWORDS.map(str::to_owned).to_vec(), CompletionKind::Keyword, "", span));
    found
}

/// How a function is called.
pub(super) fn signature(function: &Function) -> String {
    let least = function.args_min();
    let most = function.args_max();
    let mut arguments: Vec<String> = (0..function.args.len().max(least))
        .filter_map(|place| {
            let word = function.arg(place)?.name();
            Some(if place < least { word.to_owned() } else { format!("[{word}]") })
        })
        .collect();
    match most {
        None => arguments.push("…".to_owned()),
        Some(most) if most > arguments.len() => arguments.push("…".to_owned()),
        Some(_) => {}
    }
    format!("{}({}) → {}", function.name, arguments.join(", "), function.returns.name())
}

/// How an aggregation is written.
pub(super) fn aggregation(aggregate: AggregateOp) -> String {
    let parameter = aggregate.param().map(|kind| format!("{}, ", kind.name())).unwrap_or_default();
    format!("{} [by|without (labels)] ({parameter}instant vector)", aggregate.name())
}
