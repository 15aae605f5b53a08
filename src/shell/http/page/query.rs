//! The query box: an expression with its values now, and its past as a chart.

use std::sync::Arc;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::diagnostic::{Diagnostic, Severity, Source, Style};
use crate::engine::labels::Labels;
use crate::engine::promql::functions::ValueType;
use crate::engine::promql::inspect::value_type;
use crate::engine::promql::{Expr, parse};
use crate::shell::prometheus_json::float;

use super::address::QueryAsk;
use super::chart::Chart;
use super::look::{Look, Window};
use super::unit::Measure;
use super::words;

/// Label sets shown.
const ROWS_MAX: usize = 500;

/// Points of the chart.
const CHART_STEPS: u32 = 240;

/// Spans to choose from, in minutes.
const SPANS: [u64; 5] = [5, 15, 60, 180, 720];

/// The span that is chosen at first.
const SPAN_DEFAULT: u64 = 15;

/// Expressions to begin with.
const EXAMPLES: [(&str, &str); 4] = [
    ("sum by (event_type) (rate(signalbox_events_received_total[1m]))", "events a second by type"),
    ("topk(10, count by (__name__) ({__name__=~\".+\"}))", "the metrics with the most series"),
    ("ALERTS", "pending and firing alerts"),
    (
        "histogram_quantile(0.99, sum by (le) (rate(signalbox_event_lag_seconds_bucket[5m])))",
        "how late events are",
    ),
];

/// The page.
pub(super) fn page(look: &Look<'_>, ask: &QueryAsk) -> Markup {
    html! {
        h1 { "Query" }
        (form(look, ask))
        @if ask.text.trim().is_empty() { (examples()) } @else { (answer(look, ask)) }
    }
}

/// Minutes that are asked for, as far as there is a past.
fn minutes(ask: &QueryAsk) -> u64 {
    ask.minutes.filter(|minutes| SPANS.contains(minutes)).unwrap_or(SPAN_DEFAULT)
}

fn form(look: &Look<'_>, ask: &QueryAsk) -> Markup {
    let window = look.surroundings.window.as_secs() / 60;
    html! {
        form.query action="query" method="get" role="search" {
            label for="expr" { "PromQL expression" }
            div.typed {
                textarea id="expr" name="expr" rows="3" spellcheck="false" autocomplete="off" autocapitalize="off"
                    maxlength="10000" placeholder="sum by (queue) (queue_depth)" data-complete {
                    (ask.text)
                }
            }
            div.choices {
                label for="minutes" { "Chart over" }
                select id="minutes" name="minutes" {
                    @for span in SPANS.iter().filter(|span| **span <= window.max(SPAN_DEFAULT)) {
                        option value=(span) selected[*span == minutes(ask)] {
                            (words::span(Duration::from_mins(*span)))
                        }
                    }
                }
                button type="submit" { "Run" }
                span.quiet.keys { "Ctrl and Enter runs it, Ctrl and Space completes a name." }
            }
        }
    }
}

fn examples() -> Markup {
    html! {
        section aria-labelledby="examples" {
            h2 id="examples" { "To begin with" }
            ul.waiting {
                @for (query, meaning) in EXAMPLES {
                    li { a href={ "query?expr=" (super::address::segment(query)) } { code { (query) } }
                        span.quiet { (meaning) } }
                }
            }
        }
    }
}

fn answer(look: &Look<'_>, ask: &QueryAsk) -> Markup {
    match parse(&ask.text) {
        Ok(expr) => evaluated(look, ask, &expr),
        Err(error) => trouble(&Fault {
            text: &ask.text,
            span: error.span.clone(),
            message: error.message.clone(),
            advice: error.advice,
        }),
    }
}

/// What is wrong with a query, and where.
struct Fault<'a> {
    text: &'a str,
    span: std::ops::Range<usize>,
    message: String,
    advice: Option<String>,
}

fn trouble(fault: &Fault<'_>) -> Markup {
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        code: "query",
        source: Source { name: Arc::from("query"), text: Arc::from(fault.text) },
        span: fault.span.clone(),
        message: fault.message.clone(),
        advice: None,
    };
    // The message and the advice stand beside it, where they find room on a phone.
    let rendered = diagnostic.render(Style::Plain);
    let place: Vec<&str> = rendered.lines().skip_while(|line| !line.trim_start().starts_with('|')).collect();
    html! {
        section.trouble role="alert" {
            p { strong { "This query cannot be answered: " (words::long(&fault.message)) "." } }
            @if !place.is_empty() { pre tabindex="0" { (words::long(&place.join("\n"))) } }
            @if let Some(advice) = &fault.advice { p { (words::long(advice)) } }
        }
    }
}

fn evaluated(look: &Look<'_>, ask: &QueryAsk, expr: &Expr) -> Markup {
    let values = look.values(expr);
    let measure = Measure::of(expr).fitting([2.0].into_iter());
    html! {
        @match values {
            Err(message) => (trouble(&Fault {
                text: &ask.text, span: expr.span.clone(), message, advice: None,
            })),
            Ok(values) => {
                @if matches!(value_type(expr), ValueType::Vector | ValueType::Scalar) {
                    (chart(look, expr, (minutes(ask), measure)))
                }
                (table(look, &values, measure))
            },
        }
    }
}

fn chart(look: &Look<'_>, expr: &Expr, (minutes, measure): (u64, Measure)) -> Markup {
    let window = Window::before(look.now(), Duration::from_mins(minutes), CHART_STEPS);
    let drawn = look.past(expr, window).map(|past| {
        let lines = past.into_iter().map(|(_, line)| line).collect();
        let whole = Chart {
            from: window.from,
            to: window.to,
            step_ms: window.step_ms,
            lines,
            measure,
            ..Chart::default()
        };
        whole.trimmed()
    });
    let length = drawn.as_ref().map_or(Duration::from_mins(minutes), Chart::length);
    html! {
        section aria-labelledby="chart" {
            h2 id="chart" { "The last " (words::span(length)) }
            @match drawn {
                Err(message) => p.quiet { (words::long(&message)) },
                Ok(chart) => div.panel { (chart.large()) },
            }
        }
    }
}

fn table(look: &Look<'_>, values: &[(Labels, f64)], measure: Measure) -> Markup {
    let is_rounded = values.iter().take(ROWS_MAX).any(|(_, value)| measure.text(*value) != float(*value));
    html! {
        section aria-labelledby="now" {
            h2 id="now" { "Now" }
            p.quiet { (words::count(values.len(), "label set")) " at " (words::clock(look.now())) "." }
            @if values.is_empty() {
                div.empty {
                    p { strong { "No data." } }
                    p { "No series matches now. See which metrics there are on the page "
                        a href="series" { "Series" } "." }
                }
            } @else {
                div.scroll tabindex="0" role="group" aria-label="Values now" { table.stack {
                    thead { tr { th scope="col" { "Labels" } th.number scope="col" { "Value" }
                        @if is_rounded { th.number scope="col" { "Exactly" } } } }
                    tbody { @for (labels, value) in values.iter().take(ROWS_MAX) {
                        tr {
                            td data-label="Labels" { code { (words::long(&labels.to_string())) } }
                            td.number data-label="Value" { (measure.text(*value)) }
                            @if is_rounded { td.number data-label="Exactly" { (float(*value)) } }
                        }
                    } }
                } }
                @if values.len() > ROWS_MAX {
                    p.quiet { "The first " (ROWS_MAX) "; the API has all of them." }
                }
            }
        }
    }
}
