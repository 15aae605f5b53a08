//! Label sets as rules, queries and alerts pass them around: sorted by name, shared, cheap to clone.

use std::fmt;
use std::sync::Arc;

/// The label that holds a series' metric name, as in Prometheus.
pub const METRIC_NAME: &str = "__name__";

/// One label: its name and its value.
pub(crate) type Label = (Arc<str>, Arc<str>);

/// A set of labels, sorted by name, without empty values and without repeated names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Label]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Labels {
    /// The set without labels.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// Collects labels in any order; of a repeated name the last one holds, and an empty value is no label.
    pub fn collect<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut labels: Vec<Label> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        labels.sort_by(|left, right| left.0.cmp(&right.0));
        let mut unique: Vec<Label> = Vec::with_capacity(labels.len());
        for label in labels {
            match unique.last_mut() {
                Some(last) if last.0 == label.0 => *last = label,
                _ => unique.push(label),
            }
        }
        unique.retain(|(_, value)| !value.is_empty());
        Self(unique.into())
    }

    /// The value of the label `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.shared(name).map(AsRef::as_ref)
    }

    /// The value of the label `name`, to share.
    pub(crate) fn shared(&self, name: &str) -> Option<&Arc<str>> {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The metric name, empty where there is none.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// The labels in the order of their names.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many labels there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same set with `name` set to `value` (an empty value takes it away).
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let kept = self.0.iter().filter(|(known, _)| known.as_ref() != name).cloned();
        Self::collect(kept.chain([(Arc::from(name), Arc::from(value))]))
    }

    /// The labels for which `keep` says yes.
    #[must_use]
    pub(crate) fn filtered(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// The set without the metric name.
    #[must_use]
    pub(crate) fn without_name(&self) -> Self {
        self.filtered(|name| name != METRIC_NAME)
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Writes the set as PromQL does: `name{a="b", c="d"}`.
impl fmt::Display for Labels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.metric_name())?;
        let mut separator = "{";
        for (name, value) in self.iter().filter(|(name, _)| name.as_ref() != METRIC_NAME) {
            write!(out, "{separator}{name}={value:?}")?;
            separator = ", ";
        }
        match (separator, self.metric_name()) {
            ("{", "") => out.write_str("{}"),
            ("{", _) => Ok(()),
            _ => out.write_str("}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_repeated_name_holds_and_an_empty_value_is_no_label() {
        let labels = Labels::collect([("b", "1"), ("a", "x"), ("b", "2"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="x", b="2"}"#);
    }
}
