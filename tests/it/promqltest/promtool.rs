//! The same expressions through the engine and through an installed promtool.
//!
//! promtool prints what it got where a test expects something else, so each expression is given an expectation that
//! cannot hold. Instants lie off the grid of samples, since Prometheus 3 excludes the beginning of a range and older
//! versions include it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use regex::Regex;
use signalbox::engine::labels::Labels;
use signalbox::engine::promql::{EvalSettings, QueryValue, Value, instant, parse};

use super::command;
use super::project;
use super::storage::MemoryStorage;

const AT_MS: i64 = 724_500;

type Vector = BTreeMap<Labels, f64>;

#[test]
fn promtool_yields_the_same_for_the_same_expressions() {
    if Command::new("promtool").arg("--version").output().is_err() {
        let notice = b"promtool is not installed: nothing is compared with it\n";
        std::io::stdout().write_all(notice).unwrap();
        return;
    }
    let folder = project().join("tests/promql/promtool");
    let series = std::fs::read_to_string(folder.join("series.txt")).unwrap();
    let text = std::fs::read_to_string(folder.join("expressions.txt")).unwrap();
    let expressions: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let storage = stored(&series);
    let theirs = ask_promtool(&series, &expressions);
    assert_eq!(theirs.len(), expressions.len(), "promtool does not answer every expression");
    let differing: Vec<String> = expressions
        .iter()
        .filter_map(|expression| {
            let (own, theirs) = (evaluated(expression, &storage), theirs.get(*expression)?);
            (!alike(&own, theirs)).then(|| format!("{expression}\n  own {own:?}\n  promtool {theirs:?}"))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn stored(series: &str) -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    for (_, command) in command::read(series) {
        if let command::Command::Load(load) = command.unwrap() {
            storage.load(&load).unwrap();
        }
    }
    storage
}

fn evaluated(expression: &str, storage: &MemoryStorage) -> Vector {
    let outcome = instant(&parse(expression).unwrap(), storage, AT_MS, &EvalSettings::default()).unwrap();
    let QueryValue::Vector(vector) = outcome.value else { panic!("{expression} yields no vector") };
    let floats = vector.into_iter().map(|(labels, value)| match value {
        Value::Float(value) => (labels, value),
        Value::Histogram(_) => panic!("{expression} yields a histogram"),
    });
    floats.collect()
}

fn ask_promtool(series: &str, expressions: &[&str]) -> BTreeMap<String, Vector> {
    let mut test = String::from("evaluation_interval: 1m\ntests:\n  - interval: 15s\n    input_series:\n");
    for line in series.lines().filter_map(|line| line.strip_prefix("  ")) {
        let (labels, points) = line.split_once(' ').unwrap();
        writeln!(test, "      - {{series: '{labels}', values: '{points}'}}").unwrap();
    }
    test.push_str("    promql_expr_test:\n");
    for expression in expressions {
        let quoted = expression.replace('\'', "''");
        writeln!(test, "      - expr: '{quoted}'").unwrap();
        writeln!(test, "        eval_time: {AT_MS}ms").unwrap();
        test.push_str("        exp_samples: [{labels: 'never{}', value: 42}]\n");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yaml");
    std::fs::write(&path, test).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&path).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let answer = Regex::new(r#"expr: ("(?:[^"\\]|\\.)*"), time: [^\n]*\n[^\n]*\n\s*got:([^\n]*)"#).unwrap();
    let answers = answer.captures_iter(&text).map(|found| {
        let expression: String = serde_json::from_str(&found[1]).unwrap();
        (expression, vector(&found[2]))
    });
    answers.collect()
}

/// Reads `"{a=\"b\"} 1E+00, {…} 2E+00"` or `nil`.
fn vector(answer: &str) -> Vector {
    let sample = Regex::new(r"(\{[^{}]*\}) (\S+?)(?:, |$)").unwrap();
    let text = answer.trim().trim_matches('"').replace("\\\"", "\"");
    let samples = sample.captures_iter(&text).map(|found| {
        let labels = signalbox::engine::promql::series_notation::labels(&found[1]).unwrap();
        (labels, found[2].parse().unwrap())
    });
    samples.collect()
}

fn alike(own: &Vector, theirs: &Vector) -> bool {
    let close = |own: f64, theirs: f64| {
        own == theirs
            || own.is_nan() && theirs.is_nan()
            || (own - theirs).abs() <= 1e-9 * own.abs().max(theirs.abs()) + 1e-12
    };
    own.len() == theirs.len()
        && own
            .iter()
            .zip(theirs)
            .all(|((labels, own), (other, theirs))| labels == other && close(*own, *theirs))
}
