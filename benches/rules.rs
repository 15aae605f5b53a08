//! CPU of one evaluation round: 1,000 rules over 10,000 counters that moved every 5 s for ten minutes. Then what many
//! rules cost to load, and an arrival that two of them read.
//!
//! `cargo bench --no-default-features --bench rules`; `-- --print-rules` prints the rules as a file for Prometheus,
//! `-- --growth` measures growth with the number of rules alone.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures the world")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use signalbox::engine::Engine;
use signalbox::engine::catalogue::KnownMetrics;
use signalbox::engine::config::{Config, Evaluate};
use signalbox::engine::diagnostic::Source;
use signalbox::engine::exposition::{Scrape, negotiate};
use signalbox::engine::rules::RuleSet;
use signalbox::engine::rules::load::{INTERVAL_DEFAULT, LoadContext, load};
use signalbox::engine::time::Timestamp;
use signalbox::engine::wire::{Lane, Message};

const METRICS: usize = 100;
const SERIES_EACH: usize = 100;
const RULES_EACH: usize = 10;
const STEPS: i64 = 120;
const ROUNDS: i64 = 20;
const HOUR_STEPS: i64 = 720;
const ARRIVALS: usize = 10_000;

fn main() {
    let text = rules();
    if std::env::args().any(|argument| argument == "--print-rules") {
        println!("{text}");
        return;
    }
    for rules in [1_000, 3_000, 10_000] {
        growth(rules);
    }
    if std::env::args().any(|argument| argument == "--growth") {
        return;
    }
    let source = Source { name: Arc::from("rules.yaml"), text: Arc::from(text) };
    let metrics = KnownMetrics::default();
    let loaded =
        load(&[source], &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None });
    let mut config = Config::with_defaults("bench");
    config.evaluate = Evaluate::Interval;
    let start = Timestamp::from_millis(1_795_515_000_000);
    let mut engine = Engine::new(&config, loaded.set, start);
    let (mut round, mut figures) = (0, Vec::new());
    for step in 0..STEPS + ROUNDS {
        let now = start.after(Duration::from_secs(5) * u32::try_from(step).unwrap_or(0));
        while engine.next_tick() <= now {
            let due = engine.next_tick();
            let before = cpu_milliseconds();
            engine.tick(due);
            round += 1;
            if step >= STEPS {
                figures.push(cpu_milliseconds() - before);
            }
        }
        feed(&mut engine, step, now);
    }
    assert!(
        engine
            .groups()
            .iter()
            .all(|group| group.rules.iter().all(|rule| rule.health.last_error().is_empty()))
    );
    println!(
        "history: {:.2} bytes a sample of an hour of counters that move at each step",
        history_bytes_a_sample()
    );
    let total: f64 = figures.iter().sum();
    println!(
        "rules: {:.1} ms CPU a round of {} rules over {} series, history step included ({round} ticks)",
        total / ROUNDS as f64,
        METRICS * RULES_EACH,
        METRICS * SERIES_EACH,
    );
}

/// Loads so many rules, in groups of 100, and lets series arrive one by one, each of which two of them read.
fn growth(rules: usize) {
    let mut text = String::from("groups:\n");
    for number in 0..rules {
        if number % 100 == 0 {
            let _ = writeln!(text, "- name: g{}\n  interval: 1h\n  rules:", number / 100);
        }
        let shard = number / 2;
        let expr = match number % 2 {
            0 => format!("level{{shard=\"{shard}\"}} > 1e9"),
            _ => format!("sum by (shard) (level{{shard=\"{shard}\"}}) > 1e9"),
        };
        let _ = writeln!(text, "  - {{alert: A{number}, expr: '{expr}'}}");
    }
    let source = Source { name: Arc::from("rules.yaml"), text: Arc::from(text) };
    let metrics = KnownMetrics::default();
    let before = cpu_milliseconds();
    let set =
        load(&[source], &LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None }).set;
    let loaded = cpu_milliseconds() - before;
    let start = Timestamp::from_millis(1_795_515_000_000);
    // No step of the history and no interval comes in between.
    let mut config = Config::with_defaults("bench");
    config.history.step = Duration::from_hours(24);
    let mut engine = Engine::new(&config, set, start);
    let in_force = cpu_milliseconds() - before - loaded;
    let series = rules / 2;
    let payloads: Vec<String> = (0..2 * series + ARRIVALS).map(|id| {
        let shard = id * 7_919 % series;
        format!(
            r#"{{"event_id":"{id:032x}","timestamp":"2026-11-24T04:05:06Z","metric_name":"level","metric_value":{},"metric_type":"gauge","tags":{{"shard":"{shard}"}}}}"#,
            id % 13,
        )
    }).collect();
    let mut now = start;
    let mut before = cpu_milliseconds();
    for (number, payload) in payloads.iter().enumerate() {
        if number == 2 * series {
            before = cpu_milliseconds();
        }
        // Past the pause, so that every arrival is answered at once.
        now = now.after(Duration::from_millis(60));
        let subject = "events.monitoring.MetricRecorded";
        let message = Message { subject, headers: &[], payload: payload.as_bytes() };
        engine.apply(Lane::Core, &[message], now);
    }
    println!(
        "growth: {rules} rules load in {loaded:.0} ms of CPU and are in force after {in_force:.0}; {:.1} µs an arrival \
         that two of them read",
        (cpu_milliseconds() - before) * 1e3 / ARRIVALS as f64,
    );
}

/// The rules: per metric, rates by series and by label, present values, ratios and a recording rule.
fn rules() -> String {
    let mut text = String::from("groups:\n- name: bench\n  interval: 5s\n  rules:\n");
    for metric in 0..METRICS {
        let name = format!("load_{metric}_total");
        let expressions = [
            format!("rate({name}[1m]) > 1e9"),
            format!("sum by (shard) (rate({name}[5m])) > 1e9"),
            format!("{name} > 1e12"),
            format!("sum(increase({name}[5m])) < 0"),
            format!("max by (pod) ({name}) - min by (pod) ({name}) > 1e12"),
            format!("sum(rate({name}{{shard=\"1\"}}[1m])) / sum(rate({name}[1m])) > 2"),
            format!("avg_over_time({name}[1m]) < 0"),
            format!("count({name}) < 1"),
            format!("topk(3, rate({name}[1m])) > 1e9"),
        ];
        for (number, expression) in expressions.iter().enumerate() {
            let _ = writeln!(text, "  - {{alert: A{metric}x{number}, expr: '{expression}', for: 1m}}");
        }
        let _ = writeln!(
            text,
            "  - {{record: 'shard:load_{metric}:rate1m', expr: 'sum by (shard) (rate({name}[1m]))'}}"
        );
    }
    text
}

/// Moves every series once.
fn feed(engine: &mut Engine, step: i64, now: Timestamp) {
    let mut payloads = Vec::with_capacity(METRICS * SERIES_EACH);
    for metric in 0..METRICS {
        for series in 0..SERIES_EACH {
            let id = (step as u64) << 32 | (metric * SERIES_EACH + series) as u64;
            payloads.push(format!(
                r#"{{"event_id":"{id:032x}","timestamp":"2026-11-24T04:05:06Z","metric_name":"load_{metric}","metric_value":{},"metric_type":"counter","tags":{{"shard":"{}","pod":"{}"}}}}"#,
                (step as usize * 7 + series) % 13,
                series % 10,
                series / 10,
            ));
        }
    }
    let messages: Vec<Message<'_>> = payloads
        .iter()
        .map(|payload| Message {
            subject: "events.monitoring.MetricRecorded",
            headers: &[],
            payload: payload.as_bytes(),
        })
        .collect();
    let rejected = engine.apply(Lane::Core, &messages, now);
    assert!(rejected.is_empty(), "{:?}", rejected.first());
}

/// Memory that an hour's past of the counters takes, spread over its samples, without any rule.
fn history_bytes_a_sample() -> f64 {
    let start = Timestamp::from_millis(1_795_515_000_000);
    let mut engine = Engine::new(&Config::with_defaults("bench"), RuleSet::default(), start);
    let mut now = start;
    for step in 0..HOUR_STEPS {
        now = start.after(Duration::from_secs(5) * u32::try_from(step).unwrap_or(0));
        engine.tick(now);
        feed(&mut engine, step, now);
    }
    let scrape = Scrape { format: negotiate(""), names: vec!["signalbox_history_bytes".to_owned()] };
    let text = String::from_utf8(engine.freeze(now).to_bytes(scrape)).unwrap_or_default();
    let value =
        text.lines().find_map(|line| line.strip_prefix("signalbox_history_bytes ")?.parse::<f64>().ok());
    value.unwrap_or(f64::NAN) / (METRICS * SERIES_EACH) as f64 / HOUR_STEPS as f64
}

/// What this thread has run, by the kernel's account: other load on the machine does not count.
fn cpu_milliseconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 =
        text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN);
    nanoseconds / 1e6
}
