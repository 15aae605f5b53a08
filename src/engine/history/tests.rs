//! The past as the evaluator reads it.

use super::*;
use crate::engine::config::Config;
use crate::engine::metric::MetricType;
use crate::engine::promql::storage::{Endless, Extent, MatchCondition, Matcher, Selection};
use crate::engine::promql::{Storage, Value};
use crate::engine::series::{Cause, FamilySpec, SeriesId, SeriesLimits};

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
        self.history.sample_all(&mut self.store, at(seconds), &BTreeSet::new());
    }

    /// `time=value` of every sample of every series named `name` up to `now`.
    fn read(&self, name: &str, now: i64) -> Vec<String> {
        read(
            &Past { store: &self.store, timeline: self.history.timeline(), now: at(now), patience: &Endless },
            name,
        )
    }
}

/// `time=value` of every sample of every series named `name`.
fn read<S: SeriesSource>(past: &Past<'_, S>, name: &str) -> Vec<String> {
    let matchers =
        [Matcher { name: Arc::from("__name__"), condition: MatchCondition::Equal(Arc::from(name)) }];
    let end_ms = past.now.millis();
    let selection = Selection { matchers: &matchers, start_ms: 0, end_ms, extent: Extent::All };
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
    world.history.sample_read(&world.store, at(8), &BTreeSet::from([world.family]), &[world.series]);
    world.store.set(world.series, 9.0, World::cause(9));
    world.history.sample_read(&world.store, at(9), &BTreeSet::new(), &[]);
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
            "m_bucket{a=\"b\", le=\"1.0\"} 6999=0 10000=1 11000=1",
            "m_bucket{a=\"b\", le=\"2.0\"} 6999=0 10000=2 11000=2",
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
fn all_that_arrivals_left_is_seen_for_two_steps_and_then_the_lowest_the_highest_and_the_last() {
    let mut world = world(MetricType::Gauge);
    let family = BTreeSet::from([world.family]);
    let arrive = |world: &mut World, seconds, value| {
        world.store.set(world.series, value, World::cause(seconds));
        world.history.sample_read(&world.store, at(seconds), &family, &[world.series]);
    };
    world.step(10);
    for (seconds, value) in [(11, 5.0), (12, 9.0), (13, 2.0), (14, 4.0)] {
        arrive(&mut world, seconds, value);
    }
    world.step(15);
    arrive(&mut world, 16, 3.0);
    world.step(20);
    let whole = "10000=0 11000=5 12000=9 13000=2 14000=4 15000=4 16000=3 20000=3";
    assert_eq!(world.read("m", 21), [format!("m{{a=\"b\"}} {whole} 21000=3")]);
    world.step(25);
    let thinned = "10000=0 12000=9 13000=2 15000=4 16000=3 20000=3 25000=3";
    assert_eq!(world.read("m", 26), [format!("m{{a=\"b\"}} {thinned} 26000=3")]);
}

#[test]
fn counters_keep_no_more_than_the_last_of_a_step() {
    let mut world = world(MetricType::Counter);
    let family = BTreeSet::from([world.family]);
    for seconds in 10..31 {
        world.store.add(world.series, 1.0, World::cause(seconds));
        if seconds % 5 == 0 {
            world.step(seconds);
        } else {
            world.history.sample_read(&world.store, at(seconds), &family, &[world.series]);
        }
    }
    let expected = "6999=0 10000=1 15000=6 20000=11 21000=12 22000=13 23000=14 24000=15 25000=16 26000=17 \
                    27000=18 28000=19 29000=20 30000=21 31000=21";
    assert_eq!(world.read("m_total", 31), [format!("m_total{{a=\"b\"}} {expected}")]);
}

#[test]
fn of_a_gauge_that_left_between_two_steps_the_last_sample_stays() {
    let mut world = world(MetricType::Gauge);
    let family = BTreeSet::from([world.family]);
    world.step(10);
    for (seconds, value) in [(11, 9.0), (12, 6.0), (13, 7.0)] {
        world.store.set(world.series, value, World::cause(seconds));
        world.history.sample_read(&world.store, at(seconds), &family, &[world.series]);
    }
    world.store.remove(world.series, at(14));
    for seconds in [15, 20, 25, 30] {
        world.step(seconds);
    }
    let expected = "10000=0 11000=9 12000=6 13000=7 14000=NaN";
    assert_eq!(world.read("m", 31), [format!("m{{a=\"b\"}} {expected}")]);
}

#[test]
fn a_frozen_past_stays_as_it_was_while_the_live_one_goes_on() {
    let mut world = world(MetricType::Gauge);
    world.store.set(world.series, 5.0, World::cause(9));
    world.step(10);
    let (frozen, store) = (world.history.timeline().clone(), world.store.freeze());
    world.store.set(world.series, 6.0, World::cause(12));
    world.step(15);
    world.store.remove(world.series, at(16));
    world.step(20);
    let past = Past { store: &store, timeline: &frozen, now: at(11), patience: &Endless };
    assert_eq!(read(&past, "m"), ["m{a=\"b\"} 10000=5 11000=5"]);
    assert_eq!(world.read("m", 21), ["m{a=\"b\"} 10000=5 15000=6 16000=NaN"]);
}

/// Six hundred series of each of two metrics, all moving, for half an hour.
fn crowded(bytes_max: usize, churn: Churn) -> (History, [FamilyId; 2]) {
    let mut store = Store::new(SeriesLimits { series: 1_000_000, series_per_metric: 1_000_000 });
    let families = ["m", "n"]
        .map(|name| store.register(FamilySpec { name: Arc::from(name), ..FamilySpec::default() }).unwrap());
    let mut history = History::new(&Config::with_defaults("test").history);
    history.bytes_max = bytes_max;
    for seconds in (5..1_800).step_by(5) {
        let generation = if churn == Churn::Replaced { seconds / 600 } else { 0 };
        for number in 0..600_i64 {
            for family in families {
                let name = format!("{number}-{generation}");
                let series = store.resolve(family, &[("a", &name)], at(seconds));
                let value = f64::from((seconds * number % 7_919) as i32).sqrt();
                store.set(series, value, World::cause(seconds));
                if churn == Churn::Replaced && seconds % 600 == 595 {
                    store.remove(series, at(seconds));
                }
            }
        }
        history.retire(store.removed());
        history.sample_all(&mut store, at(seconds), &BTreeSet::from([families[0]]));
    }
    (history, families)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Churn {
    Stays,
    Replaced,
}

#[test]
fn metrics_that_no_rule_reads_lose_their_past_first_where_it_does_not_fit() {
    let (mut history, [_, unread]) = crowded(3_000_000, Churn::Stays);
    assert_eq!(history.take_newly_left_out(), [unread]);
    assert!(history.bytes() <= 3_000_000, "{}", history.bytes());
}

#[test]
fn the_past_fits_its_bytes_whatever_it_takes() {
    for bytes_max in [100_000, 500_000, 2_000_000] {
        for churn in [Churn::Stays, Churn::Replaced] {
            let (history, _) = crowded(bytes_max, churn);
            assert!(history.bytes() <= bytes_max, "{} of {bytes_max}", history.bytes());
        }
    }
}

#[test]
fn the_bytes_are_those_that_a_count_finds() {
    let (history, _) = crowded(1_000_000, Churn::Replaced);
    for page in &history.timeline.pages {
        assert_eq!(page.bytes(), page.counted());
    }
}
