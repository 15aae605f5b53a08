//! `/federate`: chosen series as a Prometheus above scrapes them, labels as they are.

use std::collections::BTreeMap;
use std::io::{self, Write};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::{QueryValue, Value};
use crate::shell::http::Web;
use crate::shell::http::answers::text;
use crate::shell::http::form::Form;
use crate::shell::http::pieces;
use crate::shell::http::queries::QueryError;
use crate::shell::prometheus_json::float;

use super::{RequestError, parsed, selector};

/// The one format it has.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers a scrape by `match[]`.
pub(crate) async fn federate(State(web): State<Web>, request: Request<Body>) -> Response {
    match federated(&web, request).await {
        Ok(pieces) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], pieces::body(pieces)).into_response(),
        Err(RequestError::Parse { reason, .. }) => text(StatusCode::BAD_REQUEST, reason),
        Err(error) => text(error.kind().0, error.to_string()),
    }
}

async fn federated(web: &Web, request: Request<Body>) -> Result<Vec<Bytes>, RequestError> {
    let form = Form::read(request, web.body_bytes_max).await?;
    let mut exprs = Vec::new();
    for wanted in form.all("match[]").filter(|wanted| !wanted.is_empty()) {
        selector("match[]", wanted)?;
        exprs.push(parsed("match[]", wanted)?);
    }
    let config = web.config.get();
    let pieces = web
        .queries
        .answer(None, move |instant, terms, out| {
            let mut found: BTreeMap<Labels, f64> = BTreeMap::new();
            for expr in &exprs {
                let QueryValue::Vector(samples) = instant.query_instant(expr, instant.now(), terms)?.value
                else {
                    continue;
                };
                found.extend(samples.into_iter().filter_map(|(labels, value)| match value {
                    Value::Float(number) => Some((labels, number)),
                    Value::Histogram(_) => None,
                }));
            }
            // An empty label keeps the scrape from putting its own there.
            let mut added: Vec<(&str, &str)> =
                config.external_labels.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
            if config.external_labels.get("instance").is_none() {
                added.insert(0, ("instance", ""));
            }
            write(found, &added, instant.now().millis(), out).map_err(|_| QueryError::Broken)
        })
        .await?;
    Ok(pieces)
}

/// Writes samples, those of one name together.
fn write(
    found: BTreeMap<Labels, f64>,
    added: &[(&str, &str)],
    at: i64,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut by_name: Vec<(Labels, f64)> = found.into_iter().collect();
    by_name.sort_by(|(left, _), (right, _)| left.metric_name().cmp(right.metric_name()));
    let mut last = None;
    for (labels, number) in &by_name {
        let name = labels.metric_name();
        if last != Some(name) {
            writeln!(out, "# TYPE {name} untyped")?;
            last = Some(name);
        }
        let own = labels.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let own = own.filter(|(name, _)| *name != METRIC_NAME);
        let more = added.iter().copied().filter(|(name, _)| labels.get(name).is_none());
        let pairs: Vec<String> =
            own.chain(more).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        writeln!(out, "{name}{{{}}} {} {at}", pairs.join(","), float(*number))?;
    }
    Ok(())
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
