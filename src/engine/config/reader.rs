//! From a YAML tree to values whose kinds are known: unknown and repeated keys, wrong kinds and words that are none
//! of the allowed ones are all found in one pass.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::keys::{Key, Kind, Zero};
use super::units;
use super::yaml::{Entry, Node, Value};
use crate::engine::diagnostic::{Diagnostic, Severity, Source, closest};
use crate::engine::wire::EventType;

/// A value of a known kind, with the bytes it came from.
#[derive(Clone, Debug)]
pub struct Read {
    /// The bytes of the value.
    pub span: Range<usize>,
    /// The value.
    pub value: ReadValue,
}

/// The values a key can have.
#[derive(Clone, Debug)]
pub enum ReadValue {
    /// A text or one of the allowed words.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number or a number of bytes.
    Count(u64),
    /// A finite number.
    Number(f64),
    /// A duration.
    Duration(Duration),
    /// A list.
    List(Vec<Read>),
    /// A mapping or a section: only known keys, each once.
    Map(Vec<(String, Read)>),
    /// Any value, as JSON.
    Json(serde_json::Value),
}

/// Collects what is wrong while it reads.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a Source,
    /// What was found so far.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// A reader of this text.
    pub fn new(source: &'a Source) -> Self {
        Self { source, diagnostics: Vec::new() }
    }

    /// Notes an error.
    pub fn error(&mut self, code: &'static str, span: Range<usize>, message: String, advice: Option<String>) {
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, source, span, message, advice });
    }

    /// Reads a mapping with these keys; nothing at all is an empty one.
    pub fn section(&mut self, node: &Node, keys: &'static [Key], place: &str) -> Vec<(String, Read)> {
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            self.wrong_kind(node, place, "a mapping", None);
            return Vec::new();
        }
        let mut read: Vec<(String, Read)> = Vec::new();
        for entry in node.entries() {
            if self.repeated(entry, &read) {
                continue;
            }
            let Some(key) = keys.iter().find(|key| key.name == entry.key) else {
                self.unknown_key(entry, keys, place);
                continue;
            };
            // A key without a value keeps its default, as in a file whose values are commented out.
            if matches!(entry.node.value, Value::Null) && !matches!(key.kind, Kind::Anything) {
                continue;
            }
            let inner = if place.is_empty() { key.name.to_owned() } else { format!("{place}.{}", key.name) };
            if let Some(value) = self.value(&entry.node, key.kind, &inner) {
                read.push((entry.key.clone(), value));
            }
        }
        read
    }

    fn repeated(&mut self, entry: &Entry, read: &[(String, Read)]) -> bool {
        let repeated = read.iter().any(|(name, _)| *name == entry.key);
        if repeated {
            let message = format!("`{}` is given twice", entry.key);
            self.error("repeated-key", entry.span.clone(), message, Some("Keep one of them.".to_owned()));
        }
        repeated
    }

    fn unknown_key(&mut self, entry: &Entry, keys: &[Key], place: &str) {
        let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
        let within = if place.is_empty() { String::new() } else { format!(" in `{place}`") };
        let advice = match closest(&entry.key, known.iter().copied()) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => format!("Known keys{within}: {}.", known.join(", ")),
        };
        let message = format!("unknown key `{}`{within}", entry.key);
        self.error("unknown-key", entry.span.clone(), message, Some(advice));
    }

    fn wrong_kind(&mut self, node: &Node, place: &str, expected: &str, advice: Option<String>) {
        let message = format!("`{place}` is {}, expected {expected}", node.kind());
        self.error("wrong-kind", node.span.clone(), message, advice);
    }

    /// Reads one value; what does not fit is noted and none.
    pub fn value(&mut self, node: &Node, kind: Kind, place: &str) -> Option<Read> {
        let value = match kind {
            Kind::Text | Kind::Secret => self.scalar(node, place, "a text").map(ReadValue::Text),
            Kind::Flag => self.flag(node, place),
            Kind::Count(least) => self.count(node, place, least),
            Kind::Number => self.number(node, place),
            Kind::Size => self.size(node, place),
            Kind::Duration(zero) => self.duration(node, place, zero).map(ReadValue::Duration),
            Kind::DurationByGlob => match node.value {
                Value::Map(_) => Some(self.map(node, &Kind::Duration(Zero::Refused), place)),
                _ => self.duration(node, place, Zero::Refused).map(ReadValue::Duration),
            },
            Kind::Word(words) => self.word(node, place, words),
            Kind::List(element) => {
                if let Value::List(elements) = &node.value {
                    Some(self.list(elements, *element, place))
                } else {
                    self.wrong_kind(node, place, "a list", None);
                    None
                }
            }
            Kind::OneOrMany(element) => match &node.value {
                Value::List(elements) => Some(self.list(elements, *element, place)),
                _ => Some(self.list(std::slice::from_ref(node), *element, place)),
            },
            Kind::Map(element) | Kind::ByEventType(element) => {
                if matches!(node.value, Value::Map(_)) {
                    if matches!(kind, Kind::ByEventType(_)) {
                        self.event_type_keys(node);
                    }
                    Some(self.map(node, element, place))
                } else {
                    self.wrong_kind(node, place, "a mapping", None);
                    None
                }
            }
            Kind::EventType => {
                let name = self.scalar(node, place, "the name of an event type")?;
                self.event_type(&name, node.span.clone()).then_some(ReadValue::Text(name))
            }
            Kind::Anything => Some(ReadValue::Json(node.json())),
            Kind::Section(keys) => Some(ReadValue::Map(self.section(node, keys, place))),
        }?;
        Some(Read { span: node.span.clone(), value })
    }

    fn scalar(&mut self, node: &Node, place: &str, expected: &str) -> Option<String> {
        if let Some(text) = node.scalar() {
            return Some(text.to_owned());
        }
        self.wrong_kind(node, place, expected, None);
        None
    }

    fn flag(&mut self, node: &Node, place: &str) -> Option<ReadValue> {
        if let Value::Flag(flag) = node.value {
            return Some(ReadValue::Flag(flag));
        }
        self.wrong_kind(node, place, "true or false", Some("Write `true` or `false`.".to_owned()));
        None
    }

    fn count(&mut self, node: &Node, place: &str, least: u64) -> Option<ReadValue> {
        let text = self.scalar(node, place, "a whole number")?;
        match text.replace('_', "").parse::<u64>() {
            Ok(count) if count >= least => Some(ReadValue::Count(count)),
            Ok(_) => {
                let message = format!("`{place}` is {text}, at least {least} is needed");
                self.error("out-of-range", node.span.clone(), message, None);
                None
            }
            Err(_) => {
                let message = format!("`{place}` is `{text}`, expected a whole number");
                let advice = "Write digits only, for example `100000`.".to_owned();
                self.error("wrong-kind", node.span.clone(), message, Some(advice));
                None
            }
        }
    }

    fn number(&mut self, node: &Node, place: &str) -> Option<ReadValue> {
        match node.value {
            Value::Number(number) if number.is_finite() => Some(ReadValue::Number(number)),
            Value::Number(_) => {
                let message = format!("`{place}` is not finite");
                self.error("out-of-range", node.span.clone(), message, None);
                None
            }
            _ => {
                self.wrong_kind(node, place, "a number", None);
                None
            }
        }
    }

    fn size(&mut self, node: &Node, place: &str) -> Option<ReadValue> {
        let text = self.scalar(node, place, "a size")?;
        match units::size(&text) {
            Some(bytes) if bytes > 0 => Some(ReadValue::Count(bytes)),
            Some(_) => {
                let message = format!("`{place}` is zero, which leaves no room for anything");
                self.error("out-of-range", node.span.clone(), message, None);
                None
            }
            None => {
                let message = format!("`{place}` is `{text}`, which is no size");
                let advice = "Write bytes or a unit: `512`, `64KiB`, `64MiB`, `10MB`.".to_owned();
                self.error("bad-size", node.span.clone(), message, Some(advice));
                None
            }
        }
    }

    fn duration(&mut self, node: &Node, place: &str, zero: Zero) -> Option<Duration> {
        let text = self.scalar(node, place, "a duration")?;
        match units::duration(&text) {
            Some(Duration::ZERO) if zero == Zero::Refused => {
                let message = format!("`{place}` is zero");
                let advice = "Write a duration above zero, for example `30s`.".to_owned();
                self.error("out-of-range", node.span.clone(), message, Some(advice));
                None
            }
            Some(span) => Some(span),
            None => {
                let message = format!("`{place}` is `{text}`, which is no duration");
                let advice = if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    format!("Add a unit: `{text}s` for seconds, `{text}ms` for milliseconds.")
                } else {
                    "Write whole numbers with units, largest first: `500ms`, `5s`, `1h30m`, `30d`.".to_owned()
                };
                self.error("bad-duration", node.span.clone(), message, Some(advice));
                None
            }
        }
    }

    fn word(&mut self, node: &Node, place: &str, words: &[&'static str]) -> Option<ReadValue> {
        let choices = words.join(", ");
        let text = self.scalar(node, place, &format!("one of {choices}"))?;
        if words.contains(&text.as_str()) {
            return Some(ReadValue::Text(text));
        }
        let message = format!("`{place}` is `{text}`, expected one of {choices}");
        let advice = closest(&text, words.iter().copied()).map(|meant| format!("Did you mean `{meant}`?"));
        self.error("unknown-word", node.span.clone(), message, advice);
        None
    }

    fn list(&mut self, elements: &[Node], kind: Kind, place: &str) -> ReadValue {
        ReadValue::List(elements.iter().filter_map(|element| self.value(element, kind, place)).collect())
    }

    fn map(&mut self, node: &Node, kind: &Kind, place: &str) -> ReadValue {
        let mut read: Vec<(String, Read)> = Vec::new();
        for entry in node.entries() {
            if self.repeated(entry, &read) {
                continue;
            }
            if let Some(value) = self.value(&entry.node, *kind, &format!("{place}.{}", entry.key)) {
                read.push((entry.key.clone(), value));
            }
        }
        ReadValue::Map(read)
    }

    fn event_type_keys(&mut self, node: &Node) {
        for entry in node.entries() {
            self.event_type(&entry.key, entry.span.clone());
        }
    }

    fn event_type(&mut self, name: &str, span: Range<usize>) -> bool {
        let known = EventType::ALL.iter().map(|known| known.name());
        if known.clone().any(|known| known == name) {
            return true;
        }
        let advice = match closest(name, known) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => "Event types are written as in the specification, for example `JobQueued`.".to_owned(),
        };
        self.error("unknown-event-type", span, format!("unknown event type `{name}`"), Some(advice));
        false
    }
}

/// The values of one section; kinds are as the table of keys has them.
#[derive(Clone, Debug, Default)]
pub struct Values(pub Vec<(String, Read)>);

impl Values {
    /// The value of a key, with its place.
    pub fn find(&self, name: &str) -> Option<&Read> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, read)| read)
    }

    /// The text of a key.
    pub fn text(&self, name: &str) -> Option<String> {
        match &self.find(name)?.value {
            ReadValue::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The flag of a key.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.find(name)?.value {
            ReadValue::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// The number of a key.
    pub fn count(&self, name: &str) -> Option<u64> {
        match self.find(name)?.value {
            ReadValue::Count(count) => Some(count),
            _ => None,
        }
    }

    /// The duration of a key.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.find(name)?.value {
            ReadValue::Duration(span) => Some(span),
            _ => None,
        }
    }

    /// The elements of a key, none where there is none.
    pub fn list(&self, name: &str) -> &[Read] {
        match self.find(name).map(|read| &read.value) {
            Some(ReadValue::List(elements)) => elements,
            _ => &[],
        }
    }

    /// The texts of a key that has a list of them.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.find(name)?;
        let texts = self.list(name).iter().filter_map(|element| match &element.value {
            ReadValue::Text(text) => Some(text.clone()),
            _ => None,
        });
        Some(texts.collect())
    }

    /// The values of a section, none where it is left out.
    #[must_use]
    pub fn section(&self, name: &str) -> Self {
        self.find(name).map_or_else(|| Self(Vec::new()), Self::of)
    }

    /// The entries of a mapping.
    pub fn of(read: &Read) -> Self {
        match &read.value {
            ReadValue::Map(entries) => Self(entries.clone()),
            _ => Self(Vec::new()),
        }
    }

    /// The texts of a mapping by key.
    pub fn text_map(&self) -> BTreeMap<String, String> {
        let texts = self.0.iter().filter_map(|(name, read)| match &read.value {
            ReadValue::Text(text) => Some((name.clone(), text.clone())),
            _ => None,
        });
        texts.collect()
    }
}
