//! Grafana's variables in a query (`$name`, `${name:format}`, `[[name]]`), each replaced by something it could stand for.
//!
//! A variable may hold anything: a value, a name, a range, a matcher, an operator. What it most likely holds is read off
//! the place it stands at; where the query does not parse that way, others are tried. A query is refused only where
//! nothing that was tried makes it one.

use std::ops::Range;

use crate::engine::promql::{self, Expr, ParseError};

/// Readings of one query that are tried at most.
const TRIES_MAX: usize = 600;

/// What a variable inside of quotes could stand for.
const IN_QUOTES: [&str; 3] = ["x", "1", ""];

/// What a variable outside of quotes could stand for, whatever its place.
const ANYTHING: [&str; 24] = [
    "x",
    "5",
    "5m",
    "m",
    "",
    "\"x\"",
    "x=\"x\"",
    "x=\"x\",",
    ",x=\"x\"",
    "{x=\"x\"}",
    "+",
    "> 0",
    "sum",
    "rate",
    "topk",
    "quantile_over_time",
    "label_replace",
    "offset 5m",
    "by (x)",
    "on (x)",
    "bool",
    "x,",
    ",x",
    "x +",
];

/// A query with its variables replaced.
pub(super) struct Reading {
    /// The query, or why nothing makes it one.
    pub(super) parsed: Result<Expr, ParseError>,
    /// The text that was parsed.
    text: String,
    /// For each byte of the text the byte of the original it came from, and the end.
    origins: Vec<usize>,
    /// What in the text stands for variables.
    stand_ins: Vec<Range<usize>>,
}

impl Reading {
    /// The bytes of the original for bytes of the text that was parsed.
    pub(super) fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let of = |at: usize| self.origins.get(at).or(self.origins.last()).copied().unwrap_or(0);
        of(span.start)..of(span.end).max(of(span.start))
    }

    /// Where `word` stands first in a part of the text, unless a variable has a part in it.
    pub(super) fn word(&self, word: &str, part: &Range<usize>) -> Option<Range<usize>> {
        let start = part.start + self.text.get(part.clone())?.find(word)?;
        let found = start..start + word.len();
        let is_whole = |stand_in: &Range<usize>| stand_in.end <= found.start || found.end <= stand_in.start;
        self.stand_ins.iter().all(is_whole).then_some(found)
    }
}

/// Reads a query; where nothing makes it one, it is what is wrong with the likeliest reading that counts.
pub(super) fn read(query: &str) -> Reading {
    let pieces = pieces(query);
    let likeliest = pieces.reading(&vec![0; pieces.variables.len()]);
    if likeliest.parsed.is_ok() {
        return likeliest;
    }
    pieces.search().unwrap_or(likeliest)
}

/// How much of the original a reading makes sense of.
fn progress(reading: &Reading) -> usize {
    match &reading.parsed {
        Ok(_) => usize::MAX,
        Err(error) => reading.origin(&error.span).start,
    }
}

/// A query, taken apart.
struct Pieces<'a> {
    query: &'a str,
    variables: Vec<Variable>,
}

/// A variable and what it could stand for, the likeliest first.
struct Variable {
    span: Range<usize>,
    candidates: Vec<&'static str>,
}

impl Pieces<'_> {
    /// A reading that parses: of each variable in turn the candidate is kept with which the parser gets furthest.
    fn search(&self) -> Option<Reading> {
        let mut choices: Vec<usize> = vec![0; self.variables.len()];
        let mut furthest = progress(&self.reading(&choices));
        let mut tries = 0;
        // Twice, since what one stands for may only show once another has been found.
        for place in (0..self.variables.len()).chain(0..self.variables.len()) {
            let candidates = self.variables.get(place).map_or(0, |variable| variable.candidates.len());
            for candidate in 0..candidates {
                let mut tried = choices.clone();
                if let Some(choice) = tried.get_mut(place) {
                    *choice = candidate;
                }
                let reading = self.reading(&tried);
                tries += 1;
                if reading.parsed.is_ok() {
                    return Some(reading);
                }
                if progress(&reading) > furthest {
                    furthest = progress(&reading);
                    choices = tried;
                }
                if tries >= TRIES_MAX {
                    return None;
                }
            }
        }
        None
    }

    /// The query with this candidate for each variable.
    fn reading(&self, choices: &[usize]) -> Reading {
        let (mut text, mut origins, mut stand_ins) = (String::new(), Vec::new(), Vec::new());
        let mut at = 0;
        let keep = |range: Range<usize>, text: &mut String, origins: &mut Vec<usize>| {
            text.push_str(self.query.get(range.clone()).unwrap_or_default());
            origins.extend(range);
        };
        for (variable, choice) in self.variables.iter().zip(choices) {
            keep(at..variable.span.start, &mut text, &mut origins);
            let candidate = variable.candidates.get(*choice).copied().unwrap_or_default();
            stand_ins.push(text.len()..text.len() + candidate.len());
            text.push_str(candidate);
            origins.extend(std::iter::repeat_n(variable.span.start, candidate.len()));
            at = variable.span.end;
        }
        keep(at..self.query.len(), &mut text, &mut origins);
        origins.push(self.query.len());
        Reading { parsed: promql::parse(&text), text, origins, stand_ins }
    }
}

/// Finds the variables, and reads off where each stands what it could be.
fn pieces(query: &str) -> Pieces<'_> {
    let mut place = QueryPlace::default();
    let mut variables: Vec<Variable> = Vec::new();
    let mut at = 0;
    while let Some(rest) = query.get(at..)
        && let Some(character) = rest.chars().next()
    {
        let len = if place.is_comment { None } else { variable_len(rest) };
        let Some(len) = len else {
            at += place.pass(rest, character);
            continue;
        };
        let (before, after) = (query.get(..at).unwrap_or_default(), rest.get(len..).unwrap_or_default());
        let touches = variables.last().is_some_and(|last| last.span.end == at);
        let candidates = if place.quote.is_some() {
            IN_QUOTES.to_vec()
        } else {
            let mut candidates = likely(&Around { before, after, touches, place: &place }, name(rest, len));
            candidates.extend(ANYTHING);
            candidates
        };
        variables.push(Variable { span: at..at + len, candidates });
        at += len;
    }
    Pieces { query, variables }
}

/// The bytes of the variable a text begins with.
fn variable_len(text: &str) -> Option<usize> {
    let word = |text: &str| text.bytes().take_while(|byte| is_word(*byte)).count();
    if let Some(rest) = text.strip_prefix("[[") {
        let len = word(rest);
        let rest = rest.get(len..)?;
        let format = rest.strip_prefix(':').map_or(0, |format| 1 + word(format));
        return (len > 0 && rest.get(format..)?.starts_with("]]")).then_some(2 + len + format + 2);
    }
    let rest = text.strip_prefix('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        return (word(inner) > 0).then(|| inner.find('}'))?.map(|end| end + 3);
    }
    let len = word(rest);
    (len > 0).then_some(len + 1)
}

fn name(text: &str, len: usize) -> &str {
    let inner = text.get(..len).unwrap_or_default().trim_matches(['$', '{', '}', '[', ']']);
    inner.split([':', '.']).next().unwrap_or_default()
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where in the query it stands.
#[derive(Default)]
struct QueryPlace {
    quote: Option<char>,
    is_comment: bool,
    /// What is open, the innermost last.
    open: Vec<char>,
}

impl QueryPlace {
    /// Goes past one character, or two where the first escapes the second; says past how many bytes.
    fn pass(&mut self, rest: &str, character: char) -> usize {
        let len = character.len_utf8();
        match (self.quote, character) {
            _ if self.is_comment => self.is_comment = character != '\n',
            (Some('"' | '\''), '\\') => {
                let escaped = rest.get(len..).and_then(|rest| rest.chars().next());
                return len + escaped.map_or(0, char::len_utf8);
            }
            (Some(open), _) if open == character => self.quote = None,
            (None, '"' | '\'' | '`') => self.quote = Some(character),
            (None, '#') => self.is_comment = true,
            (None, '(' | '[' | '{') => self.open.push(character),
            (None, ')' | ']' | '}') => drop(self.open.pop()),
            (Some(_) | None, _) => {}
        }
        len
    }
}

/// What stands around a variable outside of quotes.
struct Around<'a> {
    before: &'a str,
    after: &'a str,
    /// Whether another variable ends where it begins.
    touches: bool,
    place: &'a QueryPlace,
}

/// What a variable outside of quotes most likely stands for.
fn likely(around: &Around<'_>, name: &str) -> Vec<&'static str> {
    let last = around.before.bytes().last();
    let next = around.after.bytes().next();
    let (before, after) = (around.before.trim_end(), around.after.trim_start());
    let in_list = |words: &[&str]| {
        let head = before.rfind('(').map(|open| before.get(..open).unwrap_or_default().trim_end());
        head.is_some_and(|head| words.iter().any(|word| head.to_ascii_lowercase().ends_with(word)))
    };
    match around.place.open.last() {
        Some('[') => match (last, next) {
            (Some(b'0'..=b'9'), _) => vec!["m"],
            (_, Some(b'a'..=b'z')) => vec!["5"],
            _ => vec!["5m"],
        },
        Some('{') if after.starts_with(['=', '!']) => vec!["x"],
        Some('{') if before.ends_with(['=', '~']) => vec!["\"x\""],
        Some('{') => vec!["x=\"x\""],
        _ if before.to_ascii_lowercase().ends_with("offset") => vec!["5m"],
        _ if around.touches || last.is_some_and(|byte| is_word(byte) || byte == b':') => match last {
            Some(b'0'..=b'9') => vec!["5", "x"],
            _ => vec!["x", "5"],
        },
        _ if next.is_some_and(|byte| is_word(byte) || matches!(byte, b'$' | b':')) => vec!["x"],
        _ if after.starts_with(['{', '[']) => vec!["x"],
        _ if after.starts_with('(') => vec!["sum", "rate"],
        _ if ["by", "without"].iter().any(|word| after.to_ascii_lowercase().starts_with(word)) => vec!["sum"],
        Some('(') if in_list(&["by", "without", "on", "ignoring", "group_left", "group_right"]) => vec!["x"],
        _ if name.starts_with("__") && (name.ends_with("interval") || name.ends_with("range")) => vec!["5m"],
        _ => vec!["5", "x"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_give_way_to_what_they_could_stand_for() {
        let cases = [
            ("rate(a[$__rate_interval])", "rate(a[5m])"),
            ("rate(a[[[interval]]])", "rate(a[5m])"),
            ("rate(a[${__range_s}s])", "rate(a[5s])"),
            ("rate(a[1$unit])", "rate(a[1m])"),
            ("rate(a[$__interval:$step])", "rate(a[5m:5m])"),
            ("a{b=~\"$queue\"}", "a{b=~\"x\"}"),
            ("a{b=~\"${queue:regex}|[[other:pipe]]\"}", "a{b=~\"x|x\"}"),
            ("a{b=~\"[[:alpha:]]+ cost $\"}", "a{b=~\"[[:alpha:]]+ cost $\"}"),
            ("topk($n, a)", "topk(5, a)"),
            ("sum by ($l) (a)", "sum by (x) (a)"),
            ("sum by (${l:csv}, b) (a)", "sum by (x, b) (a)"),
            ("a offset $shift", "a offset 5m"),
            ("$metric{b=\"c\"}", "x{b=\"c\"}"),
            ("rate(${metric}_total[5m])", "rate(x_total[5m])"),
            ("a{$matchers}", "a{x=\"x\"}"),
            ("a{$matchers, b=\"c\"}", "a{x=\"x\", b=\"c\"}"),
            ("a{$matchers b=\"c\"}", "a{ b=\"c\"}"),
            ("a{b=\"c\" $more}", "a{b=\"c\" }"),
            ("a{$label=\"$value\"}", "a{x=\"x\"}"),
            ("a{b=$value}", "a{b=\"x\"}"),
            ("$aggregation by (b) (a)", "sum by (b) (a)"),
            ("$function(a[5m])", "rate(a[5m])"),
            ("${function}_over_time(a[5m])", "sum_over_time(a[5m])"),
            ("a $op b", "a + b"),
            ("a $by_clause", "a "),
            ("sum $by (a)", "sum  (a)"),
            ("$query", "5"),
            ("sum($query)", "sum(x)"),
            ("histogram_quantile(0.$p, a_bucket)", "histogram_quantile(0.5, a_bucket)"),
            (
                "histogram_quantile($quantile, sum by (le) (rate($metric[$window])))",
                "histogram_quantile(5, sum by (le) (rate(x[5m])))",
            ),
            ("a / $__interval_ms * 1000", "a / 5 * 1000"),
            ("a # it's $5\n+ $b", "a # it's $5\n+ 5"),
        ];
        let wrong: Vec<_> = cases
            .iter()
            .map(|(written, expected)| (read(written), expected))
            .filter(|(reading, expected)| reading.parsed.is_err() || reading.text != **expected)
            .map(|(reading, expected)| (reading.text, *expected))
            .collect();
        assert_eq!(wrong, []);
    }

    #[test]
    fn no_variable_makes_a_query_of_what_is_none() {
        for written in ["sum(a", "sum($a", "rate(a[$b)", "a{b=\"$c\"", "a{b=\"$c\"} +", "nope(a[$b])"] {
            assert!(read(written).parsed.is_err(), "{written}");
        }
    }

    #[test]
    fn places_are_those_of_the_original() {
        let query = "sum(rate($metric[${window:raw}])) by (queue) + abc{d=\"$e\"}";
        let reading = read(query);
        let found = reading.word("abc", &(0..reading.text.len())).unwrap();
        assert_eq!(query.get(reading.origin(&found)), Some("abc"));
        assert_eq!(reading.word("x", &(0..reading.text.len())), None);
    }
}
