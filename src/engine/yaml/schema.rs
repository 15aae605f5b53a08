//! JSON Schema (draft 2020-12) of files whose keys stand in a table, from that table.

use serde_json::{Map, Value, json};

use super::keys::{Effect, Key, KeyDefault, KeyKind, Names, Zero};

/// How durations are written.
const DURATION_PATTERN: &str =
    "^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$";
/// How sizes are written.
const SIZE_PATTERN: &str = "^[0-9_]+ ?(B|kB|MB|GB|KiB|MiB|GiB)?$";

/// The schema of a file with these keys.
pub(crate) fn document(title: &str, keys: &[Key]) -> Value {
    let mut schema = section(keys);
    if let Value::Object(top) = &mut schema {
        top.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        top.insert("title".to_owned(), json!(title));
    }
    schema
}

/// A mapping with these keys and no others.
fn section(keys: &[Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut property = kind(key.kind);
        if let Value::Object(fields) = &mut property {
            let default = match key.default.shown() {
                "" => String::new(),
                default => format!(" Default: {default}."),
            };
            let effect = match (key.kind, key.effect) {
                (KeyKind::Section(_), _) | (_, Effect::Live) => "",
                (_, Effect::Restart) => " A change needs a restart.",
            };
            fields.insert("description".to_owned(), json!(format!("{}{default}{effect}", key.sentence())));
        }
        properties.insert(key.name.to_owned(), property);
    }
    let required: Vec<&str> =
        keys.iter().filter(|key| key.default == KeyDefault::Required).map(|key| key.name).collect();
    json!({
        "type": ["object", "null"], "additionalProperties": false,
        "properties": properties, "required": required,
    })
}

fn kind(kind_of: KeyKind) -> Value {
    match kind_of {
        KeyKind::Text | KeyKind::Secret => json!({"type": ["string", "number", "boolean"]}),
        KeyKind::Flag => json!({"type": "boolean"}),
        KeyKind::Count(least) => json!({"type": "integer", "minimum": least}),
        KeyKind::Number => json!({"type": "number"}),
        KeyKind::Size => json!({"type": ["string", "integer"], "pattern": SIZE_PATTERN}),
        KeyKind::Duration(Zero::Allowed) => {
            json!({"type": ["string", "integer"], "pattern": DURATION_PATTERN})
        }
        KeyKind::Duration(Zero::Refused) => json!({"type": "string", "pattern": DURATION_PATTERN}),
        KeyKind::DurationByGlob => json!({"anyOf": [
            {"type": "string", "pattern": DURATION_PATTERN},
            {"type": "object", "additionalProperties": {"type": "string", "pattern": DURATION_PATTERN}},
        ]}),
        KeyKind::DurationByName(names) => json!({"anyOf": [
            {"type": "string", "pattern": DURATION_PATTERN},
            {
                "type": "object", "propertyNames": {"enum": (names.all)()},
                "additionalProperties": {"type": "string", "pattern": DURATION_PATTERN},
            },
        ]}),
        KeyKind::Word(words) => json!({"enum": words}),
        KeyKind::List(element) => json!({"type": "array", "items": kind(*element)}),
        KeyKind::OneOrMany(element) => {
            json!({"anyOf": [kind(*element), {"type": "array", "items": kind(*element)}]})
        }
        KeyKind::Map(element) => json!({"type": "object", "additionalProperties": kind(*element)}),
        KeyKind::ByName(names, element) => json!({
            "type": "object", "propertyNames": name_of(names), "additionalProperties": kind(*element),
        }),
        KeyKind::Name(names) => name_of(names),
        KeyKind::Anything => json!({}),
        KeyKind::Section(keys) => section(keys),
    }
}

fn name_of(names: Names) -> Value {
    json!({"enum": (names.all)()})
}
