//! Lists of what there is: series, label names, values of a label.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Request;
use serde_json::{Value, json};

use crate::engine::labels::Labels;
use crate::engine::promql::{Expr, QueryValue};
use crate::engine::time::Timestamp;
use crate::shell::http::Web;
use crate::shell::http::form::{Form, FormError};
use crate::shell::http::queries::QueryError;
use crate::shell::prometheus_json as json;

use super::{Answer, RequestError, limit, parsed, selector, written};

/// The furthest back `series` and `labels` look.
const LOOK_BACK_MAX: Duration = Duration::from_hours(24 * 7);

pub(super) async fn series(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    if form.get("match[]").is_none() {
        return Err(RequestError::NoMatch);
    }
    let list = |found: &BTreeSet<Labels>| found.iter().map(json::labels).collect();
    listed(&web, &form, list).await
}

pub(super) async fn label_names(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let list = |found: &BTreeSet<Labels>| {
        let names: BTreeSet<&str> =
            found.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.as_ref())).collect();
        names.into_iter().map(|name| json!(name)).collect()
    };
    listed(&web, &form, list).await
}

pub(super) async fn label_values(
    State(web): State<Web>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let list = move |found: &BTreeSet<Labels>| {
        let values: BTreeSet<&str> = found.iter().filter_map(|labels| labels.get(&name)).collect();
        values.into_iter().map(|value| json!(value)).collect()
    };
    listed(&web, &form, list).await
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
            for expr in exprs.iter().filter(|_| !span.is_backwards) {
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
    /// Whether it ends before it begins, so that nothing is in it.
    is_backwards: bool,
}

impl ListedSpan {
    fn of(web: &Web, form: &Form) -> Result<Self, FormError> {
        let now = web.now();
        let end = form.time("end")?.filter(|end| *end < now);
        let start = form.time("start")?.unwrap_or_else(|| now.before(LOOK_BACK_MAX));
        let is_backwards = form.time("end")?.is_some_and(|end| end < start);
        let length = end.unwrap_or(now).since(start).clamp(Duration::from_secs(1), LOOK_BACK_MAX);
        Ok(Self { end, length, is_backwards })
    }

    /// Reads the last sample of the span, which is enough, by a function that keeps the metric's name.
    fn reading(self, text: &str) -> Result<Expr, RequestError> {
        selector("match[]", text)?;
        parsed("match[]", &format!("last_over_time({text}[{}ms])", self.length.as_millis()))
    }
}

/// What Prometheus says of an answer that `limit` cut.
pub(super) const TRUNCATED: &str = "results truncated due to limit";
