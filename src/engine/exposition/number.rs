//! Numbers as text: shortest decimals that read back the same, spelled as Prometheus spells them.

use crate::engine::time::Timestamp;

/// Integers below this are written digit by digit, faster than any float can be.
const INTEGER_MAX: f64 = 1e15;

/// Appends a sample's value: `12`, `0.25`, `1e-7`, `+Inf`, `-Inf`, `NaN`.
#[inline]
pub(super) fn push_value(value: f64, out: &mut Vec<u8>) {
    let whole = value as u64;
    if (0.0..INTEGER_MAX).contains(&value) && whole as f64 == value && value.is_sign_positive() {
        push_integer(whole, out);
    } else {
        push_unusual(value, out);
    }
}

fn push_unusual(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if -INTEGER_MAX < value && value < 0.0 && value.trunc() == value {
        out.push(b'-');
        push_integer(-value as u64, out);
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

/// Appends a finite value without an exponent, whatever its size: `12`, `0.25`, `100000000000000000000`.
pub(crate) fn push_decimal(value: f64, out: &mut Vec<u8>) {
    if value.abs() < INTEGER_MAX && value.trunc() == value && (value != 0.0 || value.is_sign_positive()) {
        return push_value(value, out);
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    if value.abs() < INTEGER_MAX && value.trunc() != value && !shortest.contains('e') {
        out.extend_from_slice(shortest.as_bytes());
    } else {
        out.extend_from_slice(value.to_string().as_bytes());
    }
}

/// Every number below 100 as two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut left: &mut [[u8; 2]] = &mut pairs;
    let mut number = 0;
    while let Some((pair, rest)) = left.split_first_mut() {
        *pair = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
        left = rest;
    }
    pairs
};

/// Appends a whole number.
#[inline]
pub(super) fn push_integer(value: u64, out: &mut Vec<u8>) {
    if value < 10 {
        out.push(b'0' + value as u8);
        return;
    }
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value;
    while rest >= 10 {
        start -= 2;
        if let (Some(place), Some(pair)) =
            (digits.get_mut(start..start + 2), PAIRS.get((rest % 100) as usize))
        {
            place.copy_from_slice(pair);
        }
        rest /= 100;
    }
    if rest > 0 {
        start -= 1;
        if let Some(place) = digits.get_mut(start) {
            *place = b'0' + rest as u8;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Appends an instant in seconds since the Unix epoch, with as many decimals as it needs, at most six.
pub(crate) fn push_seconds(instant: Timestamp, out: &mut Vec<u8>) {
    let micros = instant.micros();
    if micros < 0 {
        out.push(b'-');
    }
    let micros = micros.unsigned_abs();
    push_integer(micros / 1_000_000, out);
    let rest = (micros % 1_000_000) as u32;
    if rest > 0 {
        let pair = |value: u32| PAIRS.get((value % 100) as usize).copied().unwrap_or_default();
        let digits = [pair(rest / 10_000), pair(rest / 100), pair(rest)];
        let digits = digits.as_flattened();
        let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        out.push(b'.');
        out.extend_from_slice(digits.get(..digits.len() - zeros).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: f64) -> String {
        let mut out = Vec::new();
        push_value(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_the_shortest_without_an_exponent_that_read_back() {
        let mut random = 1_u64;
        let mut cases =
            vec![0.0, -0.0, 0.1, -2.5, 1e15, 1e16, 1.5e15, 1e-7, 123_456_789_012_345.6, f64::MAX, 5e-324];
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            cases.push(f64::from_bits(random));
            cases.push((random >> 20) as f64 / 1e4);
        }
        for value in cases.into_iter().filter(|value| value.is_finite()) {
            let mut out = Vec::new();
            push_decimal(value, &mut out);
            let text = String::from_utf8(out).unwrap();
            // Of two texts that are as near and as short either may be taken.
            let (read, displayed) = (text.parse::<f64>().unwrap(), value.to_string());
            assert_eq!(
                (read.to_bits(), text.len()),
                (value.to_bits(), displayed.len()),
                "{text} {displayed}"
            );
            assert!(!text.contains('e'), "{text}");
        }
    }

    #[test]
    fn values_are_spelled_as_prometheus_reads_them() {
        let cases = [
            (0.0, "0"),
            (7.0, "7"),
            (10.0, "10"),
            (99.0, "99"),
            (100.0, "100"),
            (12_345.0, "12345"),
            (999_999_999_999_999.0, "999999999999999"),
            (-42.0, "-42"),
            (0.25, "0.25"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (number, expected) in cases {
            assert_eq!(value(number), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_value_reads_back_the_same(bits: u64) {
            let number = f64::from_bits(bits);
            let back: f64 = value(number).parse().unwrap();
            assert!(back.to_bits() == bits || (back.is_nan() && number.is_nan()));
        }

        #[test]
        fn every_integer_reads_back_the_same(number: u64) {
            let mut out = Vec::new();
            push_integer(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }

    #[test]
    fn instants_keep_their_microseconds() {
        let cases = [
            (0, "0"),
            (1_700_000_000_000_000, "1700000000"),
            (1_700_000_000_120_000, "1700000000.12"),
            (1_700_000_000_000_001, "1700000000.000001"),
            (-1_500_000, "-1.5"),
        ];
        for (micros, expected) in cases {
            let mut out = Vec::new();
            push_seconds(Timestamp::from_micros(micros), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
