//! `docs/metrics.md` is written from the tables; this says when it no longer is what they say.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Source;
use super::row::{CatalogueRow, MoreLabels};
use super::rows::CATALOGUE;
use super::tests::{World, defaults};
use crate::engine::wire::EventType;

const PAGE: &str = include_str!("../../../docs/metrics.md");

const INTRO: &str = "# Metrics

Written from `src/engine/catalogue/rows.rs`; a test holds it to that.

Every metric that events feed, by the event it stands with. *Tracked* gauges need more than one event to be told: they
follow jobs, chunks, files, workers, cache entries, warmers and alerts of others, and stay as long as their tracker
holds something, be it for days. When the last of it ended they show 0 for `stale_after` and then leave; ratios leave at
once. Other gauges leave after `stale_after` without an event. A label whose field is missing, null or empty has the value
`unknown` (`indexed` is `false` then). Where *from the start* names label values, those series are there at zero before
the first event; a counter that belongs to an event is there at zero as soon as the event was, also where it adds
nothing to it. The configuration can set buckets, help texts and units by name, and, of what events feed, put a
`namespace` in front of the name and drop labels.

What the sidecar tells of itself begins with `signalbox_` or `process_`, and rules read it like any other metric. Beside
what *from the start* names, event types, lanes and reasons of the accounting are there at zero, and groups and streams
once they are known.

MetricRecorded events bring metrics of their own: names get `_` for every character outside `[a-zA-Z0-9_:]` and before
a leading digit, counters end in `_total`, and a name that coincides with one of these, or begins with `signalbox_` or
`process_`, is refused as `conflict`.
";

const UNMOVED_INTRO: &str = "
## Fields that move no metric

On purpose: what has no bound is no label, and what another event of the same thing says exactly is not counted twice.
Ids and keys tell which job, worker, chunk, file, entry or alert an event is about; `event_id` and `query_hash` travel as
exemplars.

| event | fields |
|---|---|
";

/// By event type, the fields that move no metric by themselves.
const UNMOVED: &[(&str, &[&str])] = &[
    ("FileUploadStarted", &["transcript_id", "file_name", "file_hash", "upload_ip"]),
    ("ChunkProcessingStarted", &["transcript_id", "chunk_id", "chunk_index", "total_chunks"]),
    ("ChunkProcessingCompleted", &["transcript_id", "chunk_id", "chunk_index", "cache_key"]),
    ("ChunkProcessingFailed", &["transcript_id", "chunk_id", "chunk_index", "error_message"]),
    ("FileProcessingCompleted", &["transcript_id", "total_chunks"]),
    ("FileProcessingFailed", &["transcript_id", "error_message", "failed_chunks", "total_chunks"]),
    ("ProgressUpdated", &["transcript_id", "current_chunk", "total_chunks"]),
    ("CacheEntryCreated", &["cache_key"]),
    ("CacheEntryAccessed", &["cache_key"]),
    ("CacheEntryInvalidated", &["cache_key"]),
    ("JobQueued", &["job_id"]),
    ("JobStarted", &["job_id", "worker_id", "worker_pid"]),
    ("JobProgressUpdated", &["job_id", "message", "current_step"]),
    ("JobCompleted", &["job_id", "worker_id"]),
    ("JobFailed", &["job_id", "worker_id", "error_message"]),
    ("JobRetryScheduled", &["job_id", "reason"]),
    ("WorkerStarted", &["worker_id", "worker_pid"]),
    ("WorkerStopped", &["worker_id"]),
    (
        "AlertTriggered",
        &["alert_rule_id", "metric_name", "current_value", "threshold", "message", "fingerprint"],
    ),
    ("AlertCleared", &["alert_rule_id", "fingerprint"]),
    ("DashboardGenerated", &["dashboard_id", "dashboard_name", "panel_count"]),
    ("IndexCreated", &["index_name"]),
];

/// The field that moves a metric only where its job runs.
const RUNNING: (&str, &str) = ("JobProgressUpdated", "progress");

fn code_list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn labels(row: &CatalogueRow) -> String {
    match row.more {
        MoreLabels::None => code_list(row.labels),
        MoreLabels::OfTheAlert => format!("{}, the alert's", code_list(row.labels)),
    }
}

fn from_the_start(row: &CatalogueRow) -> String {
    match (row.declared, row.labels) {
        ([], _) => String::new(),
        (_, []) => "yes".to_owned(),
        (declared, _) => declared.iter().map(|values| values.join("/")).collect::<Vec<_>>().join(", "),
    }
}

fn page() -> String {
    let mut page = INTRO.to_owned();
    let mut context = "";
    let mut event = "";
    for row in CATALOGUE {
        let (row_context, row_event) = match row.source {
            Source::Event(event) | Source::Tracker(event) => (event.context(), event.name()),
            Source::Sidecar => ("sidecar", ""),
            Source::Process => ("process", ""),
        };
        if row_context != context {
            let head = "\n| event | metric | type | labels | from the start | what it is |\n|---|---|---|---|---|---|";
            let _ = writeln!(page, "\n## {row_context}\n{head}");
            context = row_context;
        }
        let shown = if row_event == event { "" } else { row_event };
        event = row_event;
        let tracked = if matches!(row.source, Source::Tracker(_)) { "tracked " } else { "" };
        let _ = writeln!(
            page,
            "| {shown} | `{}` | {tracked}{} | {} | {} | {} |",
            row.name,
            row.metric_type.name(),
            labels(row),
            from_the_start(row),
            row.help
        );
    }
    page.push_str(UNMOVED_INTRO);
    for (event, fields) in UNMOVED {
        let _ = writeln!(page, "| {event} | {} |", code_list(fields));
    }
    page
}

#[test]
fn the_page_of_metrics_says_what_the_tables_say() {
    let page = page();
    assert!(page == PAGE, "docs/metrics.md is to be:\n{page}");
}

/// The samples after one event alone, none where it is refused.
fn samples_of(event_type: &str, fields: &Map<String, Value>) -> Option<BTreeMap<String, f64>> {
    let mut world = World::new(&BTreeMap::new());
    world.apply(event_type, fields).ok()?;
    let mut samples = world.samples();
    // How many entries a tracker holds is no fact of the domain.
    samples.retain(|name, _| !name.starts_with("signalbox_"));
    Some(samples)
}

/// Values that a field may have instead of its own.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            if number.fract() == 0.0 { vec![json!(0), json!(number as u64 + 100)] } else { vec![json!(0.9)] }
        }
        Value::Array(_) => vec![json!(["other"])],
        Value::Null | Value::String(_) | Value::Object(_) => vec![json!("other"), Value::Null],
    }
}

#[test]
fn the_fields_that_move_no_metric_are_those_the_page_names() {
    // What only shows beside another event or value: progress of a running job, jobs of a crash, a slow query's hash.
    let given = |event_type: &str| match event_type {
        "WorkerStopped" => json!({"reason": "crash"}),
        "QueryExecuted" => json!({"duration_ms": 900}),
        _ => json!({}),
    };
    for event_type in EventType::ALL.iter().map(|event_type| event_type.name()) {
        let mut fields = defaults().remove(event_type).unwrap();
        fields.extend(given(event_type).as_object().unwrap().clone());
        let before = samples_of(event_type, &fields).unwrap();
        let named =
            UNMOVED.iter().find(|(known, _)| *known == event_type).map_or(&[][..], |(_, fields)| *fields);
        for (field, value) in fields.clone() {
            if matches!(field.as_str(), "metric_type" | "tags") || (event_type, field.as_str()) == RUNNING {
                continue;
            }
            let moves = others(&value).into_iter().any(|other| {
                let mut changed = fields.clone();
                changed.insert(field.clone(), other);
                samples_of(event_type, &changed).is_some_and(|after| after != before)
            });
            assert_eq!(moves, !named.contains(&field.as_str()), "{event_type}.{field}");
        }
        for name in named {
            assert!(fields.contains_key(*name), "{event_type} has no {name}");
        }
    }
}
