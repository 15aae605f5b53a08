//! Prometheus' API, question by question.

use std::io::Read;

use axum::http::StatusCode;
use serde_json::json;

use super::*;
use crate::engine::config::HttpUrl;
use crate::engine::promql::storage::Halt;
use crate::shell::driver::command::Unreadable;
use crate::shell::http::form::FormError;
use crate::shell::http::queries::QueryError;
use crate::shell::http::tests::{Answered, get_path, send, web};
use crate::shell::http::{Routes, router as all_routes};

fn api() -> Router {
    all_routes(web(|_| {}), Routes::All)
}

/// Gets what is below `/api/v1`.
async fn ask(api: &Router, path: &str) -> Answered {
    get_path(api, &format!("/api/v1{path}")).await
}

/// The part of an answer that a JSON pointer names.
fn part(answered: &Answered, pointer: &str) -> Value {
    answered.json().pointer(pointer).cloned().unwrap_or(Value::Null)
}

/// Asks each question and compares what a pointer names.
async fn all_say(cases: &[(&str, &str, Value)]) {
    let api = api();
    for (path, pointer, expected) in cases {
        let answered = ask(&api, path).await;
        assert_eq!(answered.status, StatusCode::OK, "{path}: {}", answered.text());
        assert_eq!(part(&answered, "/status"), "success", "{path}");
        assert_eq!(part(&answered, pointer), *expected, "{path}: {}", answered.text());
    }
}

#[tokio::test]
async fn groups_are_paged_through_by_their_tokens() {
    let api = api();
    let whole = ask(&api, "/rules").await;
    assert_eq!(part(&whole, "/data/groupNextToken"), Value::Null);
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = ask(&api, &format!("/rules?group_limit=1{token}")).await;
        paged.extend(part(&page, "/data/groups").as_array().unwrap().clone());
        let Some(next) = part(&page, "/data/groupNextToken").as_str().map(str::to_owned) else { break };
        token = format!("&group_next_token={next}");
    }
    assert_eq!(Value::from(paged), part(&whole, "/data/groups"));
    assert!(whole.json()["data"]["groups"].as_array().unwrap().len() > 1);
    // A token names the group where the page begins, whichever of them are wanted.
    let one = ask(&api, "/rules?group_limit=1&type=record").await;
    assert_eq!(part(&one, "/data/groupNextToken"), Value::Null, "{}", one.text());
}

#[tokio::test]
async fn queries_are_answered_in_their_type() {
    all_say(&[
        ("/query?query=sum(load)", "/data/result/0/value/1", json!("3")),
        ("/query?query=load%7Bhost%3D%22a%22%7D", "/data/result/0/metric/host", json!("a")),
        ("/query?query=load", "/data/resultType", json!("vector")),
        ("/query?query=none", "/data/result", json!([])),
        ("/query?query=1%2F0&time=5", "/data/result", json!([5, "+Inf"])),
        ("/query?query=1%2F0", "/data/resultType", json!("scalar")),
        ("/query?query=%22text%22&time=1.5", "/data/result", json!([1.5, "text"])),
        ("/query?query=jobs_done_total", "/data/result/0/value/1", json!("3")),
        ("/query?query=load&limit=1", "/warnings/0", json!("results truncated due to limit")),
        ("/query?query=load&limit=2", "/warnings", Value::Null),
        ("/query?query=load&limit=0", "/data/result/1/value/1", json!("2")),
        ("/query?query=load%5B1m%5D&limit=1", "/data/resultType", json!("matrix")),
        ("/query?query=load", "/data/stats", Value::Null),
        ("/query?query=1&stats=all", "/data/stats/samples/totalQueryableSamples", json!(1)),
        // Before the process began there is nothing.
        ("/query?query=load&time=1", "/data/result", json!([])),
        (
            "/query_range?query=1&start=0&end=20&step=10",
            "/data/result/0/values",
            json!([[0, "1"], [10, "1"], [20, "1"]]),
        ),
        (
            "/query_range?query=1&start=0.5&end=1&step=0.5",
            "/data/result/0/values",
            json!([[0.5, "1"], [1, "1"]]),
        ),
        ("/query_range?query=none&start=0&end=20&step=10", "/data/result", json!([])),
        ("/query_range?query=1&start=0&end=11000&step=1", "/data/resultType", json!("matrix")),
    ])
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_in_prometheus_words() {
    let api = api();
    let cases = [
        ("/query", "invalid parameter \"query\""),
        ("/query?query=", "invalid parameter \"query\""),
        ("/query?query=load%5B", "invalid parameter \"query\""),
        ("/query?query=1&time=soon", "Invalid time value for 'time'"),
        ("/query?query=1&timeout=soon", "cannot parse \"soon\" to a valid duration"),
        ("/query?query=1&limit=few", "limit must be a number"),
        ("/query?query=1&limit=-1", "invalid parameter \"limit\": limit must be non-negative"),
        ("/series?match[]=load&limit=-1", "limit must be non-negative"),
        ("/query?query=1&lookback_delta=x", "cannot parse \"x\" to a valid duration"),
        ("/query_range?query=1", "invalid parameter \"start\""),
        ("/query_range?query=1&start=0", "invalid parameter \"end\""),
        ("/query_range?query=1&start=0&end=1", "invalid parameter \"step\""),
        ("/query_range?query=1&start=1&end=0&step=1", "end timestamp must not be before start time"),
        ("/query_range?query=1&start=0&end=1&step=0", "zero or negative"),
        ("/query_range?query=1&start=0&end=1&step=0.0001", "zero or negative"),
        ("/query_range?query=1&start=0&end=11001&step=1", "exceeded maximum resolution of 11,000 points"),
        ("/query_range?query=load%5B1m%5D&start=0&end=1&step=1", "invalid expression type \"range vector\""),
        ("/query_range?query=%22x%22&start=0&end=1&step=1", "invalid expression type \"string\""),
        ("/series", "no match[] parameter provided"),
        ("/series?match[]=", "no match[] parameter provided"),
        ("/series?match[]=sum(load)", "a series selector is needed"),
        ("/series?match[]=load%5B", "invalid parameter \"match[]\""),
        ("/labels?match[]=1", "a series selector is needed"),
        ("/label/host/values?start=x", "Invalid time value for 'start'"),
        ("/rules?type=both", "not supported value \"both\""),
        ("/rules?match[]=1", "a series selector is needed"),
        ("/rules?group_limit=0", "group_limit needs to be greater than 0"),
        ("/rules?group_limit=few", "invalid parameter \"group_limit\""),
        ("/rules?group_next_token=x", "group_limit needs to be present"),
        ("/rules?group_limit=1&group_next_token=x", "invalid group_next_token 'x'"),
        ("/metadata?limit=x", "limit must be a number"),
        ("/metadata?limit_per_metric=x", "limit_per_metric must be a number"),
        ("/query_exemplars?query=load&start=2&end=1", "end timestamp must not be before start timestamp"),
        ("/query_exemplars?query=load%5B", "invalid parameter \"query\""),
        ("/format_query?query=load%5B", "invalid parameter \"query\""),
        ("/parse_query", "invalid parameter \"query\""),
        ("/status/tsdb?limit=x", "limit must be a positive number"),
        ("/status/tsdb?limit=0", "limit must be a positive number"),
    ];
    for (path, words) in cases {
        let answered = ask(&api, path).await;
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{path}: {}", answered.text());
        assert_eq!(answered.header("content-type"), "application/json", "{path}");
        assert_eq!(part(&answered, "/errorType"), "bad_data", "{path}");
        let error = part(&answered, "/error");
        assert!(error.as_str().unwrap().contains(words), "{path}: {error}");
    }
}

#[tokio::test]
async fn each_kind_of_failure_has_its_status() {
    let failed = |web| async move {
        let answered = ask(&all_routes(web, Routes::All), "/query?query=load").await;
        (answered.status.as_u16(), part(&answered, "/errorType"), answered.header("retry-after").to_owned())
    };
    let few = web(|config| config.query.samples = 1);
    assert_eq!(failed(few).await, (422, json!("execution"), String::new()));
    let hasty = web(|config| config.query.timeout = std::time::Duration::ZERO);
    assert_eq!(failed(hasty).await, (503, json!("timeout"), "1".to_owned()));
    let errors = [
        (RequestError::Query(QueryError::QueueFull), 503, "unavailable"),
        (RequestError::Query(QueryError::Broken), 500, "internal"),
        (RequestError::Query(Halt::Canceled.into()), 503, "canceled"),
        (RequestError::Unreadable(Unreadable::Busy), 503, "unavailable"),
        (RequestError::Form(FormError::TooLarge(9)), 413, "bad_data"),
        (RequestError::Form(FormError::TooSlow(std::time::Duration::ZERO)), 408, "timeout"),
    ];
    for (error, status, word) in errors {
        let (shown, kind) = (error.to_string(), error.kind());
        assert_eq!((kind.0.as_u16(), kind.1), (status, word), "{shown}");
        let response = error.into_response();
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503, "{shown}");
    }
}

#[tokio::test]
async fn series_and_labels_are_listed_once_each_in_order() {
    all_say(&[
        ("/labels?match[]=load", "/data", json!(["__name__", "host"])),
        ("/label/host/values", "/data", json!(["a", "b\"\\\n"])),
        ("/label/host/values?match[]=jobs_done_total", "/data", json!([])),
        ("/label/none/values", "/data", json!([])),
        (
            "/label/__name__/values?match[]=load&match[]=jobs_done_total&match[]=load",
            "/data",
            json!(["jobs_done_total", "load"]),
        ),
        (
            "/series?match[]=jobs_done_total",
            "/data",
            json!([{"__name__": "jobs_done_total", "queue": "bulk"}]),
        ),
        ("/series?match[]=load&limit=1", "/warnings/0", json!("results truncated due to limit")),
        ("/series?match[]=load&limit=1", "/data/1", Value::Null),
        ("/series?match[]=load&limit=2", "/warnings", Value::Null),
        // A span that ended before anything was there.
        ("/series?match[]=load&start=0&end=1", "/data", json!([])),
    ])
    .await;
}

#[tokio::test]
async fn rules_are_chosen_by_kind_name_group_file_and_labels() {
    let api = api();
    let cases = [
        ("", "g: High load:sum; quiet: Never"),
        ("?type=alert", "g: High; quiet: Never"),
        ("?type=ALERT", "g: High; quiet: Never"),
        ("?type=record", "g: load:sum"),
        ("?rule_name[]=High&rule_name[]=Never", "g: High; quiet: Never"),
        ("?rule_name[]=", "g: High load:sum; quiet: Never"),
        ("?rule_name[]=none", ""),
        ("?rule_group[]=quiet", "quiet: Never"),
        ("?rule_group[]=none", ""),
        ("?file[]=rules.yaml", "g: High load:sum; quiet: Never"),
        ("?file[]=other.yaml", ""),
        ("?match[]=%7Bteam%3D%22core%22%7D", "g: High"),
        ("?match[]=%7Bteam%3D~%22c.*%22%7D&type=alert", "g: High"),
        ("?match[]=%7Bteam%3D%22none%22%7D", ""),
        ("?match[]=%7Bteam%3D%22none%22%7D&match[]=%7Bteam%3D%22core%22%7D", "g: High"),
        ("?type=record&rule_name[]=High", ""),
        ("?rule_group[]=g&rule_name[]=Never", ""),
    ];
    for (path, expected) in cases {
        let answered = ask(&api, &format!("/rules{path}")).await;
        let groups = part(&answered, "/data/groups");
        let shown = groups.as_array().unwrap().iter().map(|group| {
            let names = group["rules"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap());
            format!("{}: {}", group["name"].as_str().unwrap(), names.collect::<Vec<_>>().join(" "))
        });
        assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{path}");
    }
}

#[tokio::test]
async fn rules_show_their_alerts_unless_they_are_not_wanted() {
    all_say(&[
        ("/rules", "/data/groups/0/rules/0/state", json!("firing")),
        ("/rules", "/data/groups/0/rules/0/alerts/1/value", json!("2e+00")),
        ("/rules", "/data/groups/0/rules/0/labels", json!({"team": "core"})),
        ("/rules", "/data/groups/0/rules/1/type", json!("recording")),
        ("/rules", "/data/groups/1/rules/0/state", json!("inactive")),
        ("/rules", "/data/groups/1/rules/0/duration", json!(300)),
        ("/rules?exclude_alerts=true", "/data/groups/0/rules/0/alerts", json!([])),
        ("/rules?exclude_alerts=T", "/data/groups/0/rules/0/alerts", json!([])),
        ("/rules?exclude_alerts=yes", "/data/groups/0/rules/0/alerts/0/state", json!("firing")),
        ("/alerts", "/data/alerts/0/labels/alertname", json!("High")),
        ("/alerts", "/data/alerts/0/annotations/summary", json!("load is high")),
        ("/alerts", "/data/alerts/2", Value::Null),
        ("/alertmanagers", "/data", json!({"activeAlertmanagers": [], "droppedAlertmanagers": []})),
    ])
    .await;
    let told = web(|config| config.alertmanager.urls = vec![HttpUrl::parse("http://am:9093/x").unwrap()]);
    let answered = ask(&all_routes(told, Routes::All), "/alertmanagers").await;
    let url = part(&answered, "/data/activeAlertmanagers/0/url");
    assert_eq!(url, "http://am:9093/x/api/v2/alerts");
}

#[tokio::test]
async fn what_it_is_and_runs_with_can_be_asked() {
    all_say(&[
        ("/metadata?metric=load", "/data/load/0/type", json!("gauge")),
        ("/metadata?metric=none", "/data", json!({})),
        ("/metadata?limit=0", "/data", json!({})),
        ("/metadata?metric=load&limit=-5", "/data/load/0/unit", json!("")),
        ("/targets", "/data/activeTargets", json!([])),
        ("/targets/metadata", "/data", json!([])),
        ("/status/buildinfo", "/data/application", json!("signalbox")),
        ("/status/config", "/data/yaml", json!("")),
        ("/status/flags", "/data/instance", json!("test")),
        ("/status/runtimeinfo", "/data/corruptionCount", json!(0)),
        ("/status/runtimeinfo", "/data/storageRetention", json!("1h")),
        ("/status/tsdb?limit=1", "/data/seriesCountByMetricName/1", Value::Null),
        ("/status/tsdb", "/data/labelValueCountByLabelName/0/name", json!("__name__")),
    ])
    .await;
    let secret = web(|config| config.nats.url = vec!["nats://u:sesame@h:1,tls://t0ken@[::1]".to_owned()]);
    let flags = ask(&all_routes(secret, Routes::All), "/status/flags").await;
    assert_eq!(part(&flags, "/data/nats-url"), "nats://h:1,tls://[::1]:4222");
    assert!(!flags.text().contains("sesame") && !flags.text().contains("t0ken"));
}

#[tokio::test]
async fn expressions_are_shown_as_text_and_as_trees() {
    all_say(&[
        ("/format_query?query=sum(load)by(host)", "/data", json!("sum by (host) (load)")),
        ("/parse_query?query=1%2B2", "/data/type", json!("binaryExpr")),
        ("/parse_query?query=1%2B2", "/data/matching", Value::Null),
        (
            "/parse_query?query=(1)",
            "/data",
            json!({"type": "parenExpr", "expr": {"type": "numberLiteral", "val": "1"}}),
        ),
        ("/parse_query?query=%22a%22", "/data", json!({"type": "stringLiteral", "val": "a"})),
        ("/parse_query?query=-load", "/data/op", json!("-")),
        (
            "/parse_query?query=load",
            "/data/matchers",
            json!([{"name": "__name__", "type": "=", "value": "load"}]),
        ),
        (
            "/parse_query?query=load%7Ba!%3D%22b%22%7D",
            "/data/matchers/0",
            json!({"name": "a", "type": "!=", "value": "b"}),
        ),
        ("/parse_query?query=load%7Ba%3D~%22b%22%7D%5B5m%5D", "/data/range", json!(300_000)),
        ("/parse_query?query=load%7Ba!~%22b%22%7D%20offset%201m", "/data/offset", json!(60_000)),
        ("/parse_query?query=load%20%40%20start()", "/data/startOrEnd", json!("start")),
        ("/parse_query?query=load%20%40%20end()", "/data/startOrEnd", json!("end")),
        ("/parse_query?query=load%20%40%205", "/data/timestamp", json!(5_000)),
        ("/parse_query?query=load%5B5m%3A1m%5D", "/data/step", json!(60_000)),
        ("/parse_query?query=load%5B5m%3A%5D", "/data/step", json!(0)),
        ("/parse_query?query=topk(2,load)without(a)", "/data/without", json!(true)),
        ("/parse_query?query=topk(2,load)without(a)", "/data/param/val", json!("2")),
        ("/parse_query?query=sum(load)", "/data/grouping", json!([])),
        ("/parse_query?query=sum(load)", "/data/param", Value::Null),
        (
            "/parse_query?query=a*on(b)group_left(c)d",
            "/data/matching",
            json!({"card": "many-to-one", "labels": ["b"], "on": true, "include": ["c"]}),
        ),
        ("/parse_query?query=a*on(b)group_right()d", "/data/matching/card", json!("one-to-many")),
        ("/parse_query?query=a%20and%20d", "/data/matching/card", json!("many-to-many")),
        ("/parse_query?query=a*ignoring(b)d", "/data/matching/on", json!(false)),
        ("/parse_query?query=a%3Ebool%201", "/data/bool", json!(true)),
        (
            "/parse_query?query=rate(a%5B1m%5D)",
            "/data/func",
            json!({"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"}),
        ),
        ("/parse_query?query=label_join(a,%22b%22,%22%22)", "/data/func/variadic", json!(-1)),
    ])
    .await;
}

#[tokio::test]
async fn exemplars_are_those_of_the_selectors_within_the_times() {
    all_say(&[
        ("/query_exemplars?query=rate(jobs_done_total%5B1m%5D)", "/data/0/seriesLabels/queue", json!("bulk")),
        ("/query_exemplars?query=jobs_done_total%2Bjobs_done_total", "/data/1", Value::Null),
        ("/query_exemplars?query=jobs_done_total&start=0&end=1", "/data", json!([])),
        ("/query_exemplars?query=none", "/data", json!([])),
        ("/query_exemplars?query=1", "/data", json!([])),
    ])
    .await;
    let answered = ask(&api(), "/query_exemplars?query=jobs_done_total").await;
    let exemplar = part(&answered, "/data/0/exemplars/0");
    let event = exemplar["labels"].as_object().unwrap().values().next().unwrap();
    assert_eq!(event, "00000000-0000-4000-8000-000000000005", "{exemplar}");
}

#[tokio::test]
async fn a_form_may_be_posted_within_its_size() {
    let api = api();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let posted = send(&api, "POST /api/v1/query", &kind, "query=sum(load)").await;
    assert_eq!(part(&posted, "/data/result/0/value/1"), "3");
    let large = send(&api, "POST /api/v1/query", &kind, format!("query={}", "1".repeat(1_000))).await;
    assert_eq!(
        (large.status, part(&large, "/errorType")),
        (StatusCode::PAYLOAD_TOO_LARGE, json!("bad_data"))
    );
}

#[tokio::test]
async fn pages_of_other_origins_may_read_and_nobody_else_is_told_so() {
    let api = api();
    let origin = [("origin", "http://grafana")];
    let answered = send(&api, "GET /api/v1/query?query=1", &origin, "").await;
    assert_eq!(answered.header("access-control-allow-origin"), "*");
    let preflight = send(&api, "OPTIONS /api/v1/query", &origin, "").await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, POST, OPTIONS");
    let own = ask(&api, "/query?query=1").await;
    assert!(!own.headers.contains_key("access-control-allow-origin"));
    let refused = send(&api, "GET /api/v1/query?query=", &origin, "").await;
    assert_eq!(refused.header("access-control-allow-origin"), "*", "a page may read why not, too");
}

#[tokio::test]
async fn answers_are_packed_for_who_takes_that() {
    let api = api();
    let plain = ask(&api, "/metadata").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
    let packed = send(&api, "GET /api/v1/metadata", &[("accept-encoding", "gzip")], "").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(!packed.headers.contains_key("content-length"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let preflight = send(&api, "OPTIONS /api/v1/metadata", &[("accept-encoding", "gzip")], "").await;
    assert!(preflight.body.is_empty() && preflight.header("content-encoding").is_empty());
}
