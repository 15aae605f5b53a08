//! Prometheus' HTTP API, asked of a real Prometheus and of a sidecar alike: cases from `tests/api/prometheus.txt`.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use signalbox::engine::config::Config;
use signalbox::engine::diagnostic::Source;

use super::process::{Process, start_prometheus};
use super::support::{Answer, Nats, Setup, Sidecar, job_queued, read_answer, server_programs, wait_for};

const CASES: &str = include_str!("../api/prometheus.txt");

const RULES: &str = r#"groups:
- name: g
  interval: 1s
  rules:
  - {alert: Always, expr: vector(1), labels: {severity: page}, annotations: {summary: "it is {{ $value }}"}}
  - {alert: Waits, expr: vector(1), for: 1h}
  - {record: one, expr: "1", labels: {a: b}}
  - {record: two, expr: "2"}
- name: empty
  rules: []
"#;

const ALERTMANAGER: &str = "http://127.0.0.1:9";

/// A sidecar, and a Prometheus with the same rules that scrapes it.
struct Pair {
    _nats: Nats,
    sidecar: Sidecar,
    _prometheus: Process,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn start() -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
        let mut setup = Setup::new(&nats.url());
        setup.rules = vec![folder.path().to_owned()];
        let text = format!(
            "{{instance: test, external_labels: {{region: eu}}, alertmanager: {{urls: '{ALERTMANAGER}'}}}}"
        );
        setup.config = Config::parse(&Source { name: "c".into(), text: text.into() }).0.unwrap();
        let sidecar = setup.start();
        sidecar.wait_ready();
        nats.client().publish("events.queue.JobQueued", &job_queued(1));
        sidecar.wait_sum("queue_depth", "", 1.0);
        let (process, port) = prometheus(folder.path(), sidecar.address.port());
        let pair = Self { _nats: nats, sidecar, _prometheus: process, port, _folder: folder };
        for port in [pair.port, pair.sidecar.address.port()] {
            for wanted in ["ALERTS{alertstate=\"firing\"}", "two", "signalbox_build_info"] {
                wait_for(wanted, || {
                    let answer = ask(port, "GET", &format!("/api/v1/query?query={wanted}"), "");
                    (!answer.json()["data"]["result"].as_array()?.is_empty()).then_some(())
                });
            }
        }
        pair
    }
}

fn prometheus(folder: &Path, target: u16) -> (Process, u16) {
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{region: eu}}}}\n\
         rule_files: [rules.yaml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:9']}}]}}]}}\n\
         scrape_configs: [{{job_name: signalbox, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    );
    start_prometheus(folder, &config, &[])
}

/// Sends a request as a case has it.
fn ask(port: u16, method: &str, path: &str, form: &str) -> Answer {
    let path = path.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    let body = if form.is_empty() {
        "\r\n".to_owned()
    } else {
        format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
    };
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    read_answer(&mut stream)
}

fn content_type(answer: &Answer) -> String {
    let head = answer.head.to_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-type: ").map(str::to_owned));
    value.unwrap_or_default()
}

/// The paths in a value, each with the kind of what is there; elements of a list count as one.
fn shape(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(elements) => {
            for element in elements {
                shape(element, &format!("{path}[]"), found);
            }
            "list"
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(value, &format!("{path}.{name}"), found);
            }
            "object"
        }
    };
    found.insert(path.to_owned(), kind);
}

/// What Prometheus' answer has and ours has not.
fn missing(theirs: &Value, ours: &Value) -> Vec<String> {
    let (mut wanted, mut there) = (BTreeMap::new(), BTreeMap::new());
    shape(theirs, "", &mut wanted);
    shape(ours, "", &mut there);
    // What scrapes of Prometheus add, and what tells of Prometheus alone.
    let is_of_scrapes =
        |path: &String| [".instance", ".job", ".metric.region"].iter().any(|end| path.ends_with(end));
    let lacks = |(path, kind): &(&String, &&str)| there.get(*path) != Some(*kind) && !is_of_scrapes(path);
    wanted.iter().filter(lacks).map(|(path, kind)| format!("{path} {kind}")).collect()
}

/// How two answers differ; none where they are as alike as asked for.
fn difference(alike: &str, theirs: &Answer, ours: &Answer) -> Option<String> {
    if theirs.status != ours.status {
        return Some(format!("{} and not {}: {}", ours.status, theirs.status, ours.text()));
    }
    if alike == "status" {
        return None;
    }
    if content_type(theirs) != content_type(ours) {
        return Some(format!("{:?} and not {:?}", content_type(ours), content_type(theirs)));
    }
    let json = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).ok();
    let lacks = match (json(theirs), json(ours)) {
        (Some(theirs), Some(ours)) if alike == "shape" => missing(&theirs, &ours),
        (Some(theirs), Some(ours)) if theirs == ours => Vec::new(),
        _ if theirs.body == ours.body => Vec::new(),
        _ => vec![format!("\n  ours   {}\n  theirs {}", ours.text().trim(), theirs.text().trim())],
    };
    (!lacks.is_empty()).then(|| lacks.join(", "))
}

#[test]
fn a_sidecar_answers_as_prometheus_does() {
    let pair = Pair::start();
    let mut differences = Vec::new();
    let mut asked = 0;
    let cases = CASES.lines().skip_while(|line| !line.starts_with('#'));
    for case in cases.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = case.splitn(4, ' ');
        let mut word = || words.next().unwrap_or("");
        let (alike, method, path, form) = (word(), word(), word(), word());
        let theirs = ask(pair.port, method, path, form);
        let ours = ask(pair.sidecar.address.port(), method, path, form);
        differences.extend(difference(alike, &theirs, &ours).map(|found| format!("{case}: {found}")));
        asked += 1;
    }
    assert!(asked > 60 && differences.is_empty(), "{asked} asked\n{}", differences.join("\n"));
}

#[test]
fn a_federation_has_the_format_that_prometheus_negotiates() {
    let pair = Pair::start();
    // Neither has OpenMetrics there.
    for accept in [
        "text/plain",
        "application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/json",
    ] {
        let types = [pair.port, pair.sidecar.address.port()].map(|port| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let path = "/federate?match[]=signalbox_build_info";
            let head =
                format!("GET {path} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            content_type(&read_answer(&mut stream))
        });
        assert_eq!(types[0], types[1], "{accept}");
    }
}

/// The headers of an answer to a GET with more headers.
fn head(sidecar: &Sidecar, path: &str, more: &str) -> (Answer, String) {
    let answer = sidecar.request("GET", path, more);
    let head = answer.head.to_lowercase();
    (answer, head)
}

#[test]
fn what_prometheus_2_has_not_is_there_as_in_prometheus_3() {
    let nats = Nats::start(&server_programs()[0]);
    let mut setup = Setup::new(&nats.url());
    let text = "{instance: test, external_labels: {region: eu}, nats: {token: opensesame}}";
    let parsed = Config::parse(&Source { name: "c".into(), text: text.into() });
    setup.config = parsed.0.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    setup.rules = vec![folder.path().to_owned()];
    let sidecar = setup.start();
    sidecar.wait_ready();
    let mut client = nats.client();
    client.publish("events.queue.JobQueued", &job_queued(1));
    sidecar.wait_sum("queue_depth", "", 1.0);

    let build = sidecar.get("/api/v1/status/buildinfo").json();
    assert!(build["data"]["version"].as_str().unwrap().starts_with("3."), "{build}");
    assert_eq!(build["data"]["applicationVersion"], env!("CARGO_PKG_VERSION"));
    let config = sidecar.get("/api/v1/status/config").text();
    assert!(config.contains("region") && !config.contains("opensesame"), "{config}");
    let flags = sidecar.get("/api/v1/status/flags").json();
    assert_eq!(flags["data"]["instance"], "test", "{flags}");

    let page =
        ask(sidecar.address.port(), "GET", "/api/v1/rules?match[]={severity=\"page\"}&exclude_alerts=1", "")
            .json();
    let rules = page["data"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(
        (rules.len(), &rules[0]["name"], rules[0]["alerts"].as_array().map(Vec::len)),
        (1, &"Always".into(), Some(0))
    );

    let exemplars = sidecar.get("/api/v1/query_exemplars?query=rate(queue_jobs_queued_total[1m])").json();
    let series = &exemplars["data"][0];
    assert_eq!(series["seriesLabels"]["__name__"], "queue_jobs_queued_total", "{exemplars}");
    assert_eq!(series["exemplars"][0]["labels"]["event_id"], "00000000-0000-4000-8000-000000000001");
    assert_eq!(series["exemplars"][0]["value"], "1");
    let buckets = sidecar.get("/api/v1/query_exemplars?query=queue_job_payload_bytes_bucket").json();
    assert!(buckets["data"][0]["seriesLabels"]["le"].is_string(), "{buckets}");

    let federated =
        ask(sidecar.address.port(), "GET", "/federate?match[]=queue_depth&match[]={__name__=\"two\"}", "")
            .text();
    let lines: Vec<&str> = federated.lines().collect();
    assert_eq!(lines[0], "# TYPE queue_depth untyped", "{federated}");
    assert!(
        lines[1].starts_with(r#"queue_depth{priority="high",queue="bulk",instance="",region="eu"} 1 "#),
        "{federated}"
    );
    assert!(
        lines[2..].iter().any(|line| line.starts_with("two{instance=\"\",region=\"eu\"} 2 ")),
        "{federated}"
    );

    let (packed, said) =
        head(&sidecar, "/api/v1/labels", "Accept-Encoding: gzip\r\nOrigin: http://other\r\n");
    assert_eq!(packed.body.get(..2), Some(&[0x1f, 0x8b][..]));
    assert!(
        said.contains("content-encoding: gzip") && said.contains("access-control-allow-origin: *"),
        "{said}"
    );
    let (plain, said) = head(&sidecar, "/api/v1/labels", "");
    assert!(plain.json()["data"].is_array() && !said.contains("access-control"), "{said}");

    let cases = include_str!("../api/parse_query.txt").split_once("\n\n").unwrap().1;
    let lines: Vec<&str> = cases.lines().collect();
    for case in lines.chunks(2) {
        let form = format!(
            "query={}",
            case[0].bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
        );
        let tree = ask(sidecar.address.port(), "POST", "/api/v1/parse_query", &form).json();
        let wanted: Value = serde_json::from_str(case[1].trim_start_matches("> ")).unwrap();
        assert_eq!(tree["data"], wanted, "{}\n{}", case[0], tree["data"]);
    }
}

#[test]
fn promtool_asks_a_sidecar_as_it_asks_a_prometheus() {
    let pair = Pair::start();
    let url = format!("http://{}", pair.sidecar.address);
    let now = "--time=10";
    for (arguments, wanted) in [
        (&["query", "instant", now, &url, "vector(2)"][..], "{} => 2"),
        (&["query", "range", "--start=0", "--end=10", "--step=5s", &url, "vector(2)"], "2 @[5]"),
        (&["query", "series", "--match=signalbox_build_info", &url], "signalbox_build_info"),
        (&["query", "labels", &url, "alertname"], "Always"),
    ] {
        let told = Command::new("promtool").args(arguments).output().unwrap();
        let (said, failed) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        assert!(told.status.success() && said.contains(wanted), "{arguments:?}: {said} {failed}");
    }
}
