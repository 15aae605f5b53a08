//! What the shell knows and the engine counts: the connection, losses, publishing, reloads.

use std::sync::Arc;
use std::time::Duration;

/// Something that happened outside the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// The connection to NATS stands.
    Connected,
    /// The connection to NATS is gone.
    Disconnected,
    /// Messages were lost before the engine saw them; the reason is a label of `signalbox_events_dropped_total`.
    Dropped {
        /// `slow_consumer`, `disconnected` and the like.
        reason: DropReason,
        /// How many.
        count: u64,
    },
    /// How many messages of a stream wait to be read.
    StreamPending {
        /// The stream.
        stream: Arc<str>,
        /// How many.
        count: u64,
    },
    /// Which of the lane's types the stream takes.
    StreamSubjects {
        /// Those it takes.
        held: Vec<super::wire::EventType>,
        /// Those it does not.
        missing: Vec<super::wire::EventType>,
    },
    /// Messages left the stream before they were read.
    StreamLost {
        /// The stream.
        stream: Arc<str>,
        /// How many.
        count: u64,
    },
    /// A stream began anew.
    StreamEpoch {
        /// The stream.
        stream: Arc<str>,
        /// Why.
        reason: EpochReason,
    },
    /// An alert event could not be published; it will be tried again.
    PublishFailed {
        /// `AlertTriggered` or `AlertCleared`.
        kind: super::wire::EventType,
    },
    /// Alert events of a stream were too many to be read.
    AlertsUnread {
        /// How many were not.
        count: u64,
    },
    /// A copy of a rejected event was not published.
    RejectedCopyDropped {
        /// Why, a label of `signalbox_rejected_copies_dropped_total`.
        reason: CopyFault,
    },
    /// The state was saved.
    Saved {
        /// The instant it is of.
        at: super::time::Timestamp,
        /// How large it is.
        bytes: u64,
        /// How long writing it took.
        took: Duration,
    },
    /// The state could not be saved.
    NotSaved,
    /// Something could not be written to the log of alert events.
    NotLogged,
    /// A reload was tried.
    Reloaded(ReloadResult),
    /// Whether a changed key of the configuration waits for a restart.
    RestartPending(RestartPending),
    /// Whether this instance of a pair publishes.
    Pair(PairStanding),
    /// Whether one of a pair publishes.
    PairLed(PairLed),
    /// What the operating system says of the process now.
    Process(ProcessReading),
    /// A query was answered, or given up.
    Queried {
        /// How long that took.
        took: Duration,
    },
    /// A query was refused.
    QueryRefused(QueryRefusal),
    /// Something happened to what an Alertmanager is to be told.
    Alertmanager {
        /// Its URL.
        url: Arc<str>,
        /// What.
        news: AlertmanagerNews,
    },
}

/// Whether this instance of a pair publishes its alert events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairStanding {
    /// The other one does, or nobody.
    Follows,
    /// It does.
    Leads,
}

/// Whether this instance of a pair knows one of the two to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairLed {
    /// One does, this or the other.
    Yes,
    /// None does, or it cannot be asked.
    No,
}

/// What happened to what an Alertmanager is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertmanagerNews {
    /// It is told from now on.
    Known,
    /// It took some alerts.
    Took {
        /// How many.
        alerts: usize,
        /// How long that took.
        took: Duration,
    },
    /// It did not take what it was sent.
    Failed,
    /// Alerts were dropped: too many waited for it, or it refuses them.
    Dropped {
        /// How many.
        alerts: usize,
    },
    /// Alerts wait for it.
    Waiting {
        /// How many.
        alerts: usize,
    },
}

/// Why a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum QueryRefusal {
    /// `query.queue` others wait.
    QueueFull,
}

impl QueryRefusal {
    /// The label value.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
        }
    }
}

/// What the operating system says of the process at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessReading {
    /// User and system CPU time since its start.
    pub(crate) cpu_seconds: f64,
    /// Open file descriptors.
    pub(crate) open_fds: f64,
    /// File descriptors that may be open.
    pub(crate) max_fds: f64,
    /// Size of its virtual memory.
    pub(crate) virtual_memory_bytes: f64,
    /// Size of its resident memory.
    pub(crate) resident_memory_bytes: f64,
    /// When it started, in seconds since the Unix epoch.
    pub(crate) start_time_seconds: f64,
    /// Its threads.
    pub(crate) threads: f64,
}

/// Whether a changed key of the configuration waits for a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPending {
    /// None does.
    No,
    /// One does, or several.
    Yes,
}

/// Why messages were lost before the engine saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum DropReason {
    /// The client library's or our own queue was full.
    SlowConsumer,
    /// The server cut the connection or said slow consumer: one incident of unknown size.
    ServerCut,
    /// The core lane was without a subscription for a while: one incident of unknown size.
    Disconnected,
}

impl DropReason {
    /// The label value.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SlowConsumer => "slow_consumer",
            Self::ServerCut => "server_cut",
            Self::Disconnected => "disconnected",
        }
    }
}

/// Why a copy of a rejected event was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CopyFault {
    /// Too many copies waited to be published.
    QueueFull,
    /// It would exceed the server's `max_payload`.
    TooLarge,
    /// The server did not take it in time.
    NotSent,
}

impl CopyFault {
    /// The label value.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::NotSent => "not_sent",
        }
    }
}

/// Why a stream began anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EpochReason {
    /// Its creation time changed.
    Recreated,
    /// It holds less, or another message, than was read of it.
    RolledBack,
}

impl EpochReason {
    /// The label value.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Recreated => "recreated",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ReloadResult {
    /// Everything loaded.
    Success,
    /// Something was refused; the last good version of it stays in force.
    Failure,
}

impl ReloadResult {
    /// The label value.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Whether an event was stored before the start, where an earlier run has told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novelty {
    /// It was.
    Known,
    /// It was not.
    New,
}

/// One refused event of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// The message's place in the batch.
    pub(crate) message: usize,
    /// The element's place in the message.
    pub(crate) element: usize,
    /// Why.
    pub(crate) refusal: super::wire::Refusal,
    /// Whether an earlier run has told of it.
    pub(crate) novelty: Novelty,
}

/// Something a person should read of once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A metric has more series than a limit allows.
    SeriesOverflow {
        /// The metric.
        metric: String,
        /// Its label with the most values.
        label: String,
    },
    /// Events of a type still come in a version whose successor is long there.
    DeprecatedVersion {
        /// The type.
        event_type: super::wire::EventType,
        /// The version.
        version: super::wire::Version,
    },
    /// The past of some metrics does not fit `history.bytes_max`.
    HistoryFull {
        /// The metric that has no past from now on.
        metric: String,
    },
    /// Trackers began anew, as their events come to another instance since the state was saved.
    Reassigned {
        /// Them.
        trackers: Vec<super::config::TrackerName>,
    },
}
