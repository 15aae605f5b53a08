//! The behaviour cases under `tests/wire`: one message a line, and what each element of it comes to.
//!
//! A line names a `base` of `events.jsonl` to change (`set` members, `raw` JSON text of members, `drop` members), or a
//! `payload` (JSON), `text`, `hex`, or `repeat` `[before, middle, times, after]`; `array` wraps it into one beside
//! others. `lane`, `subject` and `headers` default to what suits the base. `expect` says `<type> <verdict>` of each
//! element; `json` what the first event reads as.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::inspect::inspect;
use super::{Decoder, Element, EventType, Lane, Message, Verdict};
use super::{Transform, TransformStep, WireSettings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    base: Option<String>,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    raw: BTreeMap<String, String>,
    #[serde(default)]
    drop: Vec<String>,
    payload: Option<Value>,
    text: Option<String>,
    hex: Option<String>,
    repeat: Option<(String, String, usize, String)>,
    lane: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    headers: String,
    expect: Vec<String>,
    json: Option<String>,
}

const INSTANCE: &str = "signalbox-1";

/// The default configuration with smaller limits, and one transform.
fn config() -> WireSettings {
    let rename = |from: &str, to: &str| TransformStep::Rename { from: from.into(), to: to.into() };
    let priorities = [("1", "high"), ("2", "medium")].map(|(from, to)| (from.to_owned(), to.to_owned()));
    let steps = vec![
        rename("id", "event_id"),
        rename("queue", "queue_name"),
        rename("payload_kib", "payload_size"),
        TransformStep::Scale { field: "payload_size".into(), factor: 1024.0 },
        TransformStep::Map { field: "priority".into(), values: BTreeMap::from(priorities) },
        TransformStep::Default { field: "submitter".into(), json: "\"api\"".into() },
        TransformStep::Drop { field: "shard".into() },
    ];
    WireSettings {
        message_bytes_max: 65_536 * 2,
        elements_max: 100,
        transforms: vec![Transform { event_type: EventType::JobQueued, major: 2, steps }],
        ..WireSettings::of_tests()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

#[expect(clippy::disallowed_methods, reason = "the cases are data files")]
fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// One valid event of each type, as text and by name.
fn events() -> BTreeMap<String, String> {
    lines(&folder().join("events.jsonl"))
        .into_iter()
        .map(|line| {
            (serde_json::from_str::<Value>(&line).unwrap()["event_type"].as_str().unwrap().to_owned(), line)
        })
        .collect()
}

/// What an element comes to, in the words of the cases; an event with its JSON.
fn outcome(element: &Element<'_>) -> (String, Option<String>) {
    let name = element.event_type.map_or("unknown", EventType::name);
    let refused = |refusal: &super::Refusal| (format!("{name} {}", refusal.reason.name()), None);
    match &element.verdict {
        Verdict::Own => (format!("{name} own"), None),
        Verdict::Refused(refusal) => refused(refusal),
        Verdict::Draft(draft) => match draft.event() {
            Ok(event) => (format!("{name} event"), Some(event.to_json())),
            Err(refusal) => refused(&refusal),
        },
    }
}

impl Case {
    fn payload(&self, events: &BTreeMap<String, String>) -> Vec<u8> {
        if let Some(base) = &self.base {
            return self.changed(&events[base]).into_bytes();
        }
        if let Some(hex) = &self.hex {
            let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
            return digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
        }
        if let Some((before, middle, times, after)) = &self.repeat {
            return format!("{before}{}{after}", middle.repeat(*times)).into_bytes();
        }
        let text = self.text.clone().or_else(|| self.payload.as_ref().map(Value::to_string));
        text.expect("a case has a payload").into_bytes()
    }

    fn changed(&self, base: &str) -> String {
        let base: Map<String, Value> = serde_json::from_str(base).unwrap();
        let kept =
            base.into_iter().filter(|(name, _)| !self.drop.contains(name) && !self.raw.contains_key(name));
        let mut members: Map<String, Value> = kept.collect();
        members.extend(self.set.clone());
        let printed = members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
        let raw = self.raw.iter().map(|(name, raw)| format!("{}:{raw}", Value::from(name.as_str())));
        format!("{{{}}}", printed.chain(raw).collect::<Vec<_>>().join(","))
    }

    fn lane(&self) -> Lane {
        match (self.lane.as_deref(), self.base.as_deref()) {
            (Some("core"), _) | (None, Some("MetricRecorded" | "ProgressUpdated" | "JobProgressUpdated")) => {
                Lane::Core
            }
            _ => Lane::JetStream,
        }
    }
}

/// Runs a case and says what is not as it should be.
fn fault(case: &Case, decoder: &mut Decoder, events: &BTreeMap<String, String>) -> Option<String> {
    let payload = case.payload(events);
    let headers = case.headers.as_bytes();
    let message =
        Message { subject: case.subject.as_deref().unwrap_or("events.x.y"), headers, payload: &payload };
    let mut found = Vec::new();
    decoder.decode(case.lane(), &message, |element| found.push(outcome(&element)));
    let labels: Vec<&String> = found.iter().map(|(label, _)| label).collect();
    if labels != case.expect.iter().collect::<Vec<_>>() {
        return Some(format!("{}: {labels:?}, expected {:?}", case.name, case.expect));
    }
    if let Some(what) = disagreement(&message, &case.expect) {
        return Some(format!("{}: {what}", case.name));
    }
    let json = found.iter().find_map(|(_, json)| json.clone());
    case.json
        .as_ref()
        .filter(|expected| json.as_ref() != Some(*expected))
        .map(|_| format!("{}: {json:?}", case.name))
}

/// Where what is inspected for its producer does not agree with what the decoder says of a single event.
fn disagreement(message: &Message<'_>, expect: &[String]) -> Option<String> {
    let [expected] = expect else { return None };
    let found = inspect(message, config().depth_max);
    let is_array = message.payload.trim_ascii_start().starts_with(b"[");
    let faults = found.faults.len();
    match expected.split_once(' ')? {
        (_, "event") if !is_array && faults > 0 => Some(format!("it is an event and has {:?}", found.faults)),
        ("unknown", _) | (_, "other_lane" | "own") => None,
        (name, "invalid_field")
            if found.event_type.is_some_and(|known| known.name() == name) && faults == 0 =>
        {
            // Of another major version the transform's result is judged, and of an envelope the envelope.
            let text = String::from_utf8_lossy(message.payload);
            let is_elsewhere = text.contains("\"event_version\":\"2") || text.contains("specversion");
            (!is_elsewhere && message.headers.is_empty()).then(|| "no field is wrong".to_owned())
        }
        _ => None,
    }
}

#[test]
fn every_message_comes_to_what_its_case_says() {
    let events = events();
    let mut decoder = Decoder::new(&config(), INSTANCE);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name != "events.jsonl"));
    files.sort();
    assert!(files.len() >= 20);
    let mut faults = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for (place, line) in lines(&file).iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(case) => {
                    faults.extend(fault(&case, &mut decoder, &events).map(|what| format!("{name}: {what}")));
                }
                Err(error) => faults.push(format!("{name}:{}: {error}", place + 1)),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn canonical_json_is_written_as_it_was_read() {
    let events = events();
    assert_eq!(events.len(), EventType::ALL.len());
    let config = config();
    let mut decoder = Decoder::new(&config, INSTANCE);
    for (name, line) in &events {
        let lane = config.lanes[&EventType::from_name(name).unwrap()];
        let message = Message { subject: "", headers: &[], payload: line.as_bytes() };
        let mut written = Vec::new();
        decoder.decode(lane, &message, |element| written.push(outcome(&element)));
        assert_eq!(written, [(format!("{name} event"), Some(line.clone()))]);
    }
}

#[test]
fn no_prefix_of_an_event_is_one() {
    let config = config();
    let mut decoder = Decoder::new(&config, INSTANCE);
    for (name, line) in &events() {
        let lane = config.lanes[&EventType::from_name(name).unwrap()];
        for end in 0..line.len() {
            let message = Message { subject: "", headers: &[], payload: &line.as_bytes()[..end] };
            decoder.decode(lane, &message, |element| assert_eq!(outcome(&element).0, "unknown malformed"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn an_event_with_changed_bytes_is_json_to_the_decoder_as_it_is_to_serde_json(
        event in any::<Index>(), changes in prop::collection::vec((any::<Index>(), piece()), 1..4), spaced in any::<bool>(),
    ) {
        static LINES: LazyLock<Vec<String>> = LazyLock::new(|| events().into_values().collect());
        let event = event.get(&LINES);
        let event = if spaced { event.replace(",\"", ", \"").replace("\":", "\": ") } else { event.clone() };
        let mut changed: Vec<char> = event.chars().collect();
        for (place, piece) in changes {
            let place = place.index(changed.len());
            changed.splice(place..=place, piece.chars());
        }
        let changed: String = changed.into_iter().collect();
        let mut found = Vec::new();
        let mut decoder = Decoder::new(&config(), INSTANCE);
        for payload in [&event, &changed, &event, &changed] {
            let message = Message { subject: "", headers: &[], payload: payload.as_bytes() };
            decoder.decode(Lane::Core, &message, |element| found.push(outcome(&element)));
        }
        prop_assert_eq!(found.len(), 4, "{}", changed);
        prop_assert_eq!(&found[1], &found[3], "what came before changes nothing: {}", changed);
        // Half a surrogate pair is not made here, but a name may be changed into another's, which serde takes.
        prop_assume!(!serde_json::from_str(&changed).is_ok_and(|names: Names| names.repeat()));
        let json = serde_json::from_str::<IgnoredAny>(&changed).is_ok();
        let object = changed.starts_with('{');
        prop_assert_eq!(found[1].0 == "unknown malformed", !(json && object), "{}", changed);
    }
}

/// The names of the members of an object, each as often as it stands there.
struct Names(Vec<String>);

impl Names {
    fn repeat(&self) -> bool {
        self.0.iter().collect::<BTreeSet<_>>().len() < self.0.len()
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Names;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = members.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// What replaces a character: none, one that means something in JSON, or any.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "", "\"", "\\", ",", ":", "{", "}", "[", "]", " ", "\n", "0", "-", ".", "e", "null", "\u{1}", "\\n",
        "é",
    ];
    prop_oneof![3 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)]
}
