//! Tests of the configuration file.

use std::sync::Arc;
use std::time::Duration;

use super::{Config, Evaluate, NameScheme, Secret, StreamStart, TrackerName};
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::wire::{EventType, Lane, TransformStep};

fn parse(text: &str) -> (Option<Config>, Vec<Diagnostic>) {
    Config::parse(&Source { name: Arc::from("signalbox.yaml"), text: Arc::from(text) })
}

fn found(text: &str) -> Vec<(String, String)> {
    let (_, diagnostics) = parse(text);
    let shown = |found: &Diagnostic| {
        (found.source.text[found.span.clone()].lines().next().unwrap_or("").to_owned(), found.message.clone())
    };
    diagnostics.iter().map(shown).collect()
}

#[test]
fn an_empty_file_is_the_defaults() {
    for text in ["", "# nothing\n", "nats:\nlimits: {}\n"] {
        let defaults = Config { written: text.into(), ..Config::default() };
        assert_eq!(parse(text), (Some(defaults), Vec::new()), "{text:?}");
    }
}

#[test]
fn what_is_shown_of_the_file_holds_no_secret() {
    let text = "nats: {token: opensesame, url: 'nats://me:opensesame@host'}\n\
                alertmanager: {authorization: {credentials: \"open\\x73esame\"}}\n";
    let written = parse(text).0.unwrap().written;
    assert!(
        !written.contains("sesame") && written.contains("@host") && written.len() == text.len(),
        "{written}"
    );
}

#[test]
fn every_part_of_the_engine_follows_the_file() {
    let text = r#"
namespace: shop
dedupe: {entries: 0, age: 10m}
limits: {series: 5, message_bytes: 64KiB, tracker_age: 1h30m, abandon_after: {jobs: 2h}}
lanes: {JobQueued: core, ProgressUpdated: jetstream}
stale_after: {"queue_*": 10m, "*": 2h}
metrics:
  - {match: db_*, buckets: [0.1, 1], drop_labels: table}
history: {step: 1s, window: 10m, bytes_max: 1MiB}
utf8_names: true
evaluate: interval
transforms:
  - event_type: JobQueued
    major: 2
    steps:
      - rename: {queue: queue_name}
      - default: {submitter: unknown, payload_size: 0}
        scale: {wait: 1000}
      - map: {priority: {urgent: high}}
      - drop: [legacy]
"#;
    let (config, diagnostics) = parse(text);
    assert_eq!(diagnostics, []);
    let engine = config.unwrap().named("me");
    assert_eq!((engine.instance.as_str(), engine.namespace.as_str()), ("me", "shop"));
    assert_eq!((engine.dedupe.entries, engine.dedupe.age), (0, Duration::from_mins(10)));
    assert_eq!((engine.limits.series, engine.limits.message_bytes), (5, 64 << 10));
    assert_eq!(engine.trackers().age, Duration::from_mins(90));
    assert_eq!(engine.trackers().abandon_after, [(TrackerName::Jobs, Duration::from_hours(2))].into());
    assert_eq!(engine.wire().lanes[&EventType::JobQueued], Lane::Core);
    assert_eq!(engine.wire().lanes[&EventType::ProgressUpdated], Lane::JetStream);
    let stale_after = ["queue_depth", "db_pool_size"].map(|name| engine.stale_after.of(name));
    assert_eq!(stale_after, [Duration::from_mins(10), Duration::from_hours(2)]);
    assert_eq!(engine.metrics[0].pattern, "db_*");
    assert_eq!(engine.metrics[0].buckets.as_deref(), Some([0.1, 1.0].as_slice()));
    assert_eq!((engine.names, engine.evaluate), (NameScheme::Utf8, Evaluate::Interval));
    let steps = &engine.transforms.0[0].steps;
    assert_eq!(steps.len(), 6);
    assert_eq!(steps[1], TransformStep::Default { field: "submitter".into(), json: "\"unknown\"".into() });
}

#[test]
fn without_jetstream_every_type_rides_the_core_lane() {
    let (config, _) = parse("jetstream: {enabled: false, start: new}\n");
    let config = config.unwrap();
    assert!(config.wire().lanes.values().all(|lane| *lane == Lane::Core));
    assert_eq!(config.jetstream.start, StreamStart::New);
}

#[test]
fn everything_wrong_is_found_at_once_at_its_place() {
    let text = "\
listn: 127.0.0.1:1
nats: {url: 'http://x', user: me}
dedupe: {age: 10, entries: many}
limits: {message_bytes: 1TB, series: 0, abandon_after: {job: 1h, files: 0s}}
lanes: {JobQueud: core, JobStarted: jetstram}
metrics: [{buckets: [1, 1]}, {match: a, buckets: [2, 1]}]
history: {step: 0s}
evaluate: always
evaluate: interval
";
    let expected = [
        ("listn", "unknown key `listn`"),
        ("10", "`dedupe.age` is `10`, which is no duration"),
        ("many", "`dedupe.entries` is `many`, expected a whole number"),
        ("1TB", "`limits.message_bytes` is `1TB`, which is no size"),
        ("0", "`limits.series` is 0, at least 1 is needed"),
        ("job", "unknown tracker `job`"),
        ("0s", "`limits.abandon_after.files` is zero"),
        ("JobQueud", "unknown event type or context `JobQueud`"),
        ("jetstram", "`lanes.JobStarted` is `jetstram`, expected one of core, jetstream, off"),
        ("0s", "`history.step` is zero"),
        ("always", "`evaluate` is `always`, expected one of arrival, interval"),
    ];
    let found = found(text);
    for (place, message) in expected {
        assert!(found.contains(&(place.to_owned(), message.to_owned())), "{message}\n{found:#?}");
    }
    let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
    assert!(messages.contains(&"an element of `metrics` without `match`"));
    assert!(messages.contains(&"the bucket bound 1 does not rise"));
    assert!(messages.contains(&"`nats.user` is given without `nats.password`"));
    assert!(messages.contains(&"the server URL has a scheme other than nats:// and tls://"));
}

#[test]
fn lanes_turn_contexts_and_types_off_and_a_type_goes_before_its_context() {
    let lanes = |text: &str| parse(text).0.unwrap().lanes;
    let some = lanes("lanes: {JobStarted: core, queue: off, caching: core, CacheWarmerStarted: off}\n");
    let of = |event_type| some.by_type().get(&event_type).copied();
    assert_eq!(of(EventType::JobStarted), Some(Lane::Core));
    assert_eq!(of(EventType::JobQueued), None);
    assert_eq!(of(EventType::CacheEntryCreated), Some(Lane::Core));
    assert_eq!(of(EventType::CacheWarmerStarted), None);
    assert_eq!(of(EventType::QueryExecuted), Some(Lane::JetStream));
    let words = some.off_words();
    assert_eq!((words.first(), words.contains(&"JobQueued")), (Some(&"CacheWarmerStarted"), true));
    assert_eq!(some.with_all().off(), []);
    assert_eq!(some.with_all().by_type().get(&EventType::JobProgressUpdated), Some(&Lane::Core));
    assert_eq!(lanes("lanes: {queue: off, database: off}\n").off_words(), ["queue", "database"]);
    let all = "lanes: {processing: off, caching: off, queue: off, monitoring: off, database: off}\n";
    assert_eq!(found(all).len(), 1);
    assert_eq!(found(all)[0].1, "`lanes` turns every event type off");
}

#[test]
fn a_repeated_key_is_refused() {
    assert_eq!(
        found("listen: a:1\nlisten: b:2\n"),
        [("listen".to_owned(), "the key `listen` stands twice in one mapping".to_owned())]
    );
}

#[test]
fn no_diagnostic_and_no_debug_text_holds_a_secret() {
    let texts = [
        "nats: {user: a, password: hunter2, oops: 1}\n",
        "nats:\n  password: hunter2\n",
        "nats:\n  token: |\n    hunter2\n  oops: 1\n",
        "nats: {url: 'nats://me:hunter2@host', oops: 1}\n",
        "nats:\n  \"password\": hunter2\n bad\n",
        "nats: {nkey: [hunter2]}\n",
    ];
    for text in texts {
        let (_, diagnostics) = parse(text);
        assert!(!diagnostics.is_empty(), "{text}");
        let shown = format!("{diagnostics:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let (config, _) = parse("nats: {user: a, password: hunter2}\n");
    let nats = config.unwrap().nats;
    assert_eq!(nats.password.as_ref().map(Secret::reveal), Some("hunter2"));
    assert!(!format!("{nats:?}").contains("hunter2"));
}

/// A file that uses most of the notation, to be damaged.
const SAMPLE: &str = "instance: \"ä b\"\nnats: {url: [nats://u:p@h, 'tls://h:1'], user: a, password: &p |\n    x\n  }\n\
    lanes: {JobQueued: core}\nmetrics:\n  - {match: \"d_*\", buckets: [.1, 1, .inf]}\n  - <<: {help: *p}\nhistory: {step: 5s}\n\
    transforms: [{event_type: JobQueued, major: 2, steps: [{map: {a: {b: c}}, default: {x: [1, {y: ~}]}}]}]\n";

proptest::proptest! {
    #[test]
    fn no_damage_to_a_file_panics_and_every_finding_can_be_shown(
        cuts in proptest::collection::vec((0_usize..700, 0_usize..40, 0_usize..700), 0..6),
        put in "[\\PC\t\n]{0,12}",
    ) {
        let mut text = SAMPLE.to_owned();
        for (from, len, to) in cuts {
            let characters: Vec<char> = text.chars().collect();
            let moved: String = characters.iter().skip(from).take(len).collect();
            let mut kept: Vec<char> = characters.iter().take(from).chain(characters.iter().skip(from + len)).copied().collect();
            let at = to.min(kept.len());
            kept.splice(at..at, moved.chars().chain(put.chars()));
            text = kept.into_iter().collect();
        }
        let (config, diagnostics) = parse(&text);
        proptest::prop_assert!(config.is_some() || !diagnostics.is_empty());
        for found in &diagnostics {
            proptest::prop_assert!(found.source.text.get(found.span.clone()).is_some(), "{found:?}");
        }
        crate::engine::diagnostic::render(&diagnostics, crate::engine::diagnostic::Style::Plain);
    }
}
