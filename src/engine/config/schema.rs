//! JSON Schema (draft 2020-12) of files whose keys stand in a table, from that table.

use serde_json::{Map, Value, json};

use super::keys::{Key, Kind, Zero};
use crate::engine::wire::EventType;

/// How durations are written.
const DURATION_PATTERN: &str =
    "^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$";
/// How sizes are written.
const SIZE_PATTERN: &str = "^[0-9_]+ ?(B|kB|MB|GB|KiB|MiB|GiB)?$";

/// The schema of a file with these keys.
pub fn document(title: &str, keys: &[Key]) -> Value {
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
            let default =
                if key.default.is_empty() { String::new() } else { format!(" Default: {}.", key.default) };
            fields.insert("description".to_owned(), json!(format!("{}{default}", key.about)));
        }
        properties.insert(key.name.to_owned(), property);
    }
    let required: Vec<&str> =
        keys.iter().filter(|key| key.default == "required").map(|key| key.name).collect();
    json!({
        "type": ["object", "null"], "additionalProperties": false,
        "properties": properties, "required": required,
    })
}

fn kind(kind_of: Kind) -> Value {
    match kind_of {
        Kind::Text | Kind::Secret => json!({"type": ["string", "number", "boolean"]}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Count(least) => json!({"type": "integer", "minimum": least}),
        Kind::Number => json!({"type": "number"}),
        Kind::Size => json!({"type": ["string", "integer"], "pattern": SIZE_PATTERN}),
        Kind::Duration(Zero::Allowed) => json!({"type": ["string", "integer"], "pattern": DURATION_PATTERN}),
        Kind::Duration(Zero::Refused) => json!({"type": "string", "pattern": DURATION_PATTERN}),
        Kind::DurationByGlob => json!({"anyOf": [
            {"type": "string", "pattern": DURATION_PATTERN},
            {"type": "object", "additionalProperties": {"type": "string", "pattern": DURATION_PATTERN}},
        ]}),
        Kind::Word(words) => json!({"enum": words}),
        Kind::List(element) => json!({"type": "array", "items": kind(*element)}),
        Kind::OneOrMany(element) => {
            json!({"anyOf": [kind(*element), {"type": "array", "items": kind(*element)}]})
        }
        Kind::Map(element) => json!({"type": "object", "additionalProperties": kind(*element)}),
        Kind::ByEventType(element) => json!({
            "type": "object", "propertyNames": {"enum": event_types()}, "additionalProperties": kind(*element),
        }),
        Kind::EventType => json!({"enum": event_types()}),
        Kind::Anything => json!({}),
        Kind::Section(keys) => section(keys),
    }
}

fn event_types() -> Vec<&'static str> {
    EventType::ALL.iter().map(|event_type| event_type.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::keys::KEYS;
    use super::*;

    #[test]
    fn the_schema_names_every_key_and_refuses_others() {
        let schema = document("configuration", KEYS);
        assert_eq!(schema["additionalProperties"], json!(false));
        for key in KEYS {
            assert!(schema["properties"][key.name].is_object(), "{}", key.name);
        }
        assert_eq!(schema["properties"]["jetstream"]["properties"]["enabled"]["type"], json!("boolean"));
        assert_eq!(schema["properties"]["metrics"]["items"]["required"], json!(["match"]));
    }
}
