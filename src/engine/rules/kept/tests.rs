//! What is kept is what the full evaluation yields, bit for bit.

use std::time::Duration;

use proptest::prelude::*;

use super::{Narrow, Partition, part_of_result};
use crate::engine::checkpoint::SavedState;
use crate::engine::config::{Config, StaleAfter};
use crate::engine::history::Past;
use crate::engine::labels::Labels;
use crate::engine::promql::plan::Plan;
use crate::engine::promql::storage::{Endless, Extent, Selection};
use crate::engine::promql::{
    EvalSettings, Expr, QueryValue, Sample, SelectedSeries, Storage, Value, instant, number_twins, parse,
};
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message};
use crate::engine::{Engine, RunEnding};

const STEP_MS: i64 = 15_000;

/// Series with a sample at each step.
#[derive(Debug)]
struct Memory(Vec<(Labels, Vec<f64>)>);

impl Storage for Memory {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let matching = self.0.iter().filter(|(labels, _)| {
            let holds = |name: &str| labels.get(name).unwrap_or("").to_owned();
            selection.matchers.iter().all(|matcher| matcher.condition.holds(&holds(&matcher.name)))
        });
        let series = matching.map(|(labels, values)| {
            let samples = (0..).zip(values).map(|(step, value)| Sample {
                time_ms: step * STEP_MS,
                start_ms: None,
                value: Value::Float(*value),
            });
            let mut samples: Vec<Sample> = samples
                .filter(|sample| (selection.start_ms..=selection.end_ms).contains(&sample.time_ms))
                .collect();
            if selection.extent == Extent::Last && samples.len() > 1 {
                samples.drain(..samples.len() - 1);
            }
            SelectedSeries::whole(labels.clone(), samples)
        });
        series.filter(|series| !series.samples.is_empty()).collect()
    }
}

fn memory() -> impl Strategy<Value = Memory> {
    let value = prop_oneof![8 => (0_i32..9).prop_map(f64::from), 1 => Just(0.1), 1 => Just(f64::NAN)];
    let values = prop::collection::vec(value, 12..=12);
    let name = prop::sample::select(vec!["a", "b", "h_bucket"]);
    let label = || prop::sample::select(vec!["", "1", "2", "3"]);
    let bound = prop::sample::select(vec!["1", "2", "+Inf"]);
    let series = (name, label(), label(), bound, values).prop_map(|(name, x, y, le, values)| {
        let le = if name == "h_bucket" { le } else { "" };
        (Labels::collect([("__name__", name), ("x", x), ("y", y), ("le", le)]), values)
    });
    prop::collection::vec(series, 1..24).prop_map(|mut series| {
        series.sort_by(|left, right| left.0.cmp(&right.0));
        series.dedup_by(|left, right| left.0 == right.0);
        Memory(series)
    })
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "a{x=\"1\"}",
        "b{y!=\"2\"}",
        "rate(a[1m])",
        "increase(b[2m] anchored)",
        "avg_over_time(a[1m])",
        "sum_over_time(b[2m] offset 30s)",
        "histogram_quantile(0.5, rate(h_bucket[2m]))",
        "histogram_quantile(0.9, sum by (x, le) (rate(h_bucket[2m])))",
        "vector(1)",
        "time() - a",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 16, 2, |inner| {
        let aggregate = prop::sample::select(vec!["sum", "avg", "min", "max", "count", "stddev", "topk"]);
        let grouping = prop::sample::select(vec![" by (x)", " by (x, y)", " without (y)", "", " by (le)"]);
        let wrapped = prop::sample::select(vec![
            ("abs(", ")"),
            ("-", ""),
            ("label_replace(", ", \"y\", \"$1\", \"x\", \"(.*)\")"),
            ("max_over_time((", ")[1m:15s])"),
            ("absent(", ")"),
            ("vector(scalar(", "))"),
            ("count_values by (x) (\"y\", ", ")"),
            ("timestamp(", ")"),
            ("sort(", ")"),
        ]);
        let operator = prop::sample::select(vec!["+", "/", ">", "> bool", "and", "or", "unless", "=="]);
        let matching = prop::sample::select(vec![
            "",
            "on (x)",
            "ignoring (y)",
            "on (x) group_left",
            "on (x) group_left (y)",
        ]);
        prop_oneof![
            (aggregate, grouping, inner.clone()).prop_map(|(aggregate, grouping, inner)| {
                let parameter = if aggregate == "topk" { "2, " } else { "" };
                format!("{aggregate}{grouping} ({parameter}{inner})")
            }),
            (wrapped, inner.clone()).prop_map(|((before, after), inner)| format!("{before}({inner}){after}")),
            (inner.clone(), operator, matching, inner).prop_map(|(left, operator, matching, right)| format!(
                "({left}) {operator} {matching} ({right})"
            )),
        ]
    })
}

fn bits(value: &QueryValue) -> Vec<(Labels, u64)> {
    let QueryValue::Vector(samples) = value else { panic!("{value:?}") };
    let bits = |value: &Value| match value {
        Value::Float(value) => value.to_bits(),
        Value::Histogram(_) => 0,
    };
    samples.iter().map(|(labels, value)| (labels.clone(), bits(value))).collect()
}

/// Samples in order, with the bits of their values.
type Bits = Vec<(Labels, u64)>;

/// What an expression yields of some parts where they are evaluated alone, and where all of it is; none where it has
/// an error.
fn part_and_full(expr: &Expr, memory: &Memory, narrow: &Narrow) -> Option<[Bits; 2]> {
    let evaluate = |storage: &dyn Storage| {
        instant(expr, storage, 11 * STEP_MS, &EvalSettings::default()).map(|outcome| bits(&outcome.value))
    };
    let in_order = |mut samples: Bits| {
        samples.sort();
        samples
    };
    let mut full = evaluate(memory).ok()?;
    full.retain(|(labels, _)| narrow.holds(labels));
    let part = part_of_result(memory, narrow, evaluate).unwrap_or_else(|error| panic!("{expr}: {error}"));
    Some([part, full].map(in_order))
}

#[test]
fn an_error_that_only_a_part_meets_is_none_of_the_whole() {
    let series = |x, y| (Labels::collect([("__name__", "a"), ("x", x), ("y", y)]), vec![1.0; 12]);
    let memory = Memory(vec![series("", ""), series("1", "1"), series("1", "2")]);
    let expr = parse("sum by (x) (((vector(1)) unless (a)) + on (x) (a))").unwrap();
    let narrow = Narrow::to(&Partition::of(&expr), &[Labels::collect([("x", "1")])]).unwrap();
    assert_eq!(part_and_full(&expr, &memory, &narrow), Some([vec![], vec![]]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_part_is_what_the_whole_has_of_it(
        memory in memory(),
        query in expression(),
        chosen in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        // Some are no expression (`group_left` with `and`), some have no result: nothing to compare.
        let Ok(expr) = parse(&query) else { return Ok(()) };
        let moved: Vec<Labels> = chosen.iter().map(|index| index.get(&memory.0).0.without_name()).collect();
        // The store's series of a histogram has no bound.
        let moved: Vec<Labels> = moved.iter().map(|labels| labels.filtered(|name| name != "le")).collect();
        let Some(narrow) = Narrow::to(&Partition::of(&expr), &moved) else { return Ok(()) };
        let Some([part, full]) = part_and_full(&expr, &memory, &narrow) else { return Ok(()) };
        prop_assert_eq!(part, full, "{} {:?}", query, narrow);
    }
}

/// A storage in which every sample is read, whatever less would do.
#[derive(Debug)]
struct Walked<S>(S);

impl<S: Storage> Storage for Walked<S> {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let extent = match selection.extent {
            Extent::Growth { .. } | Extent::All => Extent::All,
            Extent::Last => Extent::Last,
        };
        self.0.select(Selection { extent, ..selection })
    }
}

/// Expressions over the metrics of [`set`], most of which can be worked out ahead.
fn engine_expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "depth",
        "cap",
        "depth{q=\"1\"}",
        "work_total{pod!=\"2\"}",
        "rate(work_total[12s])",
        "increase(work_total[10s] anchored)",
        "increase(work_total{q=\"1\"}[1m])",
        "rate(took_bucket[20s])",
        "increase(took_count[15s] anchored)",
        "resets(work_total[30s])",
        "histogram_quantile(0.9, sum by (q, le) (rate(took_bucket[20s] anchored)))",
        "histogram_quantile(0.5, took_bucket)",
        "avg_over_time(depth[20s])",
        "took_sum",
        "vector(2)",
        "work_total offset 7s",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 16, 2, |inner| {
        let aggregate =
            prop::sample::select(vec!["sum", "avg", "min", "max", "count", "group", "stddev", "quantile"]);
        let grouping =
            prop::sample::select(vec![" by (q)", " by (q, pod)", " without (pod)", "", " by (le)"]);
        let wrapped = prop::sample::select(vec![
            ("abs(", ")"),
            ("-", ""),
            ("clamp_min(", ", 2)"),
            ("2 * ", ""),
            ("", " > 3"),
            ("", " < bool 3"),
            ("time() - ", ""),
            ("", " >= 1 + 1"),
        ]);
        let operator = prop::sample::select(vec!["+", "/", ">", "> bool", "and", "or", "or", "unless", "=="]);
        let matching = prop::sample::select(vec![
            "",
            "on (q)",
            "ignoring (pod)",
            "on (q) group_left",
            "on (q) group_right (pod)",
        ]);
        prop_oneof![
            (aggregate, grouping, inner.clone()).prop_map(|(aggregate, grouping, inner)| {
                let parameter = if aggregate == "quantile" { "0.7, " } else { "" };
                format!("{aggregate}{grouping} ({parameter}{inner})")
            }),
            (wrapped, inner.clone()).prop_map(|((before, after), inner)| format!("{before}({inner}){after}")),
            (inner.clone(), operator, matching, inner).prop_map(|(left, operator, matching, right)| format!(
                "({left}) {operator} {matching} ({right})"
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_worked_out_ahead_is_what_the_evaluator_yields_at_every_instant(
        queries in prop::collection::vec(engine_expression(), 12..24),
        events in prop::collection::vec(
            (prop::sample::select(vec!["work", "work", "took", "depth", "depth", "cap"]), 0_u8..3, 0_u8..3, 0_u8..9, 0_u16..4_000),
            1..40,
        ),
    ) {
        let mut config = Config::with_defaults("test");
        config.stale_after = StaleAfter::all(Duration::from_secs(20));
        let mut now = Timestamp::from_millis(1_795_515_000_000);
        let mut engine = Engine::new(&config, rule_set(RULES[0]), now);
        let parsed = queries.iter().filter_map(|query| parse(query).ok());
        let mut kept: Vec<(Expr, Option<Plan>)> = parsed
            .map(|mut expr| {
                number_twins(&mut expr);
                (expr, None)
            })
            .collect();
        let settings = EvalSettings::default();
        for (number, (name, q, pod, value, millis)) in events.into_iter().enumerate() {
            // Now and then a pause in which gauges leave.
            now = now.after(Duration::from_millis(if millis < 100 { 30_000 } else { u64::from(millis) / 2 }));
            while engine.next_tick() <= now {
                engine.tick(engine.next_tick());
            }
            if number % 13 == 12 {
                engine.replace_rules(rule_set(RULES[number % 2]), now);
            }
            if number % 17 == 16 {
                let saved = SavedState::read(&engine.save(now).to_bytes()).unwrap();
                (engine, _) = Engine::restore(&config, rule_set(RULES[number % 2]), saved, RunEnding::Clean).unwrap();
                engine.go_on(now);
                for (_, plan) in &mut kept {
                    *plan = None;
                }
            }
            set(&mut engine, number, (name, q, pod, value), now);
            let timeline = engine.state.history.timeline();
            let past = Past { store: &engine.state.store, timeline, now, patience: &Endless };
            for (expr, plan) in &mut kept {
                if !plan.as_ref().is_some_and(|plan| plan.stands(&past)) {
                    *plan = Plan::new(expr, &past, &settings);
                }
                let walked = Walked(Past { store: &engine.state.store, timeline, now, patience: &Endless });
                let full = instant(expr, &walked, now.millis(), &settings);
                let Some(planned) = plan.as_mut().and_then(|plan| plan.evaluate(&past)) else { continue };
                let planned: Vec<(Labels, u64)> =
                    planned.into_iter().map(|(labels, value)| (labels, value.to_bits())).collect();
                let full = match full.map(|outcome| outcome.value) {
                    Ok(QueryValue::Scalar(value)) => vec![(Labels::empty(), value.to_bits())],
                    Ok(value) => bits(&value),
                    Err(error) => return Err(TestCaseError::fail(format!("{expr}: {error}"))),
                };
                prop_assert_eq!(planned, full, "{} after event {}", expr, number);
            }
        }
    }
}

const RULES: [&str; 2] = [
    "groups: [{name: g, rules: [
        {alert: Grows, expr: 'sum by (q) (increase(work_total[10s] anchored)) > 4'},
        {alert: Rate, expr: 'rate(work_total[12s]) > 0.5'},
        {alert: Slow, expr: 'histogram_quantile(0.9, sum by (q, le) (rate(took_bucket[20s]))) > 1'},
        {alert: Mean, expr: 'avg_over_time(depth[20s]) > 4'},
        {alert: Each, expr: depth > 3}, {alert: Sum, expr: sum by (q) (depth) > 5},
        {alert: Ratio, expr: depth / on (q) group_left cap > 2}, {alert: All, expr: sum(depth) > 12},
        {record: 'q:depth:max', expr: max by (q) (depth)}, {alert: Recorded, expr: 'q:depth:max > 4'}]}]",
    "groups: [{name: g, rules: [
        {alert: Grows, expr: 'sum by (q) (increase(work_total[10s] anchored)) > 6'},
        {alert: Rate, expr: 'rate(work_total[12s]) > 0.5'},
        {alert: Each, expr: depth > 3}, {alert: Sum, expr: sum by (q) (depth) > 7},
        {record: 'q:depth:max', expr: max by (q) (depth)}, {alert: Recorded, expr: 'q:depth:max > 4'},
        {alert: Lone, expr: depth unless on (q) cap}]}]",
];

/// One event: a metric's name, its labels and value.
type Moved = (&'static str, u8, u8, u8);

fn set(engine: &mut Engine, number: usize, (name, q, pod, value): Moved, now: Timestamp) {
    let pod = if name == "cap" { String::new() } else { format!(",\"pod\":\"{pod}\"") };
    let metric_type = match name {
        "work" => "counter",
        "took" => "histogram",
        _ => "gauge",
    };
    let payload = format!(
        r#"{{"event_id":"{number:08x}-0000-4000-8000-000000000000","timestamp":"2026-11-24T04:05:06Z","metric_name":"{name}","metric_value":{value},"metric_type":"{metric_type}","tags":{{"q":"{q}"{pod}}}}}"#,
    );
    let message =
        Message { subject: "events.monitoring.MetricRecorded", headers: &[], payload: payload.as_bytes() };
    assert!(engine.apply(Lane::Core, &[message], now).is_empty());
}

/// The alerts as the engine holds them, and as a full evaluation of their expressions has them. Of rules over windows
/// only those of the series that moved just now: the windows of others slide on until their interval.
fn held_and_full(
    engine: &mut Engine,
    moved: Option<(&str, u8, u8)>,
    now: Timestamp,
) -> [Vec<(String, Labels, u64)>; 2] {
    let plain = |labels: &Labels| labels.filtered(|name| name != "alertname").without_name();
    let windows = [("Grows", "work"), ("Rate", "work"), ("Slow", "took"), ("Mean", "depth")];
    let is_compared = |rule: &str, labels: &Labels| {
        let window = windows.iter().find(|(name, _)| *name == rule);
        window.is_none_or(|(_, metric)| {
            moved.is_some_and(|(name, q, pod)| {
                name == *metric
                    && labels.get("q") == Some(&q.to_string())
                    && labels.get("pod").is_none_or(|of| of == pod.to_string())
            })
        })
    };
    let mut held: Vec<_> = engine
        .alerts()
        .iter()
        .map(|alert| (alert.alert_name.to_string(), plain(&alert.labels), alert.value.to_bits()))
        .collect();
    let mut full = Vec::new();
    let frozen = engine.freeze(now);
    for rule in engine.groups().iter().flat_map(|group| &group.rules) {
        if rule.name.contains(':') {
            continue;
        }
        let expr = parse(&rule.query).unwrap();
        let walked = Walked(frozen.past(&Endless));
        let outcome = instant(&expr, &walked, now.millis(), &EvalSettings::default()).unwrap();
        full.extend(
            bits(&outcome.value)
                .into_iter()
                .map(|(labels, bits)| (rule.name.to_string(), plain(&labels), bits)),
        );
    }
    for samples in [&mut held, &mut full] {
        samples.retain(|(rule, labels, _)| is_compared(rule, labels));
        samples.sort();
    }
    [held, full]
}

/// Queries over windows of every kind of metric.
const WINDOWS: [&str; 12] = [
    "rate(work_total[12s])",
    "increase(work_total[10s] anchored)",
    "rate(work_total[30s] offset 7s)",
    "sum by (q) (increase(work_total[1m]))",
    "resets(work_total[1m])",
    "delta(depth[20s])",
    "rate(depth[20s])",
    "increase(took_count[15s] anchored)",
    "increase(took_sum[15s] anchored) / increase(took_count[15s] anchored)",
    "histogram_quantile(0.9, sum by (q, le) (rate(took_bucket[20s])))",
    "increase({__name__=~\"wor.*\", q=\"1\"}[8s] anchored)",
    "rate(work_total[20s] @ 1795515010)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_ends_of_a_window_tell_what_a_walk_through_it_tells(
        events in prop::collection::vec(
            (prop::sample::select(vec!["work", "work", "took", "depth"]), 0_u8..3, 0_u8..3, 0_u8..9, 0_u16..4_000),
            1..80,
        ),
    ) {
        let mut config = Config::with_defaults("test");
        config.stale_after = StaleAfter::all(Duration::from_secs(20));
        let mut now = Timestamp::from_millis(1_795_515_000_000);
        let mut engine = Engine::new(&config, rule_set(RULES[0]), now);
        for (number, (name, q, pod, value, millis)) in events.into_iter().enumerate() {
            // Now and then a pause, or the very instant of a step.
            now = now.after(Duration::from_millis(if millis < 100 { 30_000 } else { u64::from(millis) / 2 }));
            if value == 8 {
                now = Timestamp::from_millis(now.millis() / 5_000 * 5_000 + 5_000);
            }
            while engine.next_tick() <= now {
                engine.tick(engine.next_tick());
            }
            set(&mut engine, number, (name, q, pod, value), now);
            let frozen = engine.freeze(now);
            let past = frozen.past(&Endless);
            for query in WINDOWS {
                let expr = parse(query).unwrap();
                let settings = EvalSettings::default();
                let kept = instant(&expr, &past, now.millis(), &settings).unwrap();
                let walked = instant(&expr, &Walked(frozen.past(&Endless)), now.millis(), &settings).unwrap();
                prop_assert_eq!(bits(&kept.value), bits(&walked.value), "{} after event {}", query, number);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn after_each_arrival_the_alerts_are_those_of_a_full_evaluation(
        events in prop::collection::vec(
            (prop::sample::select(vec!["depth", "depth", "depth", "cap", "work", "work", "took"]), 0_u8..3, 0_u8..3, 0_u8..9, 0_u8..40),
            1..60,
        ),
    ) {
        let mut config = Config::with_defaults("test");
        config.stale_after = StaleAfter::all(Duration::from_secs(20));
        let mut now = Timestamp::from_millis(1_795_515_000_000);
        let mut engine = Engine::new(&config, rule_set(RULES[0]), now);
        for (number, (name, q, pod, value, seconds)) in events.into_iter().enumerate() {
            now = now.after(Duration::from_millis(60 + u64::from(seconds.saturating_sub(30)) * 1_000));
            while engine.next_tick() <= now {
                engine.tick(engine.next_tick());
            }
            if seconds == 29 {
                engine.replace_rules(rule_set(RULES[number % 2]), now);
                now = now.after(Duration::from_millis(60));
                while engine.next_tick() <= now {
                    engine.tick(engine.next_tick());
                }
            }
            // What is too old leaves now, and not only when the alerts are compared.
            held_and_full(&mut engine, None, now);
            set(&mut engine, number, (name, q, pod, value), now);
            let [held, full] = held_and_full(&mut engine, Some((name, q, pod)), now);
            prop_assert_eq!(held, full, "after event {}", number);
        }
    }
}
