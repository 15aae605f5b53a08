//! Open pages: what they are told and when, how many there may be, and what is shown where queries have no time.

use axum::Router;
use axum::body::BodyDataStream;
use axum::http::Request;
use futures_util::StreamExt;
use tower::Service;

use super::*;
use crate::shell::http::page::address::{QueryAsk, RuleAddress};
use crate::shell::http::tests::{get_path, web};
use crate::shell::http::{Routes, router};
use crate::shell::status::Topic;

/// Opens the stream of a page.
async fn open(router: &Router, path: &str) -> (StatusCode, BodyDataStream) {
    let request = Request::builder().uri(path).header("accept", "text/event-stream");
    let response = router.clone().call(request.body(Body::empty()).unwrap()).await.unwrap();
    (response.status(), response.into_body().into_data_stream())
}

async fn next(events: &mut BodyDataStream) -> String {
    let event = timeout(Duration::from_mins(1), events.next()).await.unwrap().unwrap().unwrap();
    String::from_utf8(event.to_vec()).unwrap()
}

#[tokio::test]
async fn a_page_is_told_its_live_part_that_it_is_the_same_and_what_changed() {
    let web = web(|_| {});
    let router = router(web.clone(), Routes::All);
    let (status, mut events) = open(&router, "/rules").await;
    assert_eq!(status, StatusCode::OK);
    let first = next(&mut events).await;
    assert!(first.ends_with("\n\n"), "{first}");
    let lines: Vec<&str> =
        first.trim_end().lines().map(|line| line.strip_prefix("data: ").unwrap()).collect();
    let live = lines.join("\n");
    assert!(live.starts_with("<div id=\"live\"") && live.ends_with("</div>"), "{live}");
    assert!(live.contains("High"), "{live}");
    let opened = get_path(&router, "/rules").await;
    assert!(opened.text().contains(&live), "who opens the page sees the same");
    assert_eq!(next(&mut events).await, "event: same\ndata:\n\n");
    web.status.set(Topic::Stream, "EVENTS is missing");
    let changed = next(&mut events).await;
    assert!(
        changed.starts_with("data: <div id=\"live\"") && changed.contains("EVENTS is missing"),
        "{changed}"
    );
}

#[tokio::test]
async fn what_is_asked_in_the_query_box_is_not_asked_again_by_its_stream() {
    let web = web(|_| {});
    let router = router(web.clone(), Routes::All);
    let (_, mut events) = open(&router, "/query?expr=sum(jobs_done_total)").await;
    let live = next(&mut events).await;
    assert!(live.contains("id=\"banner\"") && !live.contains("jobs_done_total"), "{live}");
    let written: Vec<Address> = web.live.written.lock().unwrap().keys().cloned().collect();
    assert_eq!(written, [Address::Query(QueryAsk::default())]);
    let page = get_path(&router, "/query?expr=sum(jobs_done_total)").await;
    assert!(page.text().contains("jobs_done_total"), "{}", page.text());
}

#[tokio::test]
async fn one_open_page_too_many_is_refused_until_another_is_closed() {
    let web = web(|_| {});
    let router = router(web.clone(), Routes::All);
    let (_, mut first) = open(&router, "/").await;
    next(&mut first).await;
    let (status, mut refused) = open(&router, "/events").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(next(&mut refused).await.contains("close one"));
    assert_eq!(get_path(&router, "/events").await.status, StatusCode::OK, "it can be loaded all the same");
    drop(first);
    let (status, mut events) = open(&router, "/events").await;
    assert_eq!(status, StatusCode::OK);
    assert!(next(&mut events).await.starts_with("data: "));
    assert_eq!(web.requests.available_permits(), 8, "an open page keeps no request waiting");
}

#[tokio::test]
async fn where_queries_have_no_time_the_page_comes_without_their_values_and_says_so() {
    let late = "Some values on this page were not worked out in time.";
    let in_time = router(web(|_| {}), Routes::All);
    assert!(!get_path(&in_time, "/rules").await.text().contains(late));
    let router = router(web(|config| config.query.timeout = Duration::ZERO), Routes::All);
    for path in ["/", "/rules", "/events", "/rules/g-high"] {
        let page = get_path(&router, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text().contains(late), "{path}: {}", page.text());
    }
    assert!(get_path(&router, "/rules").await.text().contains("High"), "rules need no query");
}

#[tokio::test]
async fn pages_that_nobody_looks_at_any_more_are_forgotten() {
    let live = Live::default();
    let address = |number: usize| Address::Rule(RuleAddress::alert(&number.to_string()));
    let looked_at = live.place(&address(0));
    for number in 1..1_000 {
        drop(live.place(&address(number)));
    }
    assert!(live.written.lock().unwrap().len() <= WRITTEN_MAX);
    assert!(Arc::ptr_eq(&looked_at, &live.place(&address(0))), "one that is being written stays");
}
