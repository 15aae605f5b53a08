//! What helps who writes rule files, rule tests and configurations: what may stand at a place, what stands there and
//! where its name comes from, and how advice becomes an edit.
//!
//! It reads texts that are half written ([`outline`]) and knows what the keys of a file are from the tables that its
//! reader, its schema and its documentation come from, and metrics from what rules are checked against. What is wrong
//! with a file only its loader says.

mod actions;
mod completion;
mod expression;
mod format;
mod hover;
mod meaning;
mod names;
pub(crate) mod outline;
mod template;

use std::ops::Range;

use crate::engine::catalogue::{self, KnownMetrics, NamedMetric};
use crate::engine::promql::place;
use crate::engine::wire::EventType;
use crate::engine::yaml::keys::Key;
use outline::Outline;

pub(crate) use actions::{Fix, FixSource, fixes};
pub(crate) use completion::{Completion, CompletionKind, complete};
pub(crate) use format::formatted;
pub(crate) use hover::hover;
pub(crate) use names::{Name, NameKind, declared, is_plain_word, name_at, uses};

/// A file that somebody writes.
#[derive(Clone, Debug)]
pub(crate) struct Document<'t> {
    /// Its text.
    pub(crate) text: &'t str,
    /// Its keys.
    pub(crate) outline: &'t Outline,
    /// What keys it may have.
    pub(crate) keys: &'static [Key],
}

/// What is known beside the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knowledge<'k> {
    /// The metrics that rules may read.
    pub(crate) metrics: &'k KnownMetrics,
    /// What recording rules write.
    pub(crate) recorded: &'k [String],
    /// The names of alerts.
    pub(crate) alerts: &'k [String],
    /// What the `metric` and `stat` of the rule at the cursor become, where it loads.
    pub(crate) query: Option<&'k str>,
}

impl Document<'_> {
    fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The text of a key's scalar in the mapping that holds this entry.
    fn beside(&self, mapping: Option<usize>, key: &str) -> Option<&str> {
        self.outline.find(mapping, key).map(|entry| self.slice(&entry.value)).filter(|text| !text.is_empty())
    }

    /// The metrics that the rule around an entry reads: its `metric`, or the names in its `expr`.
    fn metrics_of_rule(&self, entry: Option<usize>) -> Vec<&str> {
        let mut rule = entry;
        while let Some(number) = rule {
            if let Some(metric) = self.beside(rule, "metric") {
                return vec![metric];
            }
            if let Some(expr) = self.beside(rule, "expr") {
                return place::metrics(expr);
            }
            rule = self.outline.entry(number).and_then(|entry| entry.parent);
        }
        Vec::new()
    }
}

impl<'k> Knowledge<'k> {
    /// The metric that somebody means by a name, with the name it is exposed under.
    fn metric(&self, name: &str) -> Option<(String, NamedMetric<'k>)> {
        let exposed = match self.metrics.find(name) {
            Some(_) => name.to_owned(),
            None => self.metrics.meant(name)?.name,
        };
        let found = self.metrics.find(&exposed)?;
        Some((exposed, found))
    }

    /// The labels of metrics, each once, sorted; none known where a metric may have any.
    fn labels<'n>(&self, metrics: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        let known = metrics.into_iter().filter_map(|name| self.metric(name)?.1.metric.labels.clone());
        let mut labels: Vec<String> = known.flatten().map(|label| label.to_string()).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// The values of a label that are known for good.
    fn values<'n>(&self, metrics: impl IntoIterator<Item = &'n str>, label: &str) -> Vec<String> {
        let found = metrics.into_iter().find_map(|name| {
            let (_, found) = self.metric(name)?;
            let (_, values) = found.metric.closed.iter().find(|(known, _)| known.as_ref() == label)?;
            Some(values.iter().map(ToString::to_string).collect())
        });
        found.unwrap_or_default()
    }

    /// The help text of a metric of the catalogue and the event that feeds it.
    fn help(&self, name: &str) -> Option<(&'static str, Option<&'static str>)> {
        let row = catalogue::find(name)
            .or_else(|| self.metrics.without_namespace(name).and_then(catalogue::find))?;
        Some((row.help, row.event().map(EventType::name)))
    }
}
