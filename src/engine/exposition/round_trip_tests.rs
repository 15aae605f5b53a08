//! Whatever is in the store is read back from every format, each series once.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::engine::metric::MetricType;
use crate::engine::metric::bound::bound_text;
use crate::engine::series::{Cause, FamilySpec, SeriesLimits, Store, underscored_label};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;

type Labels = BTreeMap<String, String>;
/// Samples by name and labels; values as bits, so that NaN equals itself.
type Samples = BTreeMap<(String, Labels), u64>;

const BOUNDS: [f64; 3] = [-1.0, 0.5, 2e6];

#[derive(Clone, Debug)]
struct Move {
    family: usize,
    labels: Vec<(String, String)>,
    value: f64,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let name = prop_oneof!["[a-z_]{1,3}", "[a-z.é]{1,3}", "[0-9\"\\\\=,}]{1,2}"];
    let value = prop_oneof!["[ab]", any::<String>(), "[\\\\\"\n,={} #]{0,6}"];
    let labels = vec((name, value), 0..4);
    let number = prop_oneof![Just(1.0), -1e3..1e9, any::<f64>()];
    vec(
        (0..6_usize, labels, number).prop_map(|(family, labels, value)| Move { family, labels, value }),
        0..60,
    )
}

struct Family {
    name: &'static str,
    metric_type: MetricType,
}

const FAMILIES: [Family; 6] = [
    Family { name: "c", metric_type: MetricType::Counter },
    Family { name: "c.dot", metric_type: MetricType::Counter },
    Family { name: "g", metric_type: MetricType::Gauge },
    Family { name: "g:é", metric_type: MetricType::Gauge },
    Family { name: "h", metric_type: MetricType::Histogram },
    Family { name: "h h", metric_type: MetricType::Histogram },
];

/// The store after the moves, and the samples it must show to a scraper that reads UTF-8.
fn world(moves: &[Move]) -> (FrozenMetrics, Samples) {
    let mut store = Store::new(SeriesLimits { series: 1_000, series_per_metric: 1_000 });
    let mut events = RecentEvents::default();
    let now = Timestamp::from_millis(1_700_000_000_250);
    for (place, step) in moves.iter().enumerate() {
        let Family { name, metric_type } = FAMILIES[step.family];
        let buckets: Arc<[f64]> =
            if metric_type == MetricType::Histogram { Arc::from(BOUNDS) } else { Arc::from([]) };
        let (name, help, unit) = (Arc::from(name), "\\n\n\"".into(), Some(Arc::from("h")));
        let spec = FamilySpec { name, metric_type, help, unit, buckets, stale_after: None };
        let family = store.register(spec).unwrap();
        let mut labels: Vec<(&str, &str)> = Vec::new();
        for (name, value) in &step.labels {
            let is_new = |(known, _): &(&str, &str)| underscored_label(known) != underscored_label(name);
            if labels.iter().all(is_new) && underscored_label(name) != "le" {
                labels.push((name, value));
            }
        }
        let event = events.push(EventId(place as u128), Some(1), now, "hash");
        let id = store.resolve(family, &labels, now);
        let cause = Cause { now, event: Some(event) };
        store.add(id, step.value, cause);
        store.set(id, step.value, cause);
        store.observe(id, step.value, cause);
    }
    let samples = expected(&store);
    (FrozenMetrics::new(store.freeze(), events.freeze()), samples)
}

fn expected(store: &Store) -> Samples {
    let mut samples = Samples::new();
    for family in store.families() {
        let spec = store.family(family);
        for id in store.series_of(family) {
            let labels: Labels =
                store.labels(id).iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            let mut put = |suffix: &str, bound: Option<f64>, value: f64| {
                let mut labels = labels.clone();
                labels.extend(bound.map(|bound| ("le".to_owned(), bound_text(bound))));
                put_once(&mut samples, format!("{}{suffix}", spec.name), labels, value);
            };
            match spec.metric_type {
                MetricType::Counter => put("_total", None, store.value(id)),
                MetricType::Gauge => put("", None, store.value(id)),
                MetricType::Histogram => {
                    let mut below = 0.0;
                    for (cell, bound) in store.cells(id).zip(BOUNDS.into_iter().chain([f64::INFINITY])) {
                        below += store.cell(cell);
                        put("_bucket", Some(bound), below);
                    }
                    put("_sum", None, store.cell(store.cells(id).end - 1));
                    put("_count", None, store.count(id));
                }
            }
        }
    }
    samples
}

fn put_once(samples: &mut Samples, name: String, labels: Labels, value: f64) {
    let value = if value.is_nan() { f64::NAN } else { value };
    let repeated = samples.insert((name, labels), value.to_bits());
    assert_eq!(repeated, None, "a series twice");
}

/// Reads the samples of a text format.
fn read_text(text: &str) -> Samples {
    let mut samples = Samples::new();
    for line in text.lines_with_feeds().filter(|line| !line.starts_with('#')) {
        let mut rest = line;
        let name_end = rest.find(['{', ' ']).unwrap();
        let mut name = rest[..name_end].to_owned();
        rest = &rest[name_end..];
        let mut labels = Labels::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            while !rest.starts_with('}') {
                let label =
                    if rest.starts_with('"') { read_quoted(&mut rest) } else { read_until(&mut rest, '=') };
                if let Some(value) = rest.strip_prefix('=') {
                    rest = value;
                    let value = read_quoted(&mut rest);
                    assert_eq!(labels.insert(label, value), None, "a label twice in {line:?}");
                } else {
                    name = label;
                }
                rest = rest.strip_prefix(',').unwrap_or(rest);
            }
            rest = &rest[1..];
        }
        let value = rest[1..].split(' ').next().unwrap();
        put_once(&mut samples, name, labels, value.parse().unwrap());
    }
    samples
}

trait LinesWithFeeds {
    fn lines_with_feeds(&self) -> std::str::Split<'_, char>;
}

impl LinesWithFeeds for str {
    /// Lines end with a line feed alone: a carriage return is part of a label value.
    fn lines_with_feeds(&self) -> std::str::Split<'_, char> {
        self.strip_suffix('\n').unwrap_or("#").split('\n')
    }
}

fn read_until(rest: &mut &str, end: char) -> String {
    let at = rest.find(end).unwrap();
    let (read, after) = rest.split_at(at);
    *rest = after;
    read.to_owned()
}

fn read_quoted(rest: &mut &str) -> String {
    let mut value = String::new();
    let mut characters = rest[1..].chars();
    loop {
        match characters.next().unwrap() {
            '"' => break,
            '\\' => value.push(match characters.next().unwrap() {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    *rest = characters.as_str();
    value
}

/// One field of a protobuf message: its number and its bytes (of a number: eight, little-endian).
fn read_fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = read_varint(&mut bytes);
        let content = match tag & 7 {
            0 => read_varint(&mut bytes).to_le_bytes().to_vec(),
            1 => bytes.split_off(..8).unwrap().to_vec(),
            2 => {
                let len = read_varint(&mut bytes) as usize;
                bytes.split_off(..len).unwrap().to_vec()
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, content));
    }
    fields
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first().unwrap();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn one(fields: &[(u64, Vec<u8>)], number: u64) -> Vec<u8> {
    fields.iter().find(|(known, _)| *known == number).map(|(_, content)| content.clone()).unwrap()
}

fn text_of(fields: &[(u64, Vec<u8>)], number: u64) -> String {
    String::from_utf8(one(fields, number)).unwrap()
}

fn double(fields: &[(u64, Vec<u8>)], number: u64) -> f64 {
    f64::from_le_bytes(one(fields, number).try_into().unwrap())
}

fn whole(fields: &[(u64, Vec<u8>)], number: u64) -> f64 {
    u64::from_le_bytes(one(fields, number).try_into().unwrap()) as f64
}

fn read_protobuf(mut bytes: &[u8]) -> Samples {
    let mut samples = Samples::new();
    while !bytes.is_empty() {
        let len = read_varint(&mut bytes) as usize;
        let family = read_fields(bytes.split_off(..len).unwrap());
        let name = text_of(&family, 1);
        for (_, metric) in family.iter().filter(|(number, _)| *number == 4) {
            let metric = read_fields(metric);
            let pairs = metric.iter().filter(|(number, _)| *number == 1).map(|(_, pair)| read_fields(pair));
            let labels: Labels = pairs.map(|pair| (text_of(&pair, 1), text_of(&pair, 2))).collect();
            for (number, content) in metric.iter().filter(|(number, _)| *number != 1) {
                let value = read_fields(content);
                if *number != 7 {
                    put_once(&mut samples, name.clone(), labels.clone(), double(&value, 1));
                    continue;
                }
                for (_, bucket) in value.iter().filter(|(number, _)| *number == 3) {
                    let bucket = read_fields(bucket);
                    let mut labels = labels.clone();
                    labels.insert("le".to_owned(), bound_text(double(&bucket, 2)));
                    put_once(&mut samples, format!("{name}_bucket"), labels, whole(&bucket, 1));
                }
                put_once(&mut samples, format!("{name}_sum"), labels.clone(), double(&value, 2));
                put_once(&mut samples, format!("{name}_count"), labels.clone(), whole(&value, 1));
            }
        }
    }
    samples
}

fn scrape(snapshot: &FrozenMetrics, syntax: Syntax, escaping: Option<Escaping>) -> Vec<u8> {
    let format = ScrapeFormat { syntax, escaping };
    snapshot.clone().into_bytes(Scrape { format, names: Vec::new() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_format_reads_back_as_what_the_store_holds(moves in moves()) {
        let (snapshot, expected) = world(&moves);
        let utf8 = Some(Escaping::AllowUtf8);
        let text = String::from_utf8(scrape(&snapshot, Syntax::Text, utf8)).unwrap();
        prop_assert_eq!(&read_text(&text), &expected);
        prop_assert_eq!(&read_protobuf(&scrape(&snapshot, Syntax::Protobuf, utf8)), &expected);

        // The bounds hold a negative one, so that OpenMetrics has neither sums nor counts.
        let open = String::from_utf8(scrape(&snapshot, Syntax::OpenMetrics, utf8)).unwrap();
        let shown: Samples =
            read_text(&open).into_iter().filter(|((name, _), _)| !name.ends_with("_created")).collect();
        let kept = |name: &str| !name.ends_with("_sum") && !name.ends_with("_count");
        let expected: Samples = expected.into_iter().filter(|((name, _), _)| kept(name)).collect();
        prop_assert_eq!(shown, expected);
    }

    #[test]
    fn no_escaping_makes_two_series_one(moves in moves()) {
        let (snapshot, expected) = world(&moves);
        for escaping in [None, Some(Escaping::Underscores), Some(Escaping::Dots), Some(Escaping::Values)] {
            let text = String::from_utf8(scrape(&snapshot, Syntax::Text, escaping)).unwrap();
            prop_assert_eq!(read_text(&text).len(), expected.len(), "{:?}", escaping);
            let protobuf = scrape(&snapshot, Syntax::Protobuf, escaping);
            prop_assert_eq!(read_protobuf(&protobuf).len(), expected.len(), "{:?}", escaping);
        }
    }
}
