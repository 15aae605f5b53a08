//! Events a second by what became of them.

use maud::{Markup, html};

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

/// The section under this heading.
pub(super) fn section(look: &Look<'_>, heading: &str) -> Markup {
    html! {
        section aria-labelledby="rates" {
            h2 id="rates" { (heading) }
            dl.tiles {
                @for (fate, meaning) in FATES {
                    @let rate = look.own(&format!("sum(rate(signalbox_events_{fate}_total[1m] anchored))"));
                    div.(if rate.unwrap_or(0.0) > 0.0 && ["rejected", "dropped"].contains(&fate) { "bad" } else { "fine" }) {
                        dt { (fate) }
                        dd.number { (rate.map_or_else(|| "0".to_owned(), |rate| Measure::default().text(rate))) "/s" }
                        dd.quiet { (meaning) }
                    }
                }
            }
        }
    }
}
