//! What is wrong with something a person wrote: where it stands, what it is, and what to do.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

mod printable;

pub(crate) use printable::{Lines, counted, printable};

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Worth a look; never refuses a load.
    Warning,
    /// Refuses the load of what holds it.
    Error,
}

/// A text a person wrote, with the name they know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was given.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// The line and the column (in characters) of a byte, both from 1.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let text = self.text.as_ref();
        let before = text.get(..boundary(text, at)).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub(crate) severity: Severity,
    /// A short stable word for the kind of finding, e.g. `unknown-metric`; documented in `docs/diagnostics.md`.
    pub(crate) code: &'static str,
    /// The text it is about.
    pub(crate) source: Source,
    /// The bytes of `source.text` it points at.
    pub(crate) span: Range<usize>,
    /// What is wrong, as a lower-case fragment.
    pub(crate) message: String,
    /// What to do about it, as a sentence.
    pub(crate) advice: Option<String>,
}

/// A part of a text, in lines and in columns of characters, all from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// The line of the first character.
    pub(crate) line: usize,
    /// Its column.
    pub(crate) column: usize,
    /// The line of what follows the last character.
    pub(crate) end_line: usize,
    /// Its column.
    pub(crate) end_column: usize,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Characters alone: logs, files, HTTP.
    Plain,
    /// With the colours of a terminal.
    Coloured,
}

impl Severity {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Diagnostic {
    /// The line and the column (in characters) it points at, both from 1.
    pub(crate) fn position(&self) -> (usize, usize) {
        self.source.position(self.span.start)
    }

    /// From where to where it points; none in a file without a text, which could not be read.
    pub(crate) fn region(&self) -> Option<Region> {
        if self.source.text.is_empty() {
            return None;
        }
        let (line, column) = self.position();
        let (end_line, end_column) = self.source.position(self.span.end.max(self.span.start));
        Some(Region { line, column, end_line, end_column })
    }

    /// One line for a log: `file:line:column: message`; of a file without a text `file: message`.
    pub(crate) fn summary(&self) -> String {
        let place = match (self.source.text.as_ref(), self.position()) {
            ("", _) => self.source.name.to_string(),
            (_, (line, column)) => format!("{}:{line}:{column}", self.source.name),
        };
        printable(&format!("{place}: {}", self.message), Lines::One).into_owned()
    }

    /// The finding with its source line, carets and advice, without a newline at the end.
    pub(crate) fn render(&self, style: Style) -> String {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let path = printable(&self.source.name, Lines::One);
        let title = level.primary_title(printable(&self.message, Lines::Many)).id(self.code);
        let mut group: Group<'_> = if self.source.text.is_empty() {
            title.element(Origin::path(path))
        } else if let (_, length) = line_around(&self.source.text, self.span.start)
            && length > SHOWN_LINE_BYTES_MAX
        {
            let (line, column) = self.position();
            title.element(Origin::path(path).line(line).char_column(column))
        } else {
            let excerpt = Excerpt::around(&self.source.text, &self.span);
            let snippet = Snippet::source(excerpt.text).line_start(excerpt.line).path(path).fold(true);
            title.element(snippet.annotation(AnnotationKind::Primary.span(excerpt.span)))
        };
        if let Some(advice) = &self.advice {
            group = group.element(Level::HELP.message(printable(advice, Lines::Many)));
        }
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        renderer.render(&[group])
    }
}

/// Every finding, in the order of files and of places in them, errors before warnings at one place.
pub(crate) fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by(|left, right| {
        let place = |finding: &Diagnostic| (finding.source.name.clone(), finding.span.start);
        place(left).cmp(&place(right)).then(right.severity.cmp(&left.severity))
    });
    sorted
}

/// Findings of one code that are a line each in a log, and those that are named of more.
const LINES_MAX: usize = 5;
const NAMED_MAX: usize = 3;

/// A line for each finding, errors first; of many of one code one line that counts them and names the first.
pub(crate) fn digest(diagnostics: &[Diagnostic]) -> Vec<String> {
    let mut kinds: Vec<Vec<&Diagnostic>> = Vec::new();
    for found in diagnostics {
        let is_like = |of: &&mut Vec<&Diagnostic>| {
            of.first().is_some_and(|first| (first.severity, first.code) == (found.severity, found.code))
        };
        match kinds.iter_mut().find(is_like) {
            Some(of) => of.push(found),
            None => kinds.push(vec![found]),
        }
    }
    kinds.sort_by_key(|of| Reverse(of.first().map(|first| first.severity)));
    let lines = kinds.into_iter().flat_map(|of| {
        let code = of.first().map_or("", |first| first.code);
        let named = if of.len() > LINES_MAX { NAMED_MAX } else { LINES_MAX };
        let mut lines: Vec<String> = of.iter().take(named).map(|found| found.summary()).collect();
        if of.len() > named {
            let rest = of.len() - named;
            lines =
                vec![format!("{}; and {rest} more of {code}: signalbox check shows them", lines.join("; "))];
        }
        lines
    });
    lines.collect()
}

/// Every finding as text, in the order of [`sorted`].
pub(crate) fn render(diagnostics: &[Diagnostic], style: Style) -> String {
    render_all(&sorted(diagnostics), style)
}

/// Every finding as text, in this order.
pub(crate) fn render_all(diagnostics: &[&Diagnostic], style: Style) -> String {
    let rendered: Vec<String> = diagnostics.iter().map(|finding| finding.render(style)).collect();
    let mut text = rendered.join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The one of `candidates` a person most likely meant by `word`, if any is near.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let tolerance = (length / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= tolerance)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        // Of two as near, one that was begun and not finished is likelier than one with another letter.
        .min_by_key(|(distance, candidate)| (*distance, !candidate.starts_with(word), *candidate))
        .map(|(_, candidate)| candidate)
}

/// How many single characters must be put in, taken out, changed or swapped with a neighbour.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, character) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX / 2);
            let change = at(&last, column) + usize::from(character != *other);
            let mut best = change.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = column > 0 && previous == Some(*other) && right.get(column - 1) == Some(&character);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        previous = Some(character);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

/// Bytes of a line that is still shown with its finding; of a longer one the place is enough.
const SHOWN_LINE_BYTES_MAX: usize = 64 << 10;

/// Where the line of a byte begins, and how many bytes it has without its end.
fn line_around(text: &str, at: usize) -> (usize, usize) {
    let at = boundary(text, at);
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let rest = text.get(start..).unwrap_or("");
    (start, rest.find('\n').unwrap_or(rest.len()))
}

/// The line a finding points at, so that a large file costs no more than a small one.
struct Excerpt {
    text: String,
    line: usize,
    span: Range<usize>,
}

impl Excerpt {
    /// The excerpt; the span ends with its first line, since a block that is marked whole marks nothing.
    fn around(text: &str, span: &Range<usize>) -> Self {
        let start = boundary(text, span.start);
        let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
        let line_end =
            text.get(start..line_end).map_or(line_end, |rest| start + rest.trim_end_matches('\r').len());
        let end = boundary(text, span.end).clamp(start, line_end);
        let (line_start, _) = line_around(text, start);
        let line = text.get(..line_start).unwrap_or("").matches('\n').count() + 1;
        let part = |from: usize, to: usize| printable(text.get(from..to).unwrap_or(""), Lines::One);
        let (before, marked, after) = (part(line_start, start), part(start, end), part(end, line_end));
        let span = before.len()..before.len() + marked.len();
        Self { text: [before, marked, after].concat(), line, span }
    }
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(text: &str, span: Range<usize>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: "some-code",
            source: Source { name: Arc::from("rules/a.yaml"), text: Arc::from(text) },
            span,
            message: "no such key `exprr`".to_owned(),
            advice: Some("Did you mean `expr`?".to_owned()),
        }
    }

    #[test]
    fn a_finding_shows_its_line_its_place_and_what_to_do() {
        let rendered = finding("groups:\n  - exprr: 1\n", 12..17).render(Style::Plain);
        assert!(rendered.contains("error[some-code]: no such key `exprr`"), "{rendered}");
        assert!(rendered.contains("rules/a.yaml:2:5"), "{rendered}");
        assert!(rendered.contains("2 |   - exprr: 1\n  |     ^^^^^"), "{rendered}");
        assert!(rendered.contains("help: Did you mean `expr`?"), "{rendered}");
    }

    #[test]
    fn positions_count_characters_and_survive_any_span() {
        assert_eq!(finding("é: x", 4..5).position(), (1, 4));
        for span in [1..2, 0..99, 50..70] {
            assert!(!finding("é: x", span).render(Style::Plain).is_empty());
        }
    }

    #[test]
    fn control_characters_reach_no_terminal() {
        for hostile in ["\u{1b}[31m", "\u{9b}31m", "\u{202e}", "a\rb", "\u{7}"] {
            let mut bad = finding(&format!("{hostile}: {hostile}\n"), 0..1);
            bad.source.name = format!("{hostile}.yaml\nb").into();
            bad.message = hostile.to_owned();
            bad.advice = Some(hostile.to_owned());
            for text in [bad.render(Style::Plain), bad.summary()] {
                let lines: Vec<&str> = text.lines().collect();
                assert!(lines.iter().all(|line| printable(line, Lines::One) == *line), "{text:?}");
            }
        }
    }

    #[test]
    fn a_log_has_one_line_for_many_of_one_code() {
        let of =
            |code, severity, at: usize| Diagnostic { severity, code, ..finding("aaaaaaaaaaaa", at..at + 1) };
        let mut list: Vec<Diagnostic> =
            (0..9).map(|at| of("unknown-metric", Severity::Warning, at)).collect();
        list.extend((0..5).map(|at| of("promql", Severity::Error, at)));
        let lines = digest(&list);
        assert_eq!(lines.len(), 6, "{lines:?}");
        assert_eq!(lines[4], list[13].summary(), "errors come first, up to five of a code a line each");
        let named = list[..3].iter().map(Diagnostic::summary).collect::<Vec<_>>().join("; ");
        assert_eq!(lines[5], format!("{named}; and 6 more of unknown-metric: signalbox check shows them"));
    }

    #[test]
    fn carets_stay_under_what_is_meant() {
        let rendered = finding("a\u{1b}: \u{9b}b: x\r\nnext\r\n", 4..7).render(Style::Plain);
        assert!(rendered.contains("1 | a\\u001b: \\u009bb: x\n  |          ^^^^^^^\n"), "{rendered}");
    }

    #[test]
    fn the_closest_word_is_suggested_only_when_near() {
        let words = ["expr", "for", "annotations", "queue_depth"];
        let cases = [
            ("exprr", Some("expr")),
            ("fro", Some("for")),
            ("anotation", Some("annotations")),
            ("queue_dept", Some("queue_depth")),
            ("zzzz", None),
        ];
        for (word, expected) in cases {
            assert_eq!(closest(word, words), expected, "{word}");
        }
    }
}
