//! What the store and a scrape cost, the best of a few runs: `cargo bench --bench exposition --no-default-features`.
//!
//! Prints nanoseconds an operation with 10, 100,000 and 1,000,000 series (the last number beside `bench --` changes
//! the largest), milliseconds for a scrape in each format, and bytes of memory a series. No figure is asserted.
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures the outside world and tells a person"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox::engine::exposition::{Escaping, Filled, FrozenMetrics, Scrape, ScrapeFormat, Syntax};
use signalbox::engine::metric::MetricType;
use signalbox::engine::series::recent::RecentEvents;
use signalbox::engine::series::{Cause, FamilyId, FamilySpec, Ordinal, SeriesId, SeriesLimits, Store};
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::EventId;

const OPERATIONS: usize = 1_000_000;
const RUNS: usize = 5;

fn main() {
    let most = std::env::args().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(1_000_000);
    names();
    for series in [10, 100_000, most] {
        let mut bench = Bench::new(series);
        println!("{series} counter series, {} bytes of memory a series", bench.bytes_a_series);
        bench.operations();
        bench.freezing();
        bench.scrapes();
    }
    histograms();
}

struct Bench {
    store: Store,
    events: RecentEvents,
    family: FamilyId,
    labels: Vec<[String; 2]>,
    ids: Vec<SeriesId>,
    bytes_a_series: usize,
}

fn spec(name: &str, metric_type: MetricType, buckets: &[f64]) -> FamilySpec {
    FamilySpec {
        name: Arc::from(name),
        metric_type,
        help: "Requests.".into(),
        unit: None,
        buckets: Arc::from(buckets),
        stale_after: None,
    }
}

impl Bench {
    fn new(series: usize) -> Self {
        let labels: Vec<[String; 2]> = (0..series)
            .map(|place| [format!("host-{:05}", place / 7), format!("/api/{}", place % 7)])
            .collect();
        let mut store = Store::new(SeriesLimits { series: usize::MAX, series_per_metric: usize::MAX });
        let family = store.register(spec("http_requests", MetricType::Counter, &[])).unwrap();
        let mut ids = Vec::with_capacity(series);
        let before = memory_bytes();
        let births = timed(|| {
            for [host, path] in &labels {
                ids.push(store.resolve(family, &[("host", host), ("path", path)], BORN));
            }
        });
        let bytes_a_series = memory_bytes().saturating_sub(before) / series;
        println!("\n{:>8.1} ns a birth", births.as_nanos() as f64 / series as f64);
        Self { store, events: RecentEvents::default(), family, labels, ids, bytes_a_series }
    }

    /// Places spread over all series, the same in each run.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (series, mut state) = (self.ids.len() as u64, 88_172_645_463_325_252_u64);
        (0..OPERATIONS).map(move |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % series) as usize
        })
    }

    fn operations(&mut self) {
        let idle = best(|| assert!(self.places().map(|place| place & 1).sum::<usize>() > 0));
        let report = |what: &str, spent: Duration| {
            let each = spent.saturating_sub(idle).as_nanos() as f64 / OPERATIONS as f64;
            println!("{each:>8.1} ns a {what}");
        };
        let spent = best(|| {
            for (event, place) in self.places().enumerate() {
                let cause = Cause { now: BORN, event: Some(Ordinal(event as u32)) };
                self.store.add(self.ids[place], 1.0, cause);
            }
        });
        report("add", spent);
        let spent = best(|| {
            for place in self.places() {
                let [host, path] = &self.labels[place];
                self.store.resolve(self.family, &[("host", host), ("path", path)], BORN);
            }
        });
        report("resolve", spent);
        let spent = best(|| {
            for place in 0..OPERATIONS {
                self.events.push(EventId(place as u128), Some(place as u128), BORN, "");
            }
        });
        report("event remembered", spent);
    }

    fn freezing(&mut self) {
        let mut frozen = None;
        let first = timed(|| frozen = Some(self.store.freeze()));
        let again = timed(|| frozen = Some(self.store.freeze()));
        println!("{:>8.3} ms to freeze, {:.3} ms to freeze again", millis(first), millis(again));
        drop(frozen);
    }

    fn scrapes(&mut self) {
        let syntaxes = [
            ("text", Syntax::Text, None),
            ("OpenMetrics", Syntax::OpenMetrics, Some(Escaping::AllowUtf8)),
            ("protobuf", Syntax::Protobuf, None),
        ];
        for exemplars in ["no exemplars", "all exemplars"] {
            for (name, syntax, escaping) in syntaxes {
                let snapshot = FrozenMetrics::new(self.store.freeze(), self.events.freeze());
                report_scrape(&format!("{name}, {exemplars}"), &snapshot, ScrapeFormat { syntax, escaping });
            }
            if self.ids.len() > 100_000 {
                break;
            }
            for (place, id) in self.ids.iter().enumerate() {
                let event = self.events.push(EventId(place as u128), Some(place as u128), BORN, "");
                self.store.add(*id, 1.0, Cause { now: BORN, event: Some(event) });
            }
        }
    }
}

fn histograms() {
    let mut store = Store::new(SeriesLimits { series: usize::MAX, series_per_metric: usize::MAX });
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let family = store.register(spec("latency_seconds", MetricType::Histogram, &bounds)).unwrap();
    names();
    for series in [10, 10_000] {
        let ids: Vec<SeriesId> = (0..series)
            .map(|place: usize| store.resolve(family, &[("host", &place.to_string())], BORN))
            .collect();
        let spent = best(|| {
            for event in 0..OPERATIONS {
                let cause = Cause { now: BORN, event: Some(Ordinal(event as u32)) };
                store.observe(ids[event % series], (event % 1_000) as f64 / 100.0, cause);
            }
        });
        println!(
            "\n{series} histogram series\n{:>8.1} ns an observe",
            spent.as_nanos() as f64 / OPERATIONS as f64
        );
    }
    let snapshot = FrozenMetrics::new(store.freeze(), RecentEvents::default());
    report_scrape("text of 10,000 histograms", &snapshot, ScrapeFormat::TEXT);
}

/// As many metrics as series: a flood of names.
fn names() {
    let names: Vec<String> = (0..100_000).map(|place| format!("some_metric_name_{place}")).collect();
    let mut store = Store::new(SeriesLimits { series: usize::MAX, series_per_metric: usize::MAX });
    let before = memory_bytes();
    let births = timed(|| {
        for name in &names {
            let family = store.register_recorded(spec(name, MetricType::Gauge, &[])).unwrap();
            store.resolve(family, &[("host", "one")], BORN);
        }
    });
    let each = memory_bytes().saturating_sub(before) / names.len();
    let frozen = timed(|| drop(store.freeze()));
    println!("\n{} metrics, {each} bytes of memory a metric with one series", names.len());
    println!("{:>8.1} ns a birth", births.as_nanos() as f64 / names.len() as f64);
    println!("{:>8.3} ms to freeze", millis(frozen));
    let snapshot = FrozenMetrics::new(store.freeze(), RecentEvents::default());
    report_scrape("text of 100,000 metrics", &snapshot, ScrapeFormat::TEXT);
}

fn report_scrape(what: &str, snapshot: &FrozenMetrics, format: ScrapeFormat) {
    let mut bytes = 0;
    let spent = best(|| {
        bytes = 0;
        let scrape = Scrape { format, names: Vec::new() };
        let mut chunks = snapshot.clone().write(scrape);
        let mut chunk = Vec::new();
        while chunks.fill(&mut chunk) == Filled::Chunk {
            bytes += chunk.len();
            chunk.clear();
        }
    });
    println!("{:>8.2} ms to write {} KiB of {what}", millis(spent), bytes >> 10);
}

const BORN: Timestamp = Timestamp::from_millis(1_700_000_000_123);

fn millis(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1e3
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The best of a few runs: what the work costs while nobody else needs the machine.
fn best(mut work: impl FnMut()) -> Duration {
    (0..RUNS).map(|_| timed(&mut work)).min().unwrap_or_default()
}

fn memory_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
