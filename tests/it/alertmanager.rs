//! Alertmanagers, real ones: what fires and ends reaches their receivers, whichever side restarts, and a dead or foreign
//! one holds nobody up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use signalbox::engine::config::Config;
use signalbox::engine::diagnostic::Source;

use super::bad_input::process::Process;
use super::support::{Client, Nats, Setup, Sidecar, event, free_port, server_programs, wait_for};

const RULES: &str = "groups: [{name: g, interval: 200ms, rules: [{alert: Deep, id: deep, expr: level > 10,
    labels: {severity: critical}, annotations: {summary: '{{ $labels.tank }} is {{ $value }}'}}]}]";

/// An Alertmanager that tells a webhook; killed when dropped.
struct Alertmanager {
    port: u16,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Alertmanager {
    /// One that listens, with more flags.
    fn start(webhook: u16, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{webhook}/', send_resolved: true}}]}}]\n"
        );
        std::fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
        for (name, text) in more {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut alertmanager = Self { port: free_port(), folder, process: None };
        alertmanager.go();
        alertmanager
    }

    fn go(&mut self) {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", file("alertmanager.yml")))
            .arg(format!("--storage.path={}", file("data")))
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            .arg("--cluster.listen-address=");
        if Path::new(&file("web.yml")).exists() {
            command.arg(format!("--web.config.file={}", file("web.yml")));
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("cannot run prometheus-alertmanager: {error}; apt-get install prometheus-alertmanager or run scripts/test")
        });
        self.process = Some(child);
        wait_for("the Alertmanager", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Ends it as a service manager does: it writes down whom it told of what.
    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
        process.wait().unwrap();
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Its alerts, as its API has them.
    fn alerts(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET /api/v2/alerts HTTP/1.0\r\n\r\n").unwrap();
        let answer = super::support::read_answer(&mut stream);
        answer.json().as_array().unwrap().clone()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Hears what Alertmanagers tell.
struct Webhook {
    port: u16,
    heard: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
        let hearing = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let body = read_request(&mut stream.unwrap());
                let message: Value = serde_json::from_str(&body).unwrap();
                let alerts = message["alerts"].as_array().unwrap().clone();
                hearing.lock().unwrap().extend(alerts);
            }
        });
        Self { port, heard }
    }

    /// Waits for an alert of this status and tank.
    fn wait(&self, status: &str, tank: &str) -> Value {
        wait_for(&format!("{status} {tank}"), || {
            let heard = self.heard.lock().unwrap();
            heard.iter().find(|alert| alert["status"] == status && alert["labels"]["tank"] == tank).cloned()
        })
    }
}

/// Reads a request with a body and answers it.
pub(crate) fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4_096];
        let count = stream.read(&mut more).unwrap();
        bytes.extend_from_slice(&more[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
        if body.len() >= length {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            return body.to_owned();
        }
    }
}

/// A sidecar with the rule, and what its configuration says of Alertmanagers.
fn sidecar(nats: &Nats, alertmanager: &str) -> (Sidecar, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    let mut setup = Setup::new(&nats.url());
    setup.rules = vec![folder.path().to_owned()];
    let text = format!(
        "{{instance: test, external_url: 'http://box:9469', external_labels: {{region: eu}}, alertmanager: {alertmanager}}}"
    );
    let (config, diagnostics) = Config::parse(&Source { name: "c".into(), text: text.into() });
    setup.config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let sidecar = setup.start();
    sidecar.wait_ready();
    (sidecar, folder)
}

fn set(client: &mut Client, number: u64, tank: &str, value: f64) {
    let fields = format!(
        r#","metric_name":"level","metric_type":"gauge","metric_value":{value},"tags":{{"tank":"{tank}"}}"#
    );
    client.publish("events.monitoring.MetricRecorded", &event("MetricRecorded", number, &fields));
    client.flush();
}

#[test]
fn two_alertmanagers_hear_what_fires_and_what_ends() {
    let nats = Nats::start(&server_programs()[0]);
    let webhooks = [Webhook::start(), Webhook::start()];
    let alertmanagers = webhooks.each_ref().map(|webhook| Alertmanager::start(webhook.port, &[]));
    // A third one that is not there holds nobody up.
    let urls: Vec<String> = alertmanagers
        .iter()
        .map(|one| one.port)
        .chain([free_port()])
        .map(|port| format!("'http://127.0.0.1:{port}'"))
        .collect();
    let (sidecar, _folder) = sidecar(&nats, &format!("{{urls: [{}], resend_delay: 1s}}", urls.join(", ")));
    let mut client = nats.client();
    set(&mut client, 1, "north", 20.0);
    set(&mut client, 2, "south", 30.0);
    for (webhook, alertmanager) in webhooks.iter().zip(&alertmanagers) {
        let north = webhook.wait("firing", "north");
        assert_eq!(north["labels"]["alertname"], "Deep");
        assert_eq!(north["labels"]["severity"], "critical");
        assert_eq!(north["labels"]["region"], "eu");
        assert_eq!(north["annotations"]["summary"], "north is 20");
        assert_eq!(north["generatorURL"], "http://box:9469/rules/deep");
        webhook.wait("firing", "south");
        // Told again, it holds longer.
        let ends = || alertmanager.alerts().iter().map(|alert| alert["endsAt"].to_string()).max();
        let first = ends();
        wait_for("a later end", || (ends() > first).then_some(()));
    }
    set(&mut client, 3, "north", 1.0);
    for webhook in &webhooks {
        let ended = webhook.wait("resolved", "north");
        assert_eq!(ended["startsAt"], webhook.wait("firing", "north")["startsAt"]);
        assert!(ended["endsAt"].as_str() > ended["startsAt"].as_str(), "{ended}");
    }
    let dead = urls[2].trim_matches('\'');
    assert!(sidecar.sum("signalbox_notifications_errors_total", dead) > 0.0);
    assert!(sidecar.sum("signalbox_notifications_queue_length", dead) > 0.0);
    assert_eq!(sidecar.sum("signalbox_notifications_dropped_total", ""), 0.0);
    sidecar.wait_ready();
}

#[test]
fn a_restart_of_either_side_loses_no_alert_and_no_end() {
    let nats = Nats::start(&server_programs()[0]);
    let webhook = Webhook::start();
    let mut alertmanager = Alertmanager::start(webhook.port, &[]);
    let config = format!("{{urls: 'http://127.0.0.1:{}', resend_delay: 1s}}", alertmanager.port);
    let (first, _folder) = sidecar(&nats, &config);
    let mut client = nats.client();
    set(&mut client, 1, "north", 20.0);
    webhook.wait("firing", "north");
    // What begins and ends while the Alertmanager is away waits for it.
    alertmanager.stop();
    set(&mut client, 2, "south", 20.0);
    first.wait_sum("level", "south", 20.0);
    wait_for("a failure", || (first.sum("signalbox_notifications_errors_total", "") > 0.0).then_some(()));
    set(&mut client, 3, "north", 1.0);
    first.wait_sum("level", "north", 1.0);
    alertmanager.go();
    webhook.wait("firing", "south");
    webhook.wait("resolved", "north");
    first.stop();
    let (_second, _folder) = sidecar(&nats, &config);
    set(&mut client, 4, "west", 20.0);
    webhook.wait("firing", "west");
}

/// One of a pair that tells these Alertmanagers; its `replica` is its own.
fn of_a_pair(nats: &Nats, rules: &Path, (replica, urls): (usize, &str)) -> Process {
    let config = format!(
        "instance: box-{replica}\nlanes: {{MetricRecorded: jetstream}}\npair: {{bucket: pairs, lease: 1s}}\n\
         external_labels: {{region: eu, replica: box-{replica}}}\n\
         alertmanager: {{urls: [{urls}], resend_delay: 1s}}\n"
    );
    let process = Process::start_with(&nats.url(), &config, &["--rules", rules.to_str().unwrap()]);
    process.wait_ready();
    process
}

#[test]
fn alertmanagers_take_the_alerts_of_a_pair_for_one_and_hear_of_their_end_whichever_dies() {
    let Some(program) = server_programs().into_iter().nth(1) else { return };
    let nats = Nats::start(&program);
    nats.client()
        .create_stream(&serde_json::json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
    let rules = tempfile::tempdir().unwrap();
    std::fs::write(rules.path().join("rules.yaml"), RULES).unwrap();
    let webhooks = [Webhook::start(), Webhook::start()];
    let alertmanagers = webhooks.each_ref().map(|webhook| Alertmanager::start(webhook.port, &[]));
    let urls = alertmanagers.each_ref().map(|one| format!("'http://127.0.0.1:{}'", one.port)).join(", ");
    let start = |replica| of_a_pair(&nats, rules.path(), (replica, &urls));
    let mut instances = [0, 1].map(|replica| Some(start(replica)));
    let sent = |process: &Process| -> f64 {
        let series = process.scrape();
        let told = series.of("signalbox_notifications_sent_total");
        told.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    };
    let mut client = nats.client();
    for (dies, tank) in ["north", "south"].into_iter().enumerate() {
        let number = 10 * (dies as u64 + 1);
        let before = instances.each_ref().map(|one| one.as_ref().map_or(0.0, sent));
        set(&mut client, number, tank, 20.0);
        let begun = webhooks.each_ref().map(|webhook| webhook.wait("firing", tank));
        // Both instances told both of them.
        for (one, before) in instances.iter().flatten().zip(before) {
            wait_for("what it told", || (sent(one) >= before + 2.0).then_some(()));
        }
        for alertmanager in &alertmanagers {
            let alerts = alertmanager.alerts();
            let labels: Vec<&Value> = alerts.iter().map(|alert| &alert["labels"]).collect();
            let expected = serde_json::json!(
                {"alertname": "Deep", "severity": "critical", "tank": tank, "region": "eu"}
            );
            assert_eq!(labels, [&expected], "{alerts:#?}");
        }
        instances[dies].take().unwrap().kill();
        set(&mut client, number + 1, tank, 1.0);
        for (webhook, begun) in webhooks.iter().zip(&begun) {
            let ended = webhook.wait("resolved", tank);
            assert_eq!((&ended["labels"], &ended["fingerprint"]), (&begun["labels"], &begun["fingerprint"]));
        }
        instances[dies] = Some(start(dies));
    }
    for webhook in &webhooks {
        let heard = webhook.heard.lock().unwrap();
        let told = |status: &str| heard.iter().filter(|alert| alert["status"] == status).count();
        assert_eq!((told("firing"), told("resolved")), (2, 2), "{heard:#?}");
    }
}

#[test]
fn an_alertmanager_that_asks_who_is_there_is_told() {
    let nats = Nats::start(&server_programs()[0]);
    let webhook = Webhook::start();
    let pem = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name);
    // The password is "opensesame".
    let web = format!(
        "basic_auth_users: {{box: {BCRYPT}}}\n\
         tls_server_config: {{cert_file: {:?}, key_file: {:?}, client_ca_file: {:?}, client_auth_type: RequireAndVerifyClientCert}}\n",
        pem("server.pem"),
        pem("server.key"),
        pem("ca.pem")
    );
    let alertmanager = Alertmanager::start(webhook.port, &[("web.yml", &web)]);
    let secrets = tempfile::tempdir().unwrap();
    let password = secrets.path().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let config = format!(
        "{{urls: 'https://127.0.0.1:{}', resend_delay: 1s, basic_auth: {{username: box, password_file: {password:?}}},\
         tls_config: {{ca_file: {:?}, cert_file: {:?}, key_file: {:?}, server_name: localhost}}}}",
        alertmanager.port,
        pem("ca.pem"),
        pem("client.pem"),
        pem("client.key")
    );
    let (sidecar, _folder) = sidecar(&nats, &config);
    set(&mut nats.client(), 1, "north", 20.0);
    wait_for("a refusal", || (sidecar.sum("signalbox_notifications_errors_total", "") > 0.0).then_some(()));
    assert_eq!(sidecar.sum("signalbox_notifications_sent_total", ""), 0.0);
    // The file is read for each attempt.
    std::fs::write(&password, "opensesame\n").unwrap();
    webhook.wait("firing", "north");
}

/// `opensesame` as bcrypt has it.
const BCRYPT: &str = "$2y$05$abcdefghijklmnopqrstuuQbLfdQZSxZ9gjhA5V9o8Tyc6aQRO0Qi";

#[test]
fn credentials_are_sent_and_what_is_refused_for_good_is_dropped() {
    let nats = Nats::start(&server_programs()[0]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/prefix/", listener.local_addr().unwrap().port());
    let mut setup = Setup::new(&nats.url());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    setup.rules = vec![folder.path().to_owned()];
    let text = format!(
        "{{instance: test, alertmanager: {{urls: '{url}', timeout: 20s, authorization: {{credentials: opensesame}}}}}}"
    );
    setup.config = Config::parse(&Source { name: "c".into(), text: text.into() }).0.unwrap();
    let sidecar = setup.start();
    sidecar.wait_ready();
    set(&mut nats.client(), 1, "north", 20.0);
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = vec![0; 4_096];
    let count = stream.read(&mut bytes).unwrap();
    let head = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(head.starts_with("POST /prefix/api/v2/alerts HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer opensesame\r\n"), "{head}");
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n").unwrap();
    sidecar.wait_sum("signalbox_notifications_dropped_total", "", 1.0);
}
