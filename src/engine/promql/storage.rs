//! What the evaluator reads: samples of the series that match.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::metric::bound::is_same_value;
use crate::engine::pattern::Pattern;

/// The value that marks a series as gone, by its bits, as in Prometheus' storage.
pub(crate) const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// One label condition of a selector.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label, `__name__` for the metric name.
    pub name: Arc<str>,
    /// The condition on its value; a label that is not there has the value "".
    pub condition: MatchCondition,
}

impl Matcher {
    /// Whether the value of its label in a series of our own meets it: of `le` and `quantile` the numbers count, however
    /// they are written.
    pub(crate) fn meets(&self, value: &str) -> bool {
        match &self.condition {
            MatchCondition::Equal(wanted) => is_same_value(&self.name, value, wanted),
            MatchCondition::NotEqual(unwanted) => !is_same_value(&self.name, value, unwanted),
            MatchCondition::OneOf(_) | MatchCondition::Match(_) | MatchCondition::NoMatch(_) => {
                self.condition.holds(value)
            }
        }
    }

    /// The metric name it asks for, where it spells one out.
    pub(in crate::engine) fn metric_name(&self) -> Option<&str> {
        let MatchCondition::Equal(name) = &self.condition else { return None };
        (self.name.as_ref() == METRIC_NAME).then_some(name)
    }
}

/// How a label's value is compared.
#[derive(Clone, Debug)]
pub enum MatchCondition {
    /// `=`
    Equal(Arc<str>),
    /// `!=`
    NotEqual(Arc<str>),
    /// One of these values: no selector says so, but what narrows one.
    OneOf(Arc<BTreeSet<Arc<str>>>),
    /// `=~`, made by [`Pattern::anchored`]
    Match(Pattern),
    /// `!~`, made by [`Pattern::anchored`]
    NoMatch(Pattern),
}

impl MatchCondition {
    /// Whether a label's value meets it; a label that is not there has the value "".
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equal(wanted) => value == wanted.as_ref(),
            Self::NotEqual(unwanted) => value != unwanted.as_ref(),
            Self::OneOf(wanted) => wanted.contains(value),
            Self::Match(pattern) => pattern.is_match(value),
            Self::NoMatch(pattern) => !pattern.is_match(value),
        }
    }
}

/// A float, or a native histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A float sample.
    Float(f64),
    /// A native histogram sample.
    Histogram(Arc<super::histogram::FloatHistogram>),
}

/// One sample: its time in milliseconds since the Unix epoch, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The value; a float with [`STALE_BITS`] marks the series as gone.
    pub value: Value,
    /// Since when a counter or histogram counts, in milliseconds since the Unix epoch, where that is known.
    pub start_ms: Option<i64>,
}

/// One series with what was asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedSeries {
    /// Its labels, metric name included.
    pub labels: Labels,
    /// Its samples in rising time, stale markers included.
    pub samples: Vec<Sample>,
    /// How many samples between these were left out, as [`Extent::Growth`] allows.
    pub left_out: usize,
}

impl SelectedSeries {
    /// A series with all of its samples.
    pub fn whole(labels: Labels, samples: Vec<Sample>) -> Self {
        Self { labels, samples, left_out: 0 }
    }
}

/// How much of each series a selection needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only the last sample of the span (a stale marker counts as one).
    Last,
    /// Every sample of the span.
    All,
    /// What tells by how much a counter grew since an instant: the last sample at or before it, else the first after
    /// it, and the last one of the span. Where the counter only grew in between, the others may be left out and
    /// counted; they may always be there.
    Growth {
        /// The instant, in milliseconds since the Unix epoch.
        since_ms: i64,
    },
}

/// What the evaluator asks of a storage.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// All must hold.
    pub matchers: &'a [Matcher],
    /// The first instant, inclusive, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// The last instant, inclusive.
    pub end_ms: i64,
    /// How much of the span is needed.
    pub extent: Extent,
}

/// Why an evaluation ends without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Nobody waits for it any more.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// It took too long.
    #[error("query timed out in expression evaluation")]
    TimedOut,
}

/// Says during an evaluation whether to go on; once it says no it says so for ever.
pub(crate) trait Patience: Sync {
    /// Why to end, where that is so.
    fn ended(&self) -> Option<Halt>;
}

/// Waits however long it takes: rules and commands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Endless;

impl Patience for Endless {
    fn ended(&self) -> Option<Halt> {
        None
    }
}

/// A source of samples.
pub trait Storage {
    /// Why the evaluation is to end, where that is so; asked now and then.
    fn halted(&self) -> Option<Halt> {
        None
    }

    /// The series that match and have a sample in the span, in any order.
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries>;
}
