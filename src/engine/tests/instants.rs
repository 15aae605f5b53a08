//! What the past holds of an instant at which much happened.

use super::*;
use crate::engine::frozen::QueryTerms;
use crate::engine::promql::storage::Endless;
use crate::engine::promql::{EvalSettings, QueryValue, parse};

/// A `MetricRecorded` event that sets `app_load` of a host; the number makes its id.
fn load(number: u32, (host, value): (&str, f64)) -> String {
    format!(
        r#"{{"event_id":"{number:032x}","timestamp":"2025-11-24T16:00:00Z","event_type":"MetricRecorded",
        "metric_name":"app_load","metric_value":{value},"metric_type":"gauge","tags":{{"host":"{host}"}}}}"#
    )
}

/// Every sample of `app_load` of the last minute: the host, the milliseconds since second 0 and the value.
fn samples(engine: &mut Engine, now: Timestamp) -> Vec<String> {
    let instant = engine.freeze(now);
    let settings = EvalSettings::default();
    let terms = QueryTerms { settings: &settings, patience: &Endless };
    let outcome = instant.query_instant(&parse("app_load[1m]").unwrap(), now, terms).unwrap();
    let QueryValue::Matrix(series) = outcome.value else { panic!("{outcome:?}") };
    let mut all: Vec<String> = series
        .iter()
        .flat_map(|series| {
            let host = series.labels.get("host").unwrap_or_default();
            let since = |time_ms: i64| time_ms - at(0).millis();
            series.samples.iter().map(move |it| format!("{host} {} {:?}", since(it.time_ms), it.value))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_gauge_that_is_born_right_after_an_evaluation_never_was_zero() {
    let mut engine = with_rules();
    // The first event has the rule evaluated; the others come at the same instant, the last two in batches of their own.
    let first = [load(1, ("a", 5.0)), load(2, ("b", 7.0)), load(3, ("a", 6.0))];
    assert_eq!(record(&mut engine, &first, at(1)), 0);
    assert_eq!(record(&mut engine, &[load(4, ("c", 9.0))], at(1)), 0);
    assert_eq!(record(&mut engine, &[load(5, ("c", 8.0))], at(1)), 0);
    let expected = ["a 1000 Float(6.0)", "b 1000 Float(7.0)", "c 1000 Float(8.0)"];
    assert_eq!(samples(&mut engine, at(1)), expected);
    for second in [2, 4] {
        let seen = samples(&mut engine, at(second));
        assert!(!seen.iter().any(|sample| sample.ends_with(" Float(0.0)")), "{seen:?}");
        assert!(expected.iter().all(|one| seen.iter().any(|sample| sample == one)), "{seen:?}");
    }
}
