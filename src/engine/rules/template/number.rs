//! Numbers as Go writes them in a source text, and as its `strconv` reads them.

use super::syntax::Constant;

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadNumber {
    Syntax,
    /// A whole number beyond 64 bits, or with digits that its base does not have.
    Overflow,
}

/// The number that is written so.
pub(super) fn constant(written: &str) -> Result<Constant, BadNumber> {
    if let Some(imaginary) = written.strip_suffix('i')
        && let Ok(imaginary) = parse_float(imaginary)
    {
        return Ok(Constant::Complex(0.0, imaginary));
    }
    if let Some(whole) = whole(written) {
        let small = i64::try_from(whole).map(Constant::Int);
        return small.or(u64::try_from(whole).map(Constant::TooLarge)).map_err(|_| BadNumber::Overflow);
    }
    let value = parse_float(written).map_err(|_| BadNumber::Syntax)?;
    if written.contains(['.', 'e', 'E', 'p', 'P']) {
        Ok(Constant::Float(value))
    } else {
        Err(BadNumber::Overflow)
    }
}

/// The pair of a complex number (`1+2i`).
pub(super) fn complex(written: &str) -> Result<Constant, BadNumber> {
    let pair = written.strip_suffix('i').ok_or(BadNumber::Syntax)?;
    let split = pair
        .char_indices()
        .skip(1)
        .filter(|(at, sign)| {
            matches!(sign, '+' | '-')
                && !pair.get(..*at).is_some_and(|before| before.ends_with(['e', 'E', 'p', 'P']))
        })
        .last();
    let (at, _) = split.ok_or(BadNumber::Syntax)?;
    let (real, imaginary) = pair.split_at(at);
    let part = |written: &str| parse_float(written).map_err(|_| BadNumber::Syntax);
    Ok(Constant::Complex(part(real)?, part(imaginary)?))
}

/// A whole number in the base its prefix says.
fn whole(written: &str) -> Option<i128> {
    let (negative, digits) = signed(written);
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !underscores_fit(written) || digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

fn signed(written: &str) -> (bool, &str) {
    match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written.strip_prefix('+').unwrap_or(written)),
    }
}

/// Whether every underscore stands between digits, or between a prefix and a digit.
fn underscores_fit(written: &str) -> bool {
    let (_, digits) = signed(written);
    let lower = digits.to_ascii_lowercase();
    let prefixed = lower.starts_with("0x") || lower.starts_with("0o") || lower.starts_with("0b");
    let is_hexadecimal = lower.starts_with("0x");
    let mut before = if prefixed { '0' } else { '^' };
    for symbol in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        let is_digit = symbol.is_ascii_digit() || (is_hexadecimal && symbol.is_ascii_hexdigit());
        if (symbol == '_' && before != '0') || (before == '_' && !is_digit) {
            return false;
        }
        before = match symbol {
            _ if is_digit => '0',
            '_' => '_',
            _ => '!',
        };
    }
    before != '_'
}

/// Why `strconv.ParseFloat` refuses a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadFloat {
    Syntax,
    Range,
}

/// A float as `strconv.ParseFloat` reads it.
pub(super) fn parse_float(written: &str) -> Result<f64, BadFloat> {
    let (negative, rest) = signed(written);
    let lower = rest.to_ascii_lowercase();
    let value = match lower.as_str() {
        "inf" | "infinity" => return Ok(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        "nan" if rest.len() == written.len() => return Ok(f64::NAN),
        _ if !underscores_fit(written) => return Err(BadFloat::Syntax),
        _ if lower.starts_with("0x") => hexadecimal(&lower).ok_or(BadFloat::Syntax)?,
        _ => {
            let digits = lower.replace('_', "");
            let plain = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'));
            if !plain || digits.starts_with(['+', '-']) {
                return Err(BadFloat::Syntax);
            }
            digits.parse::<f64>().map_err(|_| BadFloat::Syntax)?
        }
    };
    if value.is_infinite() {
        return Err(BadFloat::Range);
    }
    Ok(if negative { -value } else { value })
}

/// `0x1.8p3`: the exponent must be there.
fn hexadecimal(lower: &str) -> Option<f64> {
    let digits = lower.strip_prefix("0x")?.replace('_', "");
    let (mantissa, exponent) = digits.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    Some(value * 2f64.powi(shift))
}
