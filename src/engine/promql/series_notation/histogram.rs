//! Native histograms in double braces: `{{schema:0 count:3 sum:5 buckets:[1 2]}}`.

use super::scan::Scanner;
use super::{ParseError, error};
use crate::engine::promql::histogram::{Bucket, FloatHistogram, HistogramSum, Operation, ResetHint};

/// Which way a sequence of histograms goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// What is read before the buckets know their places.
#[derive(Default)]
struct Draft {
    histogram: FloatHistogram,
    offset: i32,
    negative_offset: i32,
    positive: Vec<f64>,
    negative: Vec<f64>,
}

/// Reads one histogram; the scanner stands at its opening braces.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<FloatHistogram, ParseError> {
    scanner.skip(2);
    let mut draft = Draft::default();
    loop {
        scanner.skip_blanks();
        if scanner.take("}}") {
            break;
        }
        let start = scanner.at();
        let field = scanner.word();
        let known = !field.is_empty() && scanner.take(":");
        if !known || !set(&mut draft, field, scanner)? {
            return Err(error(start..scanner.at(), "this is no field of a histogram"));
        }
    }
    let Draft { mut histogram, offset, negative_offset, positive, negative } = draft;
    histogram.positive = buckets(offset, positive);
    histogram.negative = buckets(negative_offset, negative);
    Ok(histogram)
}

/// Reads the value of a field; says whether there is such a field.
fn set(draft: &mut Draft, field: &str, scanner: &mut Scanner<'_>) -> Result<bool, ParseError> {
    let histogram = &mut draft.histogram;
    match field {
        "schema" => histogram.schema = integer(scanner)?,
        "count" => histogram.count = scanner.number()?,
        "sum" => histogram.sum = scanner.number()?,
        "z_bucket" => histogram.zero_count = scanner.number()?,
        "z_bucket_w" => histogram.zero_threshold = scanner.number()?,
        "offset" => draft.offset = integer(scanner)?,
        "n_offset" => draft.negative_offset = integer(scanner)?,
        "buckets" => draft.positive = list(scanner)?,
        "n_buckets" => draft.negative = list(scanner)?,
        "custom_values" => histogram.custom_values = list(scanner)?.into(),
        "counter_reset_hint" => {
            let start = scanner.at();
            histogram.reset_hint = match scanner.word() {
                "unknown" => ResetHint::Unknown,
                "reset" => ResetHint::Reset,
                "not_reset" => ResetHint::NotReset,
                "gauge" => ResetHint::Gauge,
                _ => {
                    let advice = "one of unknown, reset, not_reset, gauge is expected here";
                    return Err(error(start..scanner.at(), advice));
                }
            };
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn integer(scanner: &mut Scanner<'_>) -> Result<i32, ParseError> {
    let start = scanner.at();
    let value = scanner.number()?;
    if value.fract() == 0.0 && value.abs() < f64::from(i32::MAX) {
        Ok(value as i32)
    } else {
        Err(error(start..scanner.at(), "expected a whole number"))
    }
}

fn list(scanner: &mut Scanner<'_>) -> Result<Vec<f64>, ParseError> {
    if !scanner.take("[") {
        return Err(scanner.wrong("expected numbers in brackets"));
    }
    let mut values = Vec::new();
    loop {
        scanner.skip_blanks();
        if scanner.take("]") {
            return Ok(values);
        }
        values.push(scanner.number()?);
    }
}

fn buckets(offset: i32, counts: Vec<f64>) -> Vec<Bucket> {
    (offset..).zip(counts).map(|(index, count)| Bucket { index, count }).collect()
}

/// The histogram `step` above or below `value`; otherwise why there is none.
pub(super) fn moved(
    value: &FloatHistogram,
    direction: Direction,
    step: &FloatHistogram,
) -> Result<FloatHistogram, String> {
    if value.schema > step.schema {
        return Err(format!(
            "error combining histograms: cannot merge from schema {} to {}",
            step.schema, value.schema
        ));
    }
    let operation = match direction {
        Direction::Up => Operation::Add,
        Direction::Down => Operation::Subtract,
    };
    let mut sum = HistogramSum::new(value);
    sum.apply(operation, step).map_err(|wrong| wrong.to_string())?;
    Ok(sum.finish())
}

#[cfg(test)]
mod tests {
    use super::super::{Point, points};
    use super::*;
    use crate::engine::promql::Value;

    fn histograms(text: &str) -> Vec<FloatHistogram> {
        let histogram = |point: Point| match point {
            Some(Value::Histogram(histogram)) => (*histogram).clone(),
            other => panic!("{other:?}"),
        };
        points(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}")).into_iter().map(histogram).collect()
    }

    #[test]
    fn every_field_of_a_histogram_is_read() {
        let text = "{{schema:1 count:9 sum:-.5 z_bucket:2 z_bucket_w:0.001 buckets:[1 2 ] offset:-1 n_buckets:[4] \
                    n_offset:3 counter_reset_hint:gauge}}";
        let found = histograms(text).remove(0);
        assert_eq!((found.schema, found.count, found.sum), (1, 9.0, -0.5));
        assert_eq!((found.zero_count, found.zero_threshold), (2.0, 0.001));
        let bucket = |index, count| Bucket { index, count };
        assert_eq!(found.positive, [bucket(-1, 1.0), bucket(0, 2.0)]);
        assert_eq!(found.negative, [bucket(3, 4.0)]);
        assert_eq!(found.reset_hint, ResetHint::Gauge);
        let custom = histograms("{{schema:-53 custom_values:[5 10]}}").remove(0);
        assert_eq!((custom.schema, custom.custom_values.as_ref()), (-53, [5.0, 10.0].as_slice()));
    }

    #[test]
    fn histograms_repeat_rise_and_fall() {
        let counts = |text: &str| histograms(text).iter().map(|found| found.count).collect::<Vec<_>>();
        assert_eq!(counts("{{count:1}}x2"), [1.0, 1.0, 1.0]);
        assert_eq!(counts("{{count:1 buckets:[1]}}+{{count:2 buckets:[0 2]}}x2"), [1.0, 3.0, 5.0]);
        assert_eq!(counts("{{count:5}}-{{count:2}}x1 {{count:7}}"), [5.0, 3.0, 7.0]);
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        for text in
            ["{{", "{{count:}}", "{{cuont:1}}", "{{count:1}", "{{schema:0.5}}", "{{buckets:[1}}", "{{}}y"]
        {
            assert!(points(text).is_err(), "{text}");
        }
        assert!(points("{{schema:0}}+{{schema:-53}}x1").is_err());
    }
}
