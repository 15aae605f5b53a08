//! How often events come, by what became of them.

use maud::{Markup, html};

use crate::engine::labels::Labels;

use super::look::Look;
use super::unit::Measure;

/// What may become of an event, with what that means.
const FATES: [(&str, &str); 5] = [
    ("received", "came in on either lane"),
    ("applied", "moved metrics"),
    ("duplicate", "had come before"),
    ("rejected", "were refused, by reason"),
    ("dropped", "were lost on the core lane"),
];

/// Seconds that rates are taken over.
const WINDOW_SECONDS: f64 = 60.0;

/// The section under this heading.
pub(super) fn section(look: &Look<'_>, heading: &str) -> Markup {
    html! {
        section aria-labelledby="rates" {
            h2 id="rates" { (heading) }
            dl.tiles {
                @for (fate, meaning) in FATES {
                    @let rate = total(look, fate).unwrap_or(0.0);
                    div.bad[rate > 0.0 && ["rejected", "dropped"].contains(&fate)] {
                        dt { (fate) }
                        dd.number { (text(rate)) }
                        dd.quiet { (meaning) }
                    }
                }
            }
        }
    }
}

/// Events with this fate each second, over the last minute; none where nothing was counted yet.
pub(super) fn total(look: &Look<'_>, fate: &str) -> Option<f64> {
    let rate = look.own(&format!("sum(rate(signalbox_events_{fate}_total[1m] anchored))"));
    rate.map(|rate| rate * WINDOW_SECONDS / seconds(look))
}

/// Events received each second by type and lane, over the last minute.
pub(super) fn of_types(look: &Look<'_>) -> Vec<(Labels, f64)> {
    let (rates, seconds) =
        (look.own_values("rate(signalbox_events_received_total[1m] anchored)"), seconds(look));
    rates.into_iter().map(|(labels, rate)| (labels, rate * WINDOW_SECONDS / seconds)).collect()
}

/// The seconds that are known of the last minute: a process that has only begun has fewer.
fn seconds(look: &Look<'_>) -> f64 {
    let age = look.own("time() - min_over_time(timestamp(signalbox_build_info)[1m:1s])");
    age.map_or(WINDOW_SECONDS, |age| age.clamp(1.0, WINDOW_SECONDS))
}

/// A rate for people: `60.7/s`, `3/min` where it is slower than one in ten seconds, `2/h` below one a minute.
pub(super) fn text(rate: f64) -> String {
    let (amount, unit) = match rate {
        0.0 | 0.1.. => (rate, "s"),
        0.016.. => (rate * 60.0, "min"),
        _ => (rate * 3_600.0, "h"),
    };
    format!("{}/{unit}", Measure::default().text(amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_events_are_counted_by_the_minute_and_the_hour() {
        let cases = [(0.0, "0/s"), (60.7, "60.7/s"), (0.1, "0.1/s"), (1.0 / 60.0, "1/min"), (0.002, "7.2/h")];
        for (rate, expected) in cases {
            assert_eq!(text(rate), expected);
        }
    }
}
