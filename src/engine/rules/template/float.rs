//! Floats as Go's `strconv.FormatFloat` writes them.

use std::fmt::Write;

/// The notations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// `%e`
    Exponent,
    /// `%f`
    Decimal,
    /// `%g`: whichever is shorter.
    Shorter,
    /// `%b`: a whole number times a power of two.
    Binary,
    /// `%x`
    Hexadecimal,
}

/// As `%v` and `print` write it.
pub(super) fn plain(value: f64) -> String {
    written(value, Notation::Shorter, None)
}

/// A float with so many digits, or as few as tell it from every other one.
pub(super) fn written(value: f64, notation: Notation, digits: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    let body = match notation {
        Notation::Exponent => exponent(magnitude, digits),
        Notation::Decimal => match digits {
            Some(digits) => {
                let (shown, zeros) = shown(digits);
                format!("{magnitude:.shown$}{zeros}")
            }
            None => format!("{magnitude}"),
        },
        Notation::Shorter => shorter(magnitude, digits),
        Notation::Binary => binary(magnitude),
        Notation::Hexadecimal => hexadecimal(magnitude, digits),
    };
    format!("{sign}{body}")
}

/// More digits than any float has behind its point.
const DIGITS_MAX: usize = 1_100;

/// So many digits as what may not be zero and the zeros behind it.
fn shown(digits: usize) -> (usize, String) {
    (digits.min(DIGITS_MAX), "0".repeat(digits.saturating_sub(DIGITS_MAX)))
}

/// `d.ddde±dd`
fn exponent(magnitude: f64, digits: Option<usize>) -> String {
    let (written, zeros) = match digits {
        Some(digits) => {
            let (shown, zeros) = shown(digits);
            (format!("{magnitude:.shown$e}"), zeros)
        }
        None => (format!("{magnitude:e}"), String::new()),
    };
    let (mantissa, exponent) = parts(&written);
    with_exponent(&format!("{mantissa}{zeros}"), exponent)
}

fn parts(written: &str) -> (&str, i32) {
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    (mantissa, exponent.parse().unwrap_or(0))
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn shorter(magnitude: f64, digits: Option<usize>) -> String {
    let digits = digits.map(|digits| digits.clamp(1, DIGITS_MAX));
    let written = match digits {
        Some(digits) => format!("{magnitude:.*e}", digits - 1),
        None => format!("{magnitude:e}"),
    };
    let (mantissa, exponent) = parts(&written);
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let significant = mantissa.len() - usize::from(mantissa.contains('.'));
    // Go decides by six digits where it writes as few as it can.
    let limit = match digits {
        None => 6,
        Some(digits) => {
            let before_point = exponent + 1;
            let short = digits > significant && usize::try_from(before_point).is_ok_and(|n| significant >= n);
            if short { significant } else { digits }
        }
    };
    if exponent < -4 || exponent >= i32::try_from(limit).unwrap_or(i32::MAX) {
        return with_exponent(mantissa, exponent);
    }
    let after_point = (i32::try_from(significant).unwrap_or(0) - 1 - exponent).max(0);
    format!("{magnitude:.*}", usize::try_from(after_point).unwrap_or(0))
}

const MANTISSA_BITS: u32 = 52;

/// The mantissa as a whole number, and the power of two it is times.
fn raw(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let exponent = i32::try_from(bits >> MANTISSA_BITS).unwrap_or(0);
    if exponent == 0 { (mantissa, -1074) } else { (mantissa | 1 << MANTISSA_BITS, exponent - 1075) }
}

fn binary(magnitude: f64) -> String {
    let (mantissa, exponent) = raw(magnitude);
    format!("{mantissa}p{exponent:+}")
}

/// `0x1.8p+00`
fn hexadecimal(magnitude: f64, digits: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = raw(magnitude);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() - (63 - MANTISSA_BITS);
        mantissa <<= shift;
        exponent += i32::try_from(MANTISSA_BITS).unwrap_or(0) - i32::try_from(shift).unwrap_or(0);
    }
    if let Some(digits) = digits.filter(|digits| *digits < 13) {
        let shift = u32::try_from((13 - digits) * 4).unwrap_or(0);
        let (kept, rest) = (mantissa >> shift, mantissa & ((1 << shift) - 1));
        let half = 1_u64 << (shift - 1);
        let up = rest > half || (rest == half && kept & 1 == 1);
        mantissa = (kept + u64::from(up)) << shift;
        if mantissa >> (MANTISSA_BITS + 1) > 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:013x}", mantissa & ((1 << MANTISSA_BITS) - 1));
    let mut written = format!("0x{}", mantissa >> MANTISSA_BITS);
    let shown = match digits {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(digits) => fraction.chars().chain(std::iter::repeat('0')).take(digits).collect(),
    };
    if !shown.is_empty() {
        written.extend([".", shown.as_str()]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    // Writing to a string does not fail.
    let _ = write!(written, "p{sign}{:02}", exponent.unsigned_abs());
    written
}
