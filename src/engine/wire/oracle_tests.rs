//! Every type against a second, slow reading: members are generated, judged one by one from the table of kinds, printed
//! in any order and spelling, and decoded. What is valid is written and read again.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::WireSettings;
use super::table::event_table;
use super::{Decoder, EventType, Message, Refusal, Verdict, likely_id};

/// Expands the table as data.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident $context:literal { $($field:ident: $kind:ident,)* })*) => {
        const SHAPES: &[(EventType, &[(&str, &str)])] =
            &[$((EventType::$name, &[$((stringify!($field), stringify!($kind)),)*]),)*];
    };
}

event_table!(shapes);

const ID: &str = "0190a5f2-7b1e-7c3d-9f00-000000000001";

/// A JSON value whose numbers are kept as they are spelled.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    Texts(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn print(&self, out: &mut String, separators: Separators) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(flag) => out.push_str(&flag.to_string()),
            Self::Number(raw) => out.push_str(raw),
            Self::Text(text) => out.push_str(&Value::from(text.as_str()).to_string()),
            Self::Texts(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place > 0 { separators.0 } else { "" });
                    item.print(out, separators);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    out.push_str(if place > 0 { separators.0 } else { "" });
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push_str(separators.1);
                    value.print(out, separators);
                }
                out.push('}');
            }
        }
    }

    /// The number, where it is a finite one.
    fn finite(&self) -> Option<f64> {
        let Self::Number(raw) = self else { return None };
        raw.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// Whether a field of this kind may be this.
    fn suits(&self, kind: &str, metric_type: Option<&Self>) -> bool {
        if let Some(kind) = kind.strip_prefix("optional_") {
            return *self == Self::Null || self.suits(kind, metric_type);
        }
        let word =
            |json: &Self, words: &[&str]| matches!(json, Self::Text(text) if words.contains(&text.as_str()));
        match kind {
            "text" => matches!(self, Self::Text(_)),
            "beside_text" => true,
            "name" => matches!(self, Self::Text(text) if !text.is_empty()),
            "whole" => self.finite().is_some_and(|number| number >= 0.0 && number.fract() == 0.0),
            "span" => self.finite().is_some_and(|number| number >= 0.0),
            "ratio" => self.finite().is_some_and(|number| (0.0..=1.0).contains(&number)),
            "number" => self.finite().is_some(),
            "flag" => matches!(self, Self::Flag(_)),
            "texts" => {
                matches!(self, Self::Texts(items) if items.iter().all(|item| matches!(item, Self::Text(_))))
            }
            "tags" => {
                matches!(self, Self::Object(tags) if tags.iter().all(|(_, tag)| matches!(tag, Self::Text(_))))
            }
            "metric_type" => word(self, &["counter", "gauge", "histogram"]),
            "measurement" => match metric_type {
                Some(gauge) if word(gauge, &["gauge"]) && matches!(self, Self::Text(_)) => {
                    word(self, &["NaN", "+Inf", "-Inf"])
                }
                Some(counter) if word(counter, &["counter"]) => {
                    self.finite().is_some_and(|number| number >= 0.0)
                }
                _ => self.finite().is_some(),
            },
            other => unreachable!("{other}"),
        }
    }

    /// Whether a value that was written stands for this one, of an optional field that may be absent.
    fn is_written_as(&self, written: &Value) -> bool {
        match (self, written) {
            (Self::Null, Value::Null) => true,
            (Self::Flag(flag), written) => written == flag,
            (Self::Number(raw), Value::Number(number)) => {
                // The standard library reads the shortest spelling; serde_json's own reading may be one step off.
                let same = number.to_string().parse::<f64>() == raw.parse::<f64>();
                same || number
                    .as_f64()
                    .zip(raw.parse().ok())
                    .is_some_and(|(a, b): (f64, f64)| (a - b).abs() <= b.abs() * 1e-15)
            }
            (Self::Text(text), written) => written == text,
            (Self::Texts(items), Value::Array(written)) => {
                items.len() == written.len()
                    && items.iter().zip(written).all(|(item, written)| item.is_written_as(written))
            }
            (Self::Object(tags), Value::Object(written)) => {
                tags.len() == written.len()
                    && tags.iter().all(|(name, tag)| {
                        written.get(name).is_some_and(|written| tag.is_written_as(written))
                    })
            }
            _ => false,
        }
    }
}

fn number() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => any::<u32>().prop_map(|whole| whole.to_string()),
        2 => (0.0..=1.0).prop_map(|real: f64| real.to_string()),
        1 => any::<u64>().prop_map(|whole| whole.to_string()),
        1 => any::<i64>().prop_map(|whole| whole.to_string()),
        1 => any::<i16>().prop_map(|whole| format!("{whole}.0")),
        1 => any::<f64>().prop_filter("finite", |real| real.is_finite()).prop_map(|real| format!("{real:e}")),
        1 => prop::sample::select(vec!["-0", "0.0", "1e999", "-1e999", "1e-999", "1E+2", "25e-2", "0.1e1"]).prop_map(str::to_owned),
    ]
    .prop_map(Json::Number)
}

fn text() -> impl Strategy<Value = Json> {
    let words =
        vec!["", "counter", "gauge", "histogram", "NaN", "+Inf", "-Inf", "default", "a\"\\\n\u{1}é😀"];
    prop_oneof![3 => prop::sample::select(words).prop_map(str::to_owned), 1 => any::<String>()]
        .prop_map(Json::Text)
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::Flag), number(), text()];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let names = "[a-c]{1,3}|tags|event_id|é\"";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Texts),
            prop::collection::btree_map(names, inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Mostly what suits the kind, sometimes anything at all.
fn value(kind: &str) -> BoxedStrategy<Json> {
    let tags = || prop::collection::btree_map("[a-e]{1,2}|\"\n", text(), 0..20);
    let fitting = match kind.trim_start_matches("optional_") {
        "text" | "name" | "beside_text" => text().boxed(),
        "flag" => any::<bool>().prop_map(Json::Flag).boxed(),
        "texts" => prop::collection::vec(text(), 0..4).prop_map(Json::Texts).boxed(),
        "tags" => tags().prop_map(|tags| Json::Object(tags.into_iter().collect())).boxed(),
        "metric_type" => prop::sample::select(vec!["counter", "gauge", "histogram"])
            .prop_map(|word| Json::Text(word.to_owned()))
            .boxed(),
        "measurement" => prop_oneof![4 => number(), 1 => text()].boxed(),
        "ratio" => prop_oneof![5 => 0.0..=1.0, 1 => -0.5..2.0]
            .prop_map(|real: f64| Json::Number(real.to_string()))
            .boxed(),
        "whole" => any::<u64>().prop_map(|whole| Json::Number(whole.to_string())).boxed(),
        _ => number().boxed(),
    };
    prop_oneof![40 => fitting, 1 => json()].boxed()
}

type Members = Vec<(String, Json)>;

/// What is printed between members, and between a key and its value.
type Separators = (&'static str, &'static str);

fn separators() -> impl Strategy<Value = Separators> {
    prop::sample::select(vec![(",", ":"), (", ", ": "), (",", ": "), (" ,\n", " :\t"), (",  ", ":  ")])
}

/// A type, and an object of members in any order; now and then one is missing or one too many.
fn event() -> impl Strategy<Value = (EventType, Members)> {
    let shape = prop::sample::select(SHAPES.to_vec());
    shape.prop_flat_map(|(event_type, fields)| {
        let text = |text: &str| Json::Text(text.to_owned());
        let mut members = vec![
            Just(("event_id".to_owned(), text(ID))).boxed(),
            Just(("timestamp".to_owned(), text("2026-02-03T04:05:06.789Z"))).boxed(),
            Just(("event_type".to_owned(), text(event_type.name()))).boxed(),
        ];
        members.extend(fields.iter().map(|(name, kind)| (Just((*name).to_owned()), value(kind)).boxed()));
        let extra = prop::option::weighted(0.3, ("x[a-z]{0,9}", json()));
        (Just(event_type), members, extra, prop::option::weighted(0.1, any::<prop::sample::Index>()))
            .prop_map(|(event_type, mut members, extra, missing)| {
                if let Some(missing) = missing {
                    members.remove(missing.index(members.len()));
                }
                members.extend(extra);
                (event_type, members)
            })
            .prop_flat_map(|(event_type, members)| (Just(event_type), Just(members).prop_shuffle()))
    })
}

/// What is to become of the members, by the table alone.
fn expected(event_type: EventType, members: &Members) -> bool {
    let get = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let fields = SHAPES.iter().find(|(known, _)| *known == event_type).map_or(&[][..], |(_, fields)| *fields);
    get("event_id").is_some()
        && get("timestamp").is_some()
        && fields.iter().all(|(name, kind)| match get(name) {
            Some(value) => value.suits(kind, get("metric_type")),
            None => kind.starts_with("optional_") || *kind == "beside_text",
        })
}

/// Whether a value stands in a field that takes it for none.
fn is_none(event_type: EventType, name: &str, value: &Json) -> bool {
    let fields = SHAPES.iter().find(|(known, _)| *known == event_type).map_or(&[][..], |(_, fields)| *fields);
    fields.contains(&(name, "beside_text")) && !matches!(value, Json::Text(_))
}

/// The JSON of the event that each of the payloads is, read one after the other by one decoder; its type is the
/// subject's where it does not say its own.
fn decoded(event_type: EventType, payloads: &[impl AsRef<[u8]>]) -> Vec<Result<String, Refusal>> {
    let config = WireSettings::of_tests();
    let subject = format!("events.x.{}", event_type.name());
    let mut decoder = Decoder::new(&config, "");
    let mut found = Vec::new();
    for payload in payloads {
        let payload = payload.as_ref();
        let message = Message { subject: &subject, headers: &[], payload };
        decoder.decode_glanced(config.lanes[&event_type], &message, likely_id(payload), |element| {
            found.push(match element.verdict {
                Verdict::Draft(draft) => draft.event().map(|event| event.to_json()),
                Verdict::Refused(refusal) => Err(refusal),
                Verdict::Own => unreachable!("no source is given"),
            });
        });
    }
    assert_eq!(found.len(), payloads.len());
    found
}

/// What happens to the text of an event.
#[derive(Clone, Debug)]
enum Change {
    /// A byte becomes another.
    Byte(u8),
    /// Bytes are left out.
    Cut(usize),
    /// Bytes stand there twice.
    Twice(usize),
    /// Something stands there beside what was there.
    Insert(&'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = vec![
        "\"",
        "\\",
        "\\u0041",
        "\\ud800",
        " ",
        "\n",
        "\u{1}",
        "é",
        "0",
        "-",
        ".",
        "e9",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1.0",
        ",\"x\":1",
        ",\"x\":{\"a\":[1]}",
        "\"event_id\":",
        "\"tags\":{\"a\":\"1\",\"a\":\"2\"},",
    ];
    prop_oneof![
        any::<u8>().prop_map(Change::Byte),
        prop::sample::select(b"\"\\{}[]:, 0.eN\x00\x1f\x7f\xff".to_vec()).prop_map(Change::Byte),
        (1_usize..80).prop_map(Change::Cut),
        (1_usize..80).prop_map(Change::Twice),
        prop::sample::select(pieces).prop_map(Change::Insert),
    ]
}

impl Change {
    /// The text with the change at a place.
    fn made(&self, text: &str, place: usize) -> Vec<u8> {
        let (before, after) = text.as_bytes().split_at(place);
        let rest = |length: usize| &after[length.min(after.len())..];
        match self {
            Self::Byte(byte) => [before, &[*byte], rest(1)].concat(),
            Self::Cut(length) => [before, rest(*length)].concat(),
            Self::Twice(length) => [before, &after[..after.len() - rest(*length).len()], after].concat(),
            Self::Insert(piece) => [before, piece.as_bytes(), after].concat(),
        }
    }
}

#[test]
fn durations_and_no_other_numbers_may_be_fractions() {
    for (name, kind) in SHAPES.iter().flat_map(|(_, fields)| *fields) {
        let duration = name.ends_with("_ms") || name.ends_with("_seconds");
        assert_eq!(kind.ends_with("span"), duration, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn an_event_is_judged_field_by_field_and_written_as_it_was_read(
        (event_type, members) in event(), first in separators(), second in separators(),
    ) {
        let (mut payload, mut respaced) = (String::new(), String::new());
        Json::Object(members.clone()).print(&mut payload, first);
        Json::Object(members.clone()).print(&mut respaced, second);
        let found = decoded(event_type, &[&payload, &respaced, &payload]);
        let decoded_json = found[0].clone();
        prop_assert_eq!(decoded_json.is_ok(), expected(event_type, &members), "{} {:?}", payload, decoded_json);
        if let Ok(json) = decoded_json {
            let written: Map<String, Value> = serde_json::from_str(&json).unwrap();
            for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('x')) {
                let value = if is_none(event_type, name, value) { &Json::Null } else { value };
                prop_assert!(value.is_written_as(&written[name]), "{}: {:?} in {}", name, value, json);
            }
            let again = decoded(event_type, &[&json, &payload, &json]);
            prop_assert_eq!(&again[0], &found[0], "written and read again");
            prop_assert_eq!(&again[2], &found[0], "and after others");
        }
        // White space is kept in tags alone, and what came before changes nothing.
        prop_assert_eq!(&found[2], &found[0]);
        prop_assert_eq!(found[1].is_ok(), found[0].is_ok(), "{}", respaced);
    }

    #[test]
    fn what_was_read_before_changes_nothing_of_what_is_read(
        (event_type, members) in event(), separators in separators(), change in change(),
        place in any::<prop::sample::Index>(), sorted in any::<bool>(),
    ) {
        let mut members = members;
        if sorted {
            members.sort_by_key(|(name, _)| (name != "event_id", name != "timestamp", name != "event_type"));
        }
        let mut payload = String::new();
        Json::Object(members).print(&mut payload, separators);
        let changed = change.made(&payload, place.index(payload.len()));
        let alone = [decoded(event_type, &[payload.as_bytes()]), decoded(event_type, &[&changed])].concat();
        let [usual, changed] = [payload.as_bytes(), changed.as_slice()];
        let found = decoded(event_type, &[usual, usual, changed, usual, changed, changed, usual]);
        for (found, is_changed) in found.iter().zip([0, 0, 1, 0, 1, 1, 0]) {
            prop_assert_eq!(found, &alone[is_changed], "{} {:?}", payload, String::from_utf8_lossy(changed));
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_yield_nothing(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let config = WireSettings::of_tests();
        let mut count = 0;
        let message = Message { subject: "events.queue.JobQueued", headers: &bytes, payload: &bytes };
        Decoder::new(&config, "").decode(config.lanes[&EventType::JobQueued], &message, |_| count += 1);
        prop_assert_eq!(count, 1);
    }
}
