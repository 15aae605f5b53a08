//! Numbers as people read them, at the borders between two ways of writing them.

use super::*;

fn text(unit: Unit, value: f64) -> String {
    Measure::amount(unit).text(value)
}

#[test]
fn plain_numbers_keep_three_digits_that_matter() {
    let cases = [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.0, "−1"),
        (0.5, "0.5"),
        (0.123_456, "0.123"),
        (-0.001_234, "−0.00123"),
        (12.345, "12.3"),
        (99.99, "100"),
        (123.456, "123"),
        (999.4, "999"),
        (999.6, "1,000"),
        (-999.6, "−1,000"),
        (1_000.0, "1,000"),
        (1_234_567.8, "1,234,568"),
        (-12_345.0, "−12,345"),
        (1e14, "100,000,000,000,000"),
        (1e15, "1.00e15"),
        (1e-6, "0.000001"),
        (9.9e-7, "9.90e-7"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
    ];
    for (value, expected) in cases {
        assert_eq!(text(Unit::Plain, value), expected, "{value}");
    }
}

#[test]
fn seconds_go_from_micro_to_days() {
    let cases = [
        (0.0, "0 s"),
        (0.000_002_5, "2.5 µs"),
        (0.000_999, "999 µs"),
        (0.001, "1 ms"),
        (0.35, "350 ms"),
        (1.0, "1 s"),
        (1.26, "1.26 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (61.4, "1 min 1 s"),
        (-61.0, "−1 min 1 s"),
        (-0.5, "−500 ms"),
        (3_600.0, "1 h"),
        (90_000.0, "1 d 1 h"),
    ];
    for (value, expected) in cases {
        assert_eq!(text(Unit::Seconds, value), expected, "{value}");
    }
}

#[test]
fn bytes_shares_and_instants_have_their_own_words() {
    let cases = [
        (Unit::Bytes, 0.0, "0 B"),
        (Unit::Bytes, 1_023.0, "1,023 B"),
        (Unit::Bytes, 1_024.0, "1 KiB"),
        (Unit::Bytes, -1_536.0, "−1.5 KiB"),
        (Unit::Bytes, 5_368_709_120.0, "5 GiB"),
        (Unit::Bytes, 1.5e15, "1,364 TiB"),
        (Unit::Ratio, 0.226, "22.6 %"),
        (Unit::Ratio, 1.0, "100 %"),
        (Unit::Percent, 22.6, "22.6 %"),
        (Unit::Instant, 0.0, "1970-01-01T00:00:00Z"),
        (Unit::Instant, f64::NAN, "NaN"),
    ];
    for (unit, value, expected) in cases {
        assert_eq!(text(unit, value), expected, "{unit:?} {value}");
    }
    let pace = Measure { unit: Unit::Bytes, pace: Pace::EachSecond };
    assert_eq!(pace.text(2_048.0), "2 KiB/s");
}

#[test]
fn a_metrics_name_says_its_unit() {
    let cases = [
        ("queue_depth", Unit::Plain),
        ("job_duration_seconds", Unit::Seconds),
        ("job_duration_seconds_bucket", Unit::Seconds),
        ("job_duration_seconds_sum", Unit::Seconds),
        ("job_duration_seconds_count", Unit::Plain),
        ("read_bytes_total", Unit::Bytes),
        ("cache_hit_ratio", Unit::Ratio),
        ("disk_used_percent", Unit::Percent),
        ("last_success_timestamp_seconds", Unit::Instant),
        ("process_start_time_seconds", Unit::Instant),
        ("cpu_time_seconds", Unit::Seconds),
        ("bytes", Unit::Bytes),
        ("", Unit::Plain),
    ];
    for (name, expected) in cases {
        assert_eq!(unit_of_metric(name), expected, "{name}");
    }
}

#[test]
fn thresholds_tell_that_a_quotient_is_no_share() {
    let ratio = Measure::amount(Unit::Ratio);
    assert_eq!(ratio.fitting([0.5, -1.0].into_iter()), ratio);
    assert_eq!(ratio.fitting([0.5, 1.5].into_iter()), Measure::PLAIN);
    assert_eq!(ratio.fitting(std::iter::empty()), ratio);
    assert_eq!(Measure::SECONDS.fitting([900.0].into_iter()), Measure::SECONDS);
}
