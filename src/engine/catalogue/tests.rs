//! Behaviour of the catalogue: each case of `tests/catalogue/*.yaml` is a list of steps, events and what `/metrics`
//! would hold after them. `tests/catalogue/README.md` says how a case is written.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::{Catalogue, Registered};
use crate::engine::config::{Config, MetricSettings, NameScheme, StaleAfter, SubjectToken, TrackerName};
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;
use crate::engine::series::{Cause, Ordinal, Store};
use crate::engine::time::Timestamp;
use crate::engine::wire::{Decoder, Lane, Message, Refusal, Verdict};

const DEFAULTS: &str = include_str!("../../../tests/catalogue/defaults.yaml");

/// 2026-01-01T00:00:00Z, the second 0 of every case.
const START_SECONDS: f64 = 1_767_225_600.0;

macro_rules! data_files {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run_file(include_str!(concat!("../../../tests/catalogue/", stringify!($name), ".yaml")));
        })*
    };
}

data_files! {
    processing caching queue jobs workers database monitoring recorded labels bounds days settings subjects
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    config: BTreeMap<String, Value>,
    steps: Vec<BTreeMap<String, Value>>,
}

pub(super) struct World {
    config: Config,
    store: Store,
    catalogue: Catalogue,
    decoder: Decoder,
    defaults: BTreeMap<String, Map<String, Value>>,
    now: Timestamp,
    events: u32,
    subject: String,
}

fn run_file(text: &str) {
    let cases: Vec<Case> = serde_saphyr::from_str(text).unwrap();
    let mut failures = String::new();
    for case in cases {
        let mut world = World::new(&case.config);
        for (place, step) in case.steps.iter().enumerate() {
            if let Err(problem) = world.step(step) {
                let _ = write!(failures, "\n{}, step {}:\n{problem}\n", case.name, place + 1);
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

pub(super) fn defaults() -> BTreeMap<String, Map<String, Value>> {
    serde_saphyr::from_str(DEFAULTS).unwrap()
}

pub(super) fn instant(seconds: f64) -> Timestamp {
    Timestamp::from_micros(((START_SECONDS + seconds) * 1e6).round() as i64)
}

impl World {
    pub(super) fn new(settings: &BTreeMap<String, Value>) -> Self {
        let config = config(settings);
        let mut store = Store::new((&config.limits).into());
        let registered = Registered::new(&mut store, &config, instant(0.0));
        let mut catalogue = Catalogue::new(registered, &config);
        catalogue.refresh(&mut store, instant(0.0));
        Self {
            decoder: Decoder::new(&config.wire(), "signalbox"),
            config,
            store,
            catalogue,
            defaults: defaults(),
            now: instant(0.0),
            events: 0,
            subject: "events.x.y".to_owned(),
        }
    }

    fn step(&mut self, step: &BTreeMap<String, Value>) -> Result<(), String> {
        let refused = step.get("refused").and_then(Value::as_str);
        let times = step.get("times").and_then(Value::as_u64).unwrap_or(1);
        for (key, value) in step {
            match key.as_str() {
                "refused" | "times" => {}
                "now" => {
                    self.now = instant(value.as_f64().unwrap());
                    self.refresh();
                }
                "subject" => value.as_str().unwrap().clone_into(&mut self.subject),
                "expect" => self.expect(value.as_str().unwrap())?,
                event_type => {
                    for place in 0..times {
                        let fields = numbered(value, place);
                        let outcome = self.apply(event_type, fields.as_object().unwrap());
                        let reason = outcome.as_ref().err().map(|refusal| refusal.reason.name());
                        if reason != refused {
                            return Err(format!("{event_type}: {outcome:?}, expected {refused:?}"));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn refresh(&mut self) {
        self.store.expire(self.now);
        self.catalogue.refresh(&mut self.store, self.now);
    }

    pub(super) fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.store)
    }

    pub(super) fn apply(&mut self, event_type: &str, given: &Map<String, Value>) -> Result<(), Refusal> {
        self.events += 1;
        let mut fields = self.defaults.get(event_type).unwrap().clone();
        fields.extend(given.clone());
        let at = instant(fields.remove("at").and_then(|at| at.as_f64()).unwrap_or(0.0));
        fields.insert("event_type".into(), event_type.into());
        fields.insert("event_id".into(), format!("{:032x}", self.events).into());
        fields.insert("timestamp".into(), at.to_string().into());
        fields.retain(|_, value| value.as_str() != Some("<missing>"));
        let payload = Value::Object(fields).to_string();
        self.catalogue.note_subject(&self.subject);
        let message = Message { subject: &self.subject, headers: b"", payload: payload.as_bytes() };
        let event_type = crate::engine::wire::EventType::from_name(event_type).unwrap();
        let lane = self.config.wire().lanes.get(&event_type).copied().unwrap_or(Lane::JetStream);
        let cause = Cause { now: self.now, event: Some(Ordinal(self.events)) };
        let mut outcome = None;
        let Self { decoder, catalogue, store, .. } = self;
        decoder.decode(lane, &message, |element| {
            outcome = Some(match element.verdict {
                Verdict::Draft(draft) => {
                    draft.event().and_then(|event| catalogue.apply(store, &event, cause))
                }
                Verdict::Refused(refusal) => Err(refusal),
                Verdict::Own => panic!("an own event"),
            });
        });
        outcome.unwrap()
    }

    fn expect(&self, lines: &str) -> Result<(), String> {
        let samples = self.samples();
        let mut wrong = String::new();
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let (left, right) = line.trim().rsplit_once(' ').unwrap();
            if let Some(name) = left.strip_suffix(" series") {
                let found = samples.keys().filter(|key| key.split('{').next() == Some(name)).count();
                if found.to_string() != right {
                    let _ = writeln!(wrong, "  {line}: found {found}");
                }
                continue;
            }
            let found = samples.get(&selector(left).to_string()).copied();
            let right: Option<f64> = (right != "absent").then(|| right.parse().unwrap());
            let same = match (found, right) {
                (Some(found), Some(right)) => {
                    found == right || (found - right).abs() < 1e-9 || (found.is_nan() && right.is_nan())
                }
                (found, right) => found == right,
            };
            if !same {
                let _ = writeln!(wrong, "  {line}: found {found:?}");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// The fields with each `#` replaced by the number of the repetition.
fn numbered(value: &Value, place: u64) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('#', &place.to_string())),
        Value::Array(items) => items.iter().map(|item| numbered(item, place)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, item)| (name.clone(), numbered(item, place))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    }
}

fn config(settings: &BTreeMap<String, Value>) -> Config {
    let mut config = Config::with_defaults("signalbox");
    let whole = |value: &Value| value.as_u64().unwrap();
    let span = |value: &Value| std::time::Duration::from_secs_f64(value.as_f64().unwrap());
    for (name, value) in settings {
        match name.as_str() {
            "subject_labels" => {
                config.subjects.tokens = value.as_array().unwrap().iter().map(token).collect();
            }
            "namespace" => config.namespace = value.as_str().unwrap().to_owned(),
            "slow_query" => config.slow_query = span(value),
            "slow_query_top" => config.slow_query_top = whole(value) as usize,
            "tracker_entries" => config.limits.tracker_entries = whole(value) as usize,
            "tracker_age" => config.limits.tracker_age = span(value),
            "abandon_after" => config.limits.abandon_after = abandon_after(value),
            "stale_after" => config.stale_after = StaleAfter::all(span(value)),
            "series_per_metric" => config.limits.series_per_metric = whole(value) as usize,
            "utf8_names" => config.names = NameScheme::Utf8,
            "metrics" => config.metrics = value.as_array().unwrap().iter().map(metric_settings).collect(),
            other => panic!("unknown setting {other}"),
        }
    }
    config
}

/// A token that becomes a label of its name; one that becomes none where that is null.
fn token(label: &Value) -> SubjectToken {
    let label = label.as_str().map(str::to_owned);
    SubjectToken { name: label.clone().unwrap_or_default(), label }
}

fn abandon_after(value: &Value) -> BTreeMap<TrackerName, std::time::Duration> {
    let span = |value: &Value| std::time::Duration::from_secs_f64(value.as_f64().unwrap());
    match value.as_object() {
        Some(spans) => {
            let named = |word: &String| TrackerName::from_word(word).unwrap();
            spans.iter().map(|(word, value)| (named(word), span(value))).collect()
        }
        None => TrackerName::ALL.iter().map(|name| (*name, span(value))).collect(),
    }
}

fn metric_settings(value: &Value) -> MetricSettings {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let buckets: Vec<f64> = list("buckets").iter().filter_map(Value::as_f64).collect();
    MetricSettings {
        pattern: text("match").unwrap(),
        buckets: (!buckets.is_empty()).then(|| buckets.into()),
        help: text("help"),
        unit: text("unit"),
        drop_labels: list("drop_labels").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        stale_after: value.get("stale_after").and_then(Value::as_f64).map(std::time::Duration::from_secs_f64),
        ..MetricSettings::default()
    }
}

/// `name{a="b",c="d"}` as labels with a name.
fn selector(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let rest = rest.strip_suffix('}').unwrap();
    let pairs = crate::engine::series::pairs(rest);
    Labels::collect(pairs.map(|(name, value)| (name.into_owned(), value.into_owned()))).with("__name__", name)
}

/// Every sample as a scrape would show it, by its labels written out.
pub(super) fn samples(store: &Store) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for family in store.families() {
        let spec = store.family(family);
        for series in store.series_of(family) {
            let labels = store.labels(series);
            let mut put = |suffix: &str, labels: &Labels, value: f64| {
                let name = format!("{}{suffix}", spec.name);
                samples.insert(labels.with("__name__", &name).to_string(), value);
            };
            match spec.metric_type {
                MetricType::Counter => put("_total", &labels, store.value(series)),
                MetricType::Gauge => put("", &labels, store.value(series)),
                MetricType::Histogram => {
                    put("_count", &labels, store.count(series));
                    put("_sum", &labels, store.cell(store.cells(series).end - 1));
                    let mut total = 0.0;
                    let bounds = spec.buckets.iter().copied().chain([f64::INFINITY]);
                    for (bound, cell) in bounds.zip(store.cells(series)) {
                        total += store.cell(cell);
                        let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
                        put("_bucket", &labels.with("le", &bound), total);
                    }
                }
            }
        }
    }
    samples
}
