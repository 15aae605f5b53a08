//! Why a request fails, in Prometheus' words.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::engine::promql::storage::Halt;
use crate::shell::driver::command::Unreadable;
use crate::shell::http::form::FormError;
use crate::shell::http::queries::QueryError;
use crate::shell::prometheus_json::UnknownToken;

/// Why a request fails, as Prometheus tells it.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
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
    #[error("no match[] parameter provided")]
    NoMatch,
    #[error("end timestamp must not be before start timestamp")]
    EndsBeforeStart,
    #[error("invalid parameter \"end\": end timestamp must not be before start time")]
    RangeEndsBeforeStart,
    #[error(
        "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. \
         Try a positive integer"
    )]
    NoStepWidth,
    #[error(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
         (?step=XX)"
    )]
    TooManyPoints,
    #[error("invalid parameter \"limit\": limit must be non-negative")]
    NegativeLimit,
    #[error("limit must be a positive number")]
    NoTop,
    #[error("invalid parameter \"group_limit\": group_limit needs to be greater than 0")]
    NoGroupLimit,
    #[error(
        "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups"
    )]
    TokenWithoutLimit,
    #[error(transparent)]
    Page(#[from] UnknownToken),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Seconds after which a refused query may be tried again.
const RETRY_AFTER: &str = "1";

impl RequestError {
    /// The status and Prometheus' word for the kind of error.
    pub(super) fn kind(&self) -> (StatusCode, &'static str) {
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
            | Self::NoMatch
            | Self::EndsBeforeStart
            | Self::RangeEndsBeforeStart
            | Self::NoStepWidth
            | Self::TooManyPoints
            | Self::NegativeLimit
            | Self::NoTop
            | Self::NoGroupLimit
            | Self::TokenWithoutLimit => (StatusCode::BAD_REQUEST, "bad_data"),
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

impl IntoResponse for RequestError {
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
