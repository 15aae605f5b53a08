//! What every page is set in: head, navigation, banner, footer.

use maud::{DOCTYPE, Markup, html};

use super::address::{Address, QueryAsk, Root};
use super::assets::{Asset, ICON, IDIOMORPH, LIVE_JS, PAGE_CSS, QUERY_JS, TIMES_JS};
use super::find::{RuleCondition, RulesAsk};
use super::live::ShownPage;

/// The pages that the navigation leads to.
const NAVIGATION: [(&str, &str, Address); 5] = [
    ("./", "Alerts", Address::Overview),
    ("rules", "Rules", Address::Rules(RulesAsk { text: String::new(), condition: RuleCondition::Any })),
    ("events", "Events", Address::Events),
    ("series", "Series", Address::Series),
    ("query", "Query", Address::Query(QueryAsk { text: String::new(), minutes: None })),
];

/// A document around what it shows.
pub(super) struct Document<'a> {
    /// How it reaches the root.
    pub(super) root: Root,
    /// The page that it is, or belongs to.
    pub(super) page: &'a Address,
    /// Its title.
    pub(super) title: &'a str,
    /// The scripts it needs, in order.
    pub(super) scripts: &'a [Asset],
    /// What its policy lets a style carry that a script makes; none where no script does.
    pub(super) nonce: Option<&'a str>,
    /// What it shows.
    pub(super) content: Markup,
}

/// The whole document around what a page shows.
pub(super) fn document(address: &Address, shown: &ShownPage) -> Markup {
    let scripts = match address {
        Address::Query(_) => &[IDIOMORPH, TIMES_JS, LIVE_JS, QUERY_JS][..],
        Address::Overview | Address::Rules(_) | Address::Rule(_) | Address::Events | Address::Series => {
            &[IDIOMORPH, TIMES_JS, LIVE_JS]
        }
    };
    let content = html! {
        (maud::PreEscaped(shown.live.as_str()))
        (maud::PreEscaped(shown.still.as_str()))
    };
    let (root, title) = (address.root(), shown.title.as_str());
    Document { root, page: address, title, scripts, nonce: None, content }.markup()
}

impl Document<'_> {
    /// All of it.
    pub(super) fn markup(&self) -> Markup {
        let root = self.root;
        html! {
        (DOCTYPE)
        html lang="en" data-style=[self.nonce] {
            head {
                meta charset="utf-8";
                title { (self.title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" type="image/svg+xml" href={ (root) (ICON.address()) };
                link rel="stylesheet" href={ (root) (PAGE_CSS.address()) };
                @for script in self.scripts {
                    script src={ (root) (script.address()) } defer {}
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
                            @let here = page.is_around(self.page);
                            a href={ (root) (path) } aria-current=[here.then_some("page")] { (name) }
                        }
                    }
                }
                (self.content)
                (footer(root))
            }
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
