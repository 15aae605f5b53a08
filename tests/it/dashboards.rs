//! Dashboards against a real Prometheus that scrapes a sidecar fed with the demo's story: every query works and shows
//! something, there and through the sidecar's own API.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::process::{Process, get, run_signalbox, signalbox};
use super::support::{Client, Nats, free_port, server_programs, wait_for};

/// Portions the story is published in, a scrape after each.
const PORTIONS: usize = 6;
/// What `$__rate_interval` stands for here.
const RATE_INTERVAL: &str = "20s";

/// Starts Prometheus over the sidecar's port.
fn prometheus(folder: &Path, target: u16, features: &str) -> (Process, u16) {
    let port = free_port();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: signalbox, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", folder.join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command
        .args([&format!("--web.listen-address=127.0.0.1:{port}"), &format!("--enable-feature={features}")]);
    let mut process = Process::start(command.current_dir(folder), folder);
    wait_for("Prometheus", || {
        assert!(process.is_running(), "prometheus ended");
        get(port, "/-/ready").filter(|answer| answer.status == 200)
    });
    (process, port)
}

/// A query as part of a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |url, byte| url + &format!("%{byte:02X}"))
}

/// What a Prometheus API answers: its `data`.
fn ask(port: u16, path: &str) -> Value {
    let answer = get(port, path).unwrap();
    let json = answer.json();
    assert_eq!((answer.status, &json["status"]), (200, &"success".into()), "{path}: {json}");
    json["data"].clone()
}

/// The result of an instant query.
fn instant(port: u16, query: &str) -> Vec<Value> {
    ask(port, &format!("/api/v1/query?query={}", escaped(query)))["result"].as_array().unwrap().clone()
}

/// How often Prometheus has scraped.
fn scrapes(port: u16) -> f64 {
    let result = instant(port, "count_over_time(up[1h])");
    result.first().map_or(0.0, |sample| sample["value"][1].as_str().unwrap().parse().unwrap())
}

fn wait_for_scrape(port: u16) {
    let before = scrapes(port);
    // One may be under way; the next one has seen everything.
    wait_for("a scrape", || (scrapes(port) >= before + 2.0).then_some(()));
}

/// Publishes the demo's first acts, the servers' scrapes between the portions.
fn play(client: &mut Client, prometheus: u16) {
    let mut command = signalbox();
    command.args(["demo", "--print", "--duration", "100s", "--seed", "1", "--rate", "100"]);
    let story = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let lines: Vec<&str> = story.lines().collect();
    for portion in lines.chunks(lines.len().div_ceil(PORTIONS)) {
        for line in portion {
            let event: Value = serde_json::from_str(line).unwrap();
            let event_type = event["event_type"].as_str().unwrap();
            client.publish(&format!("events.{}.{event_type}", context(event_type)), line);
        }
        client.flush();
        wait_for_scrape(prometheus);
    }
}

/// The subject token of the context an event belongs to.
fn context(event_type: &str) -> &'static str {
    let contexts = [
        ("Cache", "caching"),
        ("Job", "queue"),
        ("Worker", "queue"),
        ("Connection", "database"),
        ("Query", "database"),
        ("Index", "database"),
        ("Metric", "monitoring"),
        ("Dashboard", "monitoring"),
    ];
    contexts
        .iter()
        .find(|(start, _)| event_type.starts_with(start))
        .map_or("processing", |(_, context)| context)
}

/// Every query of a dashboard: the panel's title, the expression, whether it asks for one instant.
fn queries(dashboard: &Value) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        found.extend(panel["panels"].as_array().map(|_| queries(panel)).into_iter().flatten());
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().unwrap().replace("$__rate_interval", RATE_INTERVAL);
            let title = panel["title"].as_str().unwrap().to_owned();
            found.push((title, expr, target["instant"] == true));
        }
    }
    found
}

#[test]
fn every_query_of_every_dashboard_shows_something_of_the_demo() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let (_sidecar, port) = run_signalbox(folder.path(), &nats.url(), &["--rules", rules]);
    let (prometheus, prometheus_port) = prometheus(folder.path(), port, "exemplar-storage");
    wait_for_scrape(prometheus_port);
    play(&mut nats.client(), prometheus_port);

    let now = ask(prometheus_port, "/api/v1/query?query=time()")["result"][0].as_f64().unwrap();
    let span = format!("&start={}&end={now}&step=1", now - 30.0);
    let mut count = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards")).unwrap() {
        let path = file.unwrap().path();
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for (title, expr, is_instant) in queries(&dashboard) {
            count += 1;
            for (name, port) in [("Prometheus", prometheus_port), ("signalbox", port)] {
                let result = if is_instant {
                    instant(port, &expr)
                } else {
                    let path = format!("/api/v1/query_range?query={}{span}", escaped(&expr));
                    ask(port, &path)["result"].as_array().unwrap().clone()
                };
                assert!(!result.is_empty(), "{}: {title}: {expr} shows nothing in {name}", path.display());
                assert!(
                    !expr.contains("or vector(") || result.len() == 1,
                    "{}: {title}: {expr} has its zero beside other series in {name}: {result:?}",
                    path.display()
                );
            }
        }
    }
    assert!(count >= 20, "{count} queries");
    scraped_well(&prometheus, prometheus_port);
    let exemplars = format!(
        "/api/v1/query_exemplars?query=db_query_duration_seconds_bucket&start={}&end={now}",
        now - 60.0
    );
    assert!(!ask(prometheus_port, &exemplars).as_array().unwrap().is_empty(), "no exemplar arrived");
}

/// Every scrape was good, and Prometheus found nothing to say about any sample.
fn scraped_well(prometheus: &Process, port: u16) {
    let up = instant(port, "min_over_time(up[1h])");
    assert_eq!(
        up.first().map(|sample| sample["value"][1].clone()),
        Some("1".into()),
        "{}",
        prometheus.said()
    );
    let said = prometheus.said();
    for word in ["level=warn", "level=error", "uplicate", "out of order"] {
        assert!(!said.contains(word), "{said}");
    }
}

#[test]
fn prometheus_takes_the_protobuf_format_and_promtool_the_text() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let (_sidecar, port) = run_signalbox(folder.path(), &nats.url(), &[]);
    // This feature is what makes Prometheus 2.42 ask for protobuf.
    let (prometheus, prometheus_port) = prometheus(folder.path(), port, "native-histograms");
    wait_for_scrape(prometheus_port);
    play(&mut nats.client(), prometheus_port);
    scraped_well(&prometheus, prometheus_port);
    assert!(!instant(prometheus_port, "queue_wait_seconds_bucket > 0").is_empty());

    let text = get(port, "/metrics").unwrap().text();
    let metrics = folder.path().join("metrics.txt");
    std::fs::write(&metrics, text).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::from(std::fs::File::open(&metrics).unwrap()));
    let output =
        promtool.output().unwrap_or_else(|error| panic!("cannot run promtool: {error}; run scripts/test"));
    let findings = String::from_utf8_lossy(&output.stderr);
    // The catalogue names this label so, which promtool would keep for summaries.
    let known = "processing_file_progress_ratio non-summary metrics should not have \"quantile\" label";
    assert!(findings.lines().all(|finding| finding == known), "{findings}");
}
