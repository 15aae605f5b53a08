//! Pages of other origins may read the API, as they may Prometheus'.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN, VARY,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// `OPTIONS`: what a browser asks before it asks.
pub(super) async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Says to a page of another origin that it may read the answer.
pub(super) async fn allow(request: Request, next: Next) -> Response {
    let has_origin = request.headers().contains_key(ORIGIN);
    let mut response = next.run(request).await;
    if has_origin {
        let headers = response.headers_mut();
        let mut put = |name, value| headers.insert(name, HeaderValue::from_static(value));
        put(ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin");
        put(ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS");
        put(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        put(ACCESS_CONTROL_EXPOSE_HEADERS, "Date");
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}
