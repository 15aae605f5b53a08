//! A test with `input_series`: everything as in promtool.

use super::file::{ExpectedAlert, Test, TestFile};
use crate::engine::rules::view::State;
use crate::engine::rules::{AlertView, RuleSet};

/// Runs a test; every difference is a text.
pub(super) fn run(_test: &Test, _file: &TestFile, _rules: &RuleSet) -> Vec<String> {
    vec!["tests with `input_series` are not part of this build yet\n".to_owned()]
}

/// The alerts of a name that fire, as a test writes them.
pub(super) fn firing(alerts: &[AlertView], name: &str) -> Vec<ExpectedAlert> {
    let wanted =
        alerts.iter().filter(|alert| alert.state == State::Firing && alert.alert_name.as_ref() == name);
    wanted
        .map(|alert| ExpectedAlert {
            labels: alert.labels.clone(),
            annotations: alert
                .annotations
                .iter()
                .map(|(name, text)| (name.to_string(), text.clone()))
                .collect(),
        })
        .collect()
}
