//! The notation of test data: a series is written as labels and a sequence of points, as in promtool's rule tests.
//!
//! `a+bxn` is `a` and then `n` more points, each `b` larger; `a-bxn` falls; `axn` is `a` and then `n` more of the same;
//! `_` is no point and `_xn` are `n` of them; `stale` marks the series as gone. Native histograms stand in double
//! braces and take the place of `a` and `b`.

mod histogram;
mod scan;

use super::ParseError;
use super::check::error;
use super::parse::label_set;
use super::storage::{STALE_BITS, Value};
use super::text;
use crate::engine::labels::Labels;
use scan::Scanner;

/// The most points one sequence may have.
pub(crate) const POINTS_MAX: usize = 1_000_000;

/// One place of a sequence: nothing, or a value.
pub type Point = Option<Value>;

/// What a line says about a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Its points.
    Points(Labels, Vec<Point>),
    /// `<series>@st`: since when each of its points counts, in milliseconds relative to the point.
    Starts(Labels, Vec<Option<i64>>),
}

/// Reads a label set, e.g. `up{job="api"}`.
///
/// # Errors
/// Where the text is no label set.
pub fn labels(text: &str) -> Result<Labels, ParseError> {
    label_set(text)
}

/// Reads a sequence of points, e.g. `1 2+3x4 _ stale`.
///
/// # Errors
/// Where the text is no sequence, or one of more than [`POINTS_MAX`] points.
pub(crate) fn points(text: &str) -> Result<Vec<Point>, ParseError> {
    let mut found = Vec::new();
    let mut scanner = Scanner::new(text);
    while let Some(start) = scanner.next_item() {
        item(&mut scanner, start, &mut found)?;
    }
    Ok(found)
}

/// Reads a line of `<series> <points>` or `<series>@st <offsets>`.
///
/// # Errors
/// Where the line is neither; the span counts from its beginning.
pub fn line(text: &str) -> Result<Line, ParseError> {
    let end = labels_end(text);
    let (head, tail) = text.split_at_checked(end).unwrap_or((text, ""));
    let labels = label_set(head)?;
    let moved = |wrong: ParseError, by: usize| ParseError {
        span: wrong.span.start.saturating_add(by)..wrong.span.end.saturating_add(by),
        ..wrong
    };
    match tail.strip_prefix("@st") {
        Some(offsets) => {
            let starts = starts(offsets).map_err(|wrong| moved(wrong, end.saturating_add(3)))?;
            Ok(Line::Starts(labels, starts))
        }
        None => Ok(Line::Points(labels, points(tail).map_err(|wrong| moved(wrong, end))?)),
    }
}

/// Where the label set at the beginning of `text` ends.
fn labels_end(text: &str) -> usize {
    let name = text.find(|symbol: char| symbol.is_whitespace() || matches!(symbol, '{' | '@'));
    let Some(name) = name else { return text.len() };
    if !text.get(name..).is_some_and(|rest| rest.starts_with('{')) {
        return name;
    }
    let mut quote = None;
    let mut escaped = false;
    for (at, symbol) in text.char_indices().skip_while(|(at, _)| *at < name) {
        match (quote, symbol) {
            _ if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), _) if open == symbol => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(symbol),
            (None, '}') => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Reads one item that begins at `start`.
fn item(scanner: &mut Scanner<'_>, start: usize, found: &mut Vec<Point>) -> Result<(), ParseError> {
    if scanner.take("_") {
        let count = if scanner.take("x") { scanner.count()? } else { 1 };
        return extend(scanner, start, found, count, || Ok(None));
    }
    if scanner.take("stale") {
        return extend(scanner, start, found, 1, || Ok(Some(Value::Float(f64::from_bits(STALE_BITS)))));
    }
    if scanner.rest().starts_with("{{") {
        return histograms(scanner, start, found);
    }
    let mut value = scanner.number()?;
    let step = match scanner.rest().chars().next() {
        Some('+' | '-') => Some(scanner.number()?),
        _ => None,
    };
    let more = match (scanner.take("x"), step) {
        (true, _) => scanner.count()?,
        (false, None) => 0,
        (false, Some(_)) => return Err(scanner.wrong("expected x and a number of repetitions")),
    };
    extend(scanner, start, found, more.saturating_add(1), || {
        let point = Some(Value::Float(value));
        value += step.unwrap_or(0.0);
        Ok(point)
    })
}

fn histograms(scanner: &mut Scanner<'_>, start: usize, found: &mut Vec<Point>) -> Result<(), ParseError> {
    let mut value = histogram::read(scanner)?;
    let step = match scanner.rest() {
        rest if rest.starts_with("+{{") => Some(histogram::Direction::Up),
        rest if rest.starts_with("-{{") => Some(histogram::Direction::Down),
        _ => None,
    };
    let step = match step {
        Some(direction) => {
            scanner.skip(1);
            Some((direction, histogram::read(scanner)?))
        }
        None => None,
    };
    let more = match (scanner.take("x"), &step) {
        (true, _) => scanner.count()?,
        (false, None) => 0,
        (false, Some(_)) => return Err(scanner.wrong("expected x and a number of repetitions")),
    };
    let mut first = true;
    extend(scanner, start, found, more.saturating_add(1), || {
        if let Some((direction, step)) = step.as_ref().filter(|_| !first) {
            value = histogram::moved(&value, *direction, step).map_err(|wrong| error(0..0, wrong))?;
        }
        first = false;
        Ok(Some(Value::Histogram(value.clone().into())))
    })
    .map_err(|wrong| ParseError { span: start..scanner.at(), ..wrong })
}

/// Appends `count` points, where so many are allowed and the item ends here.
fn extend(
    scanner: &Scanner<'_>,
    start: usize,
    found: &mut Vec<Point>,
    count: usize,
    mut next: impl FnMut() -> Result<Point, ParseError>,
) -> Result<(), ParseError> {
    if !scanner.at_item_end() {
        return Err(scanner.wrong("this is no point of a series"));
    }
    if found.len().saturating_add(count) > POINTS_MAX {
        return Err(error(start..scanner.at(), format!("a sequence may have {POINTS_MAX} points at most")));
    }
    for _ in 0..count {
        found.push(next()?);
    }
    Ok(())
}

/// Reads a sequence of signed durations: `_`, `-30s`, `-30s-1mx2`, `0`.
fn starts(text: &str) -> Result<Vec<Option<i64>>, ParseError> {
    let mut found = Vec::new();
    let mut scanner = Scanner::new(text);
    while let Some(start) = scanner.next_item() {
        let (first, step, count) = if scanner.take("_") {
            let count = if scanner.take("x") { scanner.count()? } else { 1 };
            (None, 0, count)
        } else {
            let first = scanner.signed_duration()?;
            let stepped = matches!(scanner.rest().chars().next(), Some('+' | '-'));
            let step = if stepped { scanner.signed_duration()? } else { 0 };
            let more = if scanner.take("x") { scanner.count()? } else { 0 };
            (Some(first), step, more.saturating_add(1))
        };
        if !scanner.at_item_end() || found.len().saturating_add(count) > POINTS_MAX {
            return Err(error(start..scanner.at(), "this is no sequence of durations"));
        }
        let offset = |at: i64| first.map(|first: i64| first.saturating_add(step.saturating_mul(at)));
        found.extend((0..).map(offset).take(count));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn floats(text: &str) -> Vec<Option<f64>> {
        let float = |point: Point| match point {
            Some(Value::Float(value)) => Some(value),
            _ => None,
        };
        points(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}")).into_iter().map(float).collect()
    }

    #[test]
    fn sequences_are_written_out() {
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(floats("1 -2 .5 1e3"), some(&[1.0, -2.0, 0.5, 1000.0]));
        assert_eq!(floats("0+10x3"), some(&[0.0, 10.0, 20.0, 30.0]));
        assert_eq!(floats("2e-1-1x1 7x2"), some(&[0.2, -0.8, 7.0, 7.0, 7.0]));
        assert_eq!(floats("_ 1 _x2 +Inf"), [None, Some(1.0), None, None, Some(f64::INFINITY)]);
        assert_eq!(floats("0x2"), some(&[0.0; 3]));
        assert_eq!(floats("stale").first().unwrap().unwrap().to_bits(), STALE_BITS);
        assert!(floats(" NaN ").first().unwrap().unwrap().is_nan());
        assert_eq!(floats(""), []);
    }

    #[test]
    fn what_is_no_sequence_is_refused_where_it_stands() {
        for (text, fault) in [
            ("1 2y", "y"),
            ("1+1", ""),
            ("1x", ""),
            ("a", "a"),
            ("_y", "y"),
            ("1x99999999999", "1x99999999999"),
            ("1x3 é", "é"),
        ] {
            let wrong = points(text).unwrap_err();
            assert_eq!(text.get(wrong.span.clone()), Some(fault), "{text}: {wrong:?}");
        }
    }

    #[test]
    fn a_line_is_a_series_with_points_or_with_starts() {
        let up = Labels::collect([("__name__", "up"), ("job", "a } b")]);
        let points = vec![Some(Value::Float(1.0))];
        assert_eq!(line("up{job=\"a } b\"} 1"), Ok(Line::Points(up.clone(), points.clone())));
        let starts = vec![None, Some(-30_000), Some(-90_000), Some(0)];
        assert_eq!(line("up{job='a } b'}@st _ -30s-1mx1 0"), Ok(Line::Starts(up, starts)));
        let named = Labels::collect([("__name__", "my.metric")]);
        assert_eq!(line("{\"my.metric\"} 1"), Ok(Line::Points(named, points.clone())));
        assert_eq!(line("{} 1"), Ok(Line::Points(Labels::empty(), points)));
        assert_eq!(line("up{job!=\"a\"} 1").unwrap_err().span, 0..12);
        assert_eq!(line("up 1 a").unwrap_err().span, 5..6);
    }

    proptest! {
        #[test]
        fn no_line_makes_the_notation_panic(text in "[a{}\\[\\]=\",:_x0-9+.eé st@schemabuckt-]{0,40}") {
            if let Err(wrong) = line(&text) {
                prop_assert!(text.get(wrong.span.clone()).is_some(), "{:?}", wrong);
            }
        }
    }
}
