//! Rules: from YAML to groups, from evaluations to alert transitions and the events that tell of them.
//!
//! [`load`] turns files into a [`RuleSet`] or says what is wrong with them; [`Rules`] evaluates a set against a
//! [`RuleStorage`]; [`alert::step`] alone decides when an alert begins, moves and ends; what it decides leaves as
//! [`AlertEvent`]s through an [`crate::engine::rules::outbox::Outbox`].

pub mod alert;
mod book;
mod checks;
pub mod ended;
mod evaluate;
pub mod event;
mod kept;
pub mod load;
pub mod outbox;
pub mod reads;
mod record;
mod runtime;
pub mod schedule;
pub mod set;
pub mod shown;
pub mod stored;
pub mod template;
pub mod view;

use crate::engine::history::Occasion;
use crate::engine::labels::Labels;
use crate::engine::promql::storage::Matcher;
use crate::engine::promql::{Storage, Value};
use crate::engine::wire::EventId;

pub use checks::{MissingLabel, missing_labels};
pub use evaluate::RuleError;
pub use event::AlertEvent;
pub use runtime::{GroupCounts, RuleSettings, Rules, Semantics};
pub use set::RuleSet;
pub use stored::StoredAlert;
pub use view::{AlertView, GroupView, RuleView};

/// What rules read and write while they are evaluated.
pub trait RuleStorage: Storage {
    /// What follows is for evaluations of this occasion.
    fn evaluating(&mut self, _occasion: Occasion) {}
    /// Adds a sample of a recording rule, of `ALERTS` or of `ALERTS_FOR_STATE`; none ends the series.
    fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>);
    /// Up to five of the last applied events that moved a series any of the selectors (each a list of matchers)
    /// matches and whose labels agree with `labels` wherever both have one, newest first.
    fn evidence(&self, selectors: &[Vec<Matcher>], labels: &Labels) -> Vec<EventId>;
}
