//! Answers of the editor: its pages with their policy, what the editor's script reads, and refusals.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::Markup;
use serde_json::Value;

use crate::engine::promql::storage::Halt;
use crate::shell::http::answers::text;
use crate::shell::http::form::FormError;
use crate::shell::http::page::POLICY;
use crate::shell::http::page::address::{Address, Root};
use crate::shell::http::page::assets::{CODEMIRROR, EDIT_JS, TIMES_JS};
use crate::shell::http::page::find::RulesAsk;
use crate::shell::http::page::layout::Document;
use crate::shell::http::page::words;
use crate::shell::http::queries::QueryError;
use crate::shell::rule_files::edits::EditFault;

use super::Visit;
use super::guard::Refused;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Editing is off.
    #[error("Editing on the page is off; --web-edit turns it on.")]
    Off,
    /// Who asks may not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The form cannot be read.
    #[error(transparent)]
    Form(#[from] FormError),
    /// What was asked of the file was not done.
    #[error("Not done: {0}.")]
    File(#[from] EditFault),
    /// The past was not walked through.
    #[error("What the rules would have done was not worked out: {0}.")]
    Query(#[from] QueryError),
    /// The process stops, or something broke.
    #[error("signalbox is too busy to answer, or it is stopping; try again.")]
    Busy,
}

impl Failure {
    /// What is answered where a file is not opened or not saved.
    pub(super) const fn status_of(fault: &EditFault) -> StatusCode {
        match fault {
            EditFault::Unknown | EditFault::NoSuchVersion => StatusCode::NOT_FOUND,
            EditFault::Outside | EditFault::ReadOnly(_) => StatusCode::FORBIDDEN,
            EditFault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            EditFault::Changed | EditFault::Taken => StatusCode::CONFLICT,
            EditFault::Name => StatusCode::UNPROCESSABLE_ENTITY,
            EditFault::Unreadable(_) | EditFault::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Off => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Form(FormError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(FormError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::Form(
                FormError::Invalid { .. } | FormError::InvalidTime { .. } | FormError::NoNumber(_),
            ) => StatusCode::BAD_REQUEST,
            Self::File(fault) => Self::status_of(fault),
            Self::Query(
                QueryError::Halted(Halt::TimedOut | Halt::Canceled)
                | QueryError::QueueFull
                | QueryError::Unreadable(_),
            )
            | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Query(QueryError::Eval(_) | QueryError::Broken) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        text(self.status(), self.to_string())
    }
}

/// A page of the editor.
pub(super) fn page(
    visit: &Visit,
    (status, root): (StatusCode, Root),
    name: &str,
    content: Markup,
) -> Result<Response, Failure> {
    let nonce = visit.edits.random_text()?;
    let title = format!("{} · signalbox", words::short(name));
    let scripts = [CODEMIRROR, TIMES_JS, EDIT_JS];
    let document = Document {
        root,
        page: &Address::Rules(RulesAsk::default()),
        title: &title,
        scripts: &scripts,
        nonce: Some(&nonce),
        content,
    };
    // The editor's own style is made by its script, which knows the nonce.
    let policy = POLICY.replace("style-src 'self'", &format!("style-src 'self' 'nonce-{nonce}'"));
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (status, head, document.markup().into_string()).into_response();
    if let Some(cookie) = visit.editor.cookie.as_deref().and_then(|cookie| HeaderValue::from_str(cookie).ok())
    {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What the editor's script reads.
pub(super) fn json(value: &Value) -> Response {
    let head = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (head, value.to_string()).into_response()
}

/// A text as a file of this name.
pub(super) fn attachment(name: &str, text: String) -> Response {
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    let head = [
        (CONTENT_TYPE, "application/yaml; charset=utf-8"),
        (CONTENT_DISPOSITION, disposition.as_str()),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (head, text).into_response()
}

/// Leads to another page, so that loading it again sends nothing again.
pub(super) fn see_other(address: &str) -> Response {
    let head = [(LOCATION, address), (CACHE_CONTROL, "no-store")];
    (StatusCode::SEE_OTHER, head).into_response()
}
