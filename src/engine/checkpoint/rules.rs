//! Rules with their alerts, and the outbox.

use std::sync::Arc;
use std::time::Duration;

use super::bytes::{choice, twin};
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

twin! {
    /// The rules in force with what they keep.
    struct RulesTwin {
        groups: Vec<GroupTwin>,
        /// Series of rules that are gone, to be ended at the next evaluation.
        orphans: Vec<Labels>,
        outbox: OutboxTwin,
        /// The last ends of alerts, oldest first.
        ended: Vec<AlertEventTwin>,
    }
}

twin! {
    /// A group.
    struct GroupTwin {
        file: Arc<str>,
        name: Arc<str>,
        schedule: ScheduleTwin,
        last_evaluation: Option<Timestamp>,
        evaluation_time: Duration,
        rules: Vec<RuleTwin>,
    }
}

twin! {
    /// When a group is due.
    struct ScheduleTwin {
        interval: i64,
        offset: i64,
        /// 0 at its interval alone, 1 on arrival too.
        on_arrival: u8,
        next: Timestamp,
        /// 1 where it was taken before.
        begun: u8,
        arrival: Option<Timestamp>,
        moved_at: Option<Timestamp>,
        answered: Option<Timestamp>,
        pause: Duration,
    }
}

twin! {
    /// A rule.
    struct RuleTwin {
        id: Arc<str>,
        name: Arc<str>,
        /// 0 recording, 1 alerting.
        alerting: u8,
        /// What makes it another rule when it changes.
        essence: Arc<str>,
        alerts: Vec<ActiveTwin>,
        /// Series that were there: identity, labels, last value.
        known: Vec<(Labels, (Labels, f64))>,
        refused: Vec<Labels>,
        over_limit: Option<EpisodeTwin>,
        exposed: Vec<Labels>,
        health: HealthTwin,
        last_evaluation: Option<Timestamp>,
        evaluation_time: Duration,
        moved: MovedTwin,
    }
}

choice! {
    /// How the last evaluation went.
    #[derive(Default)]
    enum HealthTwin {
        #[default]
        Unknown = 0,
        Fine = 1,
        Failed(why: String) = 2,
    }
}

choice! {
    /// What moved since the last evaluation.
    #[derive(Default)]
    enum MovedTwin {
        #[default]
        Nothing = 0,
        Series(series: Vec<Labels>) = 1,
        Everything = 2,
    }
}

twin! {
    /// A pending or firing alert.
    struct ActiveTwin {
        identity: Labels,
        state: AlertStateTwin,
        base: Labels,
        sample: Labels,
        value: f64,
        threshold: Option<f64>,
        annotations: Vec<(Arc<str>, String)>,
        /// 1 where the annotations are to be expanded yet.
        owes_annotations: u8,
        episode: Option<EpisodeTwin>,
    }
}

twin! {
    /// What the state machine knows of an alert.
    struct AlertStateTwin {
        active_at: Timestamp,
        firing: Option<FiringTwin>,
        /// By level: since when its condition holds, and 1 where it has served its wait. Behind them, again by level: when
        /// that began as both instances of a pair count it, and 0; not there in states of older versions.
        held: Vec<Option<(Timestamp, u8)>>,
    }
}

twin! {
    /// The level that fires.
    struct FiringTwin {
        level: u32,
        since: Timestamp,
        quiet_since: Option<Timestamp>,
    }
}

twin! {
    /// An open episode.
    struct EpisodeTwin {
        labels: Labels,
        severity: u8,
        started_at: Timestamp,
        annotations: Vec<(Arc<str>, String)>,
        evidence: Vec<u128>,
    }
}

twin! {
    /// Alert events that wait for their acknowledgement.
    struct OutboxTwin {
        pending: Vec<AlertEventTwin>,
        refused_episodes: Vec<(u64, Timestamp)>,
        refused: u64,
    }
}

twin! {
    /// An alert event.
    struct AlertEventTwin {
        id: u128,
        timestamp: Timestamp,
        source: Arc<str>,
        rule_id: Arc<str>,
        alert_name: Arc<str>,
        severity: u8,
        labels: Labels,
        fingerprint: u64,
        started_at: Timestamp,
        annotations: Vec<(Arc<str>, String)>,
        generator_url: Option<Arc<str>>,
        evidence: Vec<u128>,
        moved_at: Option<Timestamp>,
        kind: AlertKindTwin,
    }
}

choice! {
    /// Begin or end.
    enum AlertKindTwin {
        Triggered(what: TriggeredTwin) = 0,
        /// The reason as it is on the wire, and the value.
        Cleared(reason: Arc<str>, value: Option<f64>) = 1,
    }
}

impl Default for AlertKindTwin {
    fn default() -> Self {
        Self::Triggered(TriggeredTwin::default())
    }
}

twin! {
    /// What only AlertTriggered says.
    struct TriggeredTwin {
        metric_name: Arc<str>,
        current_value: f64,
        threshold: f64,
        message: String,
    }
}
