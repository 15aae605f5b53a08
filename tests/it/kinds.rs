//! Every `stat` over metrics that nothing declares: the same rules and events live and in `replay` (`tests/rules/kinds.*`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Nats, Setup, server_programs, wait_for};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(name)
}

/// The rules that `kinds.txt` says of that they fire, or that they are errors.
fn expected(what: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(data("kinds.txt")).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
    names.map(str::to_owned).collect()
}

#[test]
fn a_replay_fires_what_the_kinds_of_metrics_have() {
    let output = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(["replay", "--format", "json", "--tail", "10s"])
        .args([data("kinds.jsonl"), PathBuf::from("--rules"), data("kinds.yaml")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let triggered = objects.filter(|object| object["event_type"] == "AlertTriggered");
    let fired: BTreeSet<String> =
        triggered.map(|object| object["alert_name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fired, expected("fires"));
}

#[test]
fn a_running_sidecar_fires_what_the_kinds_of_metrics_have_and_shows_the_rest_as_errors() {
    let nats = Nats::start(&server_programs()[0]);
    let mut setup = Setup::new(&nats.url());
    setup.rules = vec![data("kinds.yaml")];
    let sidecar = setup.start();
    sidecar.wait_ready();
    let mut client = nats.client();
    for event in std::fs::read_to_string(data("kinds.jsonl")).unwrap().lines() {
        client.publish("events.monitoring.MetricRecorded", event);
    }
    client.flush();
    wait_for("what fires and what is an error", || {
        let rules = sidecar.get("/api/v1/rules").json();
        let rules = rules["data"]["groups"][0]["rules"].as_array()?;
        let named = |key: &str, word: &str| -> BTreeSet<String> {
            let are = rules.iter().filter(|rule| rule[key] == word);
            are.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
        };
        let (firing, errors) = (named("state", "firing"), named("health", "err"));
        (firing == expected("fires") && errors == expected("error")).then_some(())
    });
}
