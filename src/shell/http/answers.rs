//! Plain answers: health, readiness, reload, and what is not there.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

use super::Web;

/// A plain text answer.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let mut text: String = text.into();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// `GET /-/healthy`: the process answers.
pub(crate) async fn healthy() -> Response {
    text(StatusCode::OK, "signalbox is healthy.")
}

/// `GET /-/ready`: everything it needs is there, or what is not.
pub(crate) async fn ready(State(web): State<Web>) -> Response {
    let reasons = web.status.reasons();
    if reasons.is_empty() {
        let concerns = web.status.concerns().into_iter().map(|(_, concern)| format!("\n{concern}"));
        text(StatusCode::OK, format!("signalbox is ready.{}", concerns.collect::<String>()))
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready:\n{}", reasons.join("\n")))
    }
}

/// `POST /-/reload`: reads configuration and rules again.
pub(crate) async fn reload(State(web): State<Web>) -> Response {
    let (wish, outcome) = oneshot::channel();
    if web.reload.send(wish).await.is_err() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "signalbox is stopping.");
    }
    match outcome.await {
        Ok(report) if report.is_good => text(StatusCode::OK, report.text),
        Ok(report) => text(StatusCode::BAD_REQUEST, report.text),
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "signalbox is stopping."),
    }
}

/// A path that is none.
pub(crate) async fn not_found(uri: Uri) -> Response {
    let path: String = uri.path().chars().filter(|c| !c.is_control()).take(200).collect();
    text(
        StatusCode::NOT_FOUND,
        format!("There is nothing at {path}. Try /metrics, /-/ready, /api/v1/alerts or /."),
    )
}

/// A method the path does not take.
pub(crate) async fn wrong_method() -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, "This path does not take that method.")
}

/// The response with something that lasts until its body is sent or given up: a permit, a note.
pub(crate) fn held_with(response: Response, held: impl Send + Unpin + 'static) -> Response {
    response.map(|body| Body::new(Held { body, _held: held }))
}

struct Held<T> {
    body: Body,
    _held: T,
}

impl<T: Unpin> HttpBody for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
