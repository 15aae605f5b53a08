//! What PromQL over 10,000 series costs: instant queries, range queries and rates.
#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench measures the world"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use signalbox::engine::labels::Labels;
use signalbox::engine::promql::storage::{Extent, MatchCondition, Matcher, Selection};
use signalbox::engine::promql::{
    EvalSettings, QueryTimes, Sample, SelectedSeries, Storage, Value, instant, parse, range,
};

const SERIES: i64 = 10_000;
const STEP_MS: i64 = 15_000;
const SAMPLES: i64 = 240;

/// Instant queries at the newest sample.
const INSTANT: [&str; 10] = [
    "requests_total",
    "sum(requests_total)",
    "sum by (stage, server) (requests_total)",
    "sum by (stage) (rate(requests_total[5m]))",
    "topk by (stage) (5, requests_total)",
    "requests_total / requests_total > 2",
    "requests_total / on (stage) group_left sum by (stage) (requests_total)",
    "requests_total and on (user) (requests_total > 100)",
    "histogram_quantile(0.99, sum by (le) (rate(latency_bucket[5m])))",
    "max_over_time(sum by (stage) (requests_total)[5m:15s])",
];

/// Range queries over an hour at steps of 15 s.
const RANGE: [&str; 3] =
    ["sum by (stage) (requests_total)", "sum by (stage) (rate(requests_total[5m]))", "requests_total * 2"];

fn main() {
    let memory = Memory::new();
    let settings = EvalSettings::default();
    let end = SAMPLES * STEP_MS;
    for query in INSTANT {
        let expr = parse(query).expect("the query parses");
        let figure = milliseconds(|| {
            black_box(instant(&expr, &memory, end, &settings).expect("the query has a result"));
        });
        println!("promql: {figure:8.2} ms at an instant   {query}");
    }
    let times = QueryTimes { start_ms: 0, end_ms: end, step_ms: STEP_MS };
    for query in RANGE {
        let expr = parse(query).expect("the query parses");
        let figure = milliseconds(|| {
            black_box(range(&expr, &memory, times, &settings).expect("the query has a result"));
        });
        println!("promql: {figure:8.2} ms at {} steps   {query}", SAMPLES + 1);
    }
}

/// The median of seven runs, by this thread's time on a processor.
fn milliseconds(mut run: impl FnMut()) -> f64 {
    let mut figures: Vec<f64> = (0..7)
        .map(|_| {
            let start = cpu_nanoseconds();
            run();
            (cpu_nanoseconds() - start) / 1e6
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    figures[3]
}

/// What this thread has run, by the kernel's account: other load on the machine does not count.
fn cpu_nanoseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// Counters at whole steps, by metric name; it reads to the step before where a span starts between two.
struct Memory(BTreeMap<&'static str, Vec<(Labels, Vec<Sample>)>>);

impl Memory {
    fn new() -> Self {
        let samples = |number: i64| -> Vec<Sample> {
            (0..=SAMPLES)
                .map(|step| Sample {
                    time_ms: step * STEP_MS,
                    value: Value::Float((step * (number % 17)) as f64),
                    start_ms: None,
                })
                .collect()
        };
        let requests = (0..SERIES).map(|number| {
            let labels = [
                ("__name__", "requests_total".to_owned()),
                ("outcome", if number % 2 == 0 { "completed" } else { "failed" }.to_owned()),
                ("server", format!("server-{}", number % 25)),
                ("stage", format!("stage-{}", number % 8)),
                ("user", format!("user-{number}")),
            ];
            (Labels::collect(labels), samples(number))
        });
        let buckets = (0..SERIES).map(|number| {
            let labels = [
                ("__name__", "latency_bucket".to_owned()),
                ("le", (number % 20).to_string()),
                ("user", format!("user-{}", number / 20)),
            ];
            (Labels::collect(labels), samples(number % 20))
        });
        Self(BTreeMap::from([
            ("requests_total", requests.collect::<Vec<_>>()),
            ("latency_bucket", buckets.collect()),
        ]))
    }
}

impl Storage for Memory {
    fn select(&self, selection: Selection<'_>) -> Vec<SelectedSeries> {
        let Some(Matcher { condition: MatchCondition::Equal(name), .. }) =
            selection.matchers.iter().find(|matcher| matcher.name.as_ref() == "__name__")
        else {
            return Vec::new();
        };
        let Some(series) = self.0.get(name.as_ref()) else { return Vec::new() };
        let from = usize::try_from(selection.start_ms.div_euclid(STEP_MS)).unwrap_or(0);
        let to = usize::try_from(selection.end_ms.div_euclid(STEP_MS)).unwrap_or(0);
        let from = if selection.extent == Extent::Last { to } else { from };
        series
            .iter()
            .map(|(labels, samples)| SelectedSeries::whole(labels.clone(), samples[from..=to].to_vec()))
            .collect()
    }
}
