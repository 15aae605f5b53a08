//! Prometheus' HTTP API over the recent window, so that Grafana can read the sidecar itself.

mod about;
mod cors;
mod exemplars;
pub(super) mod federate;
mod listed;
mod query;
mod rules;
mod tree;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use crate::engine::promql::ast::{Node, VectorSelector};
use crate::engine::promql::storage::Halt;
use crate::engine::promql::{Expr, parse};
use crate::shell::driver::command::Unreadable;
use crate::shell::prometheus_json::UnknownToken;

use super::form::{Form, FormError};
use super::queries::QueryError;
use super::{Web, packed, pieces};

/// Why a request fails, as Prometheus tells it.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("invalid parameter {name:?}: {reason}")]
    Parse { name: &'static str, reason: String },
    #[error("invalid expression type {0:?} for range query, must be Scalar or instant Vector")]
    NoSteps(&'static str),
    #[error("invalid parameter {0:?}: a series selector is needed, such as queue_depth{{queue=\"bulk\"}}")]
    NoSelector(&'static str),
    #[error("invalid parameter \"type\": not supported value {0:?}")]
    RuleType(String),
    #[error("{0}")]
    Bad(&'static str),
    #[error(transparent)]
    Page(#[from] UnknownToken),
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
            Self::Form(
                FormError::Invalid { .. } | FormError::InvalidTime { .. } | FormError::NoNumber(_),
            )
            | Self::Parse { .. }
            | Self::NoSelector(_)
            | Self::NoSteps(_)
            | Self::RuleType(_)
            | Self::Page(_)
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
fn parsed(name: &'static str, text: &str) -> Result<Expr, ApiError> {
    parse(text).map_err(|error| ApiError::Parse { name, reason: error.placed(text) })
}

/// The selector of a parameter.
fn selector(name: &'static str, text: &str) -> Result<VectorSelector, ApiError> {
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
        | Node::Paren(_) => Err(ApiError::NoSelector(name)),
    }
}

/// The parameter `limit`; none and 0 are no limit.
fn limit(form: &Form) -> Result<Option<usize>, ApiError> {
    let Some(limit) = form.number("limit")? else { return Ok(None) };
    let limit = usize::try_from(limit)
        .map_err(|_| ApiError::Bad("invalid parameter \"limit\": limit must be non-negative"))?;
    Ok((limit > 0).then_some(limit))
}

#[cfg(test)]
mod tests;
