//! Dashboards: what the command writes, and every query of them against a real Prometheus that scrapes a sidecar fed with
//! the demo's story, and against the sidecar's own API. What Grafana's linter asks of a dashboard is in `dashboard_rules`.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::alertmanager::read_request;
use super::dashboard_rules::shipped;
use super::process::{Process, get, run_configured, run_signalbox, signalbox, start_prometheus};
use super::support::{Client, Nats, event, server_programs, wait_for};

/// The shipped rules.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

/// Portions the story is published in, a scrape after each.
const PORTIONS: usize = 6;
/// What `$__rate_interval` stands for here.
const RATE_INTERVAL: &str = "20s";

/// Starts Prometheus over the sidecar's port.
fn prometheus(folder: &Path, target: u16, features: &str) -> (Process, u16) {
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: signalbox, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    );
    start_prometheus(folder, &config, &[&format!("--enable-feature={features}")])
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

/// The printed story of the demo over this time.
fn story(duration: &str, rate: &str) -> Vec<String> {
    let mut command = signalbox();
    command.args(["demo", "--print", "--duration", duration, "--seed", "1", "--rate", rate]);
    let story = String::from_utf8(command.output().unwrap().stdout).unwrap();
    story.lines().map(str::to_owned).collect()
}

/// Publishes a story, the servers' scrapes between the portions.
fn play(client: &mut Client, prometheus: u16, lines: &[String]) {
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
pub(super) fn context(event_type: &str) -> &'static str {
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

/// One query of a panel, variable or annotation.
#[derive(Clone, Debug)]
struct Query {
    /// The dashboard and the panel.
    place: String,
    expr: String,
    is_instant: bool,
    /// Whether the panel says why it may be empty.
    is_quiet: bool,
}

/// A query as Grafana sends it with nothing chosen.
fn substituted(dashboard: &Value, text: &str) -> String {
    let mut text = text.replace("$__rate_interval", RATE_INTERVAL);
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(all) = variable["allValue"].as_str() {
            text = text.replace(&format!("${}", variable["name"].as_str().unwrap()), all);
        }
    }
    assert!(!text.contains('$'), "{text}");
    text
}

/// Every query of a dashboard's panels and annotations.
fn queries(file: &str, dashboard: &Value) -> Vec<Query> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let description = panel["description"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let legend = target["legendFormat"].as_str().unwrap();
            let is_named = description
                .split("Not drawn in good times: ")
                .nth(1)
                .is_some_and(|named| named.contains(legend));
            let says_so = panel["fieldConfig"]["defaults"]["noValue"].is_string();
            assert_eq!(says_so, description.contains("Empty where "), "{file}: {title}");
            found.push(Query {
                place: format!("{file}: {title}"),
                expr: substituted(dashboard, target["expr"].as_str().unwrap()),
                is_instant: target["instant"] == true,
                is_quiet: is_named || says_so,
            });
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        let Some(expr) = annotation["target"]["expr"].as_str() else { continue };
        let (place, expr) = (format!("{file}: annotation"), substituted(dashboard, expr));
        found.push(Query { place, expr, is_instant: false, is_quiet: true });
    }
    found
}

/// The label sets of a query's answer now.
fn label_sets(port: u16, now: f64, query: &Query) -> BTreeSet<String> {
    let expr = escaped(&query.expr);
    let path = if query.is_instant {
        format!("/api/v1/query?query={expr}&time={now}")
    } else {
        format!("/api/v1/query_range?query={expr}&start={}&end={now}&step=1", now - 30.0)
    };
    let result = ask(port, &path)["result"].as_array().unwrap().clone();
    let count = result.len();
    let sets: BTreeSet<String> = result.iter().map(|series| series["metric"].to_string()).collect();
    assert_eq!(sets.len(), count, "{}: {}", query.place, query.expr);
    sets
}

/// How the label sets of a query differ in Prometheus and signalbox; none where they are alike and some.
fn difference(ports: [u16; 2], query: &Query) -> Option<String> {
    let now = instant_of(ports[0]);
    let [theirs, ours] = ports.map(|port| label_sets(port, now, query));
    if theirs == ours && !ours.is_empty() {
        return None;
    }
    Some(format!(
        "{}: {}\n  only in Prometheus: {:?}\n  only in signalbox: {:?}\n  in both: {:?}",
        query.place,
        query.expr,
        theirs.difference(&ours).collect::<Vec<_>>(),
        ours.difference(&theirs).collect::<Vec<_>>(),
        theirs.intersection(&ours).collect::<Vec<_>>()
    ))
}

/// Waits until all queries have the same label sets in both, and some.
fn wait_for_the_same<'a>(ports: [u16; 2], queries: impl Iterator<Item = &'a Query>) {
    let mut left: Vec<&Query> = queries.collect();
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let mut differences = Vec::new();
        left.retain(|query| {
            let found = difference(ports, query);
            differences.extend(found.clone());
            found.is_some()
        });
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{}", differences.join("\n"));
        std::thread::park_timeout(Duration::from_millis(500));
    }
}

/// Its clock.
fn instant_of(port: u16) -> f64 {
    ask(port, "/api/v1/query?query=time()")["result"][0].as_f64().unwrap()
}

/// The values that a variable offers.
fn offered(port: u16, dashboard: &Value, variable: &Value) -> Vec<String> {
    let text = substituted(dashboard, variable["query"]["query"].as_str().unwrap());
    if let Some(expr) = text.strip_prefix("query_result(").and_then(|rest| rest.strip_suffix(')')) {
        let name = variable["name"].as_str().unwrap();
        let found = instant(port, expr);
        assert!(!found.is_empty(), "{text}");
        return found.iter().filter_map(|series| Some(series["metric"][name].as_str()?.to_owned())).collect();
    }
    let inner = text.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (selector, label) = inner.rsplit_once(", ").unwrap();
    let values = ask(port, &format!("/api/v1/label/{label}/values?match[]={}", escaped(selector)));
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// What goes wrong beside the demo's incidents: what is refused, cut, too much, or told by others.
fn trouble(client: &mut Client) {
    client.publish("events.queue.JobQueued", "{");
    // Its copy would be longer than the server takes.
    client.publish("events.queue.JobQueued", &format!("{{{}", " ".repeat((1 << 20) - 1)));
    let alert = |number, event_type: &str, name: &str| {
        let fields = format!(
            r#","alert_rule_id":"{name}","alert_name":"{name}","severity":"warning","metric_name":"m","current_value":2,"threshold":1,"message":"m","duration_seconds":5"#
        );
        event(event_type, number, &fields)
    };
    for (number, event_type, name) in
        [(1, "AlertTriggered", "Ended"), (2, "AlertCleared", "Ended"), (3, "AlertTriggered", "Open")]
    {
        client.publish(&format!("events.monitoring.{event_type}"), &alert(number, event_type, name));
    }
    let recorded = |number, name: &str, tag: &str| {
        let fields = format!(
            r#","metric_name":"{name}","metric_type":"gauge","metric_value":1,"tags":{{"of":"{tag}"}}"#
        );
        event("MetricRecorded", number, &fields)
    };
    for number in 0..SERIES_MAX + 10 {
        let text = recorded(100 + number, "flood", &number.to_string());
        client.publish("events.monitoring.MetricRecorded", &text);
    }
    client.publish("events.monitoring.MetricRecorded", &recorded(99, "long", &"x".repeat(300)));
    for number in 0..100 {
        let fields = r#","cache_key":"k","cache_level":"L3","was_hit":false,"access_duration_ms":1"#;
        let text = event("CacheEntryAccessed", 1_000 + number, fields);
        client.publish("events.caching.CacheEntryAccessed", &text);
    }
    client.flush();
}

/// A rule that wants more alerts than its group may have.
const MORE_RULES: &str =
    "groups: [{name: flood, interval: 1s, limit: 1, rules: [{alert: Flood, expr: flood > 0}]}]";

/// The most series of a metric here.
const SERIES_MAX: u64 = 300;

#[test]
fn every_query_shows_the_same_in_prometheus_and_in_signalbox_and_incidents_what_good_times_leave_empty() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let alertmanager = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", alertmanager.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in alertmanager.incoming() {
            read_request(&mut stream.unwrap());
        }
    });
    let config = format!(
        "{{jetstream: {{create_stream: true}}, history: {{step: 1s}}, limits: {{series_per_metric: {SERIES_MAX}}},\
          state: {{checkpoint_every: 1s}}, alertmanager: {{urls: '{url}'}}}}"
    );
    let more_rules = folder.path().join("more.yaml");
    std::fs::write(&more_rules, MORE_RULES).unwrap();
    let state = folder.path().join("state");
    let arguments = ["--rules", RULES, more_rules.to_str().unwrap(), "--state-dir", state.to_str().unwrap()];
    let (_sidecar, port) = run_configured(folder.path(), &nats.url(), &config, &arguments);
    let (prometheus, prometheus_port) = prometheus(folder.path(), port, "exemplar-storage");
    let ports = [prometheus_port, port];
    wait_for_scrape(prometheus_port);
    let mut client = nats.client();
    let dashboards = shipped();
    let all: Vec<Query> = dashboards.iter().flat_map(|(file, dashboard)| queries(file, dashboard)).collect();
    assert!(all.len() > 150, "{} queries", all.len());

    // Before the first incident.
    let lines = story("170s", "100");
    let good = lines.len() / 17;
    play(&mut client, prometheus_port, &lines[..good]);
    wait_for_the_same(ports, all.iter().filter(|query| !query.is_quiet));
    trouble(&mut client);
    play(&mut client, prometheus_port, &lines[good..]);
    // Only the instances of a pair have it.
    wait_for_the_same(ports, all.iter().filter(|query| !query.expr.contains("signalbox_pair_has_leader")));
    for (file, dashboard) in &dashboards {
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            if variable["type"] == "query" {
                let [theirs, ours] = ports.map(|port| offered(port, dashboard, variable));
                // By itself signalbox knows no job and no instance; its answer offers nothing to choose.
                let is_of_scrapes = ["job", "instance"].contains(&variable["name"].as_str().unwrap());
                assert!(!theirs.is_empty(), "{file}: {variable}");
                assert!(
                    if is_of_scrapes { ours.is_empty() } else { theirs == ours },
                    "{file}: {ours:?} {theirs:?}"
                );
            }
        }
    }
    let now = instant_of(prometheus_port);
    scraped_well(&prometheus, prometheus_port);
    let exemplars = format!(
        "/api/v1/query_exemplars?query=db_query_duration_seconds_bucket&start={}&end={now}",
        now - 60.0
    );
    assert!(!ask(prometheus_port, &exemplars).as_array().unwrap().is_empty(), "no exemplar arrived");
}

#[test]
fn the_files_are_what_the_command_writes() {
    let shipped_files = concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards");
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output =
            signalbox().arg("dashboards").args(arguments).current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let checked = run(&["--check", shipped_files]);
    assert_eq!(checked.0, Some(0), "{}write them with `cargo run -- dashboards`", checked.1);
    assert_eq!(run(&["--check", "made"]).0, Some(1));
    assert_eq!(run(&["made"]).0, Some(0));
    assert_eq!(run(&["made", "--check"]), (Some(0), "7 dashboards are current\n".to_owned()));
    for file in std::fs::read_dir(shipped_files).unwrap() {
        let path = file.unwrap().path();
        let made = folder.path().join("made").join(path.file_name().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(made).unwrap(), "{}", path.display());
    }
    std::fs::write(folder.path().join("made/queue.json"), "{}").unwrap();
    let (code, said) = run(&["made", "--check"]);
    assert_eq!((code, said.lines().next()), (Some(1), Some("made/queue.json is not current")));
}

#[test]
fn what_was_written_is_told_on_the_bus() {
    let nats = Nats::start(&server_programs()[0]);
    let mut listener = nats.client();
    listener.subscribe("events.monitoring.DashboardGenerated");
    let folder = tempfile::tempdir().unwrap();
    let (_sidecar, port) = run_signalbox(folder.path(), &nats.url(), &[]);
    let output = signalbox()
        .args(["dashboards", "made", "--nats-url", &nats.url()])
        .current_dir(folder.path())
        .output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("7 events published"), "{said}");
    listener.read_until(
        "\"dashboard_id\":\"signalbox-overview\",\"dashboard_name\":\"signalbox: overview\",\"panel_count\":",
    );
    wait_for("seven dashboards", || {
        let text = get(port, "/metrics")?.text();
        text.lines().any(|line| line == "dashboards_generated_total 7").then_some(())
    });
}

/// Every scrape was good, and Prometheus found nothing to say about any sample.
fn scraped_well(prometheus: &Process, port: u16) {
    // A busy machine may let a scrape time out, which says nothing about what was scraped.
    let failed = "count_over_time((up == 0 and on () scrape_duration_seconds < 0.95)[1h:500ms])";
    assert_eq!(instant(port, failed), Vec::<Value>::new(), "{}", prometheus.said());
    assert!(!instant(port, "max_over_time(up[1h]) == 1").is_empty(), "{}", prometheus.said());
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
    play(&mut nats.client(), prometheus_port, &story("100s", "100"));
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
