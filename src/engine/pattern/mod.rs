//! Regular expressions as Prometheus and Go understand them: RE2's syntax, wherever people write one.
//!
//! Selectors, `label_replace` and templates share this one dialect; [`dialect`] says where RE2 and the `regex` crate
//! part. Matching takes linear time whatever the pattern, and the compiled size and the nesting are bounded.

mod dialect;

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// The most bytes a compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// The most bytes one may take that is compiled for a single text.
const SEARCHING_BYTES_MAX: usize = 256 << 10;

/// How deep groups may nest.
const NESTING_MAX: u32 = 100;

/// What most patterns are smaller than, compiled.
const SMALL_BYTES: usize = 64 << 10;

/// A compiled regular expression, with the text it was written as.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    compiled: Regex,
}

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression: {reason}")]
pub(crate) struct PatternError {
    /// What is wrong, as a lower-case fragment.
    pub(crate) reason: String,
}

impl Pattern {
    /// A pattern that matches whole values, dot matching a newline too: selectors and `label_replace`.
    ///
    /// # Errors
    /// Where the text is not in RE2's syntax, or too large once compiled.
    pub(crate) fn anchored(text: &str) -> Result<Self, PatternError> {
        Self::anchored_within(text, COMPILED_BYTES_MAX)
    }

    fn anchored_within(text: &str, bytes_max: usize) -> Result<Self, PatternError> {
        let translated = dialect::translated(text)?;
        Self::compiled(text, &format!("^(?s:{translated})$"), bytes_max)
    }

    /// A pattern that is looked for anywhere in a text, as Go's `regexp` does: templates, which compile it each time.
    ///
    /// # Errors
    /// As [`Self::anchored`], and where it takes more than 256 KiB compiled.
    pub(crate) fn searching(text: &str) -> Result<Self, PatternError> {
        Self::compiled(text, &dialect::translated(text)?, SEARCHING_BYTES_MAX)
    }

    fn compiled(text: &str, translated: &str, bytes_max: usize) -> Result<Self, PatternError> {
        let compiled = RegexBuilder::new(translated)
            .size_limit(bytes_max)
            .nest_limit(NESTING_MAX)
            .build()
            .map_err(|error| PatternError { reason: reason(&error) })?;
        Ok(Self { text: text.into(), compiled })
    }

    /// A text as the pattern that matches it alone.
    pub(crate) fn quoted(text: &str) -> String {
        regex::escape(text)
    }

    /// The text it was written as.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches.
    pub(crate) fn is_match(&self, value: &str) -> bool {
        self.compiled.is_match(value)
    }

    /// What `template` comes to for the first match, `$1` and `${name}` being its groups; none without a match.
    pub(crate) fn expanded(&self, value: &str, template: &str) -> Option<String> {
        let captures = self.compiled.captures(value)?;
        let mut expanded = String::new();
        captures.expand(template, &mut expanded);
        Some(expanded)
    }

    /// `text` with `template` in place of each match, `$1` and `${name}` being its groups; none where it comes to more
    /// than `bytes_max`.
    pub(crate) fn replaced_all(&self, text: &str, template: &str, bytes_max: usize) -> Option<String> {
        let (mut replaced, mut behind) = (String::new(), 0);
        for captures in self.compiled.captures_iter(text) {
            let found = captures.get_match();
            replaced.push_str(text.get(behind..found.start()).unwrap_or(""));
            captures.expand(template, &mut replaced);
            behind = found.end();
            if replaced.len() > bytes_max {
                return None;
            }
        }
        replaced.push_str(text.get(behind..).unwrap_or(""));
        Some(replaced)
    }
}

/// What the patterns of one text (a query, say) may take together, compiled.
#[derive(Clone, Debug)]
pub(crate) struct PatternBudget {
    bytes_left: usize,
}

impl Default for PatternBudget {
    fn default() -> Self {
        Self { bytes_left: 8 * COMPILED_BYTES_MAX }
    }
}

impl PatternBudget {
    /// A pattern as [`Pattern::anchored`] makes it, paid from the budget.
    ///
    /// # Errors
    /// As [`Pattern::anchored`], and where the patterns before it have used the budget up.
    pub(crate) fn anchored(&mut self, text: &str) -> Result<Pattern, PatternError> {
        for bytes in [SMALL_BYTES, COMPILED_BYTES_MAX] {
            let Some(left) = self.bytes_left.checked_sub(bytes) else {
                let reason = "it and those before it are too large together".to_owned();
                return Err(PatternError { reason });
            };
            if let Ok(pattern) = Pattern::anchored_within(text, bytes) {
                self.bytes_left = left;
                return Ok(pattern);
            }
        }
        Pattern::anchored(text)
    }
}

/// Two patterns are the same where they were written alike and match alike.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.compiled.as_str() == other.compiled.as_str()
    }
}

impl Eq for Pattern {}

fn reason(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "it grows too large when compiled".to_owned();
    }
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::anchored(pattern).unwrap().is_match(value)
    }

    #[test]
    fn a_pattern_matches_the_whole_value_and_dot_matches_a_newline() {
        assert!(matches("a|b", "b") && !matches("a|b", "ab"));
        assert!(matches("a.c", "a\nc") && matches(".*", ""));
        assert!(matches("(?i:PRO).*", "production"));
    }

    #[test]
    fn what_re2_reads_otherwise_is_read_as_re2_does() {
        assert!(!matches(r"\d", "٣") && matches(r"[\d_]+", "3_"));
        assert!(!matches(r"\w", "é") && matches(r"\W", "é") && matches(r"[\W]", "é"));
        assert!(matches("a{", "a{") && matches("{a}", "{a}") && matches("a{2}", "aa"));
        assert!(matches("/{[a-z]+}", "/{id}") && matches("a{,2}", "a{,2}"));
        assert!(matches("[[a]+", "[a") && matches("[a&&b]+", "&ab") && matches("[]a]", "]"));
        assert!(matches("[[:alpha:]]+", "ab") && matches("[a-]+", "a-"));
        assert!(matches(r"\Qa.b\E", "a.b") && !matches(r"\Qa.b\E", "axb"));
        assert!(matches(r"\101\0", "A\0") && matches(r"\<a\>", "<a>") && matches(r"\_", "_"));
        assert!(matches(r"\p{^Lu}", "a") && matches(r"\pL", "é"));
        assert!(matches(r"\bfoo\b.*", "foo bar") && matches(r"a+?b*?(c{2}?)+", "acc"));
    }

    #[test]
    fn broken_and_huge_patterns_are_refused() {
        let broken =
            ["(", "a)(b", "[", "*a", r"\1", "(?x) a", "(?u)a", r"\", "(?=a)", r"\u0041", "[[:foo:]]"];
        let stacked = ["a**", "a*+", "a{2}*", "a??*", "a*{2}", "a{1001}", "a{1,1001}"];
        for pattern in broken.into_iter().chain(stacked).chain(["((a{1000}){1000}){1000}"]) {
            assert!(Pattern::anchored(pattern).is_err(), "{pattern}");
            assert!(Pattern::searching(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::anchored(&"(".repeat(10_000)).is_err());
        assert!(Pattern::anchored(&format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000))).is_err());
    }

    #[test]
    fn the_patterns_of_one_text_are_bounded_together() {
        let mut budget = PatternBudget::default();
        assert!((0..500).all(|_| budget.anchored("a+|b").is_ok()));
        let mut budget = PatternBudget::default();
        let large = (0..9).filter(|_| budget.anchored(".{500}").is_ok()).count();
        assert!((1..=8).contains(&large), "{large}");
        assert!(PatternBudget::default().anchored("(").is_err());
    }

    #[test]
    fn groups_are_put_into_templates_as_go_puts_them() {
        let pattern = Pattern::searching(r"/([a-z]+)/(?P<id>\d+)").unwrap();
        let replaced = |text, template| pattern.replaced_all(text, template, 20);
        assert_eq!(replaced("/jobs/17 /x/2", "/$1/${id}x").as_deref(), Some("/jobs/17x /x/2x"));
        assert_eq!(replaced("/jobs/17 /x/2", "/$1/$1/$1/$1"), None, "longer than it may be");
        assert_eq!(replaced("/jobs/17", "$1x$$").as_deref(), Some("$"), "$1x is a group of that name");
        let whole = Pattern::anchored("(.*)-(.*)").unwrap();
        assert_eq!(whole.expanded("a-b", "$2"), Some("b".to_owned()));
        assert_eq!(whole.expanded("ab", "$2"), None);
    }
}
