//! The routes over an engine with a few series, asked without a socket.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tower::Service;

use super::*;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::rules::load::for_tests::rule_set;
use crate::shell::for_tests::{self, apply, counter, gauge};
use crate::shell::status::{Concern, Topic};

/// Two alerts that fire, and a sum that is recorded.
const RULES: &str = "
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: High, expr: load, above: 0, labels: {team: core}, annotations: {summary: 'load is high'}}
      - {record: 'load:sum', expr: sum(load)}
  - name: quiet
    rules:
      - {alert: Never, expr: load > 100, for: 5m}
";

/// What handlers work with, over an engine that saw two hosts and three jobs.
pub(crate) fn web(change: impl FnOnce(&mut Config)) -> Web {
    let mut config = Config::with_defaults("test");
    change(&mut config);
    let clock = Clock::start();
    let begin = clock.now().before(Duration::from_mins(1));
    let mut engine = Engine::new(&config, rule_set(RULES), begin);
    let event = |number, host, value| gauge(number, ("load", value), &json!({ "host": host }));
    apply(&mut engine, &[event(1, "a", 1.0), event(2, "b\"\\\n", 2.0)], begin);
    let job = |number| counter(number, ("jobs_done", 1.0), &json!({ "queue": "bulk" }));
    apply(&mut engine, &[job(3), job(4), job(5)], begin);
    while engine.next_tick() <= clock.now() {
        let next = engine.next_tick();
        engine.tick(next);
    }
    let mailbox = Arc::new(Mailbox::new(1 << 20));
    for_tests::drive(engine, &mailbox, clock.now());
    let config = Arc::new(ConfigInForce::new(config));
    Web {
        queries: Queries::new(Arc::clone(&mailbox), Arc::clone(&config)),
        mailbox,
        status: Arc::default(),
        clock,
        reload: mpsc::channel(1).0,
        requests: Arc::new(Semaphore::new(8)),
        posts: Arc::new(Semaphore::new(2)),
        config,
        rejected: Arc::default(),
        live: Arc::default(),
        pages: Arc::new(Semaphore::new(1)),
        body_bytes_max: 1_000,
        edits: None,
    }
}

/// An answer as it was sent.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends `METHOD PATH` with headers and a body.
pub(crate) async fn send(
    router: &Router,
    line: &str,
    headers: &[(&'static str, &str)],
    body: impl Into<Body>,
) -> Answered {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().call(request.body(body.into()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap().to_vec();
    Answered { status, headers, body }
}

/// Gets a path.
pub(crate) async fn get_path(router: &Router, path: &str) -> Answered {
    send(router, &format!("GET {path}"), &[], Body::empty()).await
}

#[tokio::test]
async fn each_listener_has_its_own_paths() {
    let web = web(|_| {});
    let paths =
        ["/-/healthy", "/readyz", "/metrics", "/federate", "/", "/rules", "/api/v1/alerts", "/assets/none"];
    let found = |routes| {
        let router = router(web.clone(), routes);
        async move {
            let mut found = BTreeMap::new();
            for path in paths {
                let answered = get_path(&router, path).await;
                let is_there = !answered.body.starts_with(b"There is nothing at");
                found.insert(path, is_there);
            }
            paths.iter().filter(|path| found[**path]).copied().collect::<Vec<_>>()
        }
    };
    let without = |gone: &[&str]| paths.iter().filter(|it| !gone.contains(it)).copied().collect::<Vec<_>>();
    assert_eq!(found(Routes::All).await[..], paths[..7]);
    assert_eq!(found(Routes::Public).await, paths[..4]);
    assert_eq!(found(Routes::Admin).await, without(&["/federate", "/assets/none"]));
}

#[tokio::test]
async fn readiness_says_what_is_missing_and_what_to_look_after() {
    let web = web(|_| {});
    let router = router(web.clone(), Routes::All);
    let ready = get_path(&router, "/-/ready").await;
    assert_eq!((ready.status, ready.text()), (StatusCode::OK, "signalbox is ready.\n"));
    web.status.note_concern(Concern::State, "the disk is full".to_owned());
    let concern = get_path(&router, "/-/ready").await;
    assert_eq!((concern.status, concern.text()), (StatusCode::OK, "signalbox is ready.\nthe disk is full\n"));
    web.status.set(Topic::Stream, "EVENTS is missing");
    let unready = get_path(&router, "/readyz").await;
    assert_eq!(unready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(unready.text(), "not ready:\nstream: EVENTS is missing\n");
    assert_eq!(get_path(&router, "/healthz").await.status, StatusCode::OK, "it lives all the same");
}

#[tokio::test]
async fn a_scrape_waits_for_the_whole_past_and_has_its_own_format() {
    let web = web(|_| {});
    let router = router(web.clone(), Routes::All);
    web.status.set(Topic::CatchUp, "5 of 9 messages");
    let refused = get_path(&router, "/metrics").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().contains("5 of 9 messages"), "{}", refused.text());
    web.status.clear(Topic::CatchUp);
    let plain = get_path(&router, "/metrics").await;
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(plain.text().contains("load{host=\"a\"} 1\n"), "{}", plain.text());
    assert!(plain.text().contains("load{host=\"b\\\"\\\\\\n\"} 2\n"));
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let open = send(&router, "GET /metrics?name[]=load&name[]=jobs_done_total", &accept, "").await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n") && !open.text().contains("signalbox_"), "{}", open.text());
    assert!(open.text().contains("jobs_done_total{queue=\"bulk\"} 3"), "{}", open.text());
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_and_a_head_has_no_body() {
    let router = router(web(|_| {}), Routes::All);
    for line in ["POST /metrics", "DELETE /-/ready", "GET /-/reload", "PUT /api/v1/query", "POST /"] {
        let answered = send(&router, line, &[], "").await;
        assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{line}");
    }
    let head = send(&router, "HEAD /-/healthy", &[], "").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn a_reload_that_nobody_does_says_that_it_stops() {
    let router = router(web(|_| {}), Routes::All);
    for line in ["POST /-/reload", "PUT /-/reload"] {
        let answered = send(&router, line, &[], "").await;
        assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE, "{line}");
        assert_eq!(answered.text(), "signalbox is stopping.\n");
    }
}

#[tokio::test]
async fn who_waits_for_a_turn_gets_it_when_another_answer_is_sent_and_health_waits_for_nobody() {
    let mut web = web(|_| {});
    (web.requests, web.posts) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
    let router = router(web.clone(), Routes::All);
    let request = Request::builder().uri("/metrics").body(Body::empty()).unwrap();
    let unread = router.clone().call(request).await.unwrap();
    assert_eq!(web.requests.available_permits(), 0, "an answer that is not read keeps its place");
    for path in ["/-/healthy", "/healthz"] {
        assert_eq!(get_path(&router, path).await.status, StatusCode::OK);
    }
    let post = send(&router, "POST /api/v1/query?query=1", &[], "").await;
    assert_eq!(post.status, StatusCode::OK, "a request with a body has a place of its own");
    let waiting = tokio::spawn({
        let router = router.clone();
        async move { get_path(&router, "/-/ready").await.status }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(unread);
    assert_eq!(waiting.await.unwrap(), StatusCode::OK);
    assert_eq!(web.requests.available_permits(), 1);
}

#[tokio::test]
async fn an_address_that_is_in_use_is_said_with_what_to_do() {
    let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = bind(taken.local_addr().unwrap()).unwrap_err().to_string();
    assert!(error.contains("cannot listen on 127.0.0.1:") && error.contains("--listen"), "{error}");
}

#[tokio::test]
async fn pages_are_served_with_a_policy_and_to_html_alone() {
    let router = router(web(|_| {}), Routes::All);
    for path in ["/", "/rules", "/rules/g-high", "/events", "/series", "/query?query=load"] {
        let page = get_path(&router, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{path}");
    }
    assert_eq!(get_path(&router, "/rules/none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get_path(&router, "/assets/none").await.status, StatusCode::NOT_FOUND);
}
