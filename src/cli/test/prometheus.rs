//! A test with `input_series`: everything as in promtool. Rules are evaluated at `evaluation_interval` alone, their
//! groups' own intervals do not count, nothing is evaluated on arrival, and counters have no zero at their birth.

use std::sync::Arc;
use std::time::Duration;

use super::expect;
use super::file::{AlertTest, ExpectedAlert, Test, TestFile};
use super::series::Series;
use crate::engine::config::Evaluate;
use crate::engine::promql::{self, EvalSettings};
use crate::engine::rules::view::{AlertingState, Health};
use crate::engine::rules::{AlertView, RuleSet, RuleSettings, Rules, Semantics};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;
use crate::engine::yaml::units;

/// Runs a test; every difference is a text.
pub(super) fn run(test: &Test, file: &TestFile, set: &RuleSet) -> Vec<String> {
    let start = test.start.unwrap_or(Timestamp::EPOCH);
    let query = EvalSettings { subquery_step: file.evaluation_interval, ..EvalSettings::default() };
    let settings = RuleSettings {
        evaluate: Evaluate::Interval,
        external_labels: test.external_labels.clone(),
        external_url: Arc::from(test.external_url.as_str()),
        query,
        semantics: Semantics::Prometheus,
        ..RuleSettings::new("signalbox")
    };
    let mut run = Run {
        storage: Series::new(&test.series, start.millis(), test.interval),
        rules: Rules::new(set.clone(), settings, start),
        groups: set.groups.len(),
        faults: Vec::new(),
    };
    let mut alerts: Vec<&AlertTest> = test.alerts.iter().collect();
    alerts.sort_by_key(|alert| alert.time);
    let mut alerts = alerts.into_iter().peekable();
    let times = test.alerts.iter().map(|alert| alert.time).chain(test.exprs.iter().map(|expr| expr.time));
    let end = times.max().unwrap_or_default();
    let mut time = Duration::ZERO;
    while time <= end {
        if !run.evaluate(start.after(time), time) {
            return run.faults;
        }
        // An alert is compared with the last evaluation that is not after it.
        let next = time.saturating_add(file.evaluation_interval);
        while let Some(alert) = alerts.next_if(|alert| alert.time < next) {
            let firing = firing(&run.rules.alerts(), &alert.name);
            run.faults.extend(expect::alerts(alert, firing));
        }
        time = next;
    }
    for expr in &test.exprs {
        let at = start.after(expr.time).millis();
        let fault = match promql::instant(&expr.expr, &run.storage, at, &query) {
            Ok(outcome) => expect::samples(expr, outcome.value, file.comparison),
            Err(error) => Some(format!("{} at {}: {error}\n", expr.query, units::duration_text(expr.time))),
        };
        run.faults.extend(fault);
    }
    run.faults
}

struct Run {
    storage: Series,
    rules: Rules,
    groups: usize,
    faults: Vec<String>,
}

impl Run {
    /// Evaluates every group at an instant; says whether every rule could be.
    fn evaluate(&mut self, at: Timestamp, time: Duration) -> bool {
        self.storage.reveal(at.millis());
        for place in 0..self.groups {
            self.rules.evaluate_group(place, &mut self.storage, at);
        }
        // Nobody publishes here, so that events are done with at once.
        let decided: Vec<EventId> = self.rules.outbox().map(|event| event.id).collect();
        for id in decided {
            self.rules.confirm(id);
        }
        let before = self.faults.len();
        for rule in self.rules.groups().iter().flat_map(|group| &group.rules) {
            if let Health::Err(error) = &rule.health {
                let shown = units::duration_text(time);
                self.faults.push(format!("rule {} cannot be evaluated at {shown}: {error}\n", rule.name));
            }
        }
        self.faults.len() == before
    }
}

/// The alerts of a name that fire, as a test writes them.
pub(super) fn firing(alerts: &[AlertView], name: &str) -> Vec<ExpectedAlert> {
    let wanted = alerts
        .iter()
        .filter(|alert| alert.state == AlertingState::Firing && alert.alert_name.as_ref() == name);
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
