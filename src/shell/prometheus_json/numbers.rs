//! Numbers as Go writes them in JSON.

use serde_json::{Value, json};

use crate::engine::exposition::push_decimal;

/// Milliseconds as seconds with as many decimals as are needed.
pub(crate) fn seconds(millis: i64) -> Value {
    if millis % 1_000 == 0 { json!(millis / 1_000) } else { json!(millis as f64 / 1_000.0) }
}

/// A number as Prometheus writes it in results.
pub(crate) fn float(number: f64) -> String {
    written(number, push_float)
}

/// Appends it.
pub(super) fn push_float(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    if number.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        out.extend_from_slice(exponential(number).as_bytes());
    } else {
        push_decimal(number, out);
    }
}

/// A number alone, which Prometheus writes without an exponent whatever its size.
pub(super) fn scalar(number: f64) -> String {
    if number.is_finite() { written(number, push_decimal) } else { float(number) }
}

fn written(number: f64, push: impl FnOnce(f64, &mut Vec<u8>)) -> String {
    let mut text = Vec::new();
    push(number, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// A number as Go's `%e` writes it with the fewest digits: `1e+00`.
pub(super) fn exponential(number: f64) -> String {
    if !number.is_finite() {
        return float(number);
    }
    let text = format!("{number:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
