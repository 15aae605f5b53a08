//! The tree itself: what stands in a text, each node with its bytes.

use std::ops::Range;

/// A node with the bytes it covers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The bytes of the text; of an alias those of the alias.
    pub(crate) span: Range<usize>,
    /// What it is.
    pub(crate) value: Value,
}

/// The kinds of node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file, each key once.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// Its text, escapes resolved.
    pub(crate) text: String,
    /// How it is written.
    pub(crate) style: Notation,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Without quotes: its text decides what it is.
    Plain,
    /// In single quotes: text.
    Single,
    /// In double quotes: text.
    Double,
    /// A block (`|` or `>`): text.
    Block,
}

/// What a scalar stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number written without quotes.
    Number(f64),
    /// A text.
    Text,
}

impl Node {
    /// The scalar, unless it is null.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) if !scalar.is_null() => Some(scalar),
            Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The scalar's text; none of null, a list or a mapping.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }

    /// Whether it is `null`, `~` or nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// The entries of a mapping, none of anything else.
    pub(crate) fn entries(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Scalar(_) | Value::Sequence(_) => &[],
        }
    }

    /// The elements of a list, none of anything else.
    pub(crate) fn elements(&self) -> &[Self] {
        match &self.value {
            Value::Sequence(elements) => elements,
            Value::Scalar(_) | Value::Mapping(_) => &[],
        }
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// A word for what it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => "nothing",
                Meaning::Flag(_) => "true or false",
                Meaning::Number(_) => "a number",
                Meaning::Text => "text",
            },
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The node as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Scalar(scalar) => scalar.json(),
            Value::Sequence(elements) => elements.iter().map(Self::json).collect(),
            Value::Mapping(entries) => {
                let named = entries.iter().map(|(key, value)| (name_of(key).to_owned(), value.json()));
                serde_json::Value::Object(named.collect())
            }
        }
    }

    /// How many nodes it is, itself included.
    pub(super) fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::Sequence(items) => items.iter().map(Self::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum(),
        }
    }
}

impl Scalar {
    /// Whether it stands for nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.style == Notation::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// What it stands for.
    pub(crate) fn meaning(&self) -> Meaning {
        if self.style != Notation::Plain {
            return Meaning::Text;
        }
        match self.text.as_str() {
            _ if self.is_null() => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Flag(true),
            "false" | "False" | "FALSE" => Meaning::Flag(false),
            text => number(text).map_or(Meaning::Text, Meaning::Number),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self.meaning() {
            Meaning::Null => serde_json::Value::Null,
            Meaning::Flag(flag) => flag.into(),
            Meaning::Number(number) => {
                self.text.parse::<i64>().map_or_else(|_| number.into(), serde_json::Value::from)
            }
            Meaning::Text => self.text.as_str().into(),
        }
    }
}

/// A number as YAML writes it: decimal or with the prefix of a base, `_` between digits, `.inf` and `.nan`.
fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if text.starts_with('-') => (-1.0, digits),
        Some(digits) => (1.0, digits),
        None => (1.0, text),
    };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    // `inf`, `nan` and `e5` are words.
    if !digits.trim_start_matches('.').starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let based = [("0x", 16), ("0o", 8), ("0b", 2)]
        .iter()
        .find_map(|(prefix, base)| Some(u64::from_str_radix(digits.strip_prefix(prefix)?, *base)));
    match based {
        Some(whole) => Some(sign * whole.ok()? as f64),
        None => digits.parse::<f64>().ok().map(|number| sign * number),
    }
}

/// A key as a message names it.
pub(crate) fn name_of(key: &Node) -> &str {
    key.text().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_scalar_means_what_yaml_says() {
        let cases = [
            ("1", Meaning::Number(1.0)),
            ("-2.50", Meaning::Number(-2.5)),
            ("1_000", Meaning::Number(1000.0)),
            ("0x10", Meaning::Number(16.0)),
            ("1e3", Meaning::Number(1000.0)),
            (".5", Meaning::Number(0.5)),
            ("-.inf", Meaning::Number(f64::NEG_INFINITY)),
            ("true", Meaning::Flag(true)),
            ("yes", Meaning::Text),
            ("inf", Meaning::Text),
            ("5s", Meaning::Text),
            ("~", Meaning::Null),
        ];
        for (text, meaning) in cases {
            let plain = Scalar { text: text.to_owned(), style: Notation::Plain };
            assert_eq!(plain.meaning(), meaning, "{text}");
            let quoted = Scalar { text: text.to_owned(), style: Notation::Double };
            assert_eq!(quoted.meaning(), Meaning::Text, "{text}");
        }
    }
}
