//! JSON Schema (draft 2020-12, and true in draft 7) of the events a producer sends, from the table of event types.

use serde_json::{Map, Value, json};

use super::payload::EventType;
use super::shape::{EventField, FieldKind, Presence};

/// The dialect of the documents.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The four textual forms of a UUID, in any case.
const UUID: &str = "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}\
    |\\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\\}\
    |[Uu][Rr][Nn]:[Uu][Uu][Ii][Dd]:[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$";

/// RFC 3339, the offset left out for UTC.
const TIME: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)\
    (\\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?$";

/// Any version that is 1.x.
const VERSION: &str = "^1\\.(0|[1-9][0-9]*)(\\.(0|[1-9][0-9]*))?$";

/// The schema of one type as a document.
pub(crate) fn document(event_type: EventType) -> Value {
    let mut schema = Map::from_iter([("$schema".to_owned(), json!(DIALECT))]);
    schema.extend(members(event_type));
    Value::Object(schema)
}

/// The schema of every type: exactly one of them, by `event_type`.
pub(crate) fn document_of_all() -> Value {
    let alternatives = EventType::ALL.iter().map(|event_type| {
        let name = event_type.name();
        json!({
            "$ref": format!("#/$defs/{name}"),
            "properties": {"event_type": {"const": name}},
            "required": ["event_type"],
        })
    });
    json!({
        "$schema": DIALECT,
        "title": "signalbox events",
        "description": "One domain event, told by its event_type.",
        "oneOf": alternatives.collect::<Vec<Value>>(),
        "$defs": definitions(),
    })
}

/// The schema of every type by its name.
pub(crate) fn definitions() -> Map<String, Value> {
    let named = |event_type: &EventType| (event_type.name().to_owned(), Value::Object(members(*event_type)));
    EventType::ALL.iter().map(named).collect()
}

fn members(event_type: EventType) -> Map<String, Value> {
    let name = event_type.name();
    let mut properties = Map::new();
    let mut required = vec!["event_id", "timestamp"];
    let envelope = [
        ("event_id", json!({"type": "string", "pattern": UUID, "description": "A UUID; one event has one."})),
        (
            "timestamp",
            json!({"type": "string", "pattern": TIME, "description": "When it happened, RFC 3339; without an offset it is UTC."}),
        ),
        (
            "event_type",
            json!({"enum": [name, "", null], "description": "Where it is missing, header or subject name the type."}),
        ),
        (
            "event_version",
            json!({"type": ["string", "null"], "pattern": VERSION, "description": "1.x, 1.0 where it is missing."}),
        ),
    ];
    properties.extend(envelope.map(|(field, schema)| (field.to_owned(), schema)));
    for field in event_type.fields() {
        properties.insert(field.name.to_owned(), property(event_type, field));
        if field.presence == Presence::Required {
            required.push(field.name);
        }
    }
    let mut schema = Map::from_iter([
        ("title".to_owned(), json!(name)),
        ("description".to_owned(), json!(event_type.sentence())),
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("required".to_owned(), json!(required)),
    ]);
    if event_type.fields().iter().any(|field| field.kind == FieldKind::Measurement) {
        schema.insert("allOf".to_owned(), measurements());
    }
    schema
}

fn property(event_type: EventType, field: &EventField) -> Value {
    let (types, mut schema) = kind(field.kind);
    let mut types = types.to_vec();
    if field.presence == Presence::Optional {
        types.push("null");
    }
    match (field.presence, types.as_slice()) {
        (Presence::Required | Presence::Optional, [only]) => {
            schema.insert("type".to_owned(), json!(only));
        }
        (Presence::Required | Presence::Optional, several) => {
            schema.insert("type".to_owned(), json!(several));
        }
        // Whatever it is refuses nothing.
        (Presence::Beside, _) => schema.clear(),
    }
    let words = field.usual_words(event_type);
    if !words.is_empty() {
        schema.insert("examples".to_owned(), json!(words));
        schema.insert(
            "description".to_owned(),
            json!(format!("Usually {}; others are taken.", words.join(", "))),
        );
    }
    Value::Object(schema)
}

/// The JSON types of a kind, and what else holds for its values.
fn kind(kind: FieldKind) -> (&'static [&'static str], Map<String, Value>) {
    let (types, more): (&'static [&'static str], Value) = match kind {
        FieldKind::Text => (&["string"], json!({})),
        FieldKind::Name => (&["string"], json!({"minLength": 1})),
        FieldKind::Whole => (&["integer"], json!({"minimum": 0})),
        FieldKind::Span => (&["number"], json!({"minimum": 0})),
        FieldKind::Ratio => (&["number"], json!({"minimum": 0, "maximum": 1})),
        FieldKind::Number => (&["number"], json!({})),
        FieldKind::Measurement => (&["number", "string"], json!({})),
        FieldKind::Flag => (&["boolean"], json!({})),
        FieldKind::Texts => (&["array"], json!({"items": {"type": "string"}})),
        FieldKind::Tags => (&["object"], json!({"additionalProperties": {"type": "string"}})),
        FieldKind::MetricType => (&["string"], json!({"enum": ["counter", "gauge", "histogram"]})),
    };
    match more {
        Value::Object(more) => (types, more),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            (types, Map::new())
        }
    }
}

/// What a recorded value may be, by the type of its metric.
fn measurements() -> Value {
    let by_type = |metric_type: &str, value: Value| {
        json!({
            "if": {"properties": {"metric_type": {"const": metric_type}}},
            "then": {"properties": {"metric_value": value}},
        })
    };
    json!([
        by_type("counter", json!({"type": "number", "minimum": 0})),
        by_type("histogram", json!({"type": "number"})),
        by_type("gauge", json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "+Inf", "-Inf"]}]})),
    ])
}
