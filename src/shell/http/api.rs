//! Prometheus' HTTP API over the recent window, so that Grafana can read the sidecar itself.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::ast::Node;
use crate::engine::promql::{EvalError, Expr, Outcome, ParseError, QueryValue, parse};
use crate::engine::time::Timestamp;
use crate::engine::{Engine, QuerySpan};
use crate::shell::prometheus_json::{self as json, RuleFilter, ShowAlerts};

use super::Web;
use super::form::{Form, FormError};

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
    Eval(#[from] EvalError),
    #[error("signalbox is stopping")]
    Stopping,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, kind) = match &self {
            Self::Form(FormError::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "bad_data"),
            Self::Form(FormError::TooSlow(_)) => (StatusCode::REQUEST_TIMEOUT, "timeout"),
            Self::Form(_) | Self::Parse { .. } | Self::NoSelector(_) | Self::Bad(_) => {
                (StatusCode::BAD_REQUEST, "bad_data")
            }
            Self::Eval(_) => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let body = json!({ "status": "error", "errorType": kind, "error": self.to_string() });
        (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
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

async fn query(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let at = form.time("time")?;
    let expr = parsed("query", form.required("query")?)?;
    let (outcome, at) = evaluate(&web, expr, at).await?;
    Ok(answer(&json::outcome(&outcome, at)))
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
    let outcome = web
        .mailbox
        .ask(move |engine, now| engine.query_range(&expr, span, now))
        .await
        .ok_or(ApiError::Stopping)??;
    Ok(answer(&json::outcome(&outcome, end)))
}

async fn series(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    if form.get("match[]").is_none() {
        return Err(ApiError::Bad("no match[] parameter provided"));
    }
    let found = matching(&web, &form).await?;
    Ok(answer(&json::success(limited(found.iter().map(json::labels).collect(), &form))))
}

async fn label_names(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let found = matching(&web, &form).await?;
    let names: BTreeSet<&str> =
        found.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.as_ref())).collect();
    Ok(answer(&json::success(limited(names.into_iter().map(|name| json!(name)).collect(), &form))))
}

async fn label_values(State(web): State<Web>, Path(name): Path<String>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let found = matching(&web, &form).await?;
    let values: BTreeSet<&str> = found.iter().filter_map(|labels| labels.get(&name)).collect();
    Ok(answer(&json::success(limited(values.into_iter().map(|value| json!(value)).collect(), &form))))
}

async fn metadata(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let metric = form.get("metric").map(str::to_owned);
    let families = web.mailbox.ask(|engine, _| families(engine)).await.ok_or(ApiError::Stopping)?;
    let shown = families.into_iter().filter(|(name, _)| metric.as_ref().is_none_or(|wanted| wanted == name));
    Ok(answer(&json::success(Value::Object(shown.collect()))))
}

/// Every family's sample name with its metadata.
fn families(engine: &Engine) -> Vec<(String, Value)> {
    let store = engine.store();
    store
        .families()
        .map(|id| {
            let spec = store.family(id);
            let (kind, unit) = (spec.metric_type.name(), spec.unit.as_deref().unwrap_or(""));
            let metadata = json!([{ "type": kind, "help": spec.help, "unit": unit }]);
            (spec.exposed_name().into_owned(), metadata)
        })
        .collect()
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
    let groups = web.mailbox.ask(|engine, _| engine.groups()).await.ok_or(ApiError::Stopping)?;
    Ok(answer(&json::rules(&groups, &filter)))
}

async fn alerts(State(web): State<Web>) -> Answer {
    let alerts = web.mailbox.ask(|engine, _| engine.alerts()).await.ok_or(ApiError::Stopping)?;
    Ok(answer(&json::alerts(&alerts)))
}

fn parsed(name: &'static str, text: &str) -> Result<Expr, ApiError> {
    parse(text).map_err(|source| ApiError::Parse { name, source })
}

/// Evaluates at an instant, or at the driver's present: a moment earlier the present values are not there.
async fn evaluate(web: &Web, expr: Expr, at: Option<Timestamp>) -> Result<(Outcome, Timestamp), ApiError> {
    let evaluated = move |engine: &mut Engine, now: Timestamp| {
        let at = at.unwrap_or(now);
        engine.query_instant(&expr, at, now).map(|outcome| (outcome, at))
    };
    let outcome = web.mailbox.ask(evaluated).await.ok_or(ApiError::Stopping)?;
    Ok(outcome?)
}

/// The label sets that match any of `match[]` (all where there is none) between `start` and `end`.
async fn matching(web: &Web, form: &Form) -> Result<BTreeSet<Labels>, ApiError> {
    let now = web.now();
    let asked_end = form.time("end")?.filter(|end| *end < now);
    let end = asked_end.unwrap_or(now);
    let start = form.time("start")?.unwrap_or_else(|| now.before(LOOK_BACK_MAX));
    let span = end.since(start).clamp(Duration::from_secs(1), LOOK_BACK_MAX);
    let mut selectors: Vec<&str> = form.all("match[]").filter(|text| !text.is_empty()).collect();
    if selectors.is_empty() {
        selectors.push(r#"{__name__=~".+"}"#);
    }
    let mut found = BTreeSet::new();
    for selector in selectors {
        let expr = parsed("match[]", selector)?;
        if !matches!(expr.node, Node::Vector(_)) {
            return Err(ApiError::NoSelector("match[]"));
        }
        // The last sample of the span is enough, and this function keeps the metric's name.
        let text = format!("last_over_time({selector}[{}ms])", span.as_millis());
        let (outcome, _) = evaluate(web, parsed("match[]", &text)?, asked_end).await?;
        if let QueryValue::Vector(samples) = outcome.value {
            found.extend(samples.into_iter().map(|(labels, _)| labels));
        }
    }
    debug_assert!(found.iter().all(|labels| labels.get(METRIC_NAME).is_some()));
    Ok(found)
}

fn limited(mut values: Vec<Value>, form: &Form) -> Value {
    let limit = form.get("limit").and_then(|text| text.parse::<usize>().ok()).filter(|limit| *limit > 0);
    if let Some(limit) = limit {
        values.truncate(limit);
    }
    Value::Array(values)
}
