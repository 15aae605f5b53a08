//! The commands of a file.

use regex::Regex;
use signalbox::engine::labels::Labels;
use signalbox::engine::promql::series_notation::{self, Line, Point};
use signalbox::engine::promql::{inspect, parse};

/// One command.
pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// `load` or `load_with_nhcb`.
pub(super) struct Load {
    pub(super) interval_ms: i64,
    pub(super) lines: Vec<Line>,
    /// Whether classic histograms are loaded as native ones with custom buckets as well.
    pub(super) classic_as_native: bool,
}

/// When an expression is evaluated, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Instant(i64),
    Range(Steps),
}

/// Equidistant instants in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: i64,
}

/// `eval` with what it expects.
pub(super) struct Eval {
    pub(super) when: When,
    pub(super) text: String,
    pub(super) expectations: Vec<Expectation>,
    pub(super) rows: Vec<Row>,
}

impl Eval {
    pub(super) fn describe(&self) -> String {
        match self.when {
            When::Instant(at) => format!("{} at {at} ms", self.text),
            When::Range(steps) => {
                format!("{} from {} to {} step {} ms", self.text, steps.start, steps.end, steps.step)
            }
        }
    }
}

/// A line with `expect`.
pub(super) enum Expectation {
    Fail(Wanted),
    Warn(Wanted),
    Info(Wanted),
    NoWarn,
    NoInfo,
    Ordered,
    String(String),
    RangeVector(Steps),
}

/// Which message is wanted.
pub(super) enum Wanted {
    Any,
    Message(String),
    Regex(Regex),
}

impl Wanted {
    pub(super) fn accepts(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Message(wanted) => wanted == message,
            Self::Regex(wanted) => wanted.is_match(message),
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => out.write_str("any message"),
            Self::Message(wanted) => write!(out, "the message {wanted:?}"),
            Self::Regex(wanted) => write!(out, "a message like {wanted}"),
        }
    }
}

/// A line of the expected result.
pub(super) enum Row {
    Number(f64),
    Series(Labels, Vec<Point>),
}

/// Every command with the number of its first line, or why it is none.
pub(super) fn read(text: &str) -> Vec<(usize, Result<Command, String>)> {
    let begins = Regex::new(r"^(clear$|load(_with_nhcb)?\s+\S+$|eval(_\w+)?\s+(instant|range)\s)").unwrap();
    let mut commands = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    while let Some((at, first)) = lines.next() {
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let mut rest = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty() && !begins.is_match(line)) {
            if !line.starts_with('#') {
                rest.push(line);
            }
        }
        commands.push((at + 1, command(first, &rest)));
    }
    commands
}

fn command(first: &str, rest: &[&str]) -> Result<Command, String> {
    let (word, tail) = first.split_once(char::is_whitespace).unwrap_or((first, ""));
    match word {
        "clear" => Ok(Command::Clear),
        "load" | "load_with_nhcb" => {
            let lines = rest.iter().map(|line| series_line(line)).collect::<Result<_, _>>()?;
            let interval_ms = millis(tail)?;
            Ok(Command::Load(Load { interval_ms, lines, classic_as_native: word != "load" }))
        }
        _ => eval(word, tail.trim(), rest).map(|eval| Command::Eval(Box::new(eval))),
    }
}

fn series_line(line: &str) -> Result<Line, String> {
    series_notation::line(line).map_err(|wrong| format!("{line}: {wrong} at {:?}", wrong.span))
}

/// A time as a duration or a number of seconds.
fn millis(text: &str) -> Result<i64, String> {
    let expr = parse(text.trim()).map_err(|wrong| format!("{text}: {wrong}"))?;
    let seconds = inspect::number(&expr).ok_or_else(|| format!("{text} is no time"))?;
    Ok((seconds * 1e3).round() as i64)
}

fn eval(word: &str, tail: &str, rest: &[&str]) -> Result<Eval, String> {
    let pattern = Regex::new(
        r"^(?:instant(?:\s+at\s+(?P<at>\S+))?|range\s+from\s+(?P<from>\S+)\s+to\s+(?P<to>\S+)\s+step\s+(?P<step>\S+))\s+(?P<expr>.+)$",
    )
    .unwrap();
    let found = pattern.captures(tail).ok_or_else(|| format!("{tail} is no evaluation"))?;
    let when = match (found.name("from"), found.name("to"), found.name("step")) {
        (Some(from), Some(to), Some(step)) => When::Range(Steps {
            start: millis(from.as_str())?,
            end: millis(to.as_str())?,
            step: millis(step.as_str())?,
        }),
        _ => When::Instant(found.name("at").map_or(Ok(0), |at| millis(at.as_str()))?),
    };
    let mut expectations = match word {
        "eval" => Vec::new(),
        "eval_fail" => vec![Expectation::Fail(Wanted::Any)],
        "eval_warn" => vec![Expectation::Warn(Wanted::Any)],
        "eval_info" => vec![Expectation::Info(Wanted::Any)],
        "eval_ordered" => vec![Expectation::Ordered],
        _ => return Err(format!("{word} is no command")),
    };
    let mut rows = Vec::new();
    for line in rest {
        match expectation(line)? {
            Some(expectation) => expectations.push(expectation),
            None => rows.push(row(line)?),
        }
    }
    Ok(Eval { when, text: found["expr"].trim().to_owned(), expectations, rows })
}

fn row(line: &str) -> Result<Row, String> {
    if let Some(value) = parse(line).ok().as_ref().and_then(inspect::number) {
        return Ok(Row::Number(value));
    }
    match series_line(line)? {
        Line::Points(labels, points) => Ok(Row::Series(labels, points)),
        Line::Starts(..) => Err(format!("{line}: a result has no start timestamps")),
    }
}

fn expectation(line: &str) -> Result<Option<Expectation>, String> {
    if let Some(message) = line.strip_prefix("expected_fail_message ") {
        return Ok(Some(Expectation::Fail(Wanted::Message(message.trim().to_owned()))));
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
        return Ok(Some(Expectation::Fail(wanted(&format!("regex:{pattern}"))?)));
    }
    let Some(rest) = line.strip_prefix("expect ").map(str::trim) else { return Ok(None) };
    let (kind, tail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let tail = tail.trim();
    Ok(Some(match kind {
        "fail" => Expectation::Fail(wanted(tail)?),
        "warn" => Expectation::Warn(wanted(tail)?),
        "info" => Expectation::Info(wanted(tail)?),
        "no_warn" => Expectation::NoWarn,
        "no_info" => Expectation::NoInfo,
        "ordered" => Expectation::Ordered,
        "string" => {
            let expr = parse(tail).map_err(|wrong| format!("{tail}: {wrong}"))?;
            let signalbox::engine::promql::ast::Node::String(literal) = expr.node else {
                return Err(format!("{tail} is no string"));
            };
            Expectation::String(literal.text().to_string())
        }
        "range" => {
            let words: Vec<&str> = tail.split_whitespace().collect();
            match words.as_slice() {
                ["vector", "from", start, "to", end, "step", step] => Expectation::RangeVector(Steps {
                    start: millis(start)?,
                    end: millis(end)?,
                    step: millis(step)?,
                }),
                _ => return Err(format!("{line} is no expectation")),
            }
        }
        _ => return Err(format!("{line} is no expectation")),
    }))
}

fn wanted(text: &str) -> Result<Wanted, String> {
    if text.is_empty() {
        Ok(Wanted::Any)
    } else if let Some(message) = text.strip_prefix("msg:") {
        Ok(Wanted::Message(message.trim().to_owned()))
    } else if let Some(pattern) = text.strip_prefix("regex:") {
        Regex::new(pattern.trim()).map(Wanted::Regex).map_err(|wrong| wrong.to_string())
    } else {
        Err(format!("{text} is neither msg: nor regex:"))
    }
}
