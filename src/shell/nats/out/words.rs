//! Why an alert event is not with the broker yet.

use std::time::Duration;

use crate::shell::nats::api::ApiError;

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerFault {
    /// None came in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// Nobody listens there.
    #[error("nobody answers there: no stream takes the subject, or JetStream is not enabled")]
    NobodyThere,
    /// It is bigger than the server takes.
    #[error("it is bigger than the server's max_payload")]
    TooLarge,
    /// Nobody can send there.
    #[error("its subject is none; look at subjects.prefix")]
    Subject,
    /// The connection is gone for good.
    #[error("the connection is closed")]
    Closed,
}

/// Why an event is not with the broker yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    /// Nobody said that it is.
    #[error(transparent)]
    Unanswered(#[from] AnswerFault),
    /// A stream must take it and none does.
    #[error("no stream takes {0}; add the subject to one, or set alerts.delivery: auto")]
    NoStream(String),
    /// Messages that must be there did not come.
    #[error("the server did not deliver what it says is there")]
    BrokenOff,
    /// The stream did not take it.
    #[error(transparent)]
    Refused(#[from] ApiError),
}
