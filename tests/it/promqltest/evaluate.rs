//! Evaluates an expression and holds the outcome against what is expected.

use std::panic::{AssertUnwindSafe, catch_unwind};

use signalbox::engine::promql::{
    EvalOutcome, EvalSettings, Expr, QueryTimes, QueryValue, Value, instant, parse, range,
};

use super::command::{Eval, Expectation, Steps, Wanted, When};
use super::compare::{self, Order};
use super::storage::MemoryStorage;

const MINUTE_MS: i64 = 60_000;

/// Runs one `eval`; says what is not as expected.
pub(super) fn run(case: &Eval, storage: &MemoryStorage, settings: &EvalSettings) -> Result<(), String> {
    let expr = match parse(&case.text) {
        Ok(expr) => expr,
        Err(wrong) => {
            return match wanted_failure(case) {
                Some(wanted) if wanted.accepts(&wrong.message) => Ok(()),
                _ => Err(format!("cannot parse: {wrong} at {:?}", wrong.span)),
            };
        }
    };
    let query = |when: When| evaluate(&expr, storage, settings, when);
    let outcome = match (query(case.when), wanted_failure(case)) {
        (Err(message), Some(wanted)) if wanted.accepts(&message) => return Ok(()),
        (Err(message), Some(wanted)) => return Err(format!("expected {wanted}, failed with {message:?}")),
        (Err(message), None) => return Err(format!("failed: {message}")),
        (Ok(_), Some(wanted)) => return Err(format!("expected to fail with {wanted}")),
        (Ok(outcome), None) => outcome,
    };
    annotations(case, &outcome)?;
    value(case, &outcome.value)?;
    match case.when {
        When::Instant(at) if is_same_in_a_range(case, &outcome.value) => {
            let steps = Steps { start: at - MINUTE_MS, end: at + MINUTE_MS, step: MINUTE_MS };
            let outcome = query(When::Range(steps)).map_err(|message| format!("as a range: {message}"))?;
            middle(case, &outcome.value, at).map_err(|problem| format!("as a range: {problem}"))
        }
        When::Instant(_) | When::Range(_) => Ok(()),
    }
}

fn evaluate(
    expr: &Expr,
    storage: &MemoryStorage,
    settings: &EvalSettings,
    when: When,
) -> Result<EvalOutcome, String> {
    let evaluated = catch_unwind(AssertUnwindSafe(|| match when {
        When::Instant(at) => instant(expr, storage, at, settings),
        When::Range(Steps { start, end, step }) => {
            let times = QueryTimes { start_ms: start, end_ms: end, step_ms: step };
            range(expr, storage, times, settings)
        }
    }));
    match evaluated {
        Ok(result) => result.map_err(|wrong| wrong.message),
        Err(_) => Err("it panicked".to_owned()),
    }
}

fn wanted_failure(case: &Eval) -> Option<&Wanted> {
    case.expectations
        .iter()
        .find_map(|expectation| if let Expectation::Fail(wanted) = expectation { Some(wanted) } else { None })
}

fn order(case: &Eval) -> Order {
    let is_ordered = case.expectations.iter().any(|expectation| matches!(expectation, Expectation::Ordered));
    if is_ordered { Order::AsWritten } else { Order::Any }
}

/// Warnings and infos: each expected one is there, and where any is expected nothing else is.
fn annotations(case: &Eval, outcome: &EvalOutcome) -> Result<(), String> {
    let (mut warns, mut infos) = (Vec::new(), Vec::new());
    for expectation in &case.expectations {
        match expectation {
            Expectation::Warn(wanted) => warns.push(wanted),
            Expectation::Info(wanted) => infos.push(wanted),
            Expectation::NoWarn if !outcome.warnings.is_empty() => {
                return Err(format!("expected no warning, got {:?}", outcome.warnings));
            }
            Expectation::NoInfo if !outcome.infos.is_empty() => {
                return Err(format!("expected no info, got {:?}", outcome.infos));
            }
            Expectation::NoWarn
            | Expectation::NoInfo
            | Expectation::Fail(_)
            | Expectation::Ordered
            | Expectation::String(_)
            | Expectation::RangeVector(_) => {}
        }
    }
    for (kind, wanted, found) in [("warning", warns, &outcome.warnings), ("info", infos, &outcome.infos)] {
        if wanted.is_empty() {
            continue;
        }
        if let Some(missing) = wanted.iter().find(|wanted| !found.iter().any(|found| wanted.accepts(found))) {
            return Err(format!("expected as {kind} {missing}, got {found:?}"));
        }
        if let Some(other) = found.iter().find(|found| !wanted.iter().any(|wanted| wanted.accepts(found))) {
            return Err(format!("unexpected {kind} {other:?}"));
        }
    }
    Ok(())
}

fn value(case: &Eval, found: &QueryValue) -> Result<(), String> {
    let steps = case.expectations.iter().find_map(|expectation| {
        if let Expectation::RangeVector(steps) = expectation { Some(*steps) } else { None }
    });
    let text = case
        .expectations
        .iter()
        .find_map(|expectation| if let Expectation::String(text) = expectation { Some(text) } else { None });
    match (found, case.when, steps) {
        (QueryValue::Matrix(found), When::Range(steps), _)
        | (QueryValue::Matrix(found), When::Instant(_), Some(steps)) => {
            compare::matrix(&case.rows, steps, found)
        }
        (QueryValue::Vector(found), When::Instant(_), None) => {
            compare::vector(&case.rows, found, order(case))
        }
        (QueryValue::Scalar(found), When::Instant(_), None) => compare::scalar(&case.rows, *found),
        (QueryValue::String(found), When::Instant(_), None) if Some(found) == text => Ok(()),
        _ => Err(format!("a result of another kind: {found:?}")),
    }
}

/// Whether an instant query must yield the same as the middle of a range query around it.
fn is_same_in_a_range(case: &Eval, found: &QueryValue) -> bool {
    let text = case.text.to_ascii_lowercase();
    let depends = ["start()", "end()", "range()", "step()"].iter().any(|function| text.contains(function));
    !depends && order(case) == Order::Any && matches!(found, QueryValue::Vector(_) | QueryValue::Scalar(_))
}

fn middle(case: &Eval, found: &QueryValue, at: i64) -> Result<(), String> {
    let QueryValue::Matrix(series) = found else { return Err(format!("no matrix: {found:?}")) };
    let vector: Vec<_> = series
        .iter()
        .filter_map(|series| {
            let sample = series.samples.iter().find(|sample| sample.time_ms == at)?;
            Some((series.labels.clone(), sample.value.clone()))
        })
        .collect();
    match (case.rows.as_slice(), vector.as_slice()) {
        ([super::command::Row::Number(_)], [(_, Value::Float(found))]) => compare::scalar(&case.rows, *found),
        _ => compare::vector(&case.rows, &vector, Order::Any),
    }
}

#[test]
fn the_deepest_expressions_are_evaluated_on_the_stack_of_a_thread() {
    use signalbox::engine::promql::parse::{HEIGHT_MAX, NESTING_MAX};

    let levels = NESTING_MAX - 2;
    let nested = |open: &str, close: &str| format!("{}a{}", open.repeat(levels), close.repeat(levels));
    let chain = |operator: &str| vec!["a"; HEIGHT_MAX].join(operator);
    let deep = [
        chain(" + "),
        chain(" or "),
        nested("(", ")"),
        nested("-", ""),
        nested("abs(", ")"),
        nested("sum(", ")"),
        nested("max_over_time(", "[1m:1m])"),
        format!("{}a{}", "(1 > bool ".repeat(levels / 2), ")".repeat(levels / 2)),
    ];
    let storage = MemoryStorage::default();
    for text in deep {
        let expr = parse(&text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
        assert!(instant(&expr, &storage, 0, &EvalSettings::default()).is_ok(), "{text}");
    }
}
