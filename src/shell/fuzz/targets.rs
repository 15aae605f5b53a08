//! What is fuzzed: everything that reads what others wrote.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::catalogue::known_metrics;
use crate::engine::config::Config;
use crate::engine::config::web::WebConfig;
use crate::engine::diagnostic::Source;
use crate::engine::exposition::{Scrape, negotiate};
use crate::engine::frozen::{FrozenInstant, QuerySpan, QueryTerms};
use crate::engine::promql::storage::Endless;
use crate::engine::promql::{self, EvalSettings};
use crate::engine::rules::load::{LoadContext, load};
use crate::engine::rules::{RuleSet, StoredAlert};
use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message};
use crate::shell::nats::api::{ConsumerInfo, StoredMessage, StreamInfo, read_answer};
use crate::shell::nats::frames::{Frame, parse};
use crate::shell::nats::lanes::pull::{judge, place_of};

use super::kept;

/// What looks at an input.
pub(super) type Run = Box<dyn FnMut(&[u8]) -> Result<(), String>>;

/// Something that reads what others wrote.
pub(super) struct Target {
    /// Its name, that of its folder in the corpus.
    pub(super) name: &'static str,
    /// Folders of files that are inputs too.
    pub(super) beside: &'static [&'static str],
    /// Words that mean something to it.
    pub(super) words: &'static [&'static str],
    /// Inputs that are made.
    pub(super) made: fn() -> Vec<Vec<u8>>,
    /// Makes what looks at inputs.
    pub(super) begin: fn() -> Run,
}

/// All of them.
pub(super) const TARGETS: [Target; 10] = [
    Target {
        name: "event",
        beside: &[],
        words: &[
            "null",
            "[]",
            "{}",
            "\"tags\":{",
            "\"metric_type\":\"histogram\"",
            "\\u0000",
            "\\ud800",
            "\u{feff}",
            ",",
            "\"event_version\":\"2.0\"",
            "[{",
            "}]",
            "\"__name__\"",
            "\"le\":\"1\"",
        ],
        made: Vec::new,
        begin: || event(),
    },
    Target {
        name: "rules",
        beside: &["rules"],
        words: &[
            "groups:",
            "rules:",
            "alert: A",
            "record: a:b",
            "expr: up",
            "for: 5m",
            "above: 1",
            "clear_below: 1",
            "severities: {warning: {above: 1}}",
            "stat: p99",
            "window: 1m",
            "by: [a]",
            "no_data: alert",
            "<<: *a",
            "&a",
            "*a",
            "labels: {a: '{{ $value }}'}",
            "|-\n",
            "- ",
            "? ",
            "!!binary ",
        ],
        made: Vec::new,
        begin: || rules(),
    },
    Target {
        name: "promql",
        beside: &[],
        words: &[
            "sum by (a) (",
            "rate(",
            "[5m]",
            "[5m:1s]",
            " offset ",
            " @ end()",
            " bool ",
            " on(a) group_left ",
            "histogram_quantile(",
            "{a=~\".*\"}",
            "{__name__=\"a\"}",
            " unless ",
            "^",
            "-",
            "\"\\x\"",
            "label_replace(",
            "count_values(\"a\",",
            "topk(",
            "))",
            "absent_over_time(",
            "info(",
            "1e400",
            "0x",
            "NaN",
        ],
        made: Vec::new,
        begin: || queries(),
    },
    Target {
        name: "template",
        beside: &[],
        words: &[
            "{{ ",
            " }}",
            "{{ range 100000 }}",
            "{{ end }}",
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}",
            "printf \"%999d\" ",
            "$labels",
            "$value",
            "| humanize",
            "query \"up\"",
            "reReplaceAll",
            "index ",
            "nil",
        ],
        made: Vec::new,
        begin: || templates(),
    },
    Target { name: "state", beside: &[], words: &["\0\0\0\0"], made: kept::states, begin: || kept::state() },
    Target {
        name: "log",
        beside: &[],
        words: &["\0\0\0\0", "SBXLOG\0\x01"],
        made: kept::logs,
        begin: || kept::log(),
    },
    Target {
        name: "config",
        beside: &["deploy"],
        words: &[
            "nats:",
            "url: nats://a:b@c",
            "limits: {series: 1}",
            "metrics: [{match: \"*\"}]",
            "lanes:",
            "dedupe:",
            "transforms: [{}]",
            "history: {window: 1s}",
            "buckets: [1, .inf]",
            "<<: *a",
            "&a",
            "true",
            "- ",
            "5m",
        ],
        made: Vec::new,
        begin: || config(),
    },
    Target {
        name: "web",
        beside: &[],
        words: &[
            "tls_server_config:",
            "basic_auth_users:",
            "cert_file: a",
            "min_version: TLS12",
            "headers:",
            "a: $2b$10$",
        ],
        made: Vec::new,
        begin: || web(),
    },
    Target {
        name: "accept",
        beside: &[],
        words: &[
            "application/openmetrics-text",
            ";version=1.0.0",
            ";q=0.5",
            "text/plain",
            ",",
            "*/*",
            "proto=",
            "application/vnd.google.protobuf",
            ";encoding=delimited",
            ";escaping=allow-utf-8",
        ],
        made: Vec::new,
        begin: || accept(),
    },
    Target {
        name: "frames",
        beside: &[],
        words: &[
            "MSG ",
            "HMSG ",
            "\r\n",
            "PING\r\n",
            "-ERR '",
            "INFO {",
            "NATS/1.0 ",
            "409 Batch Completed",
            "$JS.ACK.",
            " 0\r\n",
            "+OK\r\n",
            "{\"error\":{\"err_code\":10037}}",
        ],
        made: Vec::new,
        begin: || frames(),
    },
];

pub(super) const BEGIN: Timestamp = Timestamp::from_millis(1_780_000_000_000);

pub(super) fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

pub(super) fn source(text: String) -> Source {
    Source { name: "fuzzed".into(), text: text.into() }
}

pub(super) fn small_config() -> Config {
    let mut config = Config::with_defaults("ours");
    config.dedupe.entries = 100;
    config.limits.series_per_metric = 50;
    config.limits.series = 2_000;
    config
}

pub(super) fn rules_of(text: String) -> RuleSet {
    let metrics = known_metrics(&small_config());
    let context = LoadContext { interval: Duration::from_secs(5), metrics: &metrics, previous: None };
    load(&[source(text)], &context).set
}

pub(super) fn recorded(number: u64) -> String {
    let kind = ["counter", "gauge", "histogram"][number as usize % 3];
    format!(
        r#"{{"event_id":"00000000-0000-4000-8000-{number:012x}","event_type":"MetricRecorded","timestamp":"2026-05-28T20:26:40Z","metric_name":"m{kind}","metric_type":"{kind}","metric_value":{number},"tags":{{"a":"{}"}}}}"#,
        number % 4
    )
}

/// An engine in which something has happened.
pub(super) fn engine(rules: RuleSet) -> Engine {
    let mut engine = Engine::new(&small_config(), rules, BEGIN);
    for number in 0..24 {
        let payload = recorded(number);
        let subject = "events.monitoring.MetricRecorded";
        let message = Message { subject, headers: b"", payload: payload.as_bytes() };
        engine.apply(Lane::Core, &[message], BEGIN.after(Duration::from_millis(number * 700)));
    }
    engine
}

/// Lets some time pass.
pub(super) fn pass(engine: &mut Engine, from: Timestamp) -> Timestamp {
    let until = from.after(Duration::from_secs(8));
    for _ in 0..100 {
        let next = engine.next_tick();
        if next > until {
            break;
        }
        engine.tick(next);
    }
    until
}

/// The sum of a counter of the sidecar.
fn sum(text: &str, name: &str) -> f64 {
    let values =
        text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
    values.filter_map(|value| value.parse::<f64>().ok()).sum()
}

/// A whole scrape reads, and received = applied + duplicate + rejected.
pub(super) fn look(engine: &mut Engine, now: Timestamp) -> Result<(), String> {
    let bytes = engine.freeze(now).to_bytes(Scrape { format: negotiate(""), names: Vec::new() });
    let text = String::from_utf8(bytes).map_err(|_| "a scrape that is no UTF-8".to_owned())?;
    let count = |name: &str| sum(&text, &format!("signalbox_events_{name}_total{{"));
    let (received, others) = (count("received"), count("applied") + count("duplicate") + count("rejected"));
    if received == others { Ok(()) } else { Err(format!("received {received}, accounted for {others}")) }
}

fn event() -> Run {
    let mut engine = engine(RuleSet::default());
    let mut now = BEGIN.after(Duration::from_mins(1));
    let mut count = 0_u64;
    Box::new(move |input| {
        count += 1;
        now = now.after(Duration::from_millis(10));
        let lane = if count.is_multiple_of(2) { Lane::Core } else { Lane::JetStream };
        let message = Message { subject: "events.queue.JobQueued", headers: b"", payload: input };
        engine.apply(lane, &[message], now);
        if count.is_multiple_of(50) {
            now = pass(&mut engine, now);
            look(&mut engine, now)?;
        }
        Ok(())
    })
}

fn rules() -> Run {
    Box::new(|input| {
        let set = rules_of(text(input));
        let mut engine = engine(set);
        let now = pass(&mut engine, BEGIN.after(Duration::from_secs(20)));
        look(&mut engine, now)
    })
}

fn queries() -> Run {
    let mut engine = engine(RuleSet::default());
    let now = pass(&mut engine, BEGIN.after(Duration::from_secs(20)));
    let frozen: Arc<FrozenInstant> = engine.freeze(now);
    Box::new(move |input| {
        let written = text(input);
        let Ok(expr) = promql::parse(&written) else { return Ok(()) };
        let printed = expr.to_string();
        match promql::parse(&printed) {
            Ok(again) if again.to_string() == printed => {}
            Ok(again) => {
                return Err(format!(
                    "{written:?} prints as {printed:?}, and that as {:?}",
                    again.to_string()
                ));
            }
            Err(error) => {
                return Err(format!("{written:?} prints as {printed:?}, which does not parse: {error}"));
            }
        }
        let settings = EvalSettings { samples_max: 20_000, ..EvalSettings::default() };
        let terms = QueryTerms { settings: &settings, patience: &Endless };
        drop(frozen.query_instant(&expr, now, terms));
        let span = QuerySpan { start: now.before(Duration::from_secs(10)), end: now, step_ms: 1_000 };
        drop(frozen.query_range(&expr, span, terms));
        Ok(())
    })
}

fn templates() -> Run {
    Box::new(|input| {
        let quoted = serde_json::to_string(&text(input)).unwrap();
        let rule = format!("{{alert: A, expr: mgauge, above: -1, annotations: {{summary: {quoted}}}}}");
        let set = rules_of(format!("groups: [{{name: g, interval: 1s, rules: [{rule}]}}]"));
        let mut engine = engine(set);
        let now = pass(&mut engine, BEGIN.after(Duration::from_secs(20)));
        for event in engine.outbox() {
            let json = event.to_json();
            if StoredAlert::read(json.as_bytes()).is_none() {
                return Err(format!("an alert event that cannot be read back: {json}"));
            }
        }
        look(&mut engine, now)
    })
}

fn config() -> Run {
    Box::new(|input| {
        if let (Some(config), _) = Config::parse(&source(text(input))) {
            let mut engine = Engine::new(&config, RuleSet::default(), BEGIN);
            drop(engine.reconfigure(&small_config(), BEGIN));
        }
        Ok(())
    })
}

fn web() -> Run {
    Box::new(|input| {
        drop(WebConfig::parse(&source(text(input))));
        Ok(())
    })
}

fn accept() -> Run {
    let mut engine = engine(RuleSet::default());
    let frozen = engine.freeze(BEGIN.after(Duration::from_secs(20)));
    let mut count = 0_u64;
    Box::new(move |input| {
        count += 1;
        let format = negotiate(&text(input));
        if count.is_multiple_of(20) && frozen.to_bytes(Scrape { format, names: Vec::new() }).is_empty() {
            return Err("an empty scrape".to_owned());
        }
        Ok(())
    })
}

fn frames() -> Run {
    Box::new(|input| {
        let mut rest = input;
        while let Ok(Some((frame, used))) = parse(rest) {
            if used == 0 || used > rest.len() {
                return Err(format!("a frame of {used} bytes of {}", rest.len()));
            }
            if let Frame::Message(delivery) = frame {
                judge(&delivery);
            }
            rest = &rest[used..];
        }
        place_of(input);
        drop(read_answer::<StreamInfo>(input));
        drop(read_answer::<ConsumerInfo>(input));
        if let Ok(stored) = read_answer::<StoredMessage>(input) {
            stored.payload();
            stored.time();
        }
        Ok(())
    })
}
