//! The engine's part of the configuration file, with the checks that need more than one value.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Config, Evaluate, MetricSettings, NameScheme, TrackerName, Transform, TransformStep};
use crate::engine::wire::{EventType, Lane};
use crate::engine::yaml::{Findings, Read, ReadValue, Values};

/// Overwrites the defaults with what the file says.
pub(super) fn fill_engine(config: &mut Config, top: &Values, findings: &mut Findings<'_>) {
    config.namespace = namespace(top, findings);
    limits(config, &top.section("limits"));
    let dedupe = top.section("dedupe");
    set(&mut config.dedupe.entries, dedupe.count("entries"));
    set_span(&mut config.dedupe.age, dedupe.duration("age"));
    set_span(&mut config.slow_query, top.duration("slow_query"));
    set(&mut config.slow_query_top, top.count("slow_query_top"));
    set_span(&mut config.wire.deprecate_after, top.duration("deprecate_after"));
    lanes(config, top);
    config.metrics = top.list("metrics").iter().filter_map(|read| metric(read, findings)).collect();
    stale_after(config, top);
    config.park_after = top.duration("park_after");
    config.wire.transforms = transforms(top, findings);
    let history = top.section("history");
    set_span(&mut config.history.step, history.duration("step"));
    set_span(&mut config.history.window, history.duration("window"));
    set(&mut config.history.bytes_max, history.count("bytes_max"));
    if config.history.window < config.history.step
        && let Some(read) = history.find("window").or_else(|| history.find("step"))
    {
        let message = "`history.window` is shorter than `history.step`".to_owned();
        let advice = "Keep at least a few steps, for example `window: 1h` with `step: 5s`.".to_owned();
        findings.error("out-of-range", &read.span, message).advise(advice);
    }
    if top.flag("utf8_names") == Some(true) {
        config.names = NameScheme::Utf8;
    }
    if top.text("evaluate").as_deref() == Some("interval") {
        config.evaluate = Evaluate::Interval;
    }
}

fn set(target: &mut usize, count: Option<u64>) {
    if let Some(count) = count {
        *target = usize::try_from(count).unwrap_or(usize::MAX);
    }
}

fn set_span(target: &mut Duration, span: Option<Duration>) {
    if let Some(span) = span {
        *target = span;
    }
}

fn namespace(top: &Values, findings: &mut Findings<'_>) -> String {
    let Some(name) = top.text("namespace") else { return String::new() };
    let valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if !valid && let Some(read) = top.find("namespace") {
        let message = format!("`namespace` is `{name}`, which cannot begin a metric name");
        let advice = "Use letters, digits and `_`, not beginning with a digit.".to_owned();
        findings.error("bad-name", &read.span, message).advise(advice);
    }
    // The engine puts the `_` between.
    name.trim_end_matches('_').to_owned()
}

fn limits(config: &mut Config, limits: &Values) {
    set(&mut config.series.series, limits.count("series"));
    set(&mut config.series.series_per_metric, limits.count("series_per_metric"));
    set(&mut config.wire.tags_max, limits.count("tags"));
    set(&mut config.wire.label_name_bytes_max, limits.count("label_name_bytes"));
    set(&mut config.wire.label_value_bytes_max, limits.count("label_value_bytes"));
    set(&mut config.wire.metric_name_bytes_max, limits.count("metric_name_bytes"));
    set(&mut config.wire.message_bytes_max, limits.count("message_bytes"));
    set(&mut config.wire.elements_max, limits.count("array_elements"));
    set(&mut config.wire.depth_max, limits.count("depth"));
    set(&mut config.trackers.entries, limits.count("tracker_entries"));
    set_span(&mut config.trackers.age, limits.duration("tracker_age"));
    config.trackers.abandon_after = abandon_after(limits);
}

fn abandon_after(limits: &Values) -> BTreeMap<TrackerName, Duration> {
    match limits.find("abandon_after").map(|read| &read.value) {
        Some(ReadValue::Duration(span)) => TrackerName::ALL.iter().map(|name| (*name, *span)).collect(),
        Some(ReadValue::Map(entries)) => entries
            .iter()
            .filter_map(|(word, read)| match read.value {
                ReadValue::Duration(span) => Some((TrackerName::from_word(word)?, span)),
                _ => None,
            })
            .collect(),
        _ => BTreeMap::new(),
    }
}

fn lanes(config: &mut Config, top: &Values) {
    for (name, word) in top.section("lanes").text_map() {
        let lane = if word == "core" { Lane::Core } else { Lane::JetStream };
        if let Some(event_type) = event_type(&name) {
            config.wire.lanes.insert(event_type, lane);
        }
    }
}

fn event_type(name: &str) -> Option<EventType> {
    EventType::ALL.iter().copied().find(|known| known.name() == name)
}

fn stale_after(config: &mut Config, top: &Values) {
    match top.find("stale_after").map(|read| &read.value) {
        Some(ReadValue::Duration(span)) => config.stale_after = *span,
        Some(ReadValue::Map(entries)) => {
            for (pattern, read) in entries {
                if let ReadValue::Duration(span) = read.value {
                    config.metrics.push(MetricSettings {
                        pattern: pattern.clone(),
                        buckets: None,
                        help: None,
                        unit: None,
                        drop_labels: Vec::new(),
                        stale_after: Some(span),
                    });
                }
            }
        }
        _ => {}
    }
}

fn metric(read: &Read, findings: &mut Findings<'_>) -> Option<MetricSettings> {
    let values = Values::of(read);
    let Some(pattern) = values.text("match").filter(|pattern| !pattern.is_empty()) else {
        let message = "an element of `metrics` without `match`".to_owned();
        let advice = "Say which names it is for, for example `match: db_*`.".to_owned();
        findings.error("incomplete", &read.span, message).advise(advice);
        return None;
    };
    let buckets = values.find("buckets").map(|bounds| buckets(bounds, findings));
    Some(MetricSettings {
        pattern,
        buckets,
        help: values.text("help"),
        unit: values.text("unit"),
        drop_labels: values.texts("drop_labels").unwrap_or_default(),
        stale_after: values.duration("stale_after"),
    })
}

fn buckets(read: &Read, findings: &mut Findings<'_>) -> Arc<[f64]> {
    let ReadValue::List(elements) = &read.value else { return Arc::from([]) };
    let mut bounds: Vec<f64> = Vec::with_capacity(elements.len());
    for element in elements {
        let ReadValue::Number(bound) = element.value else { continue };
        if bounds.last().is_some_and(|last| bound <= *last) {
            let message = format!("the bucket bound {bound} does not rise");
            let advice = "List every bound once, smallest first.".to_owned();
            findings.error("bad-buckets", &element.span, message).advise(advice);
        }
        bounds.push(bound);
    }
    if elements.is_empty() {
        let message = "`buckets` is empty".to_owned();
        let advice = "Give at least one bound, or leave the key out for the defaults.".to_owned();
        findings.error("bad-buckets", &read.span, message).advise(advice);
    }
    bounds.into()
}

fn transforms(top: &Values, findings: &mut Findings<'_>) -> Vec<Transform> {
    let mut transforms: Vec<Transform> = Vec::new();
    for read in top.list("transforms") {
        let values = Values::of(read);
        let named = values.text("event_type").as_deref().and_then(event_type);
        let (Some(event_type), Some(major)) = (named, values.count("major")) else {
            // An unknown event type has its own diagnostic.
            if values.find("event_type").is_none() || values.find("major").is_none() {
                let message = "a transform without `event_type` or `major`".to_owned();
                let advice = "Say which type and which major version it reads.".to_owned();
                findings.error("incomplete", &read.span, message).advise(advice);
            }
            continue;
        };
        let major = u32::try_from(major).unwrap_or(u32::MAX);
        let fault = if major == 1 {
            Some("major version 1 is read as it is")
        } else if transforms.iter().any(|known| known.event_type == event_type && known.major == major) {
            Some("there is already a transform for this type and version")
        } else {
            None
        };
        if let Some(fault) = fault {
            let advice = "Take this transform out.".to_owned();
            findings.error("contradiction", &read.span, fault.to_owned()).advise(advice);
        }
        let steps = values.list("steps").iter().flat_map(|read| steps(&Values::of(read))).collect();
        transforms.push(Transform { event_type, major, steps });
    }
    transforms
}

/// The steps of one element, in the order of the file.
fn steps(values: &Values) -> Vec<TransformStep> {
    let mut steps = Vec::new();
    for (kind, read) in &values.0 {
        if kind == "drop" {
            let fields = values.texts("drop").unwrap_or_default();
            steps.extend(fields.into_iter().map(|field| TransformStep::Drop { field }));
        }
        steps.extend(Values::of(read).0.into_iter().filter_map(|(field, read)| step(kind, field, read)));
    }
    steps
}

/// One field of a step.
fn step(kind: &str, field: String, read: Read) -> Option<TransformStep> {
    match (kind, read.value) {
        ("rename", ReadValue::Text(to)) => Some(TransformStep::Rename { from: field, to: to.content }),
        ("default", ReadValue::Any(node)) => {
            Some(TransformStep::Default { field, json: node.json().to_string() })
        }
        ("scale", ReadValue::Number(factor)) => Some(TransformStep::Scale { field, factor }),
        ("map", ReadValue::Map(values)) => {
            let values: BTreeMap<String, String> = Values(values).text_map();
            Some(TransformStep::Map { field, values })
        }
        _ => None,
    }
}
