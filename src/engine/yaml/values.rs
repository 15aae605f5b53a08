//! Values whose kinds are known, by key.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::notes::Text;
use super::tree::Node;

/// A value of a known kind, with the bytes it came from.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// The bytes of the value.
    pub(crate) span: Range<usize>,
    /// The value.
    pub(crate) value: ReadValue,
}

/// The values a key can have.
#[derive(Clone, Debug)]
pub(crate) enum ReadValue {
    /// A text or one of the allowed words.
    Text(Text),
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
    /// Any value.
    Any(Node),
}

impl Read {
    /// The text, where it is one.
    pub(crate) fn written(&self) -> Option<&Text> {
        if let ReadValue::Text(text) = &self.value { Some(text) } else { None }
    }
}

/// The values of one section; kinds are as the table of keys has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(pub Vec<(String, Read)>);

impl Values {
    /// The value of a key, with its place.
    pub(crate) fn find(&self, name: &str) -> Option<&Read> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, read)| read)
    }

    /// The text of a key, with its place.
    pub(crate) fn written(&self, name: &str) -> Option<&Text> {
        self.find(name)?.written()
    }

    /// The text of a key.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.written(name).map(|text| text.content.clone())
    }

    /// The flag of a key.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        if let ReadValue::Flag(flag) = self.find(name)?.value { Some(flag) } else { None }
    }

    /// The number of a key.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        if let ReadValue::Count(count) = self.find(name)?.value { Some(count) } else { None }
    }

    /// The duration of a key.
    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        if let ReadValue::Duration(span) = self.find(name)?.value { Some(span) } else { None }
    }

    /// The elements of a key, none where there is none.
    pub(crate) fn list(&self, name: &str) -> &[Read] {
        if let Some(Read { value: ReadValue::List(elements), .. }) = self.find(name) { elements } else { &[] }
    }

    /// The texts of a key that has a list of them.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.find(name)?;
        let texts = self.list(name).iter().filter_map(Read::written);
        Some(texts.map(|text| text.content.clone()).collect())
    }

    /// The values of a section, none where it is left out.
    #[must_use]
    pub(crate) fn section(&self, name: &str) -> Self {
        self.find(name).map_or_else(|| Self(Vec::new()), Self::of)
    }

    /// The entries of a mapping.
    pub(crate) fn of(read: &Read) -> Self {
        if let ReadValue::Map(entries) = &read.value { Self(entries.clone()) } else { Self(Vec::new()) }
    }

    /// The texts of a mapping by key.
    pub(crate) fn text_map(&self) -> BTreeMap<String, String> {
        let texts = self.0.iter().filter_map(|(name, read)| Some((name.clone(), read.written()?)));
        texts.map(|(name, text)| (name, text.content.clone())).collect()
    }
}
