//! Keeps `docs/configuration.md` true: its tables are exactly what the table of keys says.

use std::fmt::Write;

use super::keys::{KEYS, Key, Kind, Zero};

/// The documented tables: one of the top level, then one of each section.
fn tables() -> String {
    let mut text = String::new();
    table(&mut text, "The top level", KEYS);
    text.trim_end().to_owned()
}

fn table(text: &mut String, title: &str, keys: &'static [Key]) {
    write!(text, "### {title}\n\n| key | value | default | what it does |\n|---|---|---|---|\n").unwrap();
    for key in keys {
        let default = match key.default {
            "" => String::new(),
            "required" => "(required)".to_owned(),
            default => default.replace('|', "\\|"),
        };
        writeln!(text, "| `{}` | {} | {default} | {} |", key.name, value(key.kind), key.about).unwrap();
    }
    text.push('\n');
    for key in keys {
        if let Some(inner) = inner(key.kind) {
            let path = if title.starts_with('`') {
                format!("{}.{}", title.trim_matches('`'), key.name)
            } else {
                key.name.to_owned()
            };
            table(text, &format!("`{path}`"), inner);
        }
    }
}

fn inner(kind: Kind) -> Option<&'static [Key]> {
    match kind {
        Kind::Section(keys) => Some(keys),
        Kind::List(element) => inner(*element),
        _ => None,
    }
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "text".to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Count(0) => "whole number".to_owned(),
        Kind::Count(least) => format!("whole number, at least {least}"),
        Kind::Number => "number".to_owned(),
        Kind::Size => "size".to_owned(),
        Kind::Duration(Zero::Allowed) => "duration or 0".to_owned(),
        Kind::Duration(Zero::Refused) => "duration".to_owned(),
        Kind::DurationByGlob => "duration, or glob: duration".to_owned(),
        Kind::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::List(element) => format!("list of: {}", value(*element)),
        Kind::OneOrMany(element) => format!("{} or a list", value(*element)),
        Kind::Map(element) => format!("name: {}", value(*element)),
        Kind::ByEventType(element) => format!("event type: {}", value(*element)),
        Kind::EventType => "event type".to_owned(),
        Kind::Anything => "any value".to_owned(),
        Kind::Section(_) => "mapping".to_owned(),
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
