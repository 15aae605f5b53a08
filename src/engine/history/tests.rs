//! The past as the evaluator reads it.

use super::*;
use crate::engine::config::Config;
use crate::engine::metric::MetricType;
use crate::engine::promql::storage::{Condition, Extent, Matcher, Selection};
use crate::engine::promql::{Storage, Value};
use crate::engine::series::{Cause, FamilySpec, SeriesLimits};

/// A store with one metric, and its history.
struct World {
    store: Store,
    history: History,
    family: FamilyId,
    series: SeriesId,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn world(metric_type: MetricType) -> World {
    let mut store = Store::new(SeriesLimits { series: 100, series_per_metric: 100 });
    let buckets: Arc<[f64]> =
        if metric_type == MetricType::Histogram { [1.0, 2.0].into() } else { [].into() };
    let spec = FamilySpec {
        name: Arc::from("m"),
        metric_type,
        help: "".into(),
        unit: None,
        buckets,
        stale_after: None,
    };
    let family = store.register(spec).unwrap();
    let series = store.resolve(family, &[("a", "b")], at(7));
    World { store, history: History::new(&Config::with_defaults("test").history), family, series }
}

impl World {
    fn cause(seconds: i64) -> Cause {
        Cause { now: at(seconds), event: None }
    }

    fn step(&mut self, seconds: i64) {
        self.history.retire(self.store.removed());
        self.history.sample_all(&self.store, at(seconds), &BTreeSet::new());
    }

    /// `time=value` of every sample of every series named `name` up to `now`.
    fn read(&self, name: &str, now: i64) -> Vec<String> {
        let matchers =
            [Matcher { name: Arc::from("__name__"), condition: Condition::Equal(Arc::from(name)) }];
        let past = Past { store: &self.store, history: &self.history, now: at(now) };
        let selection =
            Selection { matchers: &matchers, start_ms: 0, end_ms: now * 1_000, extent: Extent::All };
        let mut series: Vec<String> = past
            .select(selection)
            .into_iter()
            .map(|series| {
                let samples = series.samples.iter().map(|sample| match &sample.value {
                    Value::Float(value) => format!("{}={value}", sample.time_ms),
                    Value::Histogram(_) => String::from("histogram"),
                });
                format!("{} {}", series.labels, samples.collect::<Vec<_>>().join(" "))
            })
            .collect();
        series.sort();
        series
    }
}

#[test]
fn a_counter_is_zero_before_its_first_increment_and_has_its_present_value_now() {
    let mut world = world(MetricType::Counter);
    world.store.add(world.series, 3.0, World::cause(7));
    world.step(10);
    world.step(15);
    world.store.add(world.series, 1.0, World::cause(16));
    assert_eq!(world.read("m_total", 17), ["m_total{a=\"b\"} 6999=0 10000=3 15000=3 17000=4"]);
}

#[test]
fn a_gauge_that_left_ends_with_a_stale_marker() {
    let mut world = world(MetricType::Gauge);
    world.store.set(world.series, 5.0, World::cause(7));
    world.step(10);
    world.store.remove(world.series, at(12));
    world.step(15);
    assert_eq!(world.read("m", 17), ["m{a=\"b\"} 10000=5 12000=NaN"]);
}

#[test]
fn a_series_of_the_same_labels_goes_on_after_the_one_that_left() {
    let mut world = world(MetricType::Gauge);
    world.store.set(world.series, 5.0, World::cause(7));
    world.step(10);
    world.store.remove(world.series, at(12));
    let again = world.store.resolve(world.family, &[("a", "b")], at(13));
    world.store.set(again, 6.0, World::cause(13));
    world.step(15);
    assert_eq!(world.read("m", 17), ["m{a=\"b\"} 10000=5 12000=NaN 15000=6 17000=6"]);
}

#[test]
fn an_arrival_samples_only_what_its_rules_read() {
    let mut world = world(MetricType::Gauge);
    world.store.set(world.series, 5.0, World::cause(7));
    world.history.sample_read(&world.store, at(8), &Arc::from([world.family]));
    world.store.set(world.series, 9.0, World::cause(9));
    world.history.sample_read(&world.store, at(9), &Arc::from([]));
    world.step(10);
    assert_eq!(world.read("m", 10), ["m{a=\"b\"} 8000=5 10000=9"]);
}

#[test]
fn the_buckets_of_a_histogram_are_cumulative() {
    let mut world = world(MetricType::Histogram);
    for value in [0.5, 1.5, 7.0] {
        world.store.observe(world.series, value, World::cause(7));
    }
    world.step(10);
    let read = [world.read("m_bucket", 11), world.read("m_count", 11), world.read("m_sum", 11)].concat();
    assert_eq!(
        read,
        [
            "m_bucket{a=\"b\", le=\"+Inf\"} 6999=0 10000=3 11000=3",
            "m_bucket{a=\"b\", le=\"1\"} 6999=0 10000=1 11000=1",
            "m_bucket{a=\"b\", le=\"2\"} 6999=0 10000=2 11000=2",
            "m_count{a=\"b\"} 6999=0 10000=3 11000=3",
            "m_sum{a=\"b\"} 6999=0 10000=9 11000=9",
        ]
    );
}

#[test]
fn what_the_window_has_passed_is_forgotten() {
    let mut world = world(MetricType::Gauge);
    for seconds in (10..8_000).step_by(5) {
        world.store.set(world.series, seconds as f64, World::cause(seconds));
        world.step(seconds);
    }
    let read = world.read("m", 8_000);
    let samples = read.first().map_or(0, |series| series.split('=').count());
    assert!((720..=740).contains(&samples), "{samples}");
}

#[test]
fn metrics_that_no_rule_reads_lose_their_past_first_where_it_does_not_fit() {
    let mut world = world(MetricType::Gauge);
    world.history.bytes_max = 3_000;
    for seconds in (10..3_000).step_by(5) {
        world.store.set(world.series, f64::from(seconds as i32).sqrt(), World::cause(seconds));
        world.step(seconds);
    }
    assert_eq!(world.history.take_newly_left_out(), [world.family]);
    assert_eq!(world.history.left_out().len(), 1);
    assert!(world.history.bytes() < 40_000, "{}", world.history.bytes());
}
