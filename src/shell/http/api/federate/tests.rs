//! Federation: what is chosen, and how it is written.

use super::*;
use crate::shell::http::tests::{get_path, web};
use crate::shell::http::{Routes, router};

async fn federated_text(
    change: impl FnOnce(&mut crate::engine::config::Config),
    query: &str,
) -> (u16, String) {
    let answered = get_path(&router(web(change), Routes::All), &format!("/federate?{query}")).await;
    (answered.status.as_u16(), answered.text().to_owned())
}

/// The lines without their times.
fn timeless(text: &str) -> Vec<String> {
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((sample, _)) if !line.starts_with('#') => sample.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect()
}

#[tokio::test]
async fn chosen_series_are_written_by_name_with_an_empty_instance() {
    let (status, text) = federated_text(|_| {}, "match[]=load&match[]=jobs_done_total&match[]=load").await;
    let expected = [
        "# TYPE jobs_done_total untyped",
        "jobs_done_total{queue=\"bulk\",instance=\"\"} 3",
        "# TYPE load untyped",
        "load{host=\"a\",instance=\"\"} 1",
        "load{host=\"b\\\"\\\\\\n\",instance=\"\"} 2",
    ];
    assert_eq!((status, timeless(&text)), (200, expected.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn external_labels_are_added_where_a_series_has_none_of_that_name() {
    let labels = |config: &mut crate::engine::config::Config| {
        let pairs = [("host", "outer"), ("instance", "i"), ("zone", "z\"")];
        config.external_labels = Labels::collect(pairs);
    };
    let (_, text) = federated_text(labels, "match[]=jobs_done_total&match[]=load%7Bhost%3D%22a%22%7D").await;
    let expected = [
        "# TYPE jobs_done_total untyped",
        "jobs_done_total{queue=\"bulk\",host=\"outer\",instance=\"i\",zone=\"z\\\"\"} 3",
        "# TYPE load untyped",
        "load{host=\"a\",instance=\"i\",zone=\"z\\\"\"} 1",
    ];
    assert_eq!(timeless(&text), expected);
}

#[tokio::test]
async fn without_a_choice_nothing_is_shown_and_what_is_no_selector_is_refused() {
    assert_eq!(federated_text(|_| {}, "").await, (200, String::new()));
    assert_eq!(federated_text(|_| {}, "match[]=none").await, (200, String::new()));
    for query in ["match[]=sum(load)", "match[]=load%5B", "match[]=load&match[]=1"] {
        let (status, text) = federated_text(|_| {}, query).await;
        assert_eq!(status, 400, "{query}: {text}");
    }
}

#[test]
fn samples_of_one_name_stand_together_under_one_type() {
    let set = |pairs: &[(&str, &str)]| Labels::collect(pairs.iter().copied());
    let found = BTreeMap::from([
        (set(&[("__name__", "b"), ("a", "1")]), f64::NAN),
        (set(&[("__name__", "a"), ("z", "1")]), f64::INFINITY),
        (set(&[("__name__", "b")]), -0.5),
    ]);
    let mut out = Vec::new();
    write(found, &[], 7, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["# TYPE a untyped", "a{z=\"1\"} +Inf 7", "# TYPE b untyped"]);
    let mut rest = lines[3..].to_vec();
    rest.sort_unstable();
    assert_eq!(rest, ["b{a=\"1\"} NaN 7", "b{} -0.5 7"]);
}
