//! The tags of a MetricRecorded event, kept as the JSON they came in.
//!
//! Most events repeat tags that were seen before: the bytes are enough to find their series again, and only a new
//! label set needs its names and values.

use std::borrow::Cow;

use super::Text;
use super::json;
use super::scan::{Spelling, blank, colon, string, unescape};

/// A JSON object whose names are distinct and whose values are strings; checked where it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tags<'a>(Cow<'a, str>);

impl Default for Tags<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a> Tags<'a> {
    /// The object without members.
    pub(crate) const EMPTY: Self = Self(Cow::Borrowed("{}"));

    /// Takes text that the scanner has found to be such an object.
    pub(super) fn scanned(raw: &'a str) -> Self {
        Self(Cow::Borrowed(raw))
    }

    /// Writes tags as an object; of a repeated name the first value holds.
    pub(crate) fn render<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Tags<'static> {
        let mut raw = String::from("{");
        let mut names: Vec<N> = Vec::new();
        for (name, value) in pairs {
            if names.iter().any(|known| known.as_ref() == name.as_ref()) {
                continue;
            }
            if !names.is_empty() {
                raw.push(',');
            }
            json::string(&mut raw, name.as_ref());
            raw.push(':');
            json::string(&mut raw, value.as_ref());
            names.push(name);
        }
        raw.push('}');
        Tags(Cow::Owned(raw))
    }

    /// The object as it came, white space and escapes included; equal text is equal tags.
    pub(crate) fn raw(&self) -> &str {
        &self.0
    }

    /// Names and values in the order they came in.
    pub(crate) fn pairs(&self) -> Pairs<'_> {
        Pairs { raw: &self.0, at: 0 }
    }
}

/// The names and values of [`Tags`].
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Text<'a>, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.raw.as_bytes();
        // The opening brace or the comma.
        let at = blank(bytes, blank(bytes, self.at) + 1);
        let (name, at) = text(self.raw, at)?;
        let (value, at) = text(self.raw, colon(bytes, at)?)?;
        self.at = at;
        Some((name, value))
    }
}

/// The string whose quote is at `at`, and the place after it.
fn text(raw: &str, at: usize) -> Option<(Text<'_>, usize)> {
    let bytes = raw.as_bytes();
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let (end, spelling) = string(bytes, at + 1)?;
    let inside = raw.get(at + 1..end)?;
    let text = match spelling {
        Spelling::Plain => Cow::Borrowed(inside),
        Spelling::Escaped | Spelling::Lone => Cow::Owned(String::from_utf8(unescape(inside)).ok()?),
    };
    Some((text, end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_keep_their_text_and_yield_their_pairs() {
        let tags = Tags::scanned("{ \"a\" :\"1\" ,\n\"b\\u0062\": \"x\\\"y\" }");
        let pairs: Vec<_> = tags.pairs().collect();
        assert_eq!(
            pairs,
            [("a".into(), "1".into()), ("bb".into(), "x\"y".into())] as [(Text<'_>, Text<'_>); 2]
        );
        assert_eq!((Tags::EMPTY.pairs().count(), Tags::scanned("{ }").pairs().count()), (0, 0));
    }

    #[test]
    fn of_a_repeated_name_the_first_value_is_rendered() {
        assert_eq!(Tags::render([("a", "1"), ("b", ""), ("a", "2")]).raw(), r#"{"a":"1","b":""}"#);
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_again(pairs in prop::collection::btree_map(any::<String>(), any::<String>(), 0..6)) {
            let tags = Tags::render(&pairs);
            let read: Vec<(String, String)> =
                tags.pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            prop_assert_eq!(read, pairs.into_iter().collect::<Vec<_>>());
        }
    }
}
