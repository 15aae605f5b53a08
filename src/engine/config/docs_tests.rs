//! Keeps `docs/configuration.md` true: its tables are exactly what the table of keys says.

use std::fmt::Write;

use super::Config;
use crate::engine::yaml::keys::{Effect, Key, KeyDefault, KeyKind, Zero};

/// The documented tables: one of the top level, then one of each section.
fn tables() -> String {
    let mut text = String::new();
    table(&mut text, "The top level", Config::KEYS);
    text.trim_end().to_owned()
}

fn table(text: &mut String, title: &str, keys: &'static [Key]) {
    write!(
        text,
        "### {title}\n\n| key | value | default | a change | what it does |\n|---|---|---|---|---|\n"
    )
    .unwrap();
    for key in keys {
        let default = key.default.shown().replace('|', "\\|");
        let effect = match (inner(&key.kind), key.effect) {
            (Some(_), _) => "",
            (None, Effect::Live) => "live",
            (None, Effect::Restart) => "restart",
        };
        let (value, sentence) = (value(key.kind), key.sentence());
        writeln!(text, "| `{}` | {value} | {default} | {effect} | {sentence} |", key.name).unwrap();
    }
    text.push('\n');
    for key in keys {
        if let Some(inner) = inner(&key.kind) {
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
    let schema = crate::engine::yaml::schema::document("configuration", Config::KEYS);
    assert_eq!(schema["additionalProperties"], false);
    for key in Config::KEYS {
        assert!(schema["properties"][key.name].is_object(), "{}", key.name);
    }
    assert_eq!(schema["properties"]["jetstream"]["properties"]["enabled"]["type"], "boolean");
    assert_eq!(schema["properties"]["metrics"]["items"]["required"], serde_json::json!(["match"]));
}

/// A default that is shown as a value is what a file with that value means.
fn check_defaults(keys: &'static [Key]) {
    for key in keys {
        if let KeyDefault::Value(text) = key.default {
            assert!(super::declare::default_read(key.kind, text).is_some(), "{}: {text}", key.name);
        }
        check_defaults(inner(&key.kind).unwrap_or_default());
    }
}

#[test]
fn every_default_is_a_value_of_its_key() {
    check_defaults(Config::KEYS);
}

/// The codes of findings in a source: the first text of each call that notes an error, and of fields called `code`.
fn codes(source: &str) -> Vec<&str> {
    let behind = |mark: &'static str| source.split(mark).skip(1);
    behind(".error(")
        .chain(behind("code: "))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .collect()
}

#[test]
fn every_code_of_a_finding_in_a_configuration_is_documented() {
    let document = include_str!("../../../docs/diagnostics.md");
    let (_, configuration) = document.split_once("# What it finds in a configuration").unwrap();
    let sources = [
        include_str!("checks.rs"),
        include_str!("keys.rs"),
        include_str!("../yaml/reader.rs"),
        include_str!("../../cli/config_file.rs"),
    ];
    let found: Vec<&str> = sources.into_iter().flat_map(codes).collect();
    assert!(found.len() > 20, "{found:?}");
    for code in found {
        assert!(configuration.contains(&format!("`{code}`")), "`{code}` is not in docs/diagnostics.md");
    }
}

/// The keys of what a key holds, where that is a mapping or a list of them.
fn inner(kind: &KeyKind) -> Option<&'static [Key]> {
    if let KeyKind::Section(keys) = kind {
        Some(keys)
    } else if let KeyKind::List(element) | KeyKind::OneOrMany(element) = kind {
        inner(element)
    } else {
        None
    }
}
