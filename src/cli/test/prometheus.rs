//! A test with `input_series`: everything as in promtool.

use super::file::{Test, TestFile};
use crate::engine::rules::RuleSet;

/// Runs a test; every difference is a text.
pub(super) fn run(_test: &Test, _file: &TestFile, _rules: &RuleSet) -> Vec<String> {
    vec!["tests with `input_series` are not part of this build yet\n".to_owned()]
}
