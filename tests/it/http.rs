//! The HTTP server: every format and encoding, health, reload, Prometheus' API, and limits.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::support::{
    Nats, Setup, Sidecar, job_queued, metric_recorded, read_answer, server_programs, wait_for,
};

fn running() -> (Nats, Sidecar) {
    let nats = Nats::start(&server_programs()[0]);
    let sidecar = Setup::new(&nats.url()).start();
    sidecar.wait_ready();
    let mut client = nats.client();
    client.publish("events.queue.JobQueued", &job_queued(1));
    client.publish("events.monitoring.MetricRecorded", &metric_recorded(2));
    client.flush();
    sidecar.wait_sum("clicks_total", "", 1.0);
    sidecar.wait_sum("queue_depth", r#"queue="bulk""#, 1.0);
    (nats, sidecar)
}

#[test]
fn a_scraper_gets_the_format_it_asks_for() {
    let (_nats, sidecar) = running();
    let cases = [
        ("", "text/plain; version=0.0.4", "clicks_total 1\n"),
        (
            "Accept: application/openmetrics-text;version=1.0.0\r\n",
            "application/openmetrics-text; version=1.0.0",
            "# EOF\n",
        ),
        ("Accept: image/png\r\n", "text/plain; version=0.0.4", "clicks_total 1\n"),
    ];
    for (accept, content_type, part) in cases {
        let answer = sidecar.request("GET", "/metrics", accept);
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains(&format!("content-type: {content_type}")), "{}", answer.head);
        assert!(answer.text().contains(part), "{accept}");
    }
    let packed = sidecar.request("GET", "/metrics", "Accept-Encoding: gzip\r\n");
    assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
    assert_eq!(packed.body.get(..2), Some(&[0x1f, 0x8b][..]));
    let head = sidecar.request("HEAD", "/metrics", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let one = sidecar.get("/metrics?name[]=clicks_total").text();
    assert!(one.contains("clicks_total 1") && !one.contains("queue_depth"), "{one}");
    assert!(sidecar.sum("process_resident_memory_bytes", "") > 1e6);
}

#[test]
fn health_and_what_is_not_there_answer_in_plain_text() {
    let (_nats, sidecar) = running();
    for path in ["/-/healthy", "/healthz", "/-/ready", "/readyz"] {
        assert_eq!(sidecar.get(path).status, 200, "{path}");
    }
    assert_eq!(sidecar.get("/../etc/passwd").status, 404);
    assert_eq!(sidecar.request("DELETE", "/metrics", "").status, 405);
    assert_eq!(sidecar.request("TRACE", "/-/ready", "").status, 405);
    let page = sidecar.get("/");
    assert_eq!(page.status, 200);
    assert!(page.text().contains(">Alerts</h2>"), "{}", page.text());
}

#[test]
fn the_api_answers_as_prometheus_does() {
    let (_nats, sidecar) = running();
    let vector = sidecar.get("/api/v1/query?query=queue_depth%7Bqueue%3D%22bulk%22%7D").json();
    assert_eq!(vector["status"], "success", "{vector}");
    assert_eq!(vector["data"]["resultType"], "vector");
    assert_eq!(vector["data"]["result"][0]["metric"]["__name__"], "queue_depth");
    assert_eq!(vector["data"]["result"][0]["value"][1], "1");
    let form = "query=1%2B1";
    let head = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let scalar = sidecar.request("POST", "/api/v1/query", &head).json();
    assert_eq!(scalar["data"]["resultType"], "scalar", "{scalar}");
    assert_eq!(scalar["data"]["result"][1], "2");
    let bad = sidecar.get("/api/v1/query?query=sum(");
    assert_eq!((bad.status, bad.json()["errorType"].as_str()), (400, Some("bad_data")));
    let steps = sidecar.get("/api/v1/query_range?query=vector(1)&start=1000&end=1030&step=10s").json();
    assert_eq!(steps["data"]["result"][0]["values"].as_array().map(Vec::len), Some(4), "{steps}");
    assert_eq!(sidecar.get("/api/v1/query_range?query=1&start=0&end=1000000&step=1").status, 400);
    let query = "/api/v1/query?query=label_replace(vector(1),%22a%22,%22b%22,%22%22,%22%22)%20or%20vector(2)";
    let cut = sidecar.get(&format!("{query}&limit=1")).json();
    assert_eq!(cut["data"]["result"].as_array().map(Vec::len), Some(1), "{cut}");
    assert_eq!(cut["warnings"][0], "results truncated due to limit", "{cut}");
    let late = sidecar.get(&format!("{query}&timeout=0s"));
    assert_eq!((late.status, late.json()["errorType"].as_str()), (503, Some("timeout")));
    assert_eq!(sidecar.get(&format!("{query}&limit=x")).status, 400);
    let series = sidecar.get("/api/v1/series?match[]=queue_depth").json();
    assert_eq!(series["data"][0]["queue"], "bulk", "{series}");
    let names = sidecar.get("/api/v1/labels?match[]=queue_depth").json();
    assert!(names["data"].as_array().unwrap().iter().any(|name| name == "priority"), "{names}");
    let values = sidecar.get("/api/v1/label/__name__/values?match[]=clicks_total").json();
    assert_eq!(values["data"][0], "clicks_total", "{values}");
    assert_eq!(sidecar.get("/api/v1/metadata").json()["data"]["queue_depth"][0]["type"], "gauge");
    assert_eq!(sidecar.get("/api/v1/status/buildinfo").json()["data"]["application"], "signalbox");
    assert_eq!(sidecar.get("/api/v1/alerts").json()["data"]["alerts"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_bad_rule_file_keeps_the_last_good_rules_and_is_shown() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let good = "groups: [{name: g, rules: [{alert: Deep, expr: queue_depth > 10}]}]";
    std::fs::write(folder.path().join("queue.yaml"), good).unwrap();
    let mut setup = Setup::new(&nats.url());
    setup.rules = vec![folder.path().to_owned()];
    let sidecar = setup.start();
    let rules = |sidecar: &Sidecar| {
        let answer = sidecar.get("/api/v1/rules").json();
        answer["data"]["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["rules"].as_array().unwrap().len())
            .sum::<usize>()
    };
    assert_eq!(rules(&sidecar), 1);
    assert_eq!(sidecar.request("POST", "/-/reload", "").status, 200);
    std::fs::write(
        folder.path().join("queue.yaml"),
        "groups: [{name: g, rules: [{alert: Deep, expr: sum(}]}]",
    )
    .unwrap();
    let refused = sidecar.request("POST", "/-/reload", "");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("queue.yaml"), "{}", refused.text());
    assert_eq!(rules(&sidecar), 1);
    wait_for("the page", || sidecar.get("/").text().contains("queue.yaml").then_some(()));
    // A change on disk is noticed by itself.
    let two = good.replace("]}]", ", {alert: Empty, expr: queue_depth == 0}]}]");
    std::fs::write(folder.path().join("queue.yaml"), two).unwrap();
    wait_for("the new rules", || (rules(&sidecar) == 2).then_some(()));
    sidecar.wait_ready();
    sidecar.wait_sum("signalbox_config_last_reload_successful", "", 1.0);
}

#[test]
fn headers_are_bounded_in_size_and_time() {
    let nats = Nats::start(&server_programs()[0]);
    let mut setup = Setup::new(&nats.url());
    setup.settings.http.header_timeout = Duration::from_millis(200);
    let sidecar = setup.start();
    let long = format!("X-Long: {}\r\n", "x".repeat(64 << 10));
    let mut stream = TcpStream::connect(sidecar.address).unwrap();
    // The server may close before it has read all of it.
    let _ = stream.write_all(format!("GET /-/healthy HTTP/1.1\r\nHost: a\r\n{long}\r\n").as_bytes());
    let mut start = [0; 12];
    if stream.read_exact(&mut start).is_ok() {
        assert_eq!(&start, b"HTTP/1.1 431");
    }
    let mut slow = TcpStream::connect(sidecar.address).unwrap();
    slow.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Ends, with or without an answer, because the server closes it.
    read_answer(&mut slow);
    assert_eq!(sidecar.get("/-/healthy").status, 200);
}

#[test]
fn a_thousand_half_open_requests_do_not_stop_a_scrape() {
    let nats = Nats::start(&server_programs()[0]);
    let mut setup = Setup::new(&nats.url());
    setup.settings.http.header_timeout = Duration::from_mins(1);
    let sidecar = setup.start();
    sidecar.wait_ready();
    let held: Vec<TcpStream> = (0..1_000)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(sidecar.address).ok()?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").ok()?;
            Some(stream)
        })
        .collect();
    assert_eq!(held.len(), 1_000);
    assert_eq!(sidecar.get("/metrics").status, 200);
}
