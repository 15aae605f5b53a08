//! What lanes say to people: why they are not ready, and what happened.

use std::sync::Arc;

use crate::engine::fact::EpochReason;
use crate::shell::nats::api::ApiError;

/// Why a lane is not ready, with what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Subscriptions that are not allowed.
    #[error("the server forbids subscribing to {}; allow it to this user", .0.join(", "))]
    Forbidden(Vec<String>),
    /// There is no stream.
    #[error(
        "the stream {stream} does not exist; create it: nats stream add {stream} --subjects '{}' --defaults, or set \
         jetstream.create_stream: true in the configuration",
        .subjects.join(",")
    )]
    NoStream {
        /// The stream.
        stream: Arc<str>,
        /// What it should take.
        subjects: Vec<String>,
    },
    /// The stream takes none of the lane's types.
    #[error(
        "the stream {stream} takes none of the lane's subjects; it lacks {}; add them: nats stream edit {stream} \
         --subjects '{}'",
        .missing.join(", "),
        .held.iter().chain(.missing).map(String::as_str).collect::<Vec<_>>().join(",")
    )]
    NoSubject {
        /// The stream.
        stream: Arc<str>,
        /// What it takes.
        held: Vec<String>,
        /// What it should take beside.
        missing: Vec<String>,
    },
    /// A work queue that holds others' types too, at a server that cannot leave them to others.
    #[error(
        "the work-queue stream {stream} holds other types too and this server ({version}) cannot leave them to others; \
         use nats-server 2.10 or newer, or a stream of its own"
    )]
    SharedWorkQueue {
        /// The stream.
        stream: Arc<str>,
        /// The server's version.
        version: String,
    },
    /// A stream that gives each message to one of a pair.
    #[error(
        "the stream {stream} has {retention} retention and would give each message to one instance of the pair alone; \
         use a stream with limits retention, or leave `pair` out of the configuration"
    )]
    NotForPair {
        /// The stream.
        stream: Arc<str>,
        /// Its retention.
        retention: String,
    },
    /// A request to the JetStream API was not answered as hoped.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Much waits.
    #[error("{0} messages wait in the stream")]
    Behind(u64),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// The server closed on the core lane.
    ServerCut,
    /// The server says slow consumer.
    SlowConsumer,
    /// The engine is behind and messages are dropped.
    EngineBehind,
    /// The server is about to leave.
    ServerLeaves,
    /// Another connection has taken over from one to a server that leaves.
    TakenOver,
    /// The stream is being made.
    CreatingStream,
    /// The stream is not the one that was read.
    StreamAnew(EpochReason),
    /// Messages left the stream before they were read.
    Lost {
        /// How many.
        count: u64,
    },
    /// The stream does not take these subjects of the lane.
    SubjectsMissing {
        /// Them.
        missing: Vec<String>,
        /// All that it should take.
        all: Vec<String>,
    },
    /// It takes them all now.
    SubjectsComplete,
}
