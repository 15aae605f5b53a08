//! The labels of a series as text, rendered once at its birth: `a="x",b="y\n"`, sorted by name.
//!
//! This is what a scrape copies and also what a series is found by: quotes in values are escaped, so the text of
//! two different label sets differs ({ab="c"} and {a="bc"} are two), and sorting makes the order of arrival of no
//! account. Names outside `[a-zA-Z0-9_]` stand quoted in the text; two sets that would look alike to a scraper
//! that cannot read such names are one series, which keeps the names it was born with.

use std::borrow::Cow;

/// Whether every Prometheus reads `name` as a label's name.
pub(crate) fn is_legacy_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| !first.is_ascii_digit())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Whether every Prometheus reads `name` as a metric's name.
pub(crate) fn is_legacy_metric(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| !first.is_ascii_digit())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

/// A label's name with each other character replaced by `_`, and `_` before a leading digit (`METRICS.md`).
pub(crate) fn underscored_label(name: &str) -> Cow<'_, str> {
    if is_legacy_label(name) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(underscored(name, |character| character.is_ascii_alphanumeric()))
}

/// A metric's name with each other character replaced by `_`, and `_` before a leading digit.
pub(crate) fn underscored_metric(name: &str) -> Cow<'_, str> {
    if is_legacy_metric(name) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(underscored(name, |character| character.is_ascii_alphanumeric() || character == ':'))
}

fn underscored(name: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(name.len() + 1);
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        text.push('_');
    }
    text.extend(name.chars().map(|character| if keeps(character) { character } else { '_' }));
    text
}

/// Appends `value` as it stands between quotes.
pub(crate) fn push_escaped(value: &str, out: &mut String) {
    if value.bytes().fold(false, |found, byte| found | matches!(byte, b'\\' | b'"' | b'\n')) {
        for character in value.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
    } else {
        out.push_str(value);
    }
}

/// Undoes [`push_escaped`].
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        value.push(match escaped {
            Some('n') => '\n',
            Some(other) => other,
            None => character,
        });
    }
    Cow::Owned(value)
}

/// The labels of a rendered text, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    rest: &'a str,
}

/// Reads a text that [`LabelText`] rendered.
pub(crate) fn pairs(text: &str) -> Pairs<'_> {
    Pairs { rest: text }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        let (name, rest) = if let Some(quoted) = rest.strip_prefix('"') {
            let end = closing_quote(quoted)?;
            (unescaped(quoted.get(..end)?), quoted.get(end + 1..)?)
        } else {
            let end = rest.find('=')?;
            (Cow::Borrowed(rest.get(..end)?), rest.get(end..)?)
        };
        let value = rest.strip_prefix("=\"")?;
        let end = closing_quote(value)?;
        let rest = value.get(end + 1..)?;
        self.rest = rest.strip_prefix(',').unwrap_or(rest);
        Some((name, unescaped(value.get(..end)?)))
    }
}

/// The texts of single labels of a rendered text, in its order; the last of at most `most` has all that are left.
pub(super) fn labels(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let (mut rest, mut left) = (text, most);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let end = if left == 0 { rest.len() } else { label_end(rest).unwrap_or(rest.len()) };
        let label = rest.get(..end).filter(|label| !label.is_empty())?;
        rest = rest.get(end + 1..).unwrap_or("");
        Some(label)
    })
}

/// Where the first label of a rendered text ends.
fn label_end(text: &str) -> Option<usize> {
    let name_end = match text.strip_prefix('"') {
        Some(quoted) => closing_quote(quoted)? + 2,
        None => memchr::memchr(b'=', text.as_bytes())?,
    };
    let value = name_end + 2;
    Some(value + closing_quote(text.get(value..)?)? + 1)
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
        match bytes.get(at) {
            Some(b'"') => return Some(at),
            _ => from = at + 2,
        }
    }
}

/// Renders label sets into one buffer that is used again and again.
#[derive(Debug, Default)]
pub(super) struct LabelText {
    identity: String,
    display: Option<String>,
    order: Vec<usize>,
}

impl LabelText {
    /// Renders `labels`; empty values are left out, and of names that look alike all but the first.
    pub(super) fn render(&mut self, labels: &[(&str, &str)]) {
        self.identity.clear();
        self.display = None;
        if !labels.iter().all(|(name, _)| is_legacy_label(name)) {
            self.render_unusual(labels);
        } else if labels.is_sorted_by(|left, right| left.0 < right.0) {
            for (name, value) in labels {
                push_label(name, value, &mut self.identity);
            }
        } else {
            self.render_sorted(labels);
        }
    }

    fn render_sorted(&mut self, labels: &[(&str, &str)]) {
        self.order.clear();
        self.order.extend(0..labels.len());
        self.order.sort_by_key(|place| labels.get(*place).map(|(name, _)| *name));
        let mut last = None;
        for (name, value) in self.order.iter().filter_map(|place| labels.get(*place)) {
            if last != Some(*name) {
                push_label(name, value, &mut self.identity);
            }
            last = Some(*name);
        }
    }

    #[cold]
    fn render_unusual(&mut self, labels: &[(&str, &str)]) {
        let mut named: Vec<(Cow<'_, str>, &str, &str)> =
            labels.iter().map(|(name, value)| (underscored_label(name), *name, *value)).collect();
        named.sort();
        named.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut display = String::new();
        for (identity, name, value) in &named {
            push_label(identity, value, &mut self.identity);
            push_label(name, value, &mut display);
        }
        self.display = Some(display);
    }

    /// The text a series is found by.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// The text a series is shown with.
    pub(super) fn display(&self) -> &str {
        self.display.as_deref().unwrap_or(&self.identity)
    }
}

/// The text by which the series shown as `display` is found.
pub(super) fn identity_of(display: &str) -> Cow<'_, str> {
    if pairs(display).all(|(name, _)| is_legacy_label(&name)) {
        return Cow::Borrowed(display);
    }
    let mut identity = String::with_capacity(display.len());
    for (name, value) in pairs(display) {
        push_label(&underscored_label(&name), &value, &mut identity);
    }
    Cow::Owned(identity)
}

fn push_label(name: &str, value: &str, out: &mut String) {
    if value.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push(',');
    }
    if is_legacy_label(name) {
        out.push_str(name);
    } else {
        out.push('"');
        push_escaped(name, out);
        out.push('"');
    }
    out.push_str("=\"");
    push_escaped(value, out);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(labels: &[(&str, &str)]) -> (String, String) {
        let mut text = LabelText::default();
        text.render(labels);
        (text.identity().to_owned(), text.display().to_owned())
    }

    #[test]
    fn order_does_not_count_and_boundaries_do() {
        assert_eq!(rendered(&[("b", "1"), ("a", "2")]), rendered(&[("a", "2"), ("b", "1")]));
        assert_ne!(rendered(&[("ab", "c")]), rendered(&[("a", "bc")]));
        assert_ne!(rendered(&[("a", "x\",b=\"y")]), rendered(&[("a", "x"), ("b", "y")]));
    }

    #[test]
    fn repeated_names_and_empty_values_leave_a_valid_set() {
        assert_eq!(rendered(&[("b", "1"), ("a", ""), ("b", "2")]).1, r#"b="1""#);
    }

    #[test]
    fn names_that_look_alike_to_old_scrapers_are_one_identity() {
        let (identity, display) = rendered(&[("a.b", "x"), ("9", "y")]);
        assert_eq!(identity, r#"_9="y",a_b="x""#);
        assert_eq!(display, r#""9"="y","a.b"="x""#);
        assert_eq!(identity_of(&display), identity);
        assert_eq!(rendered(&[("a_b", "x"), ("_9", "y")]).0, identity);
    }

    #[test]
    fn what_was_rendered_is_read_back() {
        let labels = [("a", "x\\n\n\"\0é"), ("b c\"\\", "\\"), ("z", "plain")];
        let (_, display) = rendered(&labels);
        let back: Vec<_> =
            pairs(&display).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let expected: Vec<_> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(back, expected);
        for most in 1..5 {
            let single: Vec<&str> = super::labels(&display, most).collect();
            assert_eq!((single.len(), single.join(",")), (most.min(3), display.clone()));
        }
    }
}
