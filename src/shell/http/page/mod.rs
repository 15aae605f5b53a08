//! The status page: alerts, rules with their values, rates, connection and diagnostics, live.
//!
//! Every page reads one frozen instant on a thread for queries and is written on the server; its live part comes again
//! as server-sent events, which the browser morphs into what is there. What people and events wrote is escaped by
//! the template library, and cut by [`words`].

mod address;
mod alerts;
mod assets;
mod axis;
mod banner;
mod chart;
mod edit;
mod events;
mod find;
mod label_sets;
mod layout;
mod live;
mod look;
mod query;
mod rates;
mod rule;
mod rules;
mod series;
#[cfg(test)]
mod tests;
mod thresholds;
mod unit;
mod words;
mod worst;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};

use crate::shell::http::{Web, packed};

use super::answers::text;
use super::form::Form;
use address::{Address, QueryAsk, RuleAddress, RuleSort};
use banner::Banner;
use find::RulesAsk;
use live::ShownPage;
use look::Look;

pub(crate) use edit::router as edit_router;
pub(crate) use edit::{Edits, Reach};
pub(crate) use live::Live;

/// What a page may load: its own files, and nothing that stands in its markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes of the page.
pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/", get(overview))
        .route("/rules", get(rules_page))
        .route("/rules/{id}", get(alert_rule))
        .route("/rules/recorded/{id}", get(recording_rule))
        .route("/events", get(events_page))
        .route("/series", get(series_page))
        .route("/query", get(query_page))
        .route("/assets/{name}", get(assets::serve).layer(from_fn(packed::pack)))
}

/// Whether a request is for the stream of a page, which stays open.
pub(crate) fn stays_open(path: &str, headers: &HeaderMap) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    ["", "rules", "events", "series", "query"].contains(&first) && wants_stream(headers)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.starts_with("text/event-stream"))
}

async fn overview(State(web): State<Web>, headers: HeaderMap) -> Response {
    answer(web, Address::Overview, &headers).await
}

async fn rules_page(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    let ask = RulesAsk::of(&Form::of(uri.query().unwrap_or_default()));
    answer(web, Address::Rules(ask), &headers).await
}

async fn events_page(State(web): State<Web>, headers: HeaderMap) -> Response {
    answer(web, Address::Events, &headers).await
}

async fn series_page(State(web): State<Web>, headers: HeaderMap) -> Response {
    answer(web, Address::Series, &headers).await
}

async fn query_page(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    let form = Form::of(uri.query().unwrap_or_default());
    let minutes = form.get("minutes").and_then(|minutes| minutes.parse().ok());
    let ask = QueryAsk { text: form.get("expr").unwrap_or_default().to_owned(), minutes };
    answer(web, Address::Query(ask), &headers).await
}

async fn alert_rule(State(web): State<Web>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(web, Address::Rule(RuleAddress { sort: RuleSort::Alert, id }), &headers).await
}

async fn recording_rule(State(web): State<Web>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(web, Address::Rule(RuleAddress { sort: RuleSort::Record, id }), &headers).await
}

async fn answer(web: Web, address: Address, headers: &HeaderMap) -> Response {
    if wants_stream(headers) {
        return live::stream(web, address);
    }
    let Some(shown) = live::opened(&web, &address).await else {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "signalbox is too busy to answer, or it is stopping; load the page again.",
        );
    };
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (VARY, "Accept"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (shown.status, head, layout::document(&address, &shown).into_string()).into_response()
}

/// What a page shows at this look.
fn show(address: &Address, look: &Look<'_>) -> ShownPage {
    let (status, name, content) = match address {
        Address::Overview => (StatusCode::OK, look.surroundings.instance.clone(), overview_content(look)),
        Address::Rules(ask) => (StatusCode::OK, "Rules".to_owned(), rules::page(look, ask)),
        Address::Events => (StatusCode::OK, "Events".to_owned(), events::page(look)),
        Address::Series => (StatusCode::OK, "Series".to_owned(), series::page(look)),
        Address::Query(ask) => (StatusCode::OK, "Query".to_owned(), query::page(look, ask)),
        Address::Rule(rule) => match rules::in_force(look).find(|known| known.address() == *rule) {
            Some(known) => (StatusCode::OK, known.rule.name.to_string(), rule::page(look, &known)),
            None => (StatusCode::NOT_FOUND, rule.id.clone(), no_such_rule(address, rule)),
        },
    };
    // After the content, whose queries may have been too slow.
    let banner = Banner::of(look);
    let title = format!("{} · signalbox", banner.title(&words::short(&name)));
    let main = html! { main id="main" { (content) } };
    let (live, still) = match address {
        Address::Query(_) => (html! {}, main),
        Address::Overview | Address::Rules(_) | Address::Rule(_) | Address::Events | Address::Series => {
            (main, html! {})
        }
    };
    let live = html! { div id="live" data-title=(title) { (banner.markup()) (live) } };
    ShownPage { status, title, live: live.into_string(), still: still.into_string() }
}

fn overview_content(look: &Look<'_>) -> Markup {
    html! {
        h1.unseen { "Alerts and rules of " (words::short(&look.surroundings.instance)) }
        (alerts::section(look, &alerts::Known::of(look)))
        (rates::section(look, "Events"))
        (rules::section(look))
        (alerts::ended(look, Address::Overview.root()))
    }
}

fn no_such_rule(address: &Address, rule: &RuleAddress) -> Markup {
    html! {
        h1 { "No such rule" }
        p { "No rule with the id " code { (words::short(&rule.id)) } " is in force; it may have been removed or renamed. "
            a href={ (address.root()) "rules" } { "See the rules that are" } "." }
    }
}
