//! What the store promises to everyone else.

use std::time::Duration;

use super::overflow::{OVERFLOW, Overflow};
use super::*;

fn spec(name: &str, metric_type: MetricType) -> FamilySpec {
    FamilySpec {
        name: Arc::from(name),
        metric_type,
        help: "".into(),
        unit: None,
        buckets: if metric_type == Histogram { Arc::from([1.0, 2.0]) } else { Arc::from([]) },
        stale_after: None,
    }
}

fn store(series: usize, series_per_metric: usize) -> Store {
    Store::new(SeriesLimits { series, series_per_metric })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn cause(seconds: i64, event: u32) -> Cause {
    Cause { now: at(seconds), event: Some(Ordinal(event)) }
}

use MetricType::{Counter, Gauge, Histogram};

#[test]
fn a_series_is_one_whatever_the_order_of_its_labels() {
    let mut store = store(10, 10);
    let family = store.register(spec("a", Counter)).unwrap();
    let first = store.resolve(family, &[("x", "1"), ("y", "2")], at(1));
    assert_eq!(store.resolve(family, &[("y", "2"), ("x", "1")], at(2)), first);
    assert_ne!(store.resolve(family, &[("x", "12")], at(2)), first);
    store.add(first, 2.0, cause(3, 1));
    assert_eq!((store.value(first), store.born(first)), (2.0, at(1)));
    assert_eq!(store.labels(first).to_string(), r#"{x="1", y="2"}"#);
}

#[test]
fn names_conflict_where_any_sample_or_family_name_coincides_in_either_order() {
    let cases = [
        (("foo", Counter), ("foo", Counter), true),
        (("foo", Counter), ("foo", Gauge), false),
        (("x_count", Gauge), ("x", Histogram), false),
        (("x_total", Gauge), ("x", Counter), false),
        (("x_created", Gauge), ("x", Counter), false),
        (("x_created", Gauge), ("x", Histogram), false),
        (("x_bucket", Counter), ("x", Histogram), false),
        (("x_sum_total", Gauge), ("x_sum", Counter), false),
        (("x_count", Gauge), ("x", Counter), true),
        (("x_total", Gauge), ("x", Histogram), true),
        (("x_info", Gauge), ("x", Gauge), true),
        (("x_y", Gauge), ("x.y", Gauge), false),
    ];
    for (one, other, together) in cases {
        for (first, second) in [(one, other), (other, one)] {
            let mut store = store(10, 10);
            store.register_recorded(spec(first.0, first.1)).unwrap();
            let result = store.register_recorded(spec(second.0, second.1));
            assert_eq!(result.is_ok(), together, "{first:?} then {second:?}: {result:?}");
        }
    }
}

#[test]
fn names_of_the_catalogue_and_reserved_ones_are_refused_to_events() {
    let mut store = store(10, 10);
    let own = store.register(spec("db_pool_size", Gauge)).unwrap();
    store.reserve("process_");
    assert_eq!(store.register(spec("db_pool_size", Gauge)), Ok(own));
    assert!(matches!(store.register_recorded(spec("db_pool_size", Gauge)), Err(Conflict::Taken { .. })));
    assert!(matches!(store.register_recorded(spec("process_x", Gauge)), Err(Conflict::Reserved { .. })));
    assert!(matches!(store.register_recorded(spec("process.x", Gauge)), Err(Conflict::Reserved { .. })));
    assert_eq!(store.register_recorded(spec("", Gauge)), Err(Conflict::Empty));
    assert!(store.register_recorded(spec("processes", Gauge)).is_ok());
}

#[test]
fn there_are_no_more_families_than_series_may_be() {
    let mut store = store(1_000, 10);
    for name in 0..1_000 {
        store.register_recorded(spec(&format!("m{name}"), Gauge)).unwrap();
    }
    assert!(matches!(store.register_recorded(spec("more", Gauge)), Err(Conflict::Exhausted { .. })));
    assert!(store.register(spec("own", Gauge)).is_ok());
}

#[test]
fn what_exceeds_a_limit_is_folded_and_counted_and_totals_stay_exact() {
    let mut store = store(1_000, 3);
    let family = store.register(spec("a", Counter)).unwrap();
    for value in 0..10 {
        let id = store.resolve(family, &[("kind", "same"), ("user", &value.to_string())], at(1));
        store.add(id, 1.0, cause(1, value));
    }
    let folded = store.resolve(family, &[("kind", OVERFLOW), ("user", OVERFLOW)], at(2));
    assert_eq!((store.len(), store.value(folded)), (4, 7.0));
    let overflow = Overflow { family, count: 7, label: Arc::from("user") };
    assert_eq!(store.overflowed(), [overflow]);
    assert_eq!(store.overflowed(), []);
    let total: f64 = store.series_of(family).map(|id| store.value(id)).sum();
    assert_eq!(total, 10.0);
}

#[test]
fn a_series_that_events_call_so_stands_for_what_exceeds_a_limit_once_something_does() {
    let mut store = store(1_000, 2);
    let family = store.register(spec("a", Counter)).unwrap();
    let called = store.resolve(family, &[("kind", OVERFLOW)], at(1));
    store.add(called, 1.0, cause(1, 1));
    assert!(!store.is_overflow(called), "nothing was folded");
    let own = store.resolve(family, &[("kind", "x")], at(1));
    store.add(own, 1.0, cause(1, 2));
    assert_eq!(store.overflowed(), []);
    let folded = store.resolve(family, &[("kind", "y")], at(1));
    store.add(folded, 1.0, cause(1, 3));
    assert_eq!((folded, store.is_overflow(folded), store.is_overflow(own)), (called, true, false));
    assert_eq!(store.overflowed(), [Overflow { family, count: 1, label: Arc::from("kind") }]);
    // It comes on top of the limit, as other overflow series do.
    let more = store.resolve(family, &[("kind", "z")], at(2));
    assert_eq!((store.is_overflow(more), store.len()), (false, 3));
}

#[test]
fn a_flood_of_label_names_is_bounded_too() {
    let mut store = store(0, 0);
    let family = store.register(spec("a", Counter)).unwrap();
    for name in 0..1_000 {
        let id = store.resolve(family, &[(&format!("l{name}"), "x")], at(1));
        store.add(id, 1.0, cause(1, name));
    }
    assert_eq!(store.len(), 17);
    let last = store.resolve(family, &[("overflow", OVERFLOW)], at(2));
    assert_eq!(store.value(last), 984.0);
}

#[test]
fn own_metrics_find_room_when_events_filled_the_store() {
    let mut store = store(1, 10);
    let family = store.register_recorded(spec("a", Gauge)).unwrap();
    let own = store.register(spec("signalbox_series_overflow", Counter)).unwrap();
    store.resolve(family, &[("x", "1")], at(1));
    let id = store.resolve(own, &[("metric", "a")], at(1));
    assert_eq!(store.labels(id).get("metric"), Some("a"));
}

#[test]
fn a_removed_series_stays_invalid_when_its_slot_and_cells_serve_another() {
    let mut store = store(10, 10);
    let family = store.register(spec("a", Gauge)).unwrap();
    let gone = store.resolve(family, &[("x", "1")], at(1));
    store.set(gone, 5.0, cause(1, 1));
    store.remove(gone, at(2));
    let next = store.resolve(family, &[("x", "2")], at(3));
    assert_eq!((next.slot, store.is_live(gone), store.value(next)), (gone.slot, false, 0.0));
    store.set(gone, 7.0, cause(3, 2));
    assert_eq!((store.value(next), store.len()), (0.0, 1));
    let removed = store.removed();
    assert_eq!((removed.len(), removed[0].labels.get("x"), removed[0].at), (1, Some("1"), at(2)));
}

#[test]
fn a_gauge_leaves_after_stale_after_without_an_event() {
    let mut store = store(10, 10);
    let mut declared = spec("a", Gauge);
    declared.stale_after = Some(Duration::from_secs(10));
    let family = store.register(declared).unwrap();
    let id = store.resolve(family, &[], at(1));
    store.set(id, 1.0, cause(5, 1));
    store.expire(at(11));
    assert!(store.is_live(id), "it moved at 5");
    store.expire(Timestamp::from_millis(14_999));
    assert!(store.is_live(id));
    store.expire(at(15));
    assert!(!store.is_live(id));
}

#[test]
fn a_new_stale_after_holds_for_the_series_there_are() {
    let mut store = store(10, 10);
    let mut declared = spec("a", Gauge);
    declared.stale_after = Some(Duration::from_secs(10));
    let family = store.register(declared).unwrap();
    let id = store.resolve(family, &[], at(0));
    for seconds in [100, 5, 20] {
        store.set_stale_after(family, Some(Duration::from_secs(seconds)));
    }
    store.expire(at(19));
    assert!(store.is_live(id));
    store.expire(at(20));
    assert!(!store.is_live(id));
}

#[test]
fn a_parked_counter_is_hidden_from_scrapes_alone_and_comes_back_at_its_old_value_and_birth() {
    let mut store = store(10, 10);
    let family = store.register(spec("a", Counter)).unwrap();
    store.set_park_after(Some(Duration::from_secs(10)));
    let id = store.resolve(family, &[("x", "1")], at(1));
    store.add(id, 4.0, cause(2, 1));
    store.expire(at(12));
    assert_eq!((store.value(id), store.len(), shown(&mut store)), (4.0, 1, 0));
    assert_eq!(store.resolve(family, &[("x", "1")], at(20)), id);
    store.add(id, 1.0, cause(20, 2));
    assert_eq!((store.value(id), store.born(id), shown(&mut store)), (5.0, at(1), 1));
    store.expire(at(29));
    assert_eq!(shown(&mut store), 1, "its time began again");
    store.expire(at(31));
    assert_eq!(shown(&mut store), 0);
    store.set_park_after(Some(Duration::from_secs(100)));
    store.expire(at(32));
    assert_eq!(shown(&mut store), 1, "by the new time it is not due");
}

/// How many series a scrape shows.
fn shown(store: &mut Store) -> usize {
    let frozen = store.freeze();
    let pages = frozen.families().iter().flat_map(FrozenFamily::pages);
    pages.map(|page| page.shown(0).count()).sum()
}

#[test]
fn a_histogram_keeps_buckets_apart_with_bounds_included() {
    let mut store = store(10, 10);
    let family = store.register(spec("h", Histogram)).unwrap();
    let id = store.resolve(family, &[], at(1));
    for value in [0.5, 1.0, 1.5, 9.0, f64::NAN, f64::INFINITY] {
        store.observe(id, value, cause(1, 1));
    }
    let cells: Vec<f64> = store.cells(id).map(|cell| store.cell(cell)).collect();
    assert_eq!(cells, [2.0, 1.0, 1.0, 12.0]);
    assert_eq!((store.count(id), store.cell(store.cells(id).end - 1)), (4.0, 12.0));
}

#[test]
fn a_wrong_type_or_a_bad_number_moves_nothing() {
    let mut store = store(10, 10);
    let family = store.register(spec("c", Counter)).unwrap();
    let id = store.resolve(family, &[], at(1));
    store.set(id, 5.0, cause(1, 1));
    store.observe(id, 5.0, cause(1, 1));
    for delta in [-1.0, f64::NAN, f64::INFINITY] {
        store.add(id, delta, cause(1, 1));
    }
    assert_eq!(store.value(id), 0.0);
    store.add(id, f64::MAX, cause(1, 1));
    store.add(id, f64::MAX, cause(1, 1));
    assert_eq!(store.value(id), f64::MAX);
}

#[test]
fn watched_series_are_reported_once_with_births_and_removals() {
    let mut store = store(10, 10);
    let (read, unread) =
        (store.register(spec("a", Gauge)).unwrap(), store.register(spec("b", Gauge)).unwrap());
    let old = store.resolve(read, &[("x", "old")], at(1));
    store.watch(&mut [read].into_iter());
    assert_eq!(store.touched(), [old], "a newly watched family is news");
    let born = store.resolve(read, &[("x", "born")], at(1));
    let other = store.resolve(unread, &[], at(1));
    for id in [born, other, old, old] {
        store.set(id, 1.0, cause(1, 1));
    }
    assert_eq!(store.touched(), [born, old]);
    assert_eq!(store.touched(), []);
    store.remove(old, at(2));
    assert_eq!(store.touched(), [old]);
    store.watch(&mut std::iter::empty());
    store.set(born, 2.0, cause(2, 2));
    assert_eq!(store.touched(), []);
}

#[test]
fn evidence_names_the_last_events_that_moved_the_series() {
    let mut store = store(10, 10);
    let family = store.register(spec("a", Gauge)).unwrap();
    let one = store.resolve(family, &[("x", "1")], at(1));
    let two = store.resolve(family, &[("x", "2")], at(1));
    for (event, id) in [(1, one), (2, two), (3, one), (3, one), (4, two), (5, one)] {
        store.set(id, 1.0, cause(1, event));
    }
    assert_eq!(store.evidence(&[one], 2), [Ordinal(5), Ordinal(3)]);
    assert_eq!(store.evidence(&[two, one], 9), [5, 4, 3, 2, 1].map(Ordinal));
    store.set(two, 1.0, cause(1, 5 + (1 << 16)));
    assert_eq!(store.evidence(&[one], 2), []);
}

#[test]
fn a_frozen_view_stays_while_the_store_goes_on() {
    let mut store = store(10, 10);
    let family = store.register(spec("a", Gauge)).unwrap();
    let id = store.resolve(family, &[("x", "1")], at(1));
    store.set(id, 1.0, cause(1, 1));
    let frozen = store.freeze();
    store.set(id, 2.0, cause(2, 2));
    store.remove(id, at(2));
    store.resolve(family, &[("x", "2")], at(3));
    let page = &frozen.families()[0].pages()[0];
    let shown: Vec<_> = page.iter().map(|row| (page.text(row), frozen.cell(row.cell))).collect();
    assert_eq!(shown, [(r#"x="1""#.to_owned(), 1.0)]);
}

#[test]
fn what_is_frozen_may_go_to_another_thread() {
    fn assert_sent<T: Send + Sync + 'static>(_: &T) {}
    assert_sent(&store(1, 1).freeze());
}

#[test]
fn rounds_of_births_and_expiries_take_no_more_places_than_the_first() {
    let mut store = store(10_000, 10_000);
    let stale_after = Some(Duration::from_secs(5));
    let family = store.register(FamilySpec { stale_after, ..spec("g", Gauge) }).unwrap();
    let taken = (0..5).map(|round| {
        for number in 0..2_000 {
            let id = store.resolve(family, &[("x", &format!("{round}-{number}"))], at(round * 100));
            store.set(id, 0.5, cause(round * 100, 1));
        }
        let places = (store.cell_pages_len(), store.slots.len(), store.len());
        store.expire(at(round * 100 + 50));
        assert_eq!((store.removed().len(), store.len()), (2_000, 0));
        places
    });
    assert_eq!(taken.collect::<Vec<_>>(), [(4, 2_000, 2_000); 5]);
}

#[test]
fn what_cannot_be_born_is_as_what_has_left() {
    let mut store = store(10, 10);
    let family = store.register(spec("a", Gauge)).unwrap();
    let ids = [(); 2].map(|()| store.resolve(FamilyId(7), &[], at(1)));
    let born = store.resolve(family, &[], at(1));
    assert_eq!(ids.map(|id| (store.is_live(id), id == born)), [(false, false); 2]);
    store.set(ids[1], 3.0, cause(1, 1));
    assert_eq!((store.value(born), store.is_live(born), store.len()), (0.0, true, 1));
}
