//! `docs/events.md` is written from the table of event types, which the decoder and `signalbox schema` use too.
//! `UPDATE_EVENTS_PAGE=1` writes it anew.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::engine::config::Config;
use crate::engine::wire::shape::{EventField, FieldKind, Presence};
use crate::engine::wire::{EventType, Lane, Subjects};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");

const INTRO: &str = "# Events

For those who publish. Written from the table that the decoder reads by; a test holds it to that.

An event is a JSON object in UTF-8, published to `events.<context>.<EventType>` on NATS. Several of one type may be sent as
an array of objects; each counts alone.

## Before you publish
Write what your program would send into a file, one event a line, and ask. Nothing is published:

<!-- file: events.jsonl -->
```json
{\"event_id\": \"6f1c0c5e-4a55-4f6b-9f7e-0d8c1d0f6a01\", \"timestamp\": \"2026-02-03T10:00:00Z\", \"event_type\": \"JobCompleted\", \"job_id\": \"job-1\", \"worker_id\": \"worker-1\", \"duration_ms\": 1840, \"result_size\": 20480}
```

```console
$ signalbox validate events.jsonl
line 1: JobCompleted: refused as invalid_field: retry_count: expected a whole number of at least 0
1 event: 0 accepted (0 of them with warnings), 1 refused
$ echo $?
1
```

The same for a program: this one is in [examples/](../examples/), which has producers in Python, TypeScript and Rust.

<!-- in a clone -->
```console
$ python3 examples/python/producer.py --print | signalbox validate -
4 events: 4 accepted (0 of them with warnings), 0 refused
```

[commands.md](commands.md#validate) says what is only warned of. `signalbox schema events JobCompleted` prints a JSON Schema for
your own tests, `signalbox schema asyncapi` all subjects, lanes and payloads.

## Fields of every event
| field | value | |
|---|---|---|
| `event_id` | a UUID, in any of its textual forms | required; a second event of one id counts as a duplicate and changes nothing |
| `timestamp` | RFC 3339, UTC where it has no offset | required; when it happened, by your clock |
| `event_type` | one of the types below | else the header `ce-type` or `Event-Type` names it, else the subject |
| `event_version` | `major.minor` or `major.minor.patch` | 1.0 where it is missing; any 1.x is read, another major needs a transform in [configuration.md](configuration.md) |

Fields that are not named here are ignored, so adding some is no new major version. [CloudEvents](https://cloudevents.io) 1.0 are
read too, in both modes: `type`, `id` and `time` stand in for `event_type`, `event_id` and `timestamp` where the data lacks them.

- Use a new random UUID for each event, and the same one when you send an event again.
- Ids, names and hashes are any text. They become no labels, so they may be as many as they like.
- Times are whole or broken numbers of at least 0, in the unit the field's name ends in. Sizes and counts are whole.
- Where words are listed others are taken too, and become label values as they are. Keep them few.

## Lanes
| lane | how to publish | what is promised |
|---|---|---|
| JetStream | to a stream (`EVENTS`), and wait for its acknowledgement; send again where none comes | counts exactly once in effect |
| core | plain publish | at most once: what nobody could take is gone |

Which type rides which lane can be set (`lanes` in [configuration.md](configuration.md)). An event on the other lane than its type's is
refused as `other_lane`. An instance may leave types or whole contexts to others (`off`, [scaling.md](scaling.md#by-context)); it
does not even receive them.

## Subjects with more tokens
Behind the type a subject may have as many tokens as the configuration names, for a tenant, a region, a key:
`events.queue.JobQueued.tenant-7`. Whoever runs signalbox says so with `subjects: {tokens: [{name: tenant}]}`. The last ones may be
missing; a subject with more is not read. A token is any text without blanks, dots, `*` and `>`.

A token becomes a label only where the configuration gives it one, `{name: tenant, label: tenant}`:
- on counters, histograms and gauges that single events feed. An event without the token has `unknown` there. A label that the metric
  has itself stays its own;
- on what MetricRecorded brings, where the token goes before a tag of the same name: a server's permissions decide who may
  publish where. An event without the token has no such label;
- not on tracked gauges, such as `queue_depth`: what they count is moved by events of several subjects.

Each value is a series more of every such metric: `limits.series`, `limits.series_per_metric` and `limits.label_value_bytes` hold, and
`drop_labels` leaves the label out of single metrics.

## When an event is refused
It changes nothing, is counted in `signalbox_events_rejected_total` by reason, and is shown with an example on the page
`/events`. Those of the JetStream lane are published again as they came to `signalbox.rejected`; once what was wrong is
mended, [`signalbox rejected resend`](commands.md#rejected) sends them again.

| reason | what to do |
|---|---|
| `malformed` | send one JSON text in UTF-8, no key twice |
| `unknown_type` | use one of the types below |
| `unsupported_version` | send 1.x, or have a transform configured |
| `invalid_field` | a field is missing, null, of another JSON type, negative or out of range: the log, the page and `signalbox validate` name it |
| `conflict` | a MetricRecorded names a metric that is there as another type, or one of [metrics.md](metrics.md): choose another name |
| `other_lane` | publish where its type's lane is |
| `too_large` | at most 1 MiB a message, 10,000 events an array |

";

/// A value as a producer might send it.
fn example(event_type: EventType, field: &EventField) -> Value {
    if let Some(word) = field.usual_words(event_type).first() {
        return json!(word);
    }
    match (field.name, field.kind) {
        ("metric_name", _) => json!("shop_orders"),
        ("error_type", _) => json!("timeout"),
        ("error_message" | "reason", _) => json!("no answer within 30 s"),
        ("message", _) => json!("Half done"),
        ("job_type", _) => json!("transcription"),
        ("submitter", _) => json!("api"),
        ("language" | "detected_language", _) => json!("en"),
        ("file_name", _) => json!("interview.mp3"),
        ("upload_ip", _) => json!("192.0.2.7"),
        ("table_name" | "queue_name", _) => json!("transcripts"),
        ("index_name" | "used_index", _) => json!("transcripts_by_user"),
        ("query_type", _) => json!("SELECT"),
        ("entry_type", _) => json!("transcript"),
        ("source", _) => json!("computation"),
        ("warming_strategy", _) => json!("scheduled"),
        ("current_step", _) => json!("merging"),
        ("alert_name", _) => json!("DiskFull"),
        ("dashboard_name", _) => json!("Overview"),
        ("file_hash" | "query_hash" | "fingerprint" | "cache_key", _) => json!("9f86d081884c7d65"),
        (_, FieldKind::Texts) => json!(["transcripts"]),
        (_, FieldKind::Tags) => json!({"region": "eu"}),
        (_, FieldKind::MetricType) => json!("counter"),
        (_, FieldKind::Flag) => json!(false),
        (_, FieldKind::Ratio) => json!(0.5),
        (_, FieldKind::Number | FieldKind::Measurement) => json!(3),
        (_, FieldKind::Whole | FieldKind::Span) => json!(12),
        (name, FieldKind::Text | FieldKind::Name) => json!(format!("{}-1", name.trim_end_matches("_id"))),
    }
}

/// An event as a producer might send it, on one line.
fn example_line(event_type: EventType) -> String {
    let place = EventType::ALL.iter().position(|known| *known == event_type).unwrap();
    let mut event = Map::new();
    event.insert("event_id".to_owned(), json!(format!("6f1c0c5e-4a55-4f6b-9f7e-{:012}", place + 1)));
    event.insert("timestamp".to_owned(), json!("2026-02-03T10:00:00Z"));
    event.insert("event_type".to_owned(), json!(event_type.name()));
    for field in event_type.fields() {
        event.insert(field.name.to_owned(), example(event_type, field));
    }
    Value::Object(event).to_string()
}

fn value(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Name => "text, not empty",
        FieldKind::Whole => "whole number, at least 0",
        FieldKind::Span => "number, at least 0",
        FieldKind::Ratio => "number from 0 to 1",
        FieldKind::Number => "number",
        FieldKind::Measurement => {
            "number; for counters at least 0 and added; for gauges also `\"NaN\"`, `\"+Inf\"`, `\"-Inf\"`"
        }
        FieldKind::Flag => "true or false",
        FieldKind::Texts => "list of texts",
        FieldKind::Tags => "object of texts: the labels",
        FieldKind::MetricType => "`counter`, `gauge` or `histogram`",
    }
}

fn words(event_type: EventType, field: &EventField) -> String {
    match field.usual_words(event_type) {
        [] => String::new(),
        words => format!(": {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
    }
}

fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Required => "required",
        Presence::Optional => "may be missing or null",
        Presence::Beside => "may be missing",
    }
}

fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Core => "core",
        Lane::JetStream => "JetStream",
    }
}

fn overview(page: &mut String) {
    let lanes = Config::default().wire().lanes;
    let subjects = Subjects::default();
    page.push_str("## Types\n| type | when | subject | lane |\n|---|---|---|---|\n");
    for event_type in EventType::ALL {
        let (name, when, subject) = (event_type.name(), event_type.sentence(), subjects.of(*event_type));
        let lane = lane(lanes.get(event_type).copied().unwrap_or(Lane::JetStream));
        let anchor = name.to_lowercase();
        let _ = writeln!(page, "| [{name}](#{anchor}) | {when} | `{subject}` | {lane} |");
    }
}

fn page() -> String {
    let mut page = INTRO.to_owned();
    overview(&mut page);
    for event_type in EventType::ALL {
        let (name, context) = (event_type.name(), event_type.context());
        let _ =
            write!(page, "\n### {name}\n{} Its [metrics](metrics.md#{context}).\n\n", event_type.sentence());
        page.push_str("| field | value | |\n|---|---|---|\n");
        for field in event_type.fields() {
            let (value, words) = (value(field.kind), words(*event_type, field));
            let _ = writeln!(page, "| `{}` | {value}{words} | {} |", field.name, presence(field.presence));
        }
        let _ = write!(page, "\n```json\n{}\n```\n", example_line(*event_type));
    }
    page
}

#[test]
fn the_page_of_events_says_what_the_table_says() {
    let page = page();
    if std::env::var_os("UPDATE_EVENTS_PAGE").is_some() {
        std::fs::write(PATH, &page).unwrap();
    }
    let known = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(page == known, "docs/events.md is another: UPDATE_EVENTS_PAGE=1 writes it; read the difference");
}
