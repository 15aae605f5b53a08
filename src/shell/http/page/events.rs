//! Events: what comes in, what becomes of it, and what is wrong with what is refused.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;
use crate::engine::wire::Reason;
use crate::shell::driver::examples::Example;

use super::chart::Chart;
use super::look::Look;
use super::rates;
use super::words;

/// Rows of the table of event types.
const TYPES_MAX: usize = 60;

/// The page.
pub(super) fn page(look: &Look<'_>) -> Markup {
    html! {
        h1 { "Events" }
        (rates::section(look, "Over the last minute"))
        (types(look))
        @for words in &look.surroundings.share { p.quiet { (words) } }
        (rejected(look))
        (lost(look))
        (trackers(look))
    }
}

fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).unwrap_or("")
}

/// What was counted of one type on one lane.
#[derive(Default)]
struct OfType {
    received: f64,
    applied: f64,
    duplicate: f64,
    rate: f64,
}

fn types(look: &Look<'_>) -> Markup {
    let mut rows: BTreeMap<(String, String), OfType> = BTreeMap::new();
    let mut note = |query: &str, put: fn(&mut OfType, f64)| {
        for (labels, value) in look.own_values(query) {
            let key = (label(&labels, "event_type").to_owned(), label(&labels, "lane").to_owned());
            put(rows.entry(key).or_default(), value);
        }
    };
    note("signalbox_events_received_total", |row, value| row.received = value);
    note("signalbox_events_applied_total", |row, value| row.applied = value);
    note("signalbox_events_duplicate_total", |row, value| row.duplicate = value);
    for (labels, rate) in rates::of_types(look) {
        let key = (label(&labels, "event_type").to_owned(), label(&labels, "lane").to_owned());
        rows.entry(key).or_default().rate = rate;
    }
    rows.retain(|_, row| row.received > 0.0);
    let seen: BTreeMap<String, f64> = look
        .own_values("signalbox_event_last_timestamp_seconds")
        .into_iter()
        .map(|(labels, value)| (label(&labels, "event_type").to_owned(), value))
        .collect();
    html! {
        section aria-labelledby="types" {
            h2 id="types" { "By type and lane" }
            @if rows.is_empty() {
                div.empty {
                    p { strong { "No event has come yet." } }
                    p { "Publish to " code { "events.<context>.<EventType>" } ", or play a story with "
                        code { "signalbox demo --events-only" } "." }
                }
            } @else {
                div.scroll tabindex="0" role="group" aria-label="Events by type and lane" { table.tight {
                    thead { tr { th scope="col" { "Type" } th.wide scope="col" { "Lane" }
                        th.number scope="col" { "Now" } th.wide scope="col" { "Last " (look.spark_length()) }
                        th.number.wide scope="col" { "Received" } th.number.wide scope="col" { "Applied" }
                        th.number.wide scope="col" { "Duplicate" } th scope="col" { "Last applied" } } }
                    tbody { @for (key, row) in rows.iter().take(TYPES_MAX) {
                        (type_row(look, key, row, seen.get(&key.0).copied()))
                    } }
                } }
            }
        }
    }
}

fn type_row(look: &Look<'_>, key: &(String, String), row: &OfType, seen: Option<f64>) -> Markup {
    let (event_type, lane) = key;
    let count = |value: f64| words::thousands(value.max(0.0) as u64);
    html! {
        tr {
            td.type { bdi { (words::short(event_type)) } }
            td.wide { (lane) }
            td.number { (rates::text(row.rate)) }
            td.spark-cell.wide { (spark(look, key)) }
            td.number.wide { (count(row.received)) }
            td.number.wide { (count(row.applied)) }
            td.number.wide { (count(row.duplicate)) }
            td.ago {
                @match seen {
                    Some(seconds) => (words::ago(Timestamp::from_micros((seconds * 1e6) as i64), look.now())),
                    None => "–",
                }
            }
        }
    }
}

/// The rate of a type over the last minutes.
fn spark(look: &Look<'_>, (event_type, lane): &(String, String)) -> Markup {
    let window = look.spark_window();
    let query = "sum by (event_type, lane) (rate(signalbox_events_received_total[1m] anchored))";
    let past = look.own_past(query, window);
    let own = past
        .iter()
        .filter(|(labels, _)| label(labels, "event_type") == event_type && label(labels, "lane") == lane);
    let lines = own.map(|(_, line)| line.named("events a second")).collect();
    let chart =
        Chart { from: look.beginning(), to: window.to, step_ms: window.step_ms, lines, ..Chart::default() };
    chart.tiny()
}

fn rejected(look: &Look<'_>) -> Markup {
    let counts = look.own_values("sum by (reason) (signalbox_events_rejected_total)");
    let of = |reason: Reason| {
        let mut found = counts.iter().filter(|(labels, _)| label(labels, "reason") == reason.name());
        found.next().map_or(0.0, |(_, count)| *count)
    };
    let reasons: Vec<(Reason, f64)> = Reason::ALL.into_iter().map(|reason| (reason, of(reason))).collect();
    html! {
        section aria-labelledby="rejected" {
            h2 id="rejected" { "Rejected" }
            @if reasons.iter().all(|(_, count)| *count == 0.0) {
                p.quiet { "Nothing was rejected since the start." }
            }
            @for (reason, count) in reasons.iter().filter(|(_, count)| *count > 0.0) {
                div.panel {
                    h3 { (reason.name()) " " span.quiet { "× " (words::thousands(*count as u64)) } }
                    p.quiet { (meaning(*reason)) }
                    @let examples = look.surroundings.rejected.of(*reason);
                    @if !examples.is_empty() {
                        details id={ "examples-" (reason.name()) } {
                            summary { "The last examples" }
                            @for example in &examples { (example_of(example, look.now())) }
                        }
                    }
                }
            }
        }
    }
}

fn example_of(example: &Example, now: Timestamp) -> Markup {
    html! {
        div.example {
            p { strong { bdi { (words::long(&example.detail)) } } }
            p.quiet {
                (words::ago(example.at, now)) ", on " bdi { code { (words::short(&example.subject)) } }
                ", " (example.lane.name()) " lane, " (words::thousands(example.payload_bytes as u64)) " bytes"
            }
            pre tabindex="0" { (words::long(&example.payload))
                @if example.payload.len() < example.payload_bytes { "…" } }
        }
    }
}

const fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => {
            "Not JSON, not UTF-8, nested too deep, or a key twice: see the producer's encoder."
        }
        Reason::UnknownType => "A type the specification does not have: see its spelling and the subject.",
        Reason::UnsupportedVersion => {
            "Another major version: declare a transform for it in the configuration."
        }
        Reason::InvalidField => {
            "A field that is missing, of the wrong type or out of its range: signalbox validate tells all of them."
        }
        Reason::Conflict => "A metric name that is taken by a metric of another type: rename one of the two.",
        Reason::OtherLane => "A type that rides the other lane: publish it to its own subject, or set lanes.",
        Reason::TooLarge => "Over the limit of a message or of an array: send smaller batches.",
    }
}

fn lost(look: &Look<'_>) -> Markup {
    let mut rows: Vec<(String, f64)> = Vec::new();
    for (labels, value) in look.own_values("signalbox_events_dropped_total") {
        rows.push((format!("core lane, {}", label(&labels, "reason")), value));
    }
    for (labels, value) in look.own_values("signalbox_stream_lost_total") {
        rows.push((format!("stream {}, gone before they were read", label(&labels, "stream")), value));
    }
    for (labels, value) in look.own_values("signalbox_rejected_copies_dropped_total") {
        rows.push((format!("copies of rejected events, {}", label(&labels, "reason")), value));
    }
    rows.retain(|(_, value)| *value > 0.0);
    let window = look.own("signalbox_duplicate_window_entries").unwrap_or(0.0);
    html! {
        section aria-labelledby="lost" {
            h2 id="lost" { "Lost" }
            @if rows.is_empty() { p.quiet { "Nothing was lost since the start." } } @else {
                ul.waiting { @for (what, count) in &rows { li {
                    strong.number { (words::thousands(*count as u64)) } span { (words::short(what)) }
                } } }
            }
            p.quiet { "The duplicate window holds " (words::count(window as usize, "event id")) "." }
        }
    }
}

fn trackers(look: &Look<'_>) -> Markup {
    let entries = look.own_values("signalbox_tracker_entries");
    let alive = look.own_values("signalbox_tracker_alive");
    let evicted = look.own_values("sum by (tracker) (signalbox_tracker_evictions_total)");
    let of = |values: &[(Labels, f64)], tracker: &str| {
        let mut found = values.iter().filter(|(labels, _)| label(labels, "tracker") == tracker);
        found.next().map_or(0.0, |(_, value)| *value)
    };
    let most = look.surroundings.tracker_entries;
    let count = |value: f64| words::thousands(value.max(0.0) as u64);
    html! {
        section aria-labelledby="trackers" {
            h2 id="trackers" { "Trackers" }
            p.quiet { "What is remembered from one event to the next. Each may hold " (words::thousands(most as u64))
                " entries (limits.tracker_entries); those that were dropped early had no room, or nothing moved them any more." }
            div.scroll tabindex="0" role="group" aria-label="Trackers" { table.tight {
                thead { tr { th scope="col" { "Tracker" } th.wide scope="col" { "Fill" }
                    th.number scope="col" { "Entries" } th.number scope="col" { "Alive" }
                    th.number scope="col" { "Dropped early" } } }
                tbody { @for (labels, held) in &entries {
                    @let tracker = label(labels, "tracker");
                    tr {
                        td { (tracker) }
                        td.wide {
                            meter min="0" max=(most) high=(most / 10 * 8) value=(held)
                                aria-label={ "fill of " (tracker) } {}
                        }
                        td.number { (count(*held)) }
                        td.number { (count(of(&alive, tracker))) }
                        td.number { (count(of(&evicted, tracker))) }
                    }
                } }
            } }
        }
    }
}
