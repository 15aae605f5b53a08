//! A test with `events`: they go through the whole engine in their own time, and what was decided is compared.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::playback::Playback;
use super::super::recording::{self, Flow, Recorded};
use super::expect;
use super::file::{Comparison, Events, Test};
use super::prometheus::firing;
use crate::engine::config::{Config, Grid};
use crate::engine::rules::{AlertEvent, RuleSet};
use crate::engine::time::Timestamp;
use crate::engine::yaml::units;
use crate::shell::plain::plain;

/// Timestamps before this instant (1971) count from the epoch as test times do.
const NEAR_THE_EPOCH: Timestamp = Timestamp::from_millis(365 * 86_400_000);

/// Runs a test; every difference is a text.
pub(super) fn run(
    test: &Test,
    events: &Events,
    config: Config,
    rules: RuleSet,
    comparison: Comparison,
) -> Vec<String> {
    let begun = drafts(events).and_then(|drafts| Run::begin(drafts, test.start, config, rules));
    let mut run = match begun {
        Ok(run) => run,
        Err(fault) => return vec![fault],
    };
    let zero = run.zero;
    for (time, checks) in timeline(test) {
        run.live_until(zero.after(time));
        run.check(test, &checks, comparison);
    }
    run.live_until(zero.after(end(test)));
    run.drain();
    if let Some(expected) = &test.transitions {
        run.faults.extend(expect::transitions(expected, &run.decided, zero));
    }
    run.faults
}

/// What rules decide of events.
pub(super) struct Decisions {
    /// The instant of time 0.
    pub(super) zero: Timestamp,
    /// Every transition, in order.
    pub(super) decided: Vec<AlertEvent>,
    /// What was refused: the number of the event, from 1, and why.
    pub(super) refused: Vec<(usize, String)>,
}

/// What rules decide of events until `tail` after the last.
///
/// # Errors
/// An event without a usable time, as text.
pub(super) fn decide(
    events: Vec<Json>,
    config: Config,
    rules: RuleSet,
    tail: Duration,
) -> Result<Decisions, String> {
    let drafts = events.into_iter().enumerate().map(|(index, event)| (index + 1, event)).collect();
    let mut run = Run::begin(drafts, None, config, rules)?;
    run.drain();
    run.live_until(run.playback.now().after(tail));
    Ok(Decisions { zero: run.zero, decided: run.decided, refused: run.refused })
}

struct Run {
    playback: Playback,
    coming: std::iter::Peekable<std::vec::IntoIter<Recorded>>,
    decided: Vec<AlertEvent>,
    faults: Vec<String>,
    refused: Vec<(usize, String)>,
    zero: Timestamp,
}

impl Run {
    fn begin(
        drafts: Vec<(usize, Json)>,
        start: Option<Timestamp>,
        config: Config,
        rules: RuleSet,
    ) -> Result<Self, String> {
        let zero = start.unwrap_or_else(|| zero(&drafts));
        let coming = fill(drafts, zero)?.into_iter().peekable();
        let config = Config { grid: Grid::From(zero), ..config };
        let playback = Playback::new(&config, rules, zero);
        Ok(Self { playback, coming, decided: Vec::new(), faults: Vec::new(), refused: Vec::new(), zero })
    }

    /// Applies every event up to an instant, and lives until it.
    fn live_until(&mut self, until: Timestamp) {
        while let Some(event) = self.coming.next_if(|event| event.time.is_none_or(|time| time <= until)) {
            self.apply(&event);
        }
        self.playback.advance(until);
        self.decided.extend(self.playback.take_decided());
    }

    /// Applies what is left and lets it be evaluated.
    fn drain(&mut self) {
        let mut is_left = false;
        while let Some(event) = self.coming.next() {
            self.apply(&event);
            is_left = true;
        }
        if is_left {
            self.playback.settle();
        }
        self.decided.extend(self.playback.take_decided());
    }

    fn apply(&mut self, event: &Recorded) {
        for refused in self.playback.apply(event) {
            let (number, reason) = (event.place.number(), refused.refusal.reason.name());
            let why = format!("event {number} was refused as {reason}: {}", refused.refusal.detail);
            self.faults.push(format!("{why}\n"));
            self.refused.push((number, why));
        }
    }

    fn check(&mut self, test: &Test, checks: &[Check], comparison: Comparison) {
        for check in checks {
            let fault = match *check {
                Check::Alert(index) => test.alerts.get(index).and_then(|alert| {
                    let firing = firing(&self.playback.engine().alerts(), &alert.name);
                    expect::alerts(alert, firing)
                }),
                Check::Expr(index) => test.exprs.get(index).and_then(|expr| {
                    let at = self.zero.after(expr.time);
                    match self.playback.query(&expr.expr, at) {
                        Ok(outcome) => expect::samples(expr, outcome.value, comparison),
                        Err(error) => Some(format!("{}: {error}\n", expr.query)),
                    }
                }),
            };
            self.faults.extend(fault);
        }
    }
}

/// One thing to check: the place of an alert test or of an expression test.
#[derive(Clone, Copy, Debug)]
enum Check {
    Alert(usize),
    Expr(usize),
}

/// What is checked at which time.
fn timeline(test: &Test) -> BTreeMap<Duration, Vec<Check>> {
    let mut timeline: BTreeMap<Duration, Vec<Check>> = BTreeMap::new();
    for (index, alert) in test.alerts.iter().enumerate() {
        timeline.entry(alert.time).or_default().push(Check::Alert(index));
    }
    for (index, expr) in test.exprs.iter().enumerate() {
        timeline.entry(expr.time).or_default().push(Check::Expr(index));
    }
    timeline
}

/// The last instant the test speaks of, from time 0.
fn end(test: &Test) -> Duration {
    let times = test.transitions.iter().flatten().filter_map(|fields| match fields.get("time") {
        Some(Json::String(text)) => units::duration(text),
        _ => None,
    });
    times.max().unwrap_or_default()
}

/// The events as JSON, with where they stand.
fn drafts(events: &Events) -> Result<Vec<(usize, Json)>, String> {
    match events {
        Events::Inline(events) => {
            Ok(events.iter().enumerate().map(|(index, event)| (index + 1, event.clone())).collect())
        }
        Events::File(path) => {
            let shown = path.display();
            let file = std::fs::File::open(path)
                .map_err(|error| format!("cannot read {shown}: {}\n", plain(error)))?;
            let mut drafts = Vec::new();
            recording::for_each(BufReader::new(file), |recorded| {
                // What is no JSON stays a text, which the engine refuses as it would refuse the bytes.
                let text = String::from_utf8_lossy(&recorded.payload).into_owned();
                drafts.push((
                    recorded.place.number(),
                    serde_json::from_str(&text).unwrap_or(Json::String(text)),
                ));
                Flow::Continue
            })
            .map_err(|error| format!("cannot read {shown}: {}\n", plain(error)))?;
            Ok(drafts)
        }
    }
}

/// The instant of time 0: the epoch, unless every event has a timestamp of a later year; then that of the first.
fn zero(drafts: &[(usize, Json)]) -> Timestamp {
    let times: Option<Vec<Timestamp>> = drafts
        .iter()
        .map(|(_, event)| event.get("timestamp").and_then(Json::as_str).and_then(|text| text.parse().ok()))
        .collect();
    let first = times.and_then(|times| times.into_iter().min());
    first.filter(|first| *first >= NEAR_THE_EPOCH).unwrap_or(Timestamp::EPOCH)
}

/// Events with an id and a timestamp each.
fn fill(drafts: Vec<(usize, Json)>, zero: Timestamp) -> Result<Vec<Recorded>, String> {
    let mut filled = Vec::new();
    let mut latest = zero;
    for (number, mut event) in drafts {
        if let Json::Object(fields) = &mut event {
            let at = fields.remove("at");
            let time = match &at {
                None => None,
                Some(Json::String(text)) if let Some(offset) = units::duration(text) => {
                    Some(zero.after(offset))
                }
                Some(wrong) => {
                    return Err(format!(
                        "event {number}: `at` is {wrong}, expected a duration such as `90s`\n"
                    ));
                }
            };
            if !fields.contains_key("timestamp") {
                let time = time.unwrap_or(latest);
                fields.insert("timestamp".to_owned(), json!(time.to_string()));
            }
            if !fields.contains_key("event_id") {
                fields.insert("event_id".to_owned(), json!(format!("00000000-0000-4000-8000-{number:012x}")));
            }
        }
        let recorded = Recorded::new(number, event.to_string().as_bytes());
        latest = recorded.time.map_or(latest, |time| time.max(latest));
        filled.push(recorded);
    }
    Ok(filled)
}
