//! Rules: from YAML to groups, from evaluations to alert transitions and the events that tell of them.
//!
//! [`load`] turns files into a [`RuleSet`] or says what is wrong with them; [`Rules`] evaluates a set against a
//! [`RuleStorage`]; [`alert::step`] alone decides when an alert begins, moves and ends; what it decides leaves as
//! [`AlertEvent`]s through an [`crate::engine::rules::outbox::Outbox`].

pub(crate) mod alert;
mod book;
mod checks;
pub(crate) mod ended;
mod evaluate;
pub(crate) mod event;
mod kept;
mod keys;
pub mod load;
mod logged;
pub(crate) mod notify;
pub(crate) mod outbox;
pub(crate) mod reach;
pub(crate) mod reads;
mod record;
mod resumed;
pub(crate) mod rule_url;
mod runtime;
pub(crate) mod schedule;
pub(crate) mod set;
pub(crate) mod shown;
pub(crate) mod spanning;
pub(crate) mod stored;
pub(crate) mod template;
mod touched;
pub(crate) mod view;

use crate::engine::history::Occasion;
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;
use crate::engine::promql::steady::SteadyStorage;
use crate::engine::promql::storage::Matcher;
use crate::engine::promql::{Storage, Value};
use crate::engine::series::Ordinal;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

pub(crate) use checks::{Costs, Survey, costly_rules, missing_labels, not_disabled};
pub(crate) use event::AlertEvent;
pub(crate) use keys::FILE_KEYS;
pub(crate) use logged::{LOG_HEADER, LogRecord, ReadLog, read_log, since_checkpoint};
pub(crate) use reach::Reach;
pub(crate) use runtime::{Beginnings, GroupCounts, RuleSettings, Rules, Semantics};
pub(crate) use schedule::GATHER;
pub use set::RuleSet;
pub(crate) use stored::{StoredAlert, StoredAlerts};
pub(crate) use view::AlertView;

/// What rules read and write while they are evaluated.
pub(crate) trait RuleStorage: Storage {
    /// What follows is for evaluations of this occasion.
    fn evaluating(&mut self, _occasion: Occasion) {}
    /// The same storage where expressions can be worked out ahead.
    fn steady(&self) -> Option<&dyn SteadyStorage> {
        None
    }
    /// Adds a sample of a recording rule, of `ALERTS` or of `ALERTS_FOR_STATE`; none ends the series.
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>);
    /// The type of the metric that has a sample of this name, where one is there.
    fn metric_type(&self, sample: &str) -> Option<MetricType>;
    /// Up to five of the last applied events that moved a series any of the selectors (each a list of matchers)
    /// matches and whose labels agree with `labels` wherever both have one, newest first.
    fn evidence(&self, selectors: &[Vec<Matcher>], labels: &Labels) -> Evidence;
    /// The place that the next event will have.
    fn upcoming(&self) -> Ordinal {
        Ordinal::default()
    }
    /// When the message of this event was stored, where the event is none of those before `since`, and a stream has it.
    fn stored_since(&self, _event: Ordinal, _since: Ordinal) -> Option<Timestamp> {
        None
    }
}

/// The last events that moved what an alert is about.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Their ids, newest first.
    pub(crate) events: Vec<EventId>,
    /// The place of the newest.
    pub(crate) newest: Option<Ordinal>,
}
