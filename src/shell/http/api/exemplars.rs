//! Exemplars: the events behind counters and buckets, for graphs that link to them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use serde_json::{Value, json};

use crate::engine::frozen::ShownExemplar;
use crate::engine::labels::Labels;
use crate::engine::promql::inspect::selectors;
use crate::engine::promql::storage::Matcher;
use crate::shell::http::Web;
use crate::shell::http::form::Form;
use crate::shell::http::queries::QueryError;
use crate::shell::prometheus_json as json;

use super::{Answer, RequestError, parsed, written};

/// `/query_exemplars`
pub(super) async fn exemplars(State(web): State<Web>, request: Request<Body>) -> Answer {
    let form = Form::read(request, web.body_bytes_max).await?;
    let (start, end) = (form.time("start")?, form.time("end")?);
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        return Err(RequestError::EndsBeforeStart);
    }
    let expr = parsed("query", form.get("query").unwrap_or(""))?;
    let wanted: Vec<Vec<Matcher>> =
        selectors(&expr).iter().map(|selector| selector.vector.matchers.clone()).collect();
    let pieces = web
        .queries
        .answer(form.span("timeout")?, move |instant, terms, out| {
            let mut found: BTreeMap<Labels, Vec<ShownExemplar>> = BTreeMap::new();
            for matchers in &wanted {
                for (labels, exemplar) in instant.exemplars(matchers, terms.patience) {
                    let at = exemplar.timestamp;
                    let of_series = found.entry(labels).or_default();
                    let is_inside = start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end);
                    // Two selectors may find the same one.
                    if is_inside && of_series.is_empty() {
                        of_series.push(exemplar);
                    }
                }
            }
            let series = found.iter().filter(|(_, exemplars)| !exemplars.is_empty()).map(series);
            let answer = json::success(series.collect());
            serde_json::to_writer(out, &answer).map_err(|_| QueryError::Broken)
        })
        .await?;
    Ok(written(pieces))
}

fn series((labels, exemplars): (&Labels, &Vec<ShownExemplar>)) -> Value {
    let one = |exemplar: &ShownExemplar| {
        json!({
            "labels": json::labels(&exemplar.labels),
            "value": json::float(exemplar.value),
            "timestamp": json::seconds(exemplar.timestamp.millis()),
        })
    };
    json!({ "seriesLabels": json::labels(labels), "exemplars": exemplars.iter().map(one).collect::<Vec<_>>() })
}
