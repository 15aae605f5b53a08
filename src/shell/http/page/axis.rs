//! Round values and round times along the sides of a chart.

use crate::engine::time::Timestamp;

use super::unit::{Measure, ROUND_SECONDS};

/// Steps between the lowest and the highest value, about.
const VALUE_STEPS: f64 = 5.0;

/// Times along a chart, at most.
const TIMES_MAX: i64 = 6;

/// The side with values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    /// The lowest and the highest one, both round.
    pub(super) range: (f64, f64),
    /// Those that are written, from the lowest up.
    pub(super) ticks: Vec<f64>,
}

/// Round values that span all between two.
pub(super) fn values((low, high): (f64, f64), measure: Measure) -> Values {
    let step = measure.round_step((high - low) / VALUE_STEPS);
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    if !(step > 0.0 && (last - first) <= VALUE_STEPS * 4.0 && first.abs() < 1e15) {
        return Values { range: (low, high), ticks: vec![low, high] };
    }
    let ticks: Vec<f64> = (0..=(last - first) as i64).map(|place| (first + place as f64) * step).collect();
    Values { range: (first * step, last * step), ticks }
}

/// How exactly a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// To the second.
    Second,
    /// To the minute.
    Minute,
}

impl Precision {
    /// The word that the page's script knows it by.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
        }
    }

    /// An instant in UTC, which the browser shows in its own time zone.
    pub(super) fn text(self, at: Timestamp) -> String {
        let text = at.to_string();
        let range = match self {
            Self::Second => 11..19,
            Self::Minute => 11..16,
        };
        format!("{} UTC", text.get(range).unwrap_or(&text))
    }
}

/// The side with times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Those that are written.
    pub(super) ticks: Vec<Timestamp>,
    /// How exactly.
    pub(super) precision: Precision,
}

/// Round times between two.
pub(super) fn times(from: Timestamp, to: Timestamp) -> Times {
    let length = (to.millis() - from.millis()).max(0);
    let fits = |step: &&i64| length / (**step * 1_000) < TIMES_MAX;
    let step = ROUND_SECONDS.iter().find(fits).copied();
    let step = step.unwrap_or_else(|| length / 1_000 / TIMES_MAX + 1);
    let step_ms = step * 1_000;
    let first = from.millis().div_euclid(step_ms) + i64::from(from.millis().rem_euclid(step_ms) != 0);
    let ticks = (first..).map(|place| place * step_ms).take_while(|at| *at <= to.millis());
    let precision = if step % 60 == 0 { Precision::Minute } else { Precision::Second };
    Times { ticks: ticks.map(Timestamp::from_millis).collect(), precision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::promql::parse;

    #[test]
    fn values_beside_a_chart_are_round_in_their_unit() {
        let cases: [(&str, (f64, f64), &[&str]); 8] = [
            ("a_ratio", (0.0, 0.289), &["0 %", "10 %", "20 %", "30 %"]),
            ("a", (0.0, 1.08), &["0", "0.5", "1", "1.5"]),
            ("a", (0.0, 12_345.0), &["0", "5,000", "10,000", "15,000"]),
            ("a", (-3.0, 4.0), &["−4", "−2", "0", "2", "4"]),
            ("a_seconds", (0.0, 0.9), &["0 s", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]),
            ("a_seconds", (0.0, 250.0), &["0 s", "1 min", "2 min", "3 min", "4 min", "5 min"]),
            ("a_bytes", (0.0, 5e6), &["0 B", "1 MiB", "2 MiB", "3 MiB", "4 MiB", "5 MiB"]),
            ("rate(a_total[1m])", (400.0, 440.0), &["400/s", "410/s", "420/s", "430/s", "440/s"]),
        ];
        for (query, range, expected) in cases {
            let measure = Measure::of(&parse(query).unwrap());
            let found = values(range, measure);
            assert!(found.range.0 <= range.0 && found.range.1 >= range.1, "{query}: {found:?}");
            let texts: Vec<String> = found.ticks.iter().map(|value| measure.text(*value)).collect();
            assert_eq!(texts, expected, "{query}");
        }
    }

    #[test]
    fn a_range_too_fine_for_round_values_keeps_its_own() {
        let found = values((1e300, 1.000_000_1e300), Measure::default());
        assert!(found.ticks.len() >= 2 && found.ticks.iter().all(|value| value.is_finite()), "{found:?}");
    }

    #[test]
    fn times_below_a_chart_are_round_and_few() {
        let at = Timestamp::from_millis;
        let cases = [
            ((1_000, 18_500), vec![5_000, 10_000, 15_000], Precision::Second),
            ((0, 900_000), vec![0, 300_000, 600_000, 900_000], Precision::Minute),
            ((30_000, 3_630_000), vec![900_000, 1_800_000, 2_700_000, 3_600_000], Precision::Minute),
            ((5, 5), vec![], Precision::Second),
        ];
        for ((from, to), expected, precision) in cases {
            let expected = expected.into_iter().map(at).collect();
            assert_eq!(times(at(from), at(to)), Times { ticks: expected, precision }, "{from} to {to}");
        }
    }
}
