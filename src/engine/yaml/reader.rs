//! Reads values by a table of keys: unknown keys, wrong kinds and words that are none of the allowed ones are all
//! found in one pass.

use std::ops::Range;
use std::time::Duration;

use super::findings::Findings;
use super::keys::{Key, KeyKind, Names, Zero};
use super::notes::Text;
use super::tree::{Meaning, Node, Value, name_of};
use super::units;
use super::values::{Read, ReadValue};
use crate::engine::diagnostic::closest;

impl Findings<'_> {
    /// Reads a mapping with these keys; nothing at all is an empty one. `place` is the path of keys to it, empty for
    /// the top of a file.
    pub(crate) fn section(&mut self, node: &Node, keys: &'static [Key], place: &str) -> Vec<(String, Read)> {
        if !matches!(node.value, Value::Mapping(_)) && !node.is_null() {
            self.wrong_kind::<()>(node, place, "a mapping");
            return Vec::new();
        }
        let mut read: Vec<(String, Read)> = Vec::new();
        for (key, value) in node.entries() {
            let name = name_of(key);
            let Some(known) = keys.iter().find(|known| known.name == name) else {
                let within = if place.is_empty() { String::new() } else { format!(" in `{place}`") };
                let message = format!("unknown key `{name}`{within}");
                if let Some(advice) = deeper(name, keys) {
                    self.error("unknown-key", &key.span, message).advise(advice);
                } else {
                    let names: Vec<&str> = keys.iter().map(|known| known.name).collect();
                    self.unknown_key(key, message, &names);
                }
                continue;
            };
            // A key without a value keeps its default, as in a file whose values are commented out.
            if value.is_null() && !matches!(known.kind, KeyKind::Anything) {
                continue;
            }
            let inner = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            if let Some(value) = self.value(value, known.kind, &inner) {
                read.push((name.to_owned(), value));
            }
        }
        read
    }

    /// Reads one value; what does not fit is noted and none.
    pub(crate) fn value(&mut self, node: &Node, kind: KeyKind, place: &str) -> Option<Read> {
        let value = match kind {
            KeyKind::Text | KeyKind::Secret => self.scalar(node, place, "a text").map(ReadValue::Text),
            KeyKind::Flag => self.flag(node, place),
            KeyKind::Count(least) => self.count(node, place, least),
            KeyKind::Number => self.finite(node, place),
            KeyKind::Size => self.size(node, place),
            KeyKind::Duration(zero) => self.span(node, place, zero),
            KeyKind::DurationByGlob => match node.value {
                Value::Mapping(_) => Some(self.map(node, &KeyKind::Duration(Zero::Refused), place)),
                Value::Scalar(_) | Value::Sequence(_) => self.span(node, place, Zero::Refused),
            },
            KeyKind::DurationByName(names) => {
                for (key, _) in node.entries() {
                    self.name(name_of(key), names, &key.span);
                }
                self.value(node, KeyKind::DurationByGlob, place).map(|read| read.value)
            }
            KeyKind::Word(words) => self.word(node, place, words),
            KeyKind::List(element) => match &node.value {
                Value::Sequence(elements) => Some(self.list(elements, *element, place)),
                Value::Scalar(_) | Value::Mapping(_) => self.wrong_kind(node, place, "a list"),
            },
            KeyKind::OneOrMany(element) => Some(match &node.value {
                Value::Sequence(elements) => self.list(elements, *element, place),
                Value::Scalar(_) | Value::Mapping(_) => {
                    self.list(std::slice::from_ref(node), *element, place)
                }
            }),
            KeyKind::Map(element) => self.mapping(node, element, place),
            KeyKind::ByName(names, element) => {
                for (key, _) in node.entries() {
                    self.name(name_of(key), names, &key.span);
                }
                self.mapping(node, element, place)
            }
            KeyKind::Name(names) => {
                let text = self.scalar(node, place, &format!("the name of an {}", names.what))?;
                self.name(&text.content, names, &node.span).then_some(ReadValue::Text(text))
            }
            KeyKind::Anything => Some(ReadValue::Any(node.clone())),
            KeyKind::Section(keys) => Some(ReadValue::Map(self.section(node, keys, place))),
        }?;
        Some(Read { span: node.span.clone(), value })
    }

    fn wrong_kind<T>(&mut self, node: &Node, place: &str, expected: &str) -> Option<T> {
        let subject = if place.is_empty() { "the file".to_owned() } else { format!("`{place}`") };
        let message = format!("{subject} is {}, expected {expected}", node.kind());
        let advice = self.error("wrong-type", &node.span, message);
        match expected {
            "a list" => advice.advise("Each item stands on its own line and begins with `- `."),
            "a mapping" => advice.advise("Write names with values, as in `{name: value}`."),
            _ => {}
        }
        None
    }

    fn scalar(&mut self, node: &Node, place: &str, expected: &str) -> Option<Text> {
        match node.scalar() {
            Some(scalar) => Some(Text::new(scalar, &node.span)),
            None => self.wrong_kind(node, place, expected),
        }
    }

    fn flag(&mut self, node: &Node, place: &str) -> Option<ReadValue> {
        match meaning(node) {
            Meaning::Flag(flag) => Some(ReadValue::Flag(flag)),
            Meaning::Null | Meaning::Number(_) | Meaning::Text => {
                let message = format!("`{place}` is {}, expected true or false", node.kind());
                self.error("wrong-type", &node.span, message).advise("Write `true` or `false`.");
                None
            }
        }
    }

    fn count(&mut self, node: &Node, place: &str, least: u64) -> Option<ReadValue> {
        let text = self.scalar(node, place, "a whole number")?.content;
        match text.replace('_', "").parse::<u64>() {
            Ok(count) if count >= least => Some(ReadValue::Count(count)),
            Ok(_) => {
                let message = format!("`{place}` is {text}, at least {least} is needed");
                self.error("out-of-range", &node.span, message);
                None
            }
            Err(_) => {
                self.error(
                    "wrong-type",
                    &node.span,
                    format!("`{place}` is `{text}`, expected a whole number"),
                )
                .advise("Write digits only, for example `100000`.");
                None
            }
        }
    }

    fn finite(&mut self, node: &Node, place: &str) -> Option<ReadValue> {
        match meaning(node) {
            Meaning::Number(number) if number.is_finite() => Some(ReadValue::Number(number)),
            Meaning::Number(_) => {
                self.error("out-of-range", &node.span, format!("`{place}` is not finite"));
                None
            }
            Meaning::Null | Meaning::Flag(_) | Meaning::Text => self.wrong_kind(node, place, "a number"),
        }
    }

    fn size(&mut self, node: &Node, place: &str) -> Option<ReadValue> {
        let text = self.scalar(node, place, "a size")?.content;
        match units::size(&text) {
            Some(bytes) if bytes > 0 => Some(ReadValue::Count(bytes)),
            Some(_) => {
                let message = format!("`{place}` is zero, which leaves no room for anything");
                self.error("out-of-range", &node.span, message);
                None
            }
            None => {
                self.error("bad-size", &node.span, format!("`{place}` is `{text}`, which is no size"))
                    .advise("Write bytes or a unit: `512`, `64KiB`, `64MiB`, `10MB`.");
                None
            }
        }
    }

    fn span(&mut self, node: &Node, place: &str, zero: Zero) -> Option<ReadValue> {
        let text = self.scalar(node, place, "a duration")?.content;
        match units::duration(&text) {
            Some(Duration::ZERO) if zero == Zero::Refused => {
                self.error("out-of-range", &node.span, format!("`{place}` is zero"))
                    .advise("Write a duration above zero, for example `30s`.");
                None
            }
            Some(span) => Some(ReadValue::Duration(span)),
            None => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let advice = if digits {
                    format!("Add a unit: `{text}s` for seconds, `{text}ms` for milliseconds.")
                } else {
                    "Write whole numbers with units, largest first: `500ms`, `5s`, `1h30m`, `30d`.".to_owned()
                };
                let message = format!("`{place}` is `{text}`, which is no duration");
                self.error("bad-duration", &node.span, message).advise(advice);
                None
            }
        }
    }

    fn word(&mut self, node: &Node, place: &str, words: &[&'static str]) -> Option<ReadValue> {
        let choices = words.join(", ");
        let text = self.scalar(node, place, &format!("one of {choices}"))?;
        if words.contains(&text.content.as_str()) {
            return Some(ReadValue::Text(text));
        }
        let message = format!("`{place}` is `{}`, expected one of {choices}", text.content);
        let near = closest(&text.content, words.iter().copied());
        let advice = self.error("unknown-word", &node.span, message);
        if let Some(near) = near {
            advice.advise(format!("Did you mean `{near}`?"));
        }
        None
    }

    fn list(&mut self, elements: &[Node], kind: KeyKind, place: &str) -> ReadValue {
        ReadValue::List(elements.iter().filter_map(|element| self.value(element, kind, place)).collect())
    }

    fn mapping(&mut self, node: &Node, kind: &KeyKind, place: &str) -> Option<ReadValue> {
        match node.value {
            Value::Mapping(_) => Some(self.map(node, kind, place)),
            Value::Scalar(_) | Value::Sequence(_) => self.wrong_kind(node, place, "a mapping"),
        }
    }

    fn map(&mut self, node: &Node, kind: &KeyKind, place: &str) -> ReadValue {
        let mut read: Vec<(String, Read)> = Vec::new();
        for (key, value) in node.entries() {
            let name = name_of(key);
            if let Some(value) = self.value(value, *kind, &format!("{place}.{name}")) {
                read.push((name.to_owned(), value));
            }
        }
        ReadValue::Map(read)
    }

    fn name(&mut self, name: &str, names: Names, span: &Range<usize>) -> bool {
        let known = (names.all)();
        if known.contains(&name) {
            return true;
        }
        let advice = match closest(name, known) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => names.advice.to_owned(),
        };
        self.error(names.code, span, format!("unknown {} `{name}`", names.what)).advise(advice);
        false
    }
}

/// Where a key stands that was written one level too high: by its name alone, or with its section's in front.
fn deeper(name: &str, keys: &'static [Key]) -> Option<String> {
    let sections = keys.iter().filter_map(|section| {
        let kind = if let KeyKind::List(element) = section.kind { *element } else { section.kind };
        let KeyKind::Section(inner) = kind else { return None };
        Some((section.name, inner))
    });
    let mut found = sections.flat_map(|(section, inner)| {
        let bare = name.strip_prefix(section).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name);
        inner.iter().filter(move |key| key.name == bare).map(move |key| (section, key.name))
    });
    let (section, key) = found.next()?;
    // A name that several sections have tells too little.
    (found.next().is_none()).then(|| format!("Write it under `{section}`, as `{key}`."))
}

fn meaning(node: &Node) -> Meaning {
    match &node.value {
        Value::Scalar(scalar) => scalar.meaning(),
        Value::Sequence(_) | Value::Mapping(_) => Meaning::Null,
    }
}
