//! Prometheus' HTTP API over the recent window, so that Grafana can read the sidecar itself.

mod about;
mod cors;
mod error;
mod exemplars;
pub(super) mod federate;
mod listed;
mod query;
mod rules;
mod tree;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::Value;

use super::form::Form;
use super::{Web, packed, pieces};
use crate::engine::promql::ast::{Node, VectorSelector};
use crate::engine::promql::{Expr, parse};
use error::RequestError;

type Answer = Result<Response, RequestError>;

/// The routes under `/api/v1`.
pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/query", both(query::instant))
        .route("/query_range", both(query::range))
        .route("/query_exemplars", both(exemplars::exemplars))
        .route("/format_query", both(query::format))
        .route("/parse_query", both(query::parse))
        .route("/series", both(listed::series))
        .route("/labels", both(listed::label_names))
        .route("/label/{name}/values", both(listed::label_values))
        .route("/rules", both(rules::rules))
        .route("/alerts", both(rules::alerts))
        .route("/alertmanagers", both(rules::alertmanagers))
        .route("/metadata", both(about::metadata))
        .route("/targets", both(about::targets))
        .route("/targets/metadata", both(about::target_metadata))
        .route("/status/buildinfo", both(about::build_info))
        .route("/status/config", both(about::config))
        .route("/status/flags", both(about::flags))
        .route("/status/runtimeinfo", both(about::runtime_info))
        .route("/status/tsdb", both(about::tsdb))
        .layer(from_fn(packed::pack))
        .layer(from_fn(cors::allow))
}

/// Answers GET and POST alike, and what browsers ask before they ask.
fn both<H, T>(handler: H) -> MethodRouter<Web>
where
    H: axum::handler::Handler<T, Web>,
    T: 'static,
{
    get(handler.clone()).post(handler).options(cors::preflight)
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn written(pieces: Vec<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], pieces::body(pieces)).into_response()
}

/// The expression of a parameter; a missing one is an empty text.
fn parsed(name: &'static str, text: &str) -> Result<Expr, RequestError> {
    parse(text).map_err(|error| RequestError::Parse { name, reason: error.placed(text) })
}

/// The selector of a parameter.
fn selector(name: &'static str, text: &str) -> Result<VectorSelector, RequestError> {
    match parsed(name, text)?.node {
        Node::Vector(selector) => Ok(selector),
        Node::Number(_)
        | Node::String(_)
        | Node::Matrix { .. }
        | Node::Subquery { .. }
        | Node::Unary { .. }
        | Node::Binary(_)
        | Node::Aggregate(_)
        | Node::Call { .. }
        | Node::Paren(_) => Err(RequestError::NoSelector(name)),
    }
}

/// The parameter `limit`; none and 0 are no limit.
fn limit(form: &Form) -> Result<Option<usize>, RequestError> {
    let Some(limit) = form.number("limit")? else { return Ok(None) };
    let limit = usize::try_from(limit).map_err(|_| RequestError::NegativeLimit)?;
    Ok((limit > 0).then_some(limit))
}

#[cfg(test)]
mod tests;
