//! Cases from `tests/rules/alert_states.txt`, and the laws over random sequences.

use proptest::prelude::*;

use super::*;
use crate::engine::rules::set::Severity;

const CASES: &str = include_str!("../../../../tests/rules/alert_states.txt");

/// The levels, the terms and the readings of a case, each `second reading -> expected`.
fn run(case: &str) -> Vec<String> {
    let mut levels = Vec::new();
    let (mut keep, mut no_data) = (Duration::ZERO, NoData::Ok);
    let mut state = None;
    let mut lines = Vec::new();
    for line in case.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["level", severity, condition @ ..] => levels.push(level(severity, condition)),
            ["keep_firing_for", seconds] => keep = Duration::from_secs(seconds.parse().unwrap()),
            ["no_data", "alert"] => no_data = NoData::Alert,
            ["no_data", "keep"] => no_data = NoData::Keep,
            [second, reading, ..] => {
                let now = Timestamp::from_millis(second.parse::<i64>().unwrap() * 1_000);
                let reading = match *reading {
                    "gone" => Reading::Gone,
                    "holds" => Reading::Holds,
                    "quiet" => Reading::Quiet,
                    value => Reading::Value(value.parse().unwrap()),
                };
                let terms = Terms { levels: &levels, keep_firing_for: keep, no_data };
                let step = step(state, reading, terms, now);
                state = step.state;
                lines.push(describe(step));
            }
            _ => panic!("{line}"),
        }
    }
    lines
}

fn level(severity: &str, condition: &[&str]) -> Level {
    let number = |name: &str| {
        let at = condition.iter().position(|word| *word == name)?;
        condition.get(at + 1)?.parse::<f64>().ok()
    };
    let condition_of = match (number("above"), number("below")) {
        (Some(threshold), _) => Condition::Above { threshold, clear: number("clear").unwrap_or(threshold) },
        (_, Some(threshold)) => Condition::Below { threshold, clear: number("clear").unwrap_or(threshold) },
        _ => Condition::Expression,
    };
    let wait = Duration::from_secs(number("for").unwrap_or(0.0) as u64);
    Level { severity: Severity::from_name(severity), condition: condition_of, wait }
}

fn describe(step: AlertStep) -> String {
    let mut words = vec![match step.state.map(|state| state.shown) {
        None => "inactive".to_owned(),
        Some(ShownState::Pending) => "pending".to_owned(),
        Some(ShownState::Firing { level, quiet_since: None, .. }) => format!("firing {level}"),
        Some(ShownState::Firing { level, .. }) => format!("firing {level} quiet"),
    }];
    if let Some(ended) = step.ended {
        words.push(format!("cleared {} {}", ended.level, ended.reason.name()));
    }
    if let Some(level) = step.began {
        words.push(format!("triggered {level}"));
    }
    words.join(", ")
}

#[test]
fn every_case_of_the_file_goes_as_it_says() {
    let mut cases = 0;
    for case in CASES.split("\n== ").skip(1) {
        let (name, body) = case.split_once('\n').unwrap();
        let expected: Vec<&str> =
            body.lines().filter_map(|line| line.split_once("-> ")).map(|(_, e)| e).collect();
        assert_eq!(run(body), expected, "{name}");
        cases += 1;
    }
    assert!(cases > 15);
}

fn readings() -> impl Strategy<Value = Vec<(u64, Reading)>> {
    let reading = prop_oneof![
        4 => (0..130_i32).prop_map(|value| Reading::Value(f64::from(value))),
        1 => Just(Reading::Gone),
    ];
    prop::collection::vec((0..30_u64, reading), 1..80)
}

fn policies() -> impl Strategy<Value = (Vec<Level>, u64, NoData)> {
    let level = |severity, threshold: f64| {
        (0..3_u64, 0..3_u64).prop_map(move |(wait, band)| Level {
            severity: Some(severity),
            condition: Condition::Above { threshold, clear: threshold - 10.0 * band as f64 },
            wait: Duration::from_secs(wait * 20),
        })
    };
    let no_data = prop_oneof![Just(NoData::Ok), Just(NoData::Alert), Just(NoData::Keep)];
    (level(Severity::Warning, 50.0), level(Severity::Critical, 100.0), 0..3_u64, no_data)
        .prop_map(|(warning, critical, keep, no_data)| (vec![warning, critical], keep * 25, no_data))
}

proptest! {
    #[test]
    fn the_laws_hold_over_any_sequence((levels, keep, no_data) in policies(), readings in readings()) {
        let terms = Terms { levels: &levels, keep_firing_for: Duration::from_secs(keep), no_data };
        let (mut state, mut open, mut now) = (None, None, Timestamp::EPOCH);
        let mut held_since = [None; 2];
        for (seconds, reading) in readings {
            now = now.after(Duration::from_secs(seconds));
            let step = step(state, reading, terms, now);
            for (index, level) in levels.iter().enumerate() {
                let beyond = match reading {
                    Reading::Value(value) => value > level.condition.threshold().unwrap_or(0.0),
                    Reading::Gone => no_data != NoData::Ok,
                    Reading::Holds | Reading::Quiet => false,
                };
                let within = matches!(reading, Reading::Value(value) if matches!(level.condition, Condition::Above { clear, .. } if value > clear));
                held_since[index] = (beyond || within && held_since[index].is_some()).then(|| held_since[index].unwrap_or(now));
            }
            if let Some(ended) = step.ended {
                prop_assert_eq!(open, Some(ended.level), "a clear ends what was triggered");
                open = None;
                if let Reading::Value(value) = reading && ended.reason == Reason::Recovered && keep == 0 {
                    let Condition::Above { clear, .. } = levels[ended.level].condition else { unreachable!() };
                    prop_assert!(value <= clear, "nothing recovers inside its band");
                }
            }
            if let Some(level) = step.began {
                prop_assert_eq!(open, None, "one level at a time");
                open = Some(level);
                let since = held_since[level];
                // What keep_firing_for holds needs no second wait.
                let served = since.is_some_and(|since| now.since(since) >= levels[level].wait);
                prop_assert!(served || keep > 0, "for is never early");
            }
            prop_assert_eq!(step.state.and_then(AlertState::level), open);
            state = step.state;
        }
    }
}
