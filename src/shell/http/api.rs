//! Prometheus' HTTP API over the recent window, so that Grafana can read the sidecar itself.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::engine::frozen::QuerySpan;
use crate::engine::labels::Labels;
use crate::engine::promql::ast::Node;
use crate::engine::promql::storage::Halt;
use crate::engine::promql::{EvalOutcome, Expr, ParseError, QueryValue, parse};
use crate::engine::series::FamilySpec;
use crate::engine::time::Timestamp;
use crate::shell::driver::command::Unreadable;
use crate::shell::prometheus_json::{self as json, RuleFilter, ShowAlerts};

use super::Web;
use super::form::{Form, FormError};
use super::pieces::{self, Pieces};
use super::queries::QueryError;

/// Points of one series a range query may ask for, as in Prometheus.
const POINTS_MAX: u128 = 11_000;

/// The furthest back `series` and `labels` look.
const LOOK_BACK_MAX: Duration = Duration::from_hours(24 * 7);

/// Why a request fails, as Prometheus tells it.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("invalid parameter {name:?}: {source}")]
    Parse { name: &'static str, source: ParseError },
    #[error("invalid parameter {0:?}: a series selector is needed, such as queue_depth{{queue=\"bulk\"}}")]
    NoSelector(&'static str),
    #[error("{0}")]
    Bad(&'static str),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Seconds after which a refused query may be tried again.
const RETRY_AFTER: &str = "1";

impl ApiError {
    /// The status and Prometheus' word for the kind of error.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Form(FormError::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "bad_data"),
            Self::Form(FormError::TooSlow(_)) => (StatusCode::REQUEST_TIMEOUT, "timeout"),
            Self::Form(FormError::Missing(_) | FormError::Invalid { .. })
            | Self::Parse { .. }
            | Self::NoSelector(_)
            | Self::Bad(_) => (StatusCode::BAD_REQUEST, "bad_data"),
            Self::Query(QueryError::Eval(_)) => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            Self::Query(QueryError::Halted(Halt::TimedOut)) => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Query(QueryError::Halted(Halt::Canceled)) => (StatusCode::SERVICE_UNAVAILABLE, "canceled"),
            Self::Query(QueryError::Broken) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Query(QueryError::QueueFull | QueryError::Unreadable(_)) | Self::Unreadable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, kind) = self.kind();
        let body = json!({ "status": "error", "errorType": kind, "error": self.to_string() });
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

type Answer = Result<Response, ApiError>;

/// The routes under `/api/v1`.
pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/query", get(query).post(query))
        .route("/query_range", get(query_range).post(query_range))
        .route("/series", get(series).post(series))
        .route("/labels", get(label_names).post(label_names))
        .route("/label/{name}/values", get(label_values))
        .route("/metadata", get(metadata))
        .route("/status/buildinfo", get(build_info))
        .route("/rules", get(rules))
        .route("/alerts", get(alerts))
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn written(pieces: Vec<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], pieces::body(pieces)).into_response()
}

async fn query(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let at = form.time("time")?;
    let expr = parsed("query", form.required("query")?)?;
    let limit = limit(&form)?;
    let pieces = web
        .queries
        .answer(form.span("timeout")?, move |instant, terms, out| {
            // A moment earlier the present values are not there.
            let at = at.unwrap_or(instant.now());
            let mut outcome = instant.query_instant(&expr, at, terms)?;
            limit_outcome(&mut outcome, limit);
            write(&outcome, at, out)
        })
        .await?;
    Ok(written(pieces))
}

async fn query_range(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let start = form.time("start")?.ok_or(FormError::Missing("start"))?;
    let end = form.time("end")?.ok_or(FormError::Missing("end"))?;
    let step = form.span("step")?.ok_or(FormError::Missing("step"))?;
    if end < start {
        return Err(ApiError::Bad("invalid parameter \"end\": end timestamp must not be before start time"));
    }
    if step.as_millis() == 0 {
        return Err(ApiError::Bad(
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. \
             Try a positive integer",
        ));
    }
    if end.since(start).as_millis() / step.as_millis() > POINTS_MAX {
        return Err(ApiError::Bad(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ));
    }
    let expr = parsed("query", form.required("query")?)?;
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let span = QuerySpan { start, end, step_ms };
    let limit = limit(&form)?;
    let pieces = web
        .queries
        .answer(form.span("timeout")?, move |instant, terms, out| {
            let mut outcome = instant.query_range(&expr, span, terms)?;
            limit_outcome(&mut outcome, limit);
            write(&outcome, end, out)
        })
        .await?;
    Ok(written(pieces))
}

async fn series(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    if form.get("match[]").is_none() {
        return Err(ApiError::Bad("no match[] parameter provided"));
    }
    let list = |found: &BTreeSet<Labels>| found.iter().map(json::labels).collect();
    listed(&web, &form, list).await
}

async fn label_names(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let list = |found: &BTreeSet<Labels>| {
        let names: BTreeSet<&str> =
            found.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.as_ref())).collect();
        names.into_iter().map(|name| json!(name)).collect()
    };
    listed(&web, &form, list).await
}

async fn label_values(State(web): State<Web>, Path(name): Path<String>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let list = move |found: &BTreeSet<Labels>| {
        let values: BTreeSet<&str> = found.iter().filter_map(|labels| labels.get(&name)).collect();
        values.into_iter().map(|value| json!(value)).collect()
    };
    listed(&web, &form, list).await
}

async fn metadata(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let metric = form.get("metric").map(str::to_owned);
    let instant = web.mailbox.freeze().await?;
    let families = instant.families().map(metadata_of);
    let shown = families.filter(|(name, _)| metric.as_ref().is_none_or(|wanted| wanted == name));
    Ok(answer(&json::success(Value::Object(shown.collect()))))
}

/// The name a family is exposed under, with its metadata.
fn metadata_of(spec: &FamilySpec) -> (String, Value) {
    let (kind, unit) = (spec.metric_type.name(), spec.unit.as_deref().unwrap_or(""));
    let metadata = json!([{ "type": kind, "help": spec.help, "unit": unit }]);
    (spec.exposed_name().into_owned(), metadata)
}

async fn build_info() -> Response {
    answer(&json::success(json!({
        "application": "signalbox",
        "version": env!("CARGO_PKG_VERSION"),
        "revision": crate::shell::REVISION,
        "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
    })))
}

async fn rules(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let kind = form.get("type").unwrap_or("").to_lowercase();
    if !["", "alert", "record"].contains(&kind.as_str()) {
        return Err(
            FormError::Invalid { name: "type", value: kind, what: "rule type (alert or record)" }.into()
        );
    }
    let all = |name| form.all(name).filter(|value| !value.is_empty()).map(str::to_owned).collect();
    let filter = RuleFilter {
        kind,
        names: all("rule_name[]"),
        groups: all("rule_group[]"),
        files: all("file[]"),
        alerts: if form.get("exclude_alerts") == Some("true") { ShowAlerts::No } else { ShowAlerts::Yes },
    };
    let instant = web.mailbox.freeze().await?;
    Ok(answer(&json::rules(instant.groups(), &filter)))
}

async fn alerts(State(web): State<Web>) -> Answer {
    let instant = web.mailbox.freeze().await?;
    Ok(answer(&json::alerts(&instant.alerts())))
}

fn parsed(name: &'static str, text: &str) -> Result<Expr, ApiError> {
    parse(text).map_err(|source| ApiError::Parse { name, source })
}

/// What the label sets that match any of `match[]` (all where there is none) between `start` and `end` come to.
async fn listed(
    web: &Web,
    form: &Form,
    list: impl FnOnce(&BTreeSet<Labels>) -> Vec<Value> + Send + 'static,
) -> Answer {
    let span = ListedSpan::of(web, form)?;
    let mut selectors: Vec<&str> = form.all("match[]").filter(|text| !text.is_empty()).collect();
    if selectors.is_empty() {
        selectors.push(r#"{__name__=~".+"}"#);
    }
    let exprs =
        selectors.into_iter().map(|selector| span.reading(selector)).collect::<Result<Vec<_>, _>>()?;
    let limit = limit(form)?;
    let pieces = web
        .queries
        .answer(form.span("timeout")?, move |instant, terms, out| {
            let at = span.end.unwrap_or(instant.now());
            let mut found = BTreeSet::new();
            for expr in &exprs {
                if let QueryValue::Vector(samples) = instant.query_instant(expr, at, terms)?.value {
                    found.extend(samples.into_iter().map(|(labels, _)| labels));
                }
            }
            let mut answer = list(&found);
            let is_cut = limit.is_some_and(|limit| answer.len() > limit);
            answer.truncate(limit.unwrap_or(usize::MAX));
            let mut answer = json::success(Value::Array(answer));
            if let Some(fields) = answer.as_object_mut().filter(|_| is_cut) {
                fields.insert("warnings".to_owned(), json!([TRUNCATED]));
            }
            serde_json::to_writer(out, &answer).map_err(|_| QueryError::Broken)
        })
        .await?;
    Ok(written(pieces))
}

/// The span that a list of label sets is about.
#[derive(Clone, Copy, Debug)]
struct ListedSpan {
    /// Its end; none for the present.
    end: Option<Timestamp>,
    length: Duration,
}

impl ListedSpan {
    fn of(web: &Web, form: &Form) -> Result<Self, FormError> {
        let now = web.now();
        let end = form.time("end")?.filter(|end| *end < now);
        let start = form.time("start")?.unwrap_or_else(|| now.before(LOOK_BACK_MAX));
        let length = end.unwrap_or(now).since(start).clamp(Duration::from_secs(1), LOOK_BACK_MAX);
        Ok(Self { end, length })
    }

    /// Reads the last sample of the span, which is enough, by a function that keeps the metric's name.
    fn reading(self, selector: &str) -> Result<Expr, ApiError> {
        if !matches!(parsed("match[]", selector)?.node, Node::Vector(_)) {
            return Err(ApiError::NoSelector("match[]"));
        }
        parsed("match[]", &format!("last_over_time({selector}[{}ms])", self.length.as_millis()))
    }
}

/// What Prometheus says of an answer that `limit` cut.
const TRUNCATED: &str = "results truncated due to limit";

/// The parameter `limit`; none and 0 are no limit.
fn limit(form: &Form) -> Result<Option<usize>, FormError> {
    let Some(value) = form.get("limit") else { return Ok(None) };
    match value.parse::<usize>() {
        Ok(limit) => Ok((limit > 0).then_some(limit)),
        Err(_) => Err(FormError::Invalid { name: "limit", value: value.to_owned(), what: "number" }),
    }
}

/// Leaves so many series.
fn limit_outcome(outcome: &mut EvalOutcome, limit: Option<usize>) {
    let Some(limit) = limit else { return };
    let before = match &mut outcome.value {
        QueryValue::Scalar(_) | QueryValue::String(_) => return,
        QueryValue::Vector(samples) => {
            let before = samples.len();
            samples.truncate(limit);
            before
        }
        QueryValue::Matrix(series) => {
            let before = series.len();
            series.truncate(limit);
            before
        }
    };
    if before > limit {
        outcome.warnings.push(TRUNCATED.to_owned());
    }
}

fn write(outcome: &EvalOutcome, at: Timestamp, out: &mut Pieces) -> Result<(), QueryError> {
    json::write_outcome(outcome, at, out).map_err(|_| QueryError::Broken)
}
