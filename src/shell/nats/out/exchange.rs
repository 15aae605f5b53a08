//! What goes between the machine that publishes and its runner: requests, answers, and what is to be done.

use std::sync::Arc;

use bytes::Bytes;

use crate::engine::fact::Fact;
use crate::engine::rules::{AlertEvent, StoredAlert, StoredAlerts};
use crate::engine::wire::EventType;
use crate::shell::status::Topic;

use super::fold::Pulled;

/// The two kinds of alert events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AlertKind {
    /// `AlertTriggered`
    Triggered,
    /// `AlertCleared`
    Cleared,
}

impl AlertKind {
    /// Both.
    pub(super) const BOTH: [Self; 2] = [Self::Triggered, Self::Cleared];

    /// Its event type.
    pub(super) const fn event_type(self) -> EventType {
        match self {
            Self::Triggered => EventType::AlertTriggered,
            Self::Cleared => EventType::AlertCleared,
        }
    }

    pub(super) fn of(event: &AlertEvent) -> Self {
        if event.event_type() == EventType::AlertCleared { Self::Cleared } else { Self::Triggered }
    }
}

/// One thing for each kind.
#[derive(Clone, Debug, Default)]
pub(super) struct ByKind<T> {
    triggered: T,
    cleared: T,
}

impl<T> ByKind<T> {
    pub(super) const fn get(&self, kind: AlertKind) -> &T {
        match kind {
            AlertKind::Triggered => &self.triggered,
            AlertKind::Cleared => &self.cleared,
        }
    }

    pub(super) const fn get_mut(&mut self, kind: AlertKind) -> &mut T {
        match kind {
            AlertKind::Triggered => &mut self.triggered,
            AlertKind::Cleared => &mut self.cleared,
        }
    }
}

/// How the end of a request is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By an answer.
    Answer,
    /// The server has dealt with it.
    Flush,
    /// By so many messages, or by none more in time.
    Messages(u64),
}

/// What a request brought.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// One answer, or the server's word that it has dealt with it.
    Text(Bytes),
    /// Messages of a stream.
    Messages(Vec<Pulled>),
}

impl Answer {
    /// The one answer.
    pub(super) fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Messages(_) => b"",
        }
    }
}

/// Something to send.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) number: u64,
    pub(super) subject: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Bytes,
    pub(super) ending: Ending,
}

/// What the machine wants done.
#[derive(Debug)]
pub(super) enum Output {
    /// Send this, and say what came of it.
    Ask(Request),
    /// The event is with the broker.
    Published(Arc<AlertEvent>),
    /// Count something.
    Fact(Fact),
    /// Something is ready.
    Ready(Topic),
    /// Something is not ready.
    Unready(Topic, String),
    /// What a person should look after though alert events go out; none where all is well.
    Concern(Option<String>),
    /// An alert event of ours that we did not know of.
    Foreign(StoredAlert),
    /// What the streams show of our alerts; nothing is sent until the engine took it over.
    Shown(Box<StoredAlerts>),
    /// What the streams show of our alerts cannot be read.
    Unread,
}
