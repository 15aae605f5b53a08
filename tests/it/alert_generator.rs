//! Alerts as a Prometheus makes them (Alert Generator Compliance 1.0): a real Prometheus and a sidecar with the same rules
//! over the same gauge, each beside an Alertmanager that writes down what it is told. When exactly, and what is told again,
//! is in `tests/rules/alert_generator.txt` and `notifications.txt`, where time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::{Value, json};
use signalbox::engine::config::Config;
use signalbox::engine::diagnostic::Source;

use super::alertmanager::read_request;
use super::process::{Process, get, start_prometheus};
use super::support::{Client, Nats, Setup, Sidecar, event, server_programs, wait_for};

const RULES: &str = include_str!("../alert_generator/rules.yaml");
const SCRIPT: &str = include_str!("../alert_generator/script.txt");

/// An Alertmanager's ear: what was told of each alert, in order.
struct Ear {
    port: u16,
    heard: Arc<Mutex<Vec<Told>>>,
}

/// What was told of an alert once.
#[derive(Clone, Debug)]
struct Told {
    labels: Value,
    annotations: Value,
    starts_at: String,
    ends_at: String,
    /// Whether it was over when it was heard.
    has_lapsed: bool,
}

impl Ear {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Told>>> = Arc::default();
        let hearing = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let body = read_request(&mut stream.unwrap());
                let alerts: Vec<Value> = serde_json::from_str(&body).unwrap();
                hearing.lock().unwrap().extend(alerts.iter().map(Told::of));
            }
        });
        Self { port, heard }
    }

    /// Everything that was told, with whether it was firing then or over. What fires is told with another `endsAt` each
    /// time and what is over with the same again and again, so that the instant at which a busy machine hears of it does
    /// not matter. What has lapsed and was told once may be either, and is left out until it is told again.
    fn told(&self) -> Vec<(Told, &'static str)> {
        let heard = self.heard.lock().unwrap();
        let mut times: BTreeMap<(String, &str, &str), usize> = BTreeMap::new();
        for told in heard.iter() {
            *times.entry(told.key()).or_default() += 1;
        }
        let state = |told: &Told| match (told.has_lapsed, times[&told.key()]) {
            (false, _) => Some("firing"),
            (true, 1) => None,
            (true, _) => Some("resolved"),
        };
        heard.iter().filter_map(|told| Some((told.clone(), state(told)?))).collect()
    }

    /// The last that was told of an alert.
    fn last(&self, name: &str, tank: &str) -> Option<(Told, &'static str)> {
        self.told().into_iter().rev().find(|(told, _)| is_of(&told.labels, name, tank))
    }

    /// What was told of each alert, what is told again left out: state and texts, episode by episode.
    fn stories(&self) -> BTreeMap<String, Vec<String>> {
        let mut stories: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut episodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (told, state) in self.told() {
            let labels = told.labels.to_string();
            let starts = episodes.entry(labels.clone()).or_default();
            if starts.last() != Some(&told.starts_at) {
                assert!(!starts.contains(&told.starts_at), "{told:?}");
                starts.push(told.starts_at.clone());
            }
            assert!(told.starts_at <= told.ends_at, "{told:?}");
            // Told for the first time it holds for four resend delays, or intervals: both are a second here.
            if state == "firing" && seen.insert((labels.clone(), told.starts_at.clone())) {
                let instant = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
                let holds = instant(&told.ends_at) - instant(&told.starts_at);
                assert_eq!(holds.num_milliseconds(), 4_000, "{told:?}");
            }
            let line = format!("episode {} {state} {}", starts.len(), told.annotations);
            let story = stories.entry(labels).or_default();
            if story.last() != Some(&line) {
                story.push(line);
            }
        }
        stories
    }
}

impl Told {
    fn of(alert: &Value) -> Self {
        let text = |key: &str| alert[key].as_str().unwrap().to_owned();
        let now = humantime();
        let ends_at = text("endsAt");
        // Both write UTC with a Z, so that texts compare as instants do but for their last digits.
        let has_lapsed = ends_at[..19] <= now[..19];
        Self {
            labels: alert["labels"].clone(),
            // Prometheus leaves them out where there are none.
            annotations: if alert["annotations"].is_null() {
                json!({})
            } else {
                alert["annotations"].clone()
            },
            starts_at: text("startsAt"),
            ends_at,
            has_lapsed,
        }
    }

    /// What is alike where the same is told again.
    fn key(&self) -> (String, &str, &str) {
        (self.labels.to_string(), &self.starts_at, &self.ends_at)
    }
}

/// Now, as RFC 3339.
fn humantime() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    chrono::DateTime::from_timestamp(i64::try_from(since.as_secs()).unwrap(), 0).unwrap().to_rfc3339()
}

fn is_of(labels: &Value, name: &str, tank: &str) -> bool {
    labels["alertname"] == name && (tank == "-" || labels["tank"] == tank)
}

/// Both, and their ears.
struct Pair {
    nats: Nats,
    ports: [u16; 2],
    ears: [Ear; 2],
    events: u64,
    _sidecar: Sidecar,
    _prometheus: Process,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn start() -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
        let ears = [Ear::start(), Ear::start()];
        let mut setup = Setup::new(&nats.url());
        setup.rules = vec![folder.path().join("rules.yaml")];
        let text = format!(
            "{{instance: test, evaluate: interval, history: {{step: 1s}}, external_labels: {{region: eu}},\
              alertmanager: {{urls: 'http://127.0.0.1:{}', resend_delay: 1s}}}}",
            ears[1].port
        );
        setup.config = Config::parse(&Source { name: "c".into(), text: text.into() }).0.unwrap();
        let sidecar = setup.start();
        sidecar.wait_ready();
        let (prometheus, port) = prometheus(folder.path(), sidecar.address.port(), ears[0].port);
        let ports = [port, sidecar.address.port()];
        Self { nats, ports, ears, events: 0, _sidecar: sidecar, _prometheus: prometheus, _folder: folder }
    }

    fn set(&mut self, client: &mut Client, tank: &str, value: &str) {
        self.events += 1;
        let value = if value == "NaN" { "\"NaN\"".to_owned() } else { value.to_owned() };
        let fields = format!(
            r#","metric_name":"level","metric_type":"gauge","metric_value":{value},"tags":{{"tank":"{tank}"}}"#
        );
        client.publish("events.monitoring.MetricRecorded", &event("MetricRecorded", self.events, &fields));
        client.flush();
    }

    /// Waits until the two agree in everything that their APIs show.
    fn agree(&self, step: &str) {
        let mut last = [Value::Null, Value::Null];
        let agreed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(step, || {
                last = self.ports.map(shown);
                (last[0] == last[1]).then_some(())
            });
        }));
        let [theirs, ours] = last.map(|all| flat(&all, ""));
        let only = |left: &BTreeSet<String>, right: &BTreeSet<String>| {
            left.difference(right).cloned().collect::<Vec<_>>().join("\n")
        };
        assert!(
            agreed.is_ok(),
            "after {step}\nonly in Prometheus\n{}\nonly in signalbox\n{}",
            only(&theirs, &ours),
            only(&ours, &theirs)
        );
    }

    fn until(&self, step: &str, words: &[&str]) {
        match *words {
            ["told", state, name, tank, ..] => {
                let text = words[4..].join(" ");
                for (ear, of) in self.ears.iter().zip(["Prometheus", "signalbox"]) {
                    wait_for(&format!("{of}: {step}"), || {
                        let (told, is) = ear.last(name, tank)?;
                        let says = told.annotations.to_string().contains(&text);
                        (is == state && says).then_some(())
                    });
                }
            }
            [health @ ("err" | "ok"), name] => {
                for port in self.ports {
                    wait_for(step, || {
                        let all = ask(port, "/api/v1/rules");
                        let rules = all["groups"][0]["rules"].as_array()?.clone();
                        let rule = rules.iter().find(|rule| rule["name"] == name)?;
                        (rule["health"] == health).then_some(())
                    });
                }
            }
            [state, name, tank] => {
                for port in self.ports {
                    wait_for(step, || {
                        let all = ask(port, "/api/v1/alerts");
                        let alerts = all["alerts"].as_array()?.clone();
                        let found = alerts.iter().find(|alert| is_of(&alert["labels"], name, tank));
                        let is = found.map_or("gone", |alert| alert["state"].as_str().unwrap());
                        (is == state).then_some(())
                    });
                }
            }
            _ => panic!("{step}"),
        }
    }
}

fn prometheus(folder: &Path, target: u16, ear: u16) -> (Process, u16) {
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s, external_labels: {{region: eu}}}}\n\
         rule_files: [rules.yaml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{ear}']}}]}}]}}\n\
         scrape_configs: [{{job_name: signalbox, static_configs: [{{targets: ['127.0.0.1:{target}']}}],\n\
           metric_relabel_configs: [{{action: labeldrop, regex: job|instance}}]}}]\n"
    );
    start_prometheus(folder, &config, &["--rules.alert.resend-delay=1s"])
}

fn ask(port: u16, path: &str) -> Value {
    let answer = get(port, path).unwrap().json();
    assert_eq!(answer["status"], "success", "{path}: {answer}");
    answer["data"].clone()
}

/// The label sets that a series has now.
fn label_sets(port: u16, name: &str) -> BTreeSet<String> {
    let data = ask(port, &format!("/api/v1/query?query={name}"));
    data["result"].as_array().unwrap().iter().map(|series| series["metric"].to_string()).collect()
}

/// Every leaf of a value with the way to it.
fn flat(value: &Value, way: &str) -> BTreeSet<String> {
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().flat_map(|(at, inner)| flat(inner, &format!("{way}/{at}"))).collect()
        }
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, inner)| flat(inner, &format!("{way}/{name}"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            BTreeSet::from([format!("{way} {value}")])
        }
    }
}

/// Everything that its API shows of rules and alerts, but for instants and how long things took.
fn shown(port: u16) -> Value {
    let timeless = |alerts: &Value| {
        let alerts = alerts.as_array().unwrap().iter().map(|alert| {
            assert!(alert["activeAt"].is_string(), "{alert}");
            json!({
                "labels": alert["labels"], "annotations": alert["annotations"],
                "state": alert["state"], "value": alert["value"],
            })
            .to_string()
        });
        alerts.collect::<BTreeSet<String>>()
    };
    let rules = ask(port, "/api/v1/rules");
    let groups = rules["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{rules}");
    let rules = groups[0]["rules"].as_array().unwrap().iter().map(|rule| {
        let mut rule = rule.clone();
        let fields = rule.as_object_mut().unwrap();
        assert!(fields.remove("lastEvaluation").is_some() && fields.remove("evaluationTime").is_some());
        if let Some(alerts) = fields.remove("alerts") {
            fields.insert("alerts".to_owned(), json!(timeless(&alerts)));
        }
        rule
    });
    json!({
        "interval": groups[0]["interval"],
        "rules": rules.collect::<Vec<_>>(),
        "alerts": timeless(&ask(port, "/api/v1/alerts")["alerts"]),
        "ALERTS": label_sets(port, "ALERTS"),
        "ALERTS_FOR_STATE": label_sets(port, "ALERTS_FOR_STATE"),
    })
}

/// Times the story is told anew where Prometheus lost sight of the gauge.
const TRIES: usize = 4;

#[test]
fn alerts_are_those_of_a_prometheus_with_the_same_rules_in_apis_series_and_alertmanagers() {
    for left in (0..TRIES).rev() {
        let mut pair = Pair::start();
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tell(&mut pair)));
        let Err(failure) = told else { return };
        // A scrape that a busy machine let time out takes every series away from Prometheus, and with them its alerts.
        let has_lapsed = !ask(pair.ports[0], "/api/v1/query?query=min_over_time(up[1h])==0")["result"]
            .as_array()
            .unwrap()
            .is_empty();
        if left == 0 || !has_lapsed {
            std::panic::resume_unwind(failure);
        }
    }
}

/// Tells the story of the script to both.
fn tell(pair: &mut Pair) {
    let mut client = pair.nats.client();
    let (_, script) = SCRIPT.split_once("\n\n").unwrap();
    let mut steps = 0;
    for step in script.lines().filter(|step| !step.is_empty() && !step.starts_with('#')) {
        let words: Vec<&str> = step.split(' ').collect();
        match words[0] {
            "set" => pair.set(&mut client, words[1], words[2]),
            "until" => {
                pair.until(step, &words[1..]);
                if words[1] != "pending" {
                    pair.agree(step);
                }
            }
            _ => panic!("{step}"),
        }
        steps += 1;
    }
    assert!(steps > 40, "{steps}");
    let mut stories = [BTreeMap::new(), BTreeMap::new()];
    let alike = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for("the same to be told of all", || {
            stories = pair.ears.each_ref().map(Ear::stories);
            (stories[0] == stories[1]).then_some(())
        });
    }));
    let [theirs, ours] = stories;
    assert!(alike.is_ok(), "Prometheus told {theirs:#?}\nsignalbox told {ours:#?}");
    assert!(theirs.len() > 10, "{theirs:#?}");
}
