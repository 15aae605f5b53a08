//! What the value at a place of a file is, by the keys that lead to it.

use super::Document;
use super::outline::{OutlineEntry, OutlinePlace};
use crate::engine::yaml::keys::{Key, KeyKind};

/// What something in a file is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning<'d> {
    /// A PromQL expression.
    Expression,
    /// A series with its labels.
    Series,
    /// The name of a metric.
    Metric,
    /// A statistic.
    Stat,
    /// A severity.
    Severity,
    /// The name of an alert.
    Alert,
    /// The name of a label.
    Label,
    /// The value of this label.
    LabelValue(&'d str),
    /// A template of Go's kind.
    Template,
    /// What the table of keys says of it.
    Kind(KeyKind),
    /// Nobody knows.
    Unknown,
}

/// Where a place is in a file: the key whose value it is, and the mapping around that key.
#[derive(Clone, Debug)]
pub(super) struct Spot<'d> {
    /// The keys that lead to it, the outermost first.
    path: Vec<&'d OutlineEntry>,
    /// What it is.
    pub(super) meaning: Meaning<'d>,
    /// The keys that may stand here, where it is a mapping.
    pub(super) keys: Option<&'static [Key]>,
}

impl<'d> Spot<'d> {
    /// The spot of a place: the value that a cursor stands in, or the mapping it stands in.
    pub(super) fn of(document: &Document<'d>, place: &OutlinePlace) -> Self {
        let path = document.outline.path(place.entry);
        let kind = kind_at(document.keys, &path);
        let keys = match kind {
            Some(KeyKind::Section(keys)) => Some(keys),
            Some(_) | None => None,
        };
        let meaning = meaning(&path, kind);
        Self { path, meaning, keys }
    }

    /// The name of the innermost key.
    pub(super) fn key(&self) -> Option<&'d str> {
        self.path.iter().rev().find_map(|entry| entry.name.as_deref())
    }
}

/// The table's word for a key that an entry is, and the key's documentation.
pub(super) fn declared_key(document: &Document<'_>, entry: usize) -> Option<Key> {
    let path = document.outline.path(Some(entry));
    let (last, above) = path.split_last()?;
    let name = last.name.as_deref()?;
    match kind_at(document.keys, above) {
        Some(KeyKind::Section(keys)) => keys.iter().find(|key| key.name == name).copied(),
        Some(_) | None => None,
    }
}

/// What the tables say of the value that a path leads to.
fn kind_at(keys: &'static [Key], path: &[&OutlineEntry]) -> Option<KeyKind> {
    path.iter().try_fold(KeyKind::Section(keys), |kind, entry| step(kind, entry.name.as_deref()))
}

fn step(kind: KeyKind, name: Option<&str>) -> Option<KeyKind> {
    match (kind, name) {
        (KeyKind::Section(keys), Some(name)) => keys.iter().find(|key| key.name == name).map(|key| key.kind),
        (KeyKind::List(element) | KeyKind::OneOrMany(element), None)
        | (KeyKind::Map(element) | KeyKind::ByName(_, element), Some(_)) => Some(*element),
        _ => None,
    }
}

fn meaning<'d>(path: &[&'d OutlineEntry], kind: Option<KeyKind>) -> Meaning<'d> {
    let names: Vec<&str> = path.iter().rev().filter_map(|entry| entry.name.as_deref()).collect();
    let is_rule = path.iter().any(|entry| matches!(entry.name.as_deref(), Some("rules" | "tests")));
    let around = path.iter().rev().nth(1).is_some_and(|entry| entry.name.is_none());
    match names.as_slice() {
        ["expr", ..] if is_rule && around => Meaning::Expression,
        ["series", "input_series", ..] | ["labels", "exp_samples", ..] => Meaning::Series,
        ["metric", ..] if is_rule && around => Meaning::Metric,
        ["stat", ..] if is_rule && around => Meaning::Stat,
        ["alertname", "alert_rule_test", ..] | ["alert_name", "transitions", ..] => Meaning::Alert,
        ["metric_name", "transitions", ..] => Meaning::Metric,
        ["by" | "where", ..] if is_rule => Meaning::Label,
        [label, "where", ..] if is_rule => Meaning::LabelValue(label),
        ["severity", "labels", ..] if is_rule => Meaning::Severity,
        [_, "labels" | "annotations", "rules", ..] => Meaning::Template,
        _ => kind.map_or(Meaning::Unknown, Meaning::Kind),
    }
}
