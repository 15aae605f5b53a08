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
pub(crate) enum AlertKind {
    /// `AlertTriggered`
    Triggered,
    /// `AlertCleared`
    Cleared,
}

impl AlertKind {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Triggered, Self::Cleared];

    /// Its event type.
    pub(crate) const fn event_type(self) -> EventType {
        match self {
            Self::Triggered => EventType::AlertTriggered,
            Self::Cleared => EventType::AlertCleared,
        }
    }

    /// The kind of this event.
    pub(crate) fn of(event: &AlertEvent) -> Self {
        if event.event_type() == EventType::AlertCleared { Self::Cleared } else { Self::Triggered }
    }
}

/// One thing for each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByKind<T> {
    triggered: T,
    cleared: T,
}

impl<T> ByKind<T> {
    /// That of this kind.
    pub(crate) const fn get(&self, kind: AlertKind) -> &T {
        match kind {
            AlertKind::Triggered => &self.triggered,
            AlertKind::Cleared => &self.cleared,
        }
    }

    /// That of this kind, to be changed.
    pub(crate) const fn get_mut(&mut self, kind: AlertKind) -> &mut T {
        match kind {
            AlertKind::Triggered => &mut self.triggered,
            AlertKind::Cleared => &mut self.cleared,
        }
    }
}

/// How the end of a request is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerEnding {
    /// By an answer.
    Answer,
    /// It is written to the connection; core NATS says no more.
    Flush,
    /// By so many messages, or by none more in time.
    Messages(u64),
}

/// What a request brought.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// One answer; nothing where it was only to be written.
    Text(Bytes),
    /// Messages of a stream.
    Messages(Vec<Pulled>),
}

impl Answer {
    /// The one answer.
    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Messages(_) => b"",
        }
    }
}

/// Something to send.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// By which its answer is known.
    pub(crate) number: u64,
    /// Where it goes.
    pub(crate) subject: String,
    /// Its headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What it says.
    pub(crate) payload: Bytes,
    /// How its end is known.
    pub(crate) ending: AnswerEnding,
}

/// What the machine wants done.
#[derive(Debug)]
pub(crate) enum Output {
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
    /// The streams show nothing of our alerts.
    NothingShown,
    /// What the streams show of our alerts cannot be read.
    Unread,
    /// Too many alert events lie in the stream of a pair: so many from this sequence on are not read.
    PassedOver {
        /// From here on.
        first: u64,
        /// How many.
        count: u64,
    },
    /// The other instance of a pair published all it decided, and nothing of it is new here.
    LetGo,
}
