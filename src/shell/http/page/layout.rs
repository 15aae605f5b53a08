//! What every page is set in: head, navigation, banner, footer.

use maud::{DOCTYPE, Markup, html};

use super::address::{Address, QueryAsk, Root};
use super::assets::{ICON, IDIOMORPH, LIVE_JS, PAGE_CSS, QUERY_JS};
use super::live::Shown;

/// The pages that the navigation leads to.
const NAVIGATION: [(&str, &str, Address); 5] = [
    ("./", "Alerts", Address::Overview),
    ("rules", "Rules", Address::Rules),
    ("events", "Events", Address::Events),
    ("series", "Series", Address::Series),
    ("query", "Query", Address::Query(QueryAsk { text: String::new(), minutes: None })),
];

/// The whole document around what a page shows.
pub(super) fn document(address: &Address, shown: &Shown) -> Markup {
    let root = address.root();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (shown.title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" type="image/svg+xml" href={ (root) (ICON.address()) };
                link rel="stylesheet" href={ (root) (PAGE_CSS.address()) };
                script src={ (root) (IDIOMORPH.address()) } defer {}
                script src={ (root) (LIVE_JS.address()) } defer {}
                @if matches!(address, Address::Query(_)) {
                    script src={ (root) (QUERY_JS.address()) } defer {}
                }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href={ (root) "./" } {
                        img src={ (root) (ICON.address()) } alt="" width="24" height="24";
                        "signalbox"
                    }
                    nav aria-label="Pages" {
                        @for (path, name, page) in &NAVIGATION {
                            @let here = page.is_around(address);
                            a href={ (root) (path) } aria-current=[here.then_some("page")] { (name) }
                        }
                    }
                }
                (maud::PreEscaped(shown.live.as_str()))
                (maud::PreEscaped(shown.still.as_str()))
                (footer(root))
            }
        }
    }
}

fn footer(root: Root) -> Markup {
    html! {
        footer {
            noscript { p { "Without JavaScript this page does not renew itself: load it again to see the present." } }
            p {
                a href={ (root) "metrics" } { "Metrics" }
                a href={ (root) "-/ready" } { "Readiness" }
                a href={ (root) "api/v1/rules" } { "Rules as JSON" }
                a href={ (root) "api/v1/alerts" } { "Alerts as JSON" }
                span { "signalbox " (env!("CARGO_PKG_VERSION")) " (" (crate::shell::REVISION) ")" }
            }
        }
    }
}
