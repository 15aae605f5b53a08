//! `docs/metrics.md` is written from the tables; this says when it no longer is what they say.

use std::fmt::Write;

use super::{CATALOGUE, CatalogueRow, Source};
use crate::engine::account::OWN_METRICS;

const PAGE: &str = include_str!("../../../docs/metrics.md");

const INTRO: &str = "# Metrics

Written from `src/engine/catalogue/rows.rs` and `src/engine/account.rs`; a test holds it to them.

Every metric that events feed, by the event it stands with. *Tracked* gauges need more than one event to be told: they
follow jobs, chunks, files, workers, cache entries and warmers, and stay as long as their tracker holds something.
Other gauges leave after `stale_after` without an event. A label whose field is missing, null or empty has the value
`unknown` (`indexed` is `false` then). Where *from the start* names label values, those series are there at zero before
the first event; a counter that belongs to an event is there at zero as soon as the event was, also where it adds
nothing to it. The configuration can put a `namespace` in front of all names but those that begin with `signalbox_`, and set buckets,
help texts, units and dropped labels by name.

MetricRecorded events bring metrics of their own: names get `_` for every character outside `[a-zA-Z0-9_:]` and before
a leading digit, counters end in `_total`, and a name that coincides with one of these, or begins with `signalbox_` or
`process_`, is refused as `conflict`.
";

fn code_list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn from_the_start(row: &CatalogueRow) -> String {
    match (row.declared, row.labels) {
        ([], _) => String::new(),
        (_, []) => "yes".to_owned(),
        (declared, _) => declared.iter().map(|values| values.join("/")).collect::<Vec<_>>().join(", "),
    }
}

fn page() -> String {
    let mut page = INTRO.to_owned();
    let mut context = "";
    let mut event = "";
    for row in CATALOGUE {
        let (row_context, row_event) =
            row.event().map_or(("sidecar", ""), |event| (event.context(), event.name()));
        if row_context != context {
            let head = "\n| event | metric | type | labels | from the start | what it is |\n|---|---|---|---|---|---|";
            let _ = writeln!(page, "\n## {row_context}\n{head}");
            context = row_context;
        }
        let shown = if row_event == event { "" } else { row_event };
        event = row_event;
        let tracked = if matches!(row.source, Source::Tracker(_)) { "tracked " } else { "" };
        let _ = writeln!(
            page,
            "| {shown} | `{}` | {tracked}{} | {} | {} | {} |",
            row.name,
            row.metric_type.name(),
            code_list(row.labels),
            from_the_start(row),
            row.help
        );
    }
    for own in OWN_METRICS {
        let name = own.metric_type.exposed_name(own.name);
        let (kind, labels) = (own.metric_type.name(), code_list(own.labels));
        let _ = writeln!(page, "|  | `{name}` | {kind} | {labels} |  | {} |", own.help);
    }
    page
}

#[test]
fn the_page_of_metrics_says_what_the_tables_say() {
    let page = page();
    assert!(page == PAGE, "docs/metrics.md is to be:\n{page}");
}
