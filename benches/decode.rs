//! How long decoding takes: nanoseconds of one event, for the types that come most often.
//!
//! `cargo bench --no-default-features --bench decode`
#![expect(clippy::indexing_slicing, clippy::print_stdout, reason = "the figures are what it is for")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use serde::Deserialize;
use serde::de::IgnoredAny;
use signalbox::engine::config::Config;
use signalbox::engine::wire::{Decoder, EventType, Lane, Message, Verdict, WireSettings};

/// Events of a round; each differs in its id.
const EVENTS: usize = 2_000;
const ROUNDS: usize = 300;

const CASES: [(&str, &str); 5] = [
    (
        "MetricRecorded",
        r#"{"event_id":"{id}","timestamp":"2026-02-03T04:05:06.789Z","event_type":"MetricRecorded","event_version":"1.0","metric_name":"http_requests","metric_value":1.0,"metric_type":"counter","tags":{"route":"/v1/transcripts","code":"200","pod":"api-6"}}"#,
    ),
    (
        "MetricRecorded, as Python prints it",
        r#"{"event_id": "{id}", "timestamp": "2026-02-03T04:05:06.789012+00:00", "event_type": "MetricRecorded", "event_version": "1.0", "metric_name": "http_requests", "metric_value": 17.25, "metric_type": "histogram", "tags": {"route": "/v1/transcripts", "code": "200"}}"#,
    ),
    (
        "ProgressUpdated",
        r#"{"event_id":"{id}","timestamp":"2026-02-03T04:05:06.789Z","event_type":"ProgressUpdated","event_version":"1.0","transcript_id":"5f0c6f3a-0d2b-4b7e-8a46-2f4f8f6f9d10","progress":0.25,"current_chunk":3,"total_chunks":12,"status":"processing"}"#,
    ),
    (
        "QueryExecuted",
        r#"{"event_id":"{id}","timestamp":"2026-02-03T04:05:06.789Z","event_type":"QueryExecuted","event_version":"1.0","query_hash":"a3f1c9d2e4b5a697","query_type":"SELECT","table_name":"transcripts","duration_ms":12,"row_count":50,"used_index":"transcripts_pkey"}"#,
    ),
    (
        "JobProgressUpdated",
        r#"{"event_id":"{id}","timestamp":"2026-02-03T04:05:06.789Z","event_type":"JobProgressUpdated","event_version":"1.0","job_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","progress":0.5,"message":"working on it","current_step":"embedding"}"#,
    ),
];

/// What serde reads a MetricRecorded into, its id and time unread.
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is only read into")]
struct Recorded<'a> {
    event_id: &'a str,
    timestamp: &'a str,
    event_type: &'a str,
    event_version: &'a str,
    metric_name: &'a str,
    metric_value: f64,
    metric_type: &'a str,
    #[serde(borrow)]
    tags: BTreeMap<&'a str, &'a str>,
}

fn main() {
    let mut mixed = Vec::new();
    for (name, template) in CASES {
        let payloads = payloads(template);
        measure(name, &payloads);
        mixed.push(payloads);
    }
    let mixed: Vec<String> = (0..EVENTS).map(|place| mixed[place * 7 % CASES.len()][place].clone()).collect();
    measure("all of them, mixed", &mixed);
    print(
        "yardstick: serde_json, MetricRecorded into a struct of texts",
        &payloads(CASES[0].1),
        |payloads| {
            payloads
                .iter()
                .filter(|payload| black_box(serde_json::from_str::<Recorded<'_>>(payload)).is_ok())
                .count()
        },
    );
    print("yardstick: serde_json skipping the same", &mixed, |payloads| {
        payloads.iter().filter(|payload| serde_json::from_str::<IgnoredAny>(payload).is_ok()).count()
    });
}

fn payloads(template: &str) -> Vec<String> {
    (0..EVENTS as u64)
        .map(|place| {
            let spread = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let id = format!("{:08x}-7b1e-7c3d-9f00-{:012x}", spread >> 32, spread & 0xffff_ffff_ffff);
            template.replace("{id}", &id)
        })
        .collect()
}

fn measure(name: &str, payloads: &[String]) {
    let lanes = EventType::ALL.iter().map(|event_type| (*event_type, Lane::Core)).collect();
    let mut decoder = Decoder::new(&WireSettings { lanes, ..Config::default().wire() }, "bench");
    print(name, payloads, |payloads| {
        let mut decoded = 0;
        for payload in payloads {
            let message = Message { subject: "events.x.y", headers: &[], payload: payload.as_bytes() };
            decoder.decode(Lane::Core, &message, |element| {
                if let Verdict::Draft(draft) = &element.verdict {
                    decoded += usize::from(black_box(&draft.event()).is_ok());
                }
            });
        }
        decoded
    });
}

/// Prints the round at the first decile: what else runs on the machine disturbs the others.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn print(name: &str, payloads: &[String], mut round: impl FnMut(&[String]) -> usize) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(round(payloads), payloads.len());
            start.elapsed().as_nanos() as f64 / payloads.len() as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let bytes = payloads.iter().map(String::len).sum::<usize>() / payloads.len();
    println!("{:>6.1} ns  {bytes} bytes  {name}", rounds[ROUNDS / 10]);
}
