//! Rules as they are once they loaded: what stands here is valid.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::template::Template;
use crate::engine::config::Evaluate;
use crate::engine::diagnostic::closest;
use crate::engine::labels::Labels;
use crate::engine::metric::MetricType;
use crate::engine::metric::bound::is_same_value;
use crate::engine::promql::Expr;
use crate::engine::promql::ast::Matching;
use crate::engine::promql::storage::Matcher;

/// Rule groups that loaded, with their expressions parsed.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// In the order of files and of the groups in them.
    pub(crate) groups: Vec<Arc<Group>>,
}

impl RuleSet {
    /// Every rule, in order.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.groups.iter().flat_map(|group| group.rules.iter())
    }
}

/// Rules that are evaluated together, in order.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The file it stands in, as it was given.
    pub(crate) file: Arc<str>,
    /// Its name, unique in its file.
    pub(crate) name: Arc<str>,
    /// The time between two evaluations; above zero.
    pub(crate) interval: Duration,
    /// When it is evaluated; the configuration's default where the group does not say.
    pub(crate) evaluate: Option<Evaluate>,
    /// How many alerts, or series, each of its rules may have.
    pub(crate) limit: Option<NonZeroUsize>,
    /// How far in the past it is evaluated.
    pub(crate) query_offset: Duration,
    /// Its rules.
    pub(crate) rules: Vec<Arc<Rule>>,
}

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// `alert_rule_id`: unique among alerting rules, and among recording rules.
    pub(crate) id: Arc<str>,
    /// The alert's name, or the metric name it records.
    pub(crate) name: Arc<str>,
    /// What is evaluated.
    pub(crate) expr: Expr,
    /// The same as PromQL text.
    pub(crate) query: Arc<str>,
    /// The labels it adds, the group's included, sorted by name.
    pub(crate) labels: Vec<(Arc<str>, Template)>,
    /// The kinds that the metric of a `stat` must not turn out to be: it fails from then on.
    pub(crate) refused: Vec<RefusedKind>,
    /// The conditions of every selector of `expr`, in reading order.
    pub(crate) selectors: Vec<Vec<Matcher>>,
    /// What of its text, when it changes, makes it another rule whose open alerts end.
    pub(crate) essence: Arc<str>,
    /// Where it stands and how it is written.
    pub(crate) written: WrittenRule,
    /// Alert or record.
    pub(crate) kind: RuleKind,
}

/// A rule as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenRule {
    /// The line it begins at, from 1.
    pub(crate) line: usize,
    /// The bytes of the file at which its name stands.
    pub(crate) name: Range<usize>,
    /// Its lines, at most 16 KiB of them.
    pub(crate) text: Arc<str>,
}

/// A kind of metric that has no such `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedKind {
    /// The name of a sample that a metric of this kind has.
    pub(crate) sample: Arc<str>,
    /// The type of the metric that has it.
    pub(crate) metric_type: MetricType,
    /// What is wrong then.
    pub(crate) message: Arc<str>,
}

/// The two kinds of rule.
#[derive(Clone, Debug)]
pub(crate) enum RuleKind {
    /// Records its result under the rule's name.
    Recording,
    /// Raises alerts.
    Alerting(Box<Alerting>),
}

/// What an alerting rule has beside its expression.
#[derive(Clone, Debug)]
pub(crate) struct Alerting {
    /// Texts for people, sorted by name.
    pub(crate) annotations: Vec<(Arc<str>, Template)>,
    /// How long an alert stays after its condition ended.
    pub(crate) keep_firing_for: Duration,
    /// What becomes of an alert whose series is gone.
    pub(crate) no_data: NoData,
    /// The `metric`; of an `expr` the first selector's literal name in reading order, else empty.
    pub(crate) metric: Arc<str>,
    /// Where the top of `expr` is a comparison or a set operator over some: what is compared.
    pub(crate) data: Option<Data>,
    /// The levels where no override matches.
    pub(crate) policy: Policy,
    /// Exceptions; the first that matches holds.
    pub(crate) overrides: Vec<Override>,
}

impl Alerting {
    /// The policy for a series with these labels.
    pub(crate) fn policy_for(&self, labels: &Labels) -> &Policy {
        let matching = self.overrides.iter().find(|exception| exception.matches(labels));
        matching.map_or(&self.policy, |exception| &exception.policy)
    }
}

/// The parts of an expression whose top filters.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// The expression without the filter: what is there, whether it holds or not.
    pub(crate) there: Expr,
    /// The other side of the comparison, where the top is exactly one.
    pub(crate) threshold: Option<OtherSide>,
}

/// The side a value is compared with.
#[derive(Clone, Debug)]
pub(crate) struct OtherSide {
    /// The side.
    pub(crate) expr: Expr,
    /// How its series find theirs.
    pub(crate) matching: Matching,
}

/// What becomes of an alert whose series is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NoData {
    /// It clears.
    #[default]
    Ok,
    /// It fires.
    Alert,
    /// It stays as it is.
    Keep,
}

/// An exception for some series.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    /// Labels and the values they must have.
    pub(crate) wanted: Vec<(Arc<str>, Arc<str>)>,
    /// What holds for them.
    pub(crate) policy: Policy,
}

impl Override {
    fn matches(&self, labels: &Labels) -> bool {
        self.wanted.iter().all(|(name, value)| is_same_value(name, labels.get(name).unwrap_or(""), value))
    }
}

/// The levels of a rule, rising; never empty in a rule that loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policy {
    /// One without `severities`, up to three with.
    pub(crate) levels: Vec<Level>,
}

/// One level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// The severity it gives its alerts, with `severities`.
    pub(crate) severity: Option<Severity>,
    /// When it holds.
    pub(crate) condition: Condition,
    /// How long it must hold (`for`).
    pub(crate) wait: Duration,
}

/// When a level holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Condition {
    /// Where the expression has a result.
    Expression,
    /// Above a threshold, until at or below `clear`.
    Above {
        /// Finite.
        threshold: f64,
        /// Finite, not above the threshold.
        clear: f64,
    },
    /// Below a threshold, until at or above `clear`.
    Below {
        /// Finite.
        threshold: f64,
        /// Finite, not below the threshold.
        clear: f64,
    },
}

impl Condition {
    /// The threshold in force.
    pub(crate) fn threshold(self) -> Option<f64> {
        match self {
            Self::Expression => None,
            Self::Above { threshold, .. } | Self::Below { threshold, .. } => Some(threshold),
        }
    }
}

/// The three severities, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Severity {
    /// Worth knowing.
    Info,
    /// Needs a look.
    Warning,
    /// Needs action now.
    Critical,
}

impl Severity {
    /// All three, rising.
    pub(crate) const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word in rule files and events.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of this word.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }

    /// The word that was likely meant by another: a slip of it, or its beginning.
    pub(crate) fn near(written: &str) -> Option<&'static str> {
        let (written, names) = (written.to_lowercase(), Self::ALL.map(Self::name));
        let begun = names.into_iter().find(|name| written.len() > 2 && name.starts_with(&written));
        closest(&written, names).or(begun)
    }
}
