//! Keeps `docs/configuration.md` true: its tables are exactly what the table of keys says.

use std::fmt::Write;

use super::keys::KEYS;
use crate::engine::yaml::keys::{Key, KeyKind, Zero};

/// The documented tables: one of the top level, then one of each section.
fn tables() -> String {
    let mut text = String::new();
    table(&mut text, "The top level", KEYS);
    text.trim_end().to_owned()
}

fn table(text: &mut String, title: &str, keys: &'static [Key]) {
    write!(text, "### {title}\n\n| key | value | default | what it does |\n|---|---|---|---|\n").unwrap();
    for key in keys {
        let default = key.default.shown().replace('|', "\\|");
        writeln!(text, "| `{}` | {} | {default} | {} |", key.name, value(key.kind), key.about).unwrap();
    }
    text.push('\n');
    for key in keys {
        if let Some(inner) = key.inner() {
            let path = if title.starts_with('`') {
                format!("{}.{}", title.trim_matches('`'), key.name)
            } else {
                key.name.to_owned()
            };
            table(text, &format!("`{path}`"), inner);
        }
    }
}

fn value(kind: KeyKind) -> String {
    match kind {
        KeyKind::Text | KeyKind::Secret => "text".to_owned(),
        KeyKind::Flag => "`true` or `false`".to_owned(),
        KeyKind::Count(0) => "whole number".to_owned(),
        KeyKind::Count(least) => format!("whole number, at least {least}"),
        KeyKind::Number => "number".to_owned(),
        KeyKind::Size => "size".to_owned(),
        KeyKind::Duration(Zero::Allowed) => "duration or 0".to_owned(),
        KeyKind::Duration(Zero::Refused) => "duration".to_owned(),
        KeyKind::DurationByGlob => "duration, or glob: duration".to_owned(),
        KeyKind::DurationByName(names) => {
            let all: Vec<String> = (names.all)().iter().map(|name| format!("`{name}`")).collect();
            format!("duration, or {}: duration ({})", names.what, all.join(", "))
        }
        KeyKind::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        KeyKind::List(element) => format!("list of: {}", value(*element)),
        KeyKind::OneOrMany(element) => format!("{} or a list", value(*element)),
        KeyKind::Map(element) => format!("name: {}", value(*element)),
        KeyKind::ByName(names, element) => format!("{}: {}", names.what, value(*element)),
        KeyKind::Name(names) => names.what.to_owned(),
        KeyKind::Anything => "any value".to_owned(),
        KeyKind::Section(_) => "mapping".to_owned(),
    }
}

#[test]
fn the_documented_tables_are_those_of_the_keys() {
    let document = include_str!("../../../docs/configuration.md");
    let tables = tables();
    assert!(
        document.contains(&tables),
        "docs/configuration.md does not hold these tables; put them in:\n\n{tables}\n"
    );
}

#[test]
fn the_schema_names_every_key_and_refuses_others() {
    let schema = crate::engine::yaml::schema::document("configuration", KEYS);
    assert_eq!(schema["additionalProperties"], false);
    for key in KEYS {
        assert!(schema["properties"][key.name].is_object(), "{}", key.name);
    }
    assert_eq!(schema["properties"]["jetstream"]["properties"]["enabled"]["type"], "boolean");
    assert_eq!(schema["properties"]["metrics"]["items"]["required"], serde_json::json!(["match"]));
}
