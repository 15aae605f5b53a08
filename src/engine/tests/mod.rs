//! The engine as a driver sees it.

mod instants;
mod notifications;
mod pair;
mod restart;

use super::arrival::{Epoch, Order, Origin, Standing, Stored, StreamBatch, StreamNews};
use super::*;
use crate::engine::exposition::{Scrape, negotiate};
use crate::engine::rules::load::{INTERVAL_DEFAULT, LoadContext};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000 + seconds * 1_000)
}

fn engine() -> Engine {
    Engine::new(&Config::with_defaults("test"), RuleSet::default(), at(0))
}

fn job_queued(id: u128) -> String {
    format!(
        r#"{{"event_id":"00000000-0000-0000-0000-{:012x}","timestamp":"2025-11-24T16:00:00Z","job_id":"{id}","job_type":"transcription",
        "priority":"high","queue_name":"q","payload_size":10,"submitter":"api"}}"#,
        id + 1
    )
}

fn apply(engine: &mut Engine, payloads: &[String]) -> Vec<Rejected> {
    apply_at(engine, payloads, at(1))
}

fn apply_at(engine: &mut Engine, payloads: &[String], now: Timestamp) -> Vec<Rejected> {
    let messages: Vec<Message<'_>> = payloads
        .iter()
        .map(|payload| Message {
            subject: "events.queue.JobQueued",
            headers: &[],
            payload: payload.as_bytes(),
        })
        .collect();
    engine.apply(Lane::JetStream, &messages, now)
}

fn text(engine: &mut Engine) -> String {
    String::from_utf8(engine.freeze(at(2)).to_bytes(Scrape { format: negotiate(""), names: Vec::new() }))
        .unwrap()
}

#[test]
fn every_element_is_applied_duplicate_or_rejected() {
    let mut engine = engine();
    let rejected = apply(&mut engine, &[job_queued(1), job_queued(1), "{".to_owned(), job_queued(2)]);
    assert_eq!(rejected.iter().map(|rejected| rejected.message).collect::<Vec<_>>(), [2]);
    let text = text(&mut engine);
    for line in [
        r#"signalbox_events_received_total{event_type="JobQueued",lane="jetstream"} 3"#,
        r#"signalbox_events_received_total{event_type="unknown",lane="jetstream"} 1"#,
        r#"signalbox_events_applied_total{event_type="JobQueued",lane="jetstream"} 2"#,
        r#"signalbox_events_duplicate_total{event_type="JobQueued",lane="jetstream"} 1"#,
        r#"signalbox_events_rejected_total{lane="jetstream",reason="malformed"} 1"#,
        r#"queue_depth{priority="high",queue="q"} 2"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn the_same_calls_yield_the_same_bytes() {
    let run = || {
        let mut engine = engine();
        apply(&mut engine, &[job_queued(1), job_queued(2), job_queued(3)]);
        engine.tick(at(10));
        text(&mut engine)
    };
    assert_eq!(run(), run());
}

/// An engine with rules from a file's text.
fn engine_with_rules(text: &str) -> Engine {
    let source = diagnostic::Source { name: "rules.yaml".into(), text: text.into() };
    let metrics = catalogue::KnownMetrics::default();
    let interval = INTERVAL_DEFAULT;
    let loaded = rules::load::load(&[source], &LoadContext { interval, metrics: &metrics, previous: None });
    assert_eq!(loaded.diagnostics, []);
    Engine::new(&Config::with_defaults("test"), loaded.set, at(0))
}

#[test]
fn the_event_that_crosses_a_threshold_raises_the_alert_at_once_and_time_ends_it() {
    let mut engine = engine_with_rules(
        "groups: [{name: g, rules: [
            {alert: Backlog, metric: queue_depth, by: [queue], above: 1},
            {alert: Burst, metric: queue_jobs_queued_total, stat: increase, window: 1m, by: [queue], above: 2}]}]",
    );
    apply(&mut engine, &[job_queued(1)]);
    assert_eq!(engine.outbox().count(), 0);
    apply(&mut engine, &[job_queued(2), job_queued(3)]);
    engine.tick(at(1).after(Duration::from_millis(50)));
    let events: Vec<AlertEvent> = engine.outbox().cloned().collect();
    let names: Vec<&str> = events.iter().map(|event| event.alert_name.as_ref()).collect();
    assert_eq!(names, ["Backlog", "Burst"]);
    assert_eq!(events[0].evidence.first(), Some(&EventId(4)));
    assert!(
        text(&mut engine)
            .contains(r#"signalbox_alerts{alertname="Backlog",alertstate="firing",queue="q"} 1"#)
    );
    for event in &events {
        engine.confirm(event.id, at(2));
    }
    let mut now = at(2);
    while now < at(80) {
        now = engine.next_tick();
        engine.tick(now);
    }
    let ended: Vec<&str> = engine.outbox().map(|event| event.alert_name.as_ref()).collect();
    assert_eq!(ended, ["Burst"]);
}

#[test]
fn rules_see_the_process_as_a_scrape_does_and_its_counter_never_falls() {
    let mut engine = engine_with_rules(
        "groups: [{name: g, rules: [
            {alert: Files, expr: process_open_fds / process_max_fds, above: 0.5},
            {alert: Busy, metric: process_cpu_seconds_total, stat: increase, window: 1m, above: 2}]}]",
    );
    let fired = |engine: &Engine| -> Vec<String> {
        engine.outbox().map(|event| event.alert_name.to_string()).collect()
    };
    let reading =
        fact::ProcessReading { cpu_seconds: 1.5, open_fds: 4.0, max_fds: 8.0, ..Default::default() };
    engine.observe(Fact::Process(reading), at(1));
    assert_eq!(fired(&engine), [""; 0]);
    let reading =
        fact::ProcessReading { cpu_seconds: 4.0, open_fds: 5.0, max_fds: 8.0, ..Default::default() };
    engine.observe(Fact::Process(reading), at(3));
    engine.observe(Fact::Process(fact::ProcessReading { cpu_seconds: 3.0, ..reading }), at(4));
    assert_eq!(fired(&engine), ["Files", "Busy"]);
    let text = text(&mut engine);
    assert!(text.contains("\nprocess_cpu_seconds_total 4\n"), "{text}");
    assert!(text.contains("# TYPE process_open_fds gauge\nprocess_open_fds 5\n"), "{text}");
}

const RULES: &str = "
groups:
  - name: queue
    rules:
      - alert: Backlog
        expr: sum by (queue) (queue_depth)
        above: 2
        clear_below: 1
      - alert: Recorded
        expr: app_load
        above: 0.5
      - alert: Rejections
        expr: sum(increase(signalbox_events_rejected_total[1m] anchored))
        above: 0
";

fn with_rules() -> Engine {
    let source = diagnostic::Source { name: "rules.yaml".into(), text: RULES.into() };
    let metrics = catalogue::KnownMetrics::default();
    let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
    let loaded = rules::load::load(&[source], &context);
    assert_eq!(loaded.set.rules().count(), 3, "{:?}", loaded.diagnostics);
    Engine::new(&Config::with_defaults("test"), loaded.set, at(0))
}

fn alerts(engine: &Engine) -> Vec<String> {
    let told = |event: &AlertEvent| format!("{} {}", event.event_type().name(), event.alert_name);
    engine.outbox().map(told).collect()
}

#[test]
fn an_alert_is_decided_by_the_event_that_crosses_the_threshold() {
    let mut engine = with_rules();
    apply(&mut engine, &[job_queued(1), job_queued(2)]);
    assert_eq!(alerts(&engine), [""; 0]);
    engine.tick(at(10));
    apply_at(&mut engine, &[job_queued(3)], at(11));
    assert_eq!(alerts(&engine), ["AlertTriggered Backlog"]);
    let event = engine.outbox().next().unwrap();
    assert_eq!(event.evidence, [EventId(4), EventId(3), EventId(2)]);
}

/// Shows that each span took an hour, of which this thread worked a microsecond.
#[derive(Debug, Default)]
struct Stalled(std::sync::atomic::AtomicU32);

impl Stopwatch for Stalled {
    fn elapsed(&self) -> Duration {
        Duration::from_hours(1) * self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    fn worked(&self) -> Duration {
        Duration::from_micros(1) * self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn an_answer_that_stood_still_in_the_middle_is_not_rested_after_for_so_long() {
    let mut engine = with_rules();
    engine.time_with(Arc::new(Stalled::default()));
    for round in 0..3 {
        let now = at(1).after(Duration::from_millis(round * 10));
        apply_at(&mut engine, &[job_queued(10 + u128::from(round))], now);
        engine.tick(now.after(Duration::from_millis(6)));
    }
    assert_eq!(alerts(&engine), ["AlertTriggered Backlog"]);
}

#[test]
fn the_first_event_of_a_new_metric_is_seen_by_its_rule() {
    let mut engine = with_rules();
    let recorded = r#"{"event_id":"00000000000000000000000000000009","timestamp":"2025-11-24T16:00:00Z",
        "event_type":"MetricRecorded","metric_name":"app_load","metric_value":0.9,"metric_type":"gauge","tags":{}}"#;
    let message = Message { subject: "x", headers: &[], payload: recorded.as_bytes() };
    engine.apply(Lane::Core, &[message], at(1));
    assert_eq!(alerts(&engine), ["AlertTriggered Recorded"]);
}

#[test]
fn a_rule_over_the_accounting_sees_a_rejection_at_once() {
    let mut engine = with_rules();
    apply(&mut engine, &["{".to_owned()]);
    assert_eq!(alerts(&engine), ["AlertTriggered Rejections"]);
}

/// News that the stream holds two messages, of which both wait.
fn found(epoch: &Epoch) -> StreamNews {
    StreamNews::Found { stream: Arc::from("S"), epoch: epoch.clone(), last_sequence: 2, pending: 2 }
}

/// Receives events of a stream, each with its sequence and the second it was stored in.
fn receive(engine: &mut Engine, epoch: &Epoch, events: &[(u64, i64, String)]) -> Vec<Rejected> {
    let message = |payload| Message { subject: "events.queue.JobQueued", headers: &[], payload };
    let messages: Vec<Message<'_>> =
        events.iter().map(|(_, _, payload)| message(payload.as_bytes())).collect();
    let stored: Vec<Stored> =
        events.iter().map(|(sequence, second, _)| Stored { sequence: *sequence, at: at(*second) }).collect();
    let ends = |stored: Option<&Stored>| stored.map_or(0, |stored| stored.sequence);
    let origin = Origin {
        stream: Arc::from("S"),
        epoch: epoch.clone(),
        order: Order::Stream,
        first_sequence: ends(stored.first()),
        last_sequence: ends(stored.last()),
        pending: 1,
    };
    engine.receive(&StreamBatch { origin: &origin, messages: &messages, stored: &stored }, at(600))
}

/// The value of the sample whose line begins so; 0 where there is none.
fn sample(engine: &mut Engine, begin: &str) -> f64 {
    let scrape =
        Scrape { format: negotiate("application/openmetrics-text;version=1.0.0"), names: Vec::new() };
    let text = String::from_utf8(engine.freeze(at(601)).to_bytes(scrape)).unwrap();
    let line = text.lines().find(|line| line.starts_with(begin));
    line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn what_no_stored_event_moved_counts_from_the_end_of_the_catching_up() {
    let (mut engine, epoch) = (engine(), Epoch::first("a"));
    engine.await_stream("S", at(600));
    engine.hear(&found(&epoch), at(600));
    receive(&mut engine, &epoch, &[(1, 1, job_queued(1)), (2, 2, job_queued(2))]);
    assert_eq!(engine.standing(), Standing::Present);
    assert_eq!(sample(&mut engine, "queue_jobs_queued_created"), at(1).seconds());
    assert_eq!(sample(&mut engine, "dashboards_generated_created"), at(600).seconds());
}

#[test]
fn while_catching_up_events_count_and_rules_are_silent() {
    let (mut engine, epoch) = (with_rules(), Epoch::first("a"));
    engine.await_stream("S", at(600));
    engine.hear(&found(&epoch), at(600));
    receive(
        &mut engine,
        &epoch,
        &[(1, 1, format!("[{},{},{}]", job_queued(1), job_queued(2), job_queued(3)))],
    );
    engine.tick(at(600));
    assert_eq!(alerts(&engine), [""; 0]);
    engine.hear(&StreamNews::Drained, at(600));
    assert_eq!(alerts(&engine), ["AlertTriggered Backlog"]);
}

#[test]
fn a_stream_is_applied_from_its_position_on_and_a_new_life_of_it_from_its_beginning() {
    let (mut engine, first) = (engine(), Epoch::first("a"));
    engine.await_stream("S", at(600));
    engine.hear(&found(&first), at(600));
    let events = [(1, 1, job_queued(1)), (2, 2, job_queued(2)), (3, 3, job_queued(3))];
    receive(&mut engine, &first, &events[..2]);
    receive(&mut engine, &first, &events);
    let received = r#"signalbox_events_received_total{event_type="JobQueued",lane="jetstream""#;
    assert_eq!(sample(&mut engine, received), 3.0);
    let position = engine.position().unwrap();
    let id = position.applied.and_then(|applied| applied.event_id);
    assert_eq!((position.sequence, id), (3, Some(EventId(4))));
    let second = Epoch { rollbacks: 1, ..first };
    receive(&mut engine, &second, &events[..1]);
    assert_eq!(sample(&mut engine, received), 4.0);
    assert_eq!(sample(&mut engine, r#"signalbox_stream_epochs_total{reason="rolled_back""#), 1.0);
}

#[test]
fn a_rejection_of_the_past_is_told_from_a_new_one() {
    let (mut engine, epoch) = (engine(), Epoch::first("a"));
    engine.await_stream("S", at(600));
    engine.hear(&found(&epoch), at(600));
    let bad = "{".to_owned();
    let events = [(1, 1, job_queued(1)), (2, 2, bad.clone()), (3, 3, bad)];
    let rejected = receive(&mut engine, &epoch, &events);
    let seen: Vec<_> = rejected.iter().map(|it| (it.message, it.novelty)).collect();
    assert_eq!(seen, [(1, Novelty::Known), (2, Novelty::New)]);
}

fn rules_of(text: &str) -> RuleSet {
    let source = diagnostic::Source { name: "rules.yaml".into(), text: text.into() };
    let metrics = catalogue::KnownMetrics::default();
    let context = LoadContext { interval: INTERVAL_DEFAULT, metrics: &metrics, previous: None };
    rules::load::load(&[source], &context).set
}

#[test]
fn after_a_reload_annotations_are_there_at_once() {
    let rule = |summary: &str| {
        format!(
            "groups: [{{name: g, rules: [{{alert: Backlog, expr: queue_depth > 0, annotations: {{summary: '{summary}'}}}}]}}]"
        )
    };
    let mut engine = engine_with_rules(&rule("{{ $value }} jobs"));
    apply(&mut engine, &[job_queued(1)]);
    let summary = |engine: &Engine| engine.alerts()[0].annotations[0].1.clone();
    assert_eq!(summary(&engine), "1 jobs");
    engine.replace_rules(rules_of(&rule("{{ $value }} waiting, {{ $externalURL }}")), at(2));
    assert_eq!(summary(&engine), "1 waiting, ");
    let mut config = Config::with_defaults("test");
    config.external_url = "http://page".to_owned();
    engine.reconfigure(&config, at(2));
    assert_eq!(summary(&engine), "1 waiting, http://page");
}

fn recorded(id: u128, name: &str, metric_type: &str) -> String {
    format!(
        r#"{{"event_type":"MetricRecorded","event_id":"00000000-0000-0000-0001-{id:012x}","timestamp":"2025-11-24T16:00:00Z",
        "metric_name":"{name}","metric_type":"{metric_type}","metric_value":3,"tags":{{"user":"a"}}}}"#
    )
}

fn record(engine: &mut Engine, payloads: &[String], now: Timestamp) -> usize {
    let message = |payload: &String| -> Vec<u8> { payload.clone().into_bytes() };
    let bytes: Vec<Vec<u8>> = payloads.iter().map(message).collect();
    let messages = bytes.iter().map(|payload| Message {
        subject: "events.monitoring.MetricRecorded",
        headers: &[],
        payload,
    });
    engine.apply(Lane::Core, &messages.collect::<Vec<_>>(), now).len()
}

#[test]
fn a_configuration_put_in_force_counts_from_the_next_event_on() {
    let mut engine = engine();
    record(&mut engine, &[recorded(1, "wait_seconds", "histogram"), recorded(2, "load", "gauge")], at(1));
    let source = diagnostic::Source {
        name: "c.yaml".into(),
        text: "
dedupe: {entries: 50, age: 10m}
limits: {metric_name_bytes: 12, series: 7}
stale_after: {load: 10s}
metrics:
  - {match: wait_seconds, buckets: [1], help: Waits., drop_labels: user}
  - {match: late_seconds, buckets: [1], drop_labels: user}
utf8_names: true
slow_query_top: 1
history: {step: 1s, window: 1m}
evaluate: interval
"
        .into(),
    };
    let (config, found) = Config::parse(&source);
    assert_eq!(found, []);
    assert_eq!(engine.reconfigure(&config.unwrap().named("test"), at(2)), ["wait_seconds"]);
    assert_eq!(engine.next_tick(), at(3));
    let again = recorded(1, "wait_seconds", "histogram");
    let refused = record(
        &mut engine,
        &[
            again,
            recorded(3, "late_seconds", "histogram"),
            recorded(4, "a_name_too_long", "gauge"),
            recorded(5, "wait_seconds", "histogram"),
        ],
        at(3),
    );
    assert_eq!(refused, 1);
    engine.tick(at(30));
    let text = text(&mut engine);
    for line in [
        "# HELP wait_seconds Waits.",
        r#"late_seconds_bucket{le="1.0"} 0"#,
        r#"wait_seconds_count{user="a"} 0"#,
        "wait_seconds_count 1",
        r#"wait_seconds_bucket{le="1.0"} 0"#,
        "wait_seconds_sum 3",
        "signalbox_series_limit 7",
        r#"signalbox_events_duplicate_total{event_type="MetricRecorded",lane="core"} 1"#,
    ] {
        assert!(
            text.lines().any(|found| found.replace("le=\"1\"", "le=\"1.0\"") == line),
            "{line} is missing in\n{text}"
        );
    }
    assert!(!text.lines().any(|line| line.starts_with("load{")), "{text}");
}

#[test]
fn labels_dropped_by_a_reload_are_missing_from_then_on_and_sums_stay_exact() {
    let source = diagnostic::Source {
        name: "c.yaml".into(),
        text: "metrics: [{match: queue_*, drop_labels: [priority, job_type]}]\n".into(),
    };
    let dropping = Config::parse(&source).0.unwrap().named("test");
    let mut engine = engine_with_rules("groups: []");
    apply(&mut engine, &[job_queued(1), job_queued(2)]);
    let shown = |engine: &mut Engine, family: &str| -> Vec<String> {
        let text = text(engine);
        text.lines().filter(|line| line.starts_with(family)).map(str::to_owned).collect()
    };
    let before = [shown(&mut engine, "queue_depth{"), shown(&mut engine, "queue_jobs_queued_total{")];
    assert_eq!(engine.reconfigure(&dropping, at(2)), Vec::<String>::new());
    assert_eq!([shown(&mut engine, "queue_depth{"), shown(&mut engine, "queue_jobs_queued_total{")], before);
    apply(&mut engine, &[job_queued(3)]);
    let after = [
        ("queue_depth{", r#"queue_depth{queue="q"} 1"#),
        ("queue_jobs_queued_total{", r#"queue_jobs_queued_total{queue="q",submitter="api"} 1"#),
    ];
    for ((family, expected), before) in after.into_iter().zip(before) {
        let now = shown(&mut engine, family);
        assert!(before[0].ends_with(" 2"), "{before:?}");
        assert!(now.len() == 2 && now.contains(&before[0]), "{now:?}");
        assert!(now.iter().any(|line| line == expected), "{now:?}");
    }
}

#[test]
fn metrics_do_not_show_what_is_parked_and_queries_see_it() {
    let mut config = Config::with_defaults("test");
    config.park_after = Some(Duration::from_secs(10));
    let mut engine = Engine::new(&config, RuleSet::default(), at(0));
    let paid = recorded(1, "paid", "counter");
    record(&mut engine, &[paid.clone(), recorded(2, "wait_seconds", "histogram")], at(1));
    let query = promql::parse("paid_total + on() wait_seconds_count").unwrap();
    let seen = |engine: &mut Engine, now: Timestamp| {
        engine.tick(now);
        let instant = engine.freeze(now);
        let text = instant.to_bytes(Scrape { format: negotiate(""), names: Vec::new() });
        let text = String::from_utf8(text).unwrap();
        let terms = frozen::QueryTerms {
            settings: &promql::EvalSettings::default(),
            patience: &promql::storage::Endless,
        };
        let outcome = instant.query_instant(&query, now, terms).unwrap();
        let promql::QueryValue::Vector(samples) = outcome.value else { return (0, Vec::new()) };
        let shown = text.lines().filter(|line| line.contains("paid") || line.contains("wait_seconds"));
        (shown.count(), samples.into_iter().map(|(_, value)| value).collect())
    };
    let float = |value| vec![promql::Value::Float(value)];
    let (all, values) = seen(&mut engine, at(2));
    assert!(all > 5 && values == float(4.0), "{all} {values:?}");
    assert_eq!(seen(&mut engine, at(60)), (0, float(4.0)));
    let again = [paid.replace("-0001-", "-0002-"), recorded(3, "wait_seconds", "histogram")];
    record(&mut engine, &again, at(61));
    assert_eq!(seen(&mut engine, at(62)), (all, float(8.0)));
}
