//! Rules of a text, for tests.

use std::sync::Arc;

use super::{INTERVAL_DEFAULT, LoadContext, load};
use crate::engine::catalogue::KnownMetrics;
use crate::engine::diagnostic::Source;
use crate::engine::rules::set::RuleSet;

/// The rules of a file, which must be good.
pub(crate) fn rule_set(text: &str) -> RuleSet {
    let source = Source { name: Arc::from("rules.yaml"), text: Arc::from(text) };
    let metrics = KnownMetrics::default();
    let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
    let loaded = load(&[source], &context);
    assert!(loaded.is_good(), "{text}: {:?}", loaded.diagnostics);
    loaded.set
}
