//! Queries, at one instant and over a span, and what can be said of an expression without evaluating it.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use serde_json::json;

use crate::engine::frozen::{QuerySpan, QueryTerms};
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::value_type;
use crate::engine::promql::{EvalOutcome, EvalSettings, QueryValue};
use crate::engine::time::Timestamp;
use crate::shell::http::Web;
use crate::shell::http::form::Form;
use crate::shell::http::pieces::Pieces;
use crate::shell::http::queries::QueryError;
use crate::shell::prometheus_json::{self as json, QueryStats};

use super::listed::TRUNCATED;
use super::{Answer, RequestError, answer, limit, parsed, tree, written};

/// Points of one series a range query may ask for, as in Prometheus.
const POINTS_MAX: u128 = 11_000;

/// What both kinds of query take beside their expression and times.
#[derive(Clone, Copy, Debug)]
struct Options {
    timeout: Option<Duration>,
    limit: Option<usize>,
    lookback: Option<Duration>,
    stats: Stats,
    asked: Instant,
}

/// Whether an answer says what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stats {
    Asked,
    NotAsked,
}

impl Options {
    fn of(form: &Form) -> Result<Self, RequestError> {
        Ok(Self {
            timeout: form.span("timeout")?,
            limit: limit(form)?,
            lookback: form.span("lookback_delta")?.filter(|span| !span.is_zero()),
            stats: if form.get("stats").is_some() { Stats::Asked } else { Stats::NotAsked },
            asked: Instant::now(),
        })
    }

    /// Evaluates under these options and writes the answer.
    fn answer(
        self,
        terms: QueryTerms<'_>,
        at: Timestamp,
        out: &mut Pieces,
        evaluate: impl FnOnce(QueryTerms<'_>) -> Result<EvalOutcome, QueryError>,
    ) -> Result<(), QueryError> {
        let begun = Instant::now();
        let lookback = self.lookback.unwrap_or(terms.settings.lookback);
        let settings = EvalSettings { lookback, ..*terms.settings };
        let mut outcome = evaluate(QueryTerms { settings: &settings, patience: terms.patience })?;
        limit_outcome(&mut outcome, self.limit);
        let stats = match self.stats {
            Stats::NotAsked => None,
            Stats::Asked => Some(QueryStats {
                waited: begun.saturating_duration_since(self.asked),
                evaluated: begun.elapsed(),
                samples: outcome.samples_read,
            }),
        };
        json::write_answer(&outcome, at, stats, out).map_err(|_| QueryError::Broken)
    }
}

/// `/query`
pub(super) async fn instant(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let at = form.time("time")?;
    let options = Options::of(&form)?;
    let expr = parsed("query", form.get("query").unwrap_or(""))?;
    let pieces = web
        .queries
        .answer(options.timeout, move |instant, terms, out| {
            // A moment earlier the present values are not there.
            let at = at.unwrap_or(instant.now());
            options.answer(terms, at, out, |terms| Ok(instant.query_instant(&expr, at, terms)?))
        })
        .await?;
    Ok(written(pieces))
}

/// `/query_range`
pub(super) async fn range(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let span = span(&form)?;
    let options = Options::of(&form)?;
    let expr = parsed("query", form.get("query").unwrap_or(""))?;
    let kind = value_type(&expr);
    if matches!(kind, ValueType::Matrix | ValueType::String) {
        return Err(RequestError::NoSteps(kind.name()));
    }
    let pieces = web
        .queries
        .answer(options.timeout, move |instant, terms, out| {
            options.answer(terms, span.end, out, |terms| Ok(instant.query_range(&expr, span, terms)?))
        })
        .await?;
    Ok(written(pieces))
}

/// The span of a range query.
fn span(form: &Form) -> Result<QuerySpan, RequestError> {
    let (start, end) = (form.required_time("start")?, form.required_time("end")?);
    if end < start {
        return Err(RequestError::RangeEndsBeforeStart);
    }
    let step = match form.get("step").and_then(|step| step.parse::<f64>().ok()) {
        Some(seconds) if seconds < 0.0 => return Err(RequestError::NoStepWidth),
        Some(_) | None => form.required_span("step")?,
    };
    if step.as_millis() == 0 {
        return Err(RequestError::NoStepWidth);
    }
    if end.since(start).as_millis() / step.as_millis() > POINTS_MAX {
        return Err(RequestError::TooManyPoints);
    }
    Ok(QuerySpan { start, end, step_ms: i64::try_from(step.as_millis()).unwrap_or(i64::MAX) })
}

/// `/format_query`
pub(super) async fn format(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let expr = parsed("query", form.get("query").unwrap_or(""))?;
    Ok(answer(&json::success(json!(expr.to_string()))))
}

/// `/parse_query`
pub(super) async fn parse(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let expr = parsed("query", form.get("query").unwrap_or(""))?;
    Ok(answer(&json::success(tree::of(&expr))))
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
