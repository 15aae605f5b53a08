//! Series by metric and label: how many there are, and what makes them so many.

use std::cmp::Reverse;

use maud::{Markup, html};

use crate::engine::frozen::Cardinality;

use super::look::Look;
use super::words;

/// Metrics shown.
const METRICS_MAX: usize = 500;

/// Labels of a metric shown.
const LABELS_MAX: usize = 6;

/// The page.
pub(super) fn page(look: &Look<'_>) -> Markup {
    let mut metrics: Vec<Cardinality<'_>> = look.instant.cardinalities().collect();
    metrics.sort_by_key(|metric| Reverse(metric.series));
    let series: usize = metrics.iter().map(|metric| metric.series).sum();
    let most = look.surroundings.series_max;
    let per_metric = look.surroundings.series_per_metric_max;
    let folded = look.own_values("signalbox_series_overflow_total");
    let (full, empty): (Vec<_>, Vec<_>) = metrics.iter().partition(|metric| metric.series > 0);
    let (own, fed): (Vec<_>, Vec<_>) = full.iter().partition(|metric| is_own(metric));
    html! {
        h1 { "Series" }
        div.sum { p { strong { (words::thousands(series as u64)) " series" } " of "
            (words::count(full.len(), "metric")) ", of at most " (words::thousands(most as u64))
            " in all and " (words::thousands(per_metric as u64)) " of one metric. " }
        meter.wide min="0" max=(most) high=(most / 10 * 8) value=(series) aria-label="Series of the limit" {} }
        @if !folded.is_empty() {
            div.trouble {
                p { strong { "Some metrics had more series than the limits allow: new ones were folded into __overflow__." } }
                ul { @for (labels, count) in folded.iter().take(20) {
                    li { code { (words::short(labels.get("metric").unwrap_or(""))) } " "
                        (words::thousands(*count as u64)) " values" }
                } }
                p { "Leave out the label with the most values at the producer, or raise limits.series_per_metric." }
            }
        }
        section aria-labelledby="full" {
            h2 id="full" { "Fed by events and rules" }
            @if fed.is_empty() { p.quiet { "None yet: no event has moved a metric." } }
            @else { (table(&fed, per_metric)) }
        }
        section aria-labelledby="own" {
            h2 id="own" { "The sidecar's own" }
            (table(&own, per_metric))
        }
        section aria-labelledby="bare" {
            h2 id="bare" { "Without series yet" }
            p.quiet { "Declared, and shown once something feeds them." }
            details id="bare-metrics" {
                summary { (words::count(empty.len(), "metric")) }
                ul.catalogue { @for metric in empty.iter().take(METRICS_MAX) {
                    li { code { (words::short(&metric.spec.exposed_name())) } " " span.quiet { (words::long(&metric.spec.help)) } }
                } }
            }
        }
    }
}

fn is_own(metric: &Cardinality<'_>) -> bool {
    let name = &metric.spec.name;
    name.starts_with("signalbox_") || name.starts_with("process_")
}

fn table(metrics: &[&Cardinality<'_>], per_metric: usize) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Metrics" { table.stack.series {
            thead { tr { th scope="col" { "Metric" } th scope="col" { "Type" }
                th.number scope="col" { "Series" } th scope="col" { "Labels, that with the most values first" } } }
            tbody { @for metric in metrics.iter().take(METRICS_MAX) {
                @let name = metric.spec.exposed_name();
                tr {
                    td data-label="Metric" { div {
                        a href={ "query?expr=" (super::address::segment(&name)) } { (words::short(&name)) }
                        p.quiet { (words::long(&metric.spec.help)) }
                    } }
                    td.word data-label="Type" { (metric.spec.metric_type.name()) }
                    td.number data-label="Series" {
                        span.bad[metric.series * 10 > per_metric * 8] {
                            (words::thousands(metric.series as u64))
                        }
                    }
                    td data-label="Labels" { div { (labels(metric)) } }
                }
            } }
        } }
        @if metrics.len() > METRICS_MAX {
            p.quiet { "The " (METRICS_MAX) " with the most series of " (words::count(metrics.len(), "metric")) "." }
        }
    }
}

fn labels(metric: &Cardinality<'_>) -> Markup {
    html! {
        @if metric.labels.is_empty() { span.quiet { "none" } }
        ul.chips {
            @for label in metric.labels.iter().take(LABELS_MAX) {
                li title={ "most series have " (words::short(&label.most)) " (" (label.most_series) ")" } {
                    (words::short(&label.name)) " " span.name { "× " (words::thousands(label.values as u64)) }
                }
            }
        }
    }
}
