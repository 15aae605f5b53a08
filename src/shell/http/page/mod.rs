//! The status page: alerts, rules with their values, event rates, connection and diagnostics, live.

mod worst;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::frozen::{FrozenInstant, QueryTerms};
use crate::engine::promql::{EvalSettings, Expr, QueryValue, Value, parse};
use crate::engine::rules::set::Condition;
use crate::engine::rules::view::{self, AlertView, GroupView, KindView, LevelView, RuleView};
use crate::engine::time::Timestamp;

use super::answers::text;
use super::queries::Until;
use crate::shell::http::Web;
use crate::shell::prometheus_json::float;

use worst::Worst;

/// How often an open page is brought up to date.
const EVERY: Duration = Duration::from_secs(2);

/// How long open pages share what one of them had written: a little less than their turn.
const SHARED_FOR: Duration = Duration::from_millis(1_800);

/// How old a page may be that somebody opens.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Rules whose present value is worked out for the page.
const VALUES_MAX: usize = 100;

/// What the page shows of one instant.
struct Seen {
    instant: Arc<FrozenInstant>,
    values: Vec<String>,
    rates: Vec<(String, String)>,
}

/// `GET /`.
pub(crate) async fn page(State(web): State<Web>) -> Response {
    let Some(live) = live(&web, FRESH_FOR).await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "signalbox is stopping.");
    };
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>signalbox</title>\
         <meta name=viewport content='width=device-width'><style>{STYLE}</style>\
         <h1>signalbox</h1><main id=live>{live}</main>\
         <p><a href=metrics>metrics</a> <a href=-/ready>readiness</a> <a href=api/v1/rules>rules</a> \
         <a href=api/v1/alerts>alerts</a></p><script>{SCRIPT}</script></html>"
    ))
    .into_response()
}

/// `GET /events`: the page's middle, again and again, as server-sent events.
pub(crate) async fn events(State(web): State<Web>) -> Response {
    let Ok(permit) = Arc::clone(&web.pages).try_acquire_owned() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open; close one.");
    };
    let stream = futures_util::stream::unfold((web, permit), next_event);
    (
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")],
        Body::from_stream(stream),
    )
        .into_response()
}

type Watching = (Web, OwnedSemaphorePermit);

async fn next_event((web, permit): Watching) -> Option<(Result<Bytes, std::convert::Infallible>, Watching)> {
    tokio::time::sleep(EVERY).await;
    let live = live(&web, SHARED_FOR).await?;
    let mut event = String::new();
    for line in live.lines() {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Some((Ok(event.into()), (web, permit)))
}

/// The page's middle, written once for all who look at the same time, and the expressions that it shows.
#[derive(Debug, Default)]
pub(crate) struct Live {
    written: Option<(Instant, String)>,
    parsed: Parsed,
}

/// Expressions by their text, each parsed once; none of a text that is none.
type Parsed = HashMap<Arc<str>, Option<Expr>>;

/// The page's middle, not older than this.
async fn live(web: &Web, age_max: Duration) -> Option<String> {
    let mut shared = web.live.lock().await;
    if let Some((when, html)) = &shared.written
        && when.elapsed() < age_max
    {
        return Some(html.clone());
    }
    let instant = web.mailbox.freeze().await.ok()?;
    let parsed = std::mem::take(&mut shared.parsed);
    let (seen, parsed) = tokio::task::spawn_blocking(move || look(instant, parsed)).await.ok()?;
    let html = write_live(web, &seen);
    shared.parsed = parsed;
    shared.written = Some((Instant::now(), html.clone()));
    Some(html)
}

fn write_live(web: &Web, seen: &Seen) -> String {
    let mut html = String::new();
    let reasons = web.status.reasons();
    if reasons.is_empty() {
        html.push_str("<p class=good>ready</p>");
    } else {
        html.push_str("<p class=bad>not ready</p><ul>");
        for reason in reasons {
            put(&mut html, format_args!("<li>{}</li>", escaped(&reason)));
        }
        html.push_str("</ul>");
    }
    alerts_table(&mut html, &seen.instant.alerts(), web.now());
    rates_table(&mut html, &seen.rates);
    rules_table(&mut html, seen);
    let diagnostics = web.status.diagnostics();
    if !diagnostics.is_empty() {
        put(&mut html, format_args!("<h2>Diagnostics</h2><pre>{}</pre>", escaped(&diagnostics)));
    }
    html
}

fn look(instant: Arc<FrozenInstant>, before: Parsed) -> (Seen, Parsed) {
    let patience = Until(Instant::now() + EVERY);
    let terms = QueryTerms { settings: &EvalSettings::default(), patience: &patience };
    let (mut before, mut parsed) = (before, Parsed::new());
    let mut value_of = |query: &Arc<str>, levels: &[LevelView]| {
        let known = parsed.remove(query).or_else(|| before.remove(query));
        let expr = known.unwrap_or_else(|| parse(query).ok());
        let value = expr.as_ref().map(|expr| value_of(&instant, (expr, Worst::of(levels, expr)), terms));
        parsed.insert(Arc::clone(query), expr);
        value.unwrap_or_default()
    };
    let rules = alerting(instant.groups()).take(VALUES_MAX);
    let values = rules.map(|AlertingRule { rule, levels, .. }| value_of(&rule.query, levels)).collect();
    let rates = ["received", "applied", "duplicate", "rejected", "dropped"]
        .into_iter()
        .map(|what| {
            let query = Arc::from(format!("sum(rate(signalbox_events_{what}_total[1m]))"));
            (what.to_owned(), value_of(&query, &[]))
        })
        .collect();
    (Seen { instant, values, rates }, parsed)
}

/// The worst value of an expression, empty where it has none.
fn value_of(instant: &FrozenInstant, (expr, worst): (&Expr, Worst), terms: QueryTerms<'_>) -> String {
    let outcome = instant.query_instant(expr, instant.now(), terms);
    let numbers: Vec<f64> = match outcome.map(|outcome| outcome.value) {
        Ok(QueryValue::Scalar(number)) => vec![number],
        Ok(QueryValue::Vector(samples)) => samples
            .into_iter()
            .filter_map(|(_, value)| match value {
                Value::Float(number) => Some(number),
                Value::Histogram(_) => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    worst.among(numbers.into_iter()).map(short).unwrap_or_default()
}

/// An alerting rule.
struct AlertingRule<'a> {
    group: &'a GroupView,
    rule: &'a RuleView,
    levels: &'a [LevelView],
    state: view::AlertingState,
}

fn alerting(groups: &[Arc<GroupView>]) -> impl Iterator<Item = AlertingRule<'_>> {
    let rules = groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (&**group, rule)));
    rules.filter_map(|(group, rule)| match &rule.kind {
        KindView::Recording => None,
        KindView::Alerting { levels, state, .. } => Some(AlertingRule { group, rule, levels, state: *state }),
    })
}

fn alerts_table(html: &mut String, alerts: &[&AlertView], now: Timestamp) {
    html.push_str("<h2>Alerts</h2>");
    if alerts.is_empty() {
        html.push_str("<p>none</p>");
        return;
    }
    html.push_str(
        "<table><tr><th>alert<th>state<th>severity<th>value<th>threshold<th>since<th>labels<th>summary</tr>",
    );
    let mut worst_first: Vec<&AlertView> = alerts.to_vec();
    worst_first.sort_by_key(|alert| (alert.fired_at.is_none(), std::cmp::Reverse(alert.severity)));
    for alert in worst_first {
        put(
            html,
            format_args!(
                "<tr class={state}><td>{name}<td>{state}<td>{severity}<td>{value}<td>{threshold}\
                 <td title='{at}'>{since} s<td>{labels}<td>{summary}</tr>",
                state = alert.state.name(),
                name = escaped(&alert.alert_name),
                severity = alert.severity.name(),
                value = short(alert.value),
                threshold = alert.threshold.map(short).unwrap_or_default(),
                at = alert.active_at,
                since = now.since(alert.active_at).as_secs(),
                labels = escaped(&own_labels(alert)),
                summary = escaped(summary(alert)),
            ),
        );
    }
    html.push_str("</table>");
}

/// The labels that tell this alert from others of its rule.
fn own_labels(alert: &AlertView) -> String {
    let own = alert.labels.filtered(|name| name != "alertname" && name != "severity");
    if own.is_empty() { String::new() } else { own.to_string() }
}

fn summary(alert: &AlertView) -> &str {
    let text = |wanted: &str| alert.annotations.iter().find(|(name, _)| name.as_ref() == wanted);
    text("summary").or_else(|| text("description")).map_or("", |(_, text)| text)
}

/// When a level begins, and when it ends where that differs.
fn level_text(level: &LevelView) -> String {
    let (sign, threshold, clear) = match level.condition {
        Condition::Expression => return String::from("where the expression holds"),
        Condition::Above { threshold, clear } => ('>', threshold, clear),
        Condition::Below { threshold, clear } => ('<', threshold, clear),
    };
    let severity = level.severity.map(|severity| format!("{} ", severity.name())).unwrap_or_default();
    let until = if clear == threshold { String::new() } else { format!(", clears at {}", short(clear)) };
    format!("{severity}{sign} {}{until}", short(threshold))
}

fn rates_table(html: &mut String, rates: &[(String, String)]) {
    html.push_str("<h2>Events a second</h2><table><tr>");
    for (what, _) in rates {
        put(html, format_args!("<th>{what}"));
    }
    html.push_str("</tr><tr>");
    for (_, rate) in rates {
        put(html, format_args!("<td>{}", if rate.is_empty() { "–" } else { rate }));
    }
    html.push_str("</tr></table>");
}

fn rules_table(html: &mut String, seen: &Seen) {
    html.push_str(
        "<h2>Rules</h2><table><tr><th>group<th>rule<th>state<th>value<th>threshold<th>expression</tr>",
    );
    let mut values = seen.values.iter();
    for AlertingRule { group, rule, levels, state } in alerting(seen.instant.groups()) {
        let levels: Vec<String> = levels.iter().map(|level| escaped(&level_text(level))).collect();
        let value = values.next().map(|value| if value.is_empty() { "no data" } else { value.as_str() });
        put(
            html,
            format_args!(
                "<tr class={state}><td>{group}<td>{rule}<td>{state}<td>{value}<td>{levels}\
                 <td><details><summary>show</summary><code>{query}</code></details>{error}</tr>",
                state = state.name(),
                group = escaped(&group.name),
                rule = escaped(&rule.name),
                value = value.unwrap_or(""),
                levels = levels.join("<br>"),
                query = escaped(&rule.query),
                error = escaped(rule.health.last_error()),
            ),
        );
    }
    html.push_str("</table>");
}

/// Writing into a string does not fail.
fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = html.write_fmt(text);
}

/// A number with four digits that matter at most.
fn short(number: f64) -> String {
    if number != 0.0 && number.is_finite() && number.abs() < 1e6 {
        let digits = (3 - number.abs().log10().floor() as i32).clamp(0, 9) as usize;
        let text = format!("{number:.digits$}");
        if text.contains('.') {
            return text.trim_end_matches('0').trim_end_matches('.').to_owned();
        }
        return text;
    }
    float(number)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;\
color:#222;background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .6em;\
border-bottom:1px solid #ddd;vertical-align:top}code,pre{font-size:13px;overflow-wrap:anywhere;white-space:pre-wrap}\
.good{color:#176b2c}.bad,.firing td{color:#a01818}.pending td{color:#8a5a00}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}th,td{border-color:#333}\
.good{color:#6fce86}.bad,.firing td{color:#ff8a80}.pending td{color:#ffcf70}a{color:#8ab4f8}}";

const SCRIPT: &str = "new EventSource('events').onmessage=e=>{if(!document.querySelector('details[open]'))document.getElementById('live').innerHTML=e.data}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::set::Severity;

    #[test]
    fn what_people_wrote_cannot_become_markup() {
        assert_eq!(escaped("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn a_level_says_which_way_it_looks_and_where_it_clears() {
        let level = |severity, condition| level_text(&LevelView { severity, condition });
        let above = Condition::Above { threshold: 0.25, clear: 0.2 };
        assert_eq!(level(Some(Severity::Critical), above), "critical > 0.25, clears at 0.2");
        assert_eq!(level(None, Condition::Below { threshold: 1.0, clear: 1.0 }), "< 1");
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(0.0, "0"), (1234.5678, "1235"), (0.123_456, "0.1235"), (12.0, "12"), (1e7, "10000000")];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
    }
}
