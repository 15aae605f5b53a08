//! The addresses of pages below the root, wherever a proxy puts that.

use std::fmt;
use std::fmt::Write;
use std::time::Duration;

use crate::engine::rules::rule_url::write_segment;
use crate::engine::rules::set::RuleKind;

use super::find::RulesAsk;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    /// The alerts: `/`.
    Overview,
    /// Every rule: `/rules`.
    Rules(RulesAsk),
    /// One rule.
    Rule(RuleAddress),
    /// What comes in: `/events`.
    Events,
    /// What there is: `/series`.
    Series,
    /// What is asked: `/query`.
    Query(QueryAsk),
}

/// What the query box asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueryAsk {
    /// The expression.
    pub(super) text: String,
    /// Minutes that the chart goes back.
    pub(super) minutes: Option<u64>,
}

/// The page of one rule: `/rules/ID` of an alert, `/rules/recorded/ID` of a recording rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleAddress {
    /// Which of the two kinds, whose ids are apart.
    pub(super) sort: RuleSort,
    /// The rule's id.
    pub(super) id: String,
}

/// The two kinds of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleSort {
    /// Raises alerts.
    Alert,
    /// Records a metric.
    Record,
}

impl RuleSort {
    /// The kind of a rule.
    pub(super) const fn of(kind: &RuleKind) -> Self {
        match kind {
            RuleKind::Recording => Self::Record,
            RuleKind::Alerting(_) => Self::Alert,
        }
    }
}

impl RuleAddress {
    /// The page of an alerting rule.
    pub(super) fn alert(id: &str) -> Self {
        Self { sort: RuleSort::Alert, id: id.to_owned() }
    }
}

impl fmt::Display for RuleAddress {
    /// The path below the root.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.sort {
            RuleSort::Alert => "rules/",
            RuleSort::Record => "rules/recorded/",
        })?;
        write_segment(out, &self.id)
    }
}

/// How long the queries of a page may take together; what is not worked out by then is left out, which is said.
const BUDGET: Duration = Duration::from_millis(1_500);

/// A text as one value of a query string.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = write_segment(&mut out, text);
    out
}

/// The editor of a rule file below the root, at a line (from 1) of it.
pub(super) fn edit_address(file: &str, line: Option<usize>) -> String {
    let line = line.map(|line| format!("&line={line}")).unwrap_or_default();
    format!("edit?file={}{line}", segment(file))
}

/// How a page reaches the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root(usize);

impl Root {
    /// Of a path of one part, such as `/edit`.
    pub(super) const BESIDE: Self = Self(0);

    /// Of a path of two parts, such as `/edit/save`.
    pub(super) const ABOVE: Self = Self(1);
}

impl fmt::Display for Root {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.0).try_for_each(|_| out.write_str("../"))
    }
}

impl maud::Render for Root {
    fn render_to(&self, buffer: &mut String) {
        // Writing into a string does not fail.
        let _ = write!(buffer, "{self}");
    }
}

impl Address {
    /// How the page reaches the root.
    pub(super) const fn root(&self) -> Root {
        match self {
            Self::Overview | Self::Rules(_) | Self::Events | Self::Series | Self::Query(_) => Root(0),
            Self::Rule(RuleAddress { sort: RuleSort::Alert, .. }) => Root(1),
            Self::Rule(RuleAddress { sort: RuleSort::Record, .. }) => Root(2),
        }
    }

    /// Whether `other` is this page or one below it.
    pub(super) fn is_around(&self, other: &Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::Rules(_), Self::Rules(_) | Self::Rule(_)) | (Self::Query(_), Self::Query(_))
            )
    }

    /// The page as far as its stream renews it: a query is answered once.
    pub(super) fn streamed(self) -> Self {
        if matches!(self, Self::Query(_)) { Self::Query(QueryAsk::default()) } else { self }
    }

    /// How often its stream renews it.
    pub(super) const fn every(&self) -> Duration {
        match self {
            Self::Overview | Self::Rules(_) | Self::Rule(_) | Self::Events | Self::Query(_) => {
                Duration::from_secs(2)
            }
            // Counting the values of labels takes a while where there are many series.
            Self::Series => Duration::from_secs(5),
        }
    }

    /// How long what it asks may take; none for as long as any query may.
    pub(super) const fn budget(&self) -> Option<Duration> {
        match self {
            Self::Overview | Self::Rules(_) | Self::Rule(_) | Self::Events | Self::Series => Some(BUDGET),
            Self::Query(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_whatever_it_holds() {
        let cases = [
            ("slow-queries", "rules/slow-queries"),
            ("a/b c", "rules/a%2Fb%20c"),
            ("..", "rules/%2E%2E"),
            ("ä", "rules/%C3%A4"),
        ];
        for (id, path) in cases {
            assert_eq!(RuleAddress::alert(id).to_string(), path);
        }
        let recorded = RuleAddress { sort: RuleSort::Record, id: "r".to_owned() };
        assert_eq!(recorded.to_string(), "rules/recorded/r");
        assert_eq!(Address::Rule(recorded).root().to_string(), "../../");
    }
}
