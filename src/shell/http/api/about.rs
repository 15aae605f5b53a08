//! What there is and how it runs: metadata, targets, build, configuration, memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::engine::config::Config;
use crate::engine::config::server_url::{ServerUrl, split_urls};
use crate::engine::fact::PairStanding;
use crate::engine::frozen::{FrozenInstant, QueryTerms};
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::{QueryValue, Value as SampleValue};
use crate::engine::series::FamilySpec;
use crate::engine::time::Timestamp;
use crate::engine::yaml::units::duration_text;
use crate::shell::http::Web;
use crate::shell::http::form::Form;
use crate::shell::http::queries::QueryError;
use crate::shell::prometheus_json as json;
use crate::shell::{REVISION, process};

use super::{Answer, RequestError, answer, parsed, written};

/// The Prometheus whose API this is: clients look at it for what they may ask.
const PROMETHEUS_VERSION: &str = "3.5.0";

/// Entries of each list of `/status/tsdb`, where nothing else is asked for.
const TOP: usize = 10;

/// `/metadata`
pub(super) async fn metadata(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let metric = form.get("metric").map(str::to_owned);
    let most = form.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    // Each metric has one entry, which any limit on them leaves.
    form.number("limit_per_metric")?;
    let instant = web.mailbox.freeze().await?;
    let families = instant.families().map(metadata_of);
    let shown = families.filter(|(name, _)| metric.as_ref().is_none_or(|wanted| wanted == name));
    Ok(answer(&json::success(Value::Object(shown.take(most).collect()))))
}

/// The name a family is exposed under, with its metadata.
fn metadata_of(spec: &FamilySpec) -> (String, Value) {
    let (kind, unit) = (spec.metric_type.name(), spec.unit.as_deref().unwrap_or(""));
    let metadata = json!([{ "type": kind, "help": spec.help, "unit": unit }]);
    (spec.exposed_name().into_owned(), metadata)
}

/// `/targets`: nothing is scraped.
pub(super) async fn targets() -> Response {
    answer(&json::success(json!({ "activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {} })))
}

/// `/targets/metadata`
pub(super) async fn target_metadata() -> Response {
    answer(&json::success(json!([])))
}

/// `/status/buildinfo`
pub(super) async fn build_info() -> Response {
    answer(&json::success(json!({
        "version": PROMETHEUS_VERSION,
        "application": "signalbox",
        "applicationVersion": env!("CARGO_PKG_VERSION"),
        "revision": REVISION,
        "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
    })))
}

/// `/status/config`: the file as it is in force, secrets painted over.
pub(super) async fn config(State(web): State<Web>) -> Response {
    let config = web.config.get();
    answer(&json::success(json!({ "yaml": config.written.as_ref() })))
}

/// `/status/flags`: what flags, environment and file came to.
pub(super) async fn flags(State(web): State<Web>) -> Response {
    answer(&json::success(Value::Object(flags_of(&web.config.get()))))
}

fn flags_of(config: &Config) -> Map<String, Value> {
    // What stands before the host may be a secret.
    let url = |text: &str| ServerUrl::parse(text).map(|(server, _)| server.url()).unwrap_or_default();
    let urls: Vec<String> = config.nats.url.iter().flat_map(|urls| split_urls(urls)).map(url).collect();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let flags = [
        ("instance", config.instance.clone()),
        ("nats-url", urls.join(",")),
        ("listen", text(&config.listen)),
        ("admin-listen", text(&config.admin_listen)),
        ("rules", config.rules.iter().flatten().cloned().collect::<Vec<_>>().join(",")),
        ("state-dir", text(&config.state_dir)),
        ("web-config", text(&config.web_config)),
        ("web-edit", config.web_edit.to_string()),
    ];
    flags.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// `/status/runtimeinfo`
pub(super) async fn runtime_info(State(web): State<Web>) -> Answer {
    let started = web.clock.started();
    let pair = web.status.pair();
    let window = web.config.get().history.window;
    let success = parsed("query", "signalbox_config_last_reload_successful")?;
    let at = parsed("query", "signalbox_config_last_reload_timestamp_seconds")?;
    let pieces = web
        .queries
        .answer(None, move |instant, terms, out| {
            let value = |expr| {
                let outcome = instant.query_instant(expr, instant.now(), terms)?;
                Ok::<_, QueryError>(first_number(&outcome.value))
            };
            let last_config = Timestamp::from_micros((value(&at)? * 1e6) as i64);
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let folder = std::env::current_dir().unwrap_or_default();
            let mut info = json!({
                "startTime": started.to_string(),
                "CWD": Path::to_string_lossy(&folder),
                "reloadConfigSuccess": value(&success)? == 1.0,
                "lastConfigTime": last_config.to_string(),
                "corruptionCount": 0,
                "goroutineCount": process::read().threads as u64,
                "GOMAXPROCS": threads,
                "GOGC": "", "GODEBUG": "",
                "storageRetention": duration_text(window),
            });
            if let (Some(pair), Value::Object(info)) = (pair, &mut info) {
                let leads = pair.standing == PairStanding::Leads;
                info.insert("pair".to_owned(), json!({ "leads": leads, "leader": pair.leader.as_deref() }));
            }
            serde_json::to_writer(out, &json::success(info)).map_err(|_| QueryError::Broken)
        })
        .await?;
    Ok(written(pieces))
}

fn first_number(value: &QueryValue) -> f64 {
    match value {
        QueryValue::Vector(samples) => match samples.first() {
            Some((_, SampleValue::Float(number))) => *number,
            Some((_, SampleValue::Histogram(_))) | None => 0.0,
        },
        QueryValue::Scalar(_) | QueryValue::String(_) | QueryValue::Matrix(_) => 0.0,
    }
}

/// `/status/tsdb`: how many series and labels there are, and who has most of them.
pub(super) async fn tsdb(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let top = match form.get("limit").map(str::parse) {
        None => TOP,
        Some(Ok(top)) if top > 0 => top,
        Some(_) => return Err(RequestError::NoTop),
    };
    let window = web.config.get().history.window;
    let pieces = web
        .queries
        .answer(None, move |instant, terms, out| {
            let sets = every_series(instant, terms)?;
            let (now, begin) = (instant.now().millis(), instant.now().before(window).millis());
            let mut stats = cardinality(&sets, top);
            let head = json!({
                "numSeries": sets.len(),
                "numLabelPairs": sets.iter().flat_map(Labels::iter).collect::<BTreeSet<_>>().len(),
                "chunkCount": sets.len(),
                "minTime": begin,
                "maxTime": now,
            });
            stats.insert("headStats".to_owned(), head);
            let answer = json::success(Value::Object(stats));
            serde_json::to_writer(out, &answer).map_err(|_| QueryError::Broken)
        })
        .await?;
    Ok(written(pieces))
}

/// The label sets of all series that are there now.
fn every_series(instant: &FrozenInstant, terms: QueryTerms<'_>) -> Result<Vec<Labels>, QueryError> {
    let expr = parsed("query", r#"{__name__=~".+"}"#).map_err(|_: RequestError| QueryError::Broken)?;
    Ok(match instant.query_instant(&expr, instant.now(), terms)?.value {
        QueryValue::Vector(samples) => samples.into_iter().map(|(labels, _)| labels).collect(),
        QueryValue::Scalar(_) | QueryValue::String(_) | QueryValue::Matrix(_) => Vec::new(),
    })
}

fn cardinality(sets: &[Labels], top: usize) -> Map<String, Value> {
    let mut by_metric: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_pair: BTreeMap<String, usize> = BTreeMap::new();
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut bytes: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, value) in sets.iter().flat_map(Labels::iter) {
        if name.as_ref() == METRIC_NAME {
            *by_metric.entry(value).or_default() += 1;
        }
        *by_pair.entry(format!("{name}={value}")).or_default() += 1;
        values.entry(name).or_default().insert(value);
        *bytes.entry(name).or_default() += value.len();
    }
    let values: BTreeMap<&str, usize> =
        values.into_iter().map(|(name, values)| (name, values.len())).collect();
    let by_pair = by_pair.iter().map(|(pair, count)| (pair.as_str(), *count)).collect();
    [
        ("seriesCountByMetricName", by_metric),
        ("labelValueCountByLabelName", values),
        ("memoryInBytesByLabelName", bytes),
        ("seriesCountByLabelValuePair", by_pair),
    ]
    .into_iter()
    .map(|(list, counts)| (list.to_owned(), most_of(counts, top)))
    .collect()
}

/// The entries with the highest counts, highest first.
fn most_of(counts: BTreeMap<&str, usize>, top: usize) -> Value {
    let mut entries: Vec<(&str, usize)> = counts.into_iter().collect();
    entries.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    entries.into_iter().take(top).map(|(name, value)| json!({ "name": name, "value": value })).collect()
}
