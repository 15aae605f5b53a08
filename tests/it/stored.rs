//! Streams that are read after the fact: `replay --nats-url`, and rejected copies listed and sent again.

use std::path::Path;

use serde_json::{Value, json};

use super::process::{get, post, run_signalbox, signalbox};
use super::support::{Nats, event, server_programs, wait_for};

/// What a command prints; it must end well.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = signalbox().args(arguments).current_dir(folder).output().unwrap();
    let (text, faults) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}{faults}");
    text
}

fn recorded(number: u64, value: f64) -> String {
    let fields = format!(
        r#","metric_name":"depth","metric_type":"gauge","metric_value":{value},"tags":{{"queue":"a"}}"#
    );
    event("MetricRecorded", number, &fields)
}

#[test]
fn a_stored_stream_is_replayed_and_nothing_is_changed_on_the_server() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let folder = tempfile::tempdir().unwrap();
        let rules = "groups: [{name: g, rules: [{alert: Deep, expr: depth, above: 5}]}]";
        std::fs::write(folder.path().join("new.yaml"), rules).unwrap();
        std::fs::write(folder.path().join("old.yaml"), rules.replace("above: 5", "above: 50")).unwrap();
        let mut client = nats.client();
        for (number, retention) in ["limits", "interest", "workqueue"].into_iter().enumerate() {
            let name = format!("S{number}");
            let subjects = json!([format!("{retention}.monitoring.*"), format!("{retention}.other")]);
            let config = json!({
                "name": name, "subjects": subjects, "retention": retention, "storage": "memory", "max_consumers": -1,
                "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1,
            });
            client.create_stream(&config);
            if retention == "interest" {
                // Without a consumer it keeps nothing.
                let consumer =
                    json!({"stream_name": name, "config": {"durable_name": "c", "ack_policy": "explicit"}});
                client.api(&format!("CONSUMER.DURABLE.CREATE.{name}.c"), &consumer.to_string());
            }
            let subject = format!("{retention}.monitoring.MetricRecorded");
            for (number, value) in [(1, 1.0), (2, 9.0), (3, 2.0)] {
                client.publish(&subject, &recorded(number, value));
            }
            client.publish(&format!("{retention}.other"), "no event");
            client.flush();
            let deleted = client.api(&format!("STREAM.MSG.DELETE.{name}"), r#"{"seq":1}"#);
            assert_eq!(deleted["success"], true, "{deleted}");
            std::fs::write(
                folder.path().join("signalbox.yaml"),
                format!("subjects: {{prefix: {retention}}}"),
            )
            .unwrap();
            let before = client.api(&format!("STREAM.INFO.{name}"), "");
            let url = nats.url();
            let from =
                ["--nats-url", url.as_str(), "--stream", name.as_str(), "--since", "1h", "--format", "json"];
            let replayed = said(folder.path(), &[&["replay", "--rules", "new.yaml"], &from[..]].concat());
            let lines: Vec<Value> =
                replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines[0]["event_type"], "AlertTriggered", "{replayed}");
            assert_eq!(lines.last().unwrap()["summary"]["events"], 2, "{replayed}");
            let compared = said(
                folder.path(),
                &[&["replay", "--rules", "new.yaml", "--compare", "old.yaml", "--svg", "c.svg"], &from[..]]
                    .concat(),
            );
            let lines: Vec<Value> =
                compared.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines[0]["difference"], "only_rules", "{compared}");
            assert_eq!(lines[0]["alert_name"], "Deep", "{compared}");
            assert_eq!(lines[1]["summary"]["only_rules"], 1, "{compared}");
            let chart = std::fs::read_to_string(folder.path().join("c.svg")).unwrap();
            assert!(chart.contains("<rect class=\"r\"") && chart.contains("Deep"), "{chart}");
            let after = client.api(&format!("STREAM.INFO.{name}"), "");
            assert_eq!((&before["state"], &before["config"]), (&after["state"], &after["config"]));
        }
    }
}

#[test]
fn rejected_copies_are_listed_and_sent_again_once_a_transform_takes_them() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let folder = tempfile::tempdir().unwrap();
        let mut client = nats.client();
        client.create_stream(&json!({
            "name": "REJECTED", "subjects": ["signalbox.rejected"], "retention": "limits", "storage": "memory",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1,
        }));
        let url = nats.url();
        let (_sidecar, port) = run_signalbox(folder.path(), &url, &[]);
        let subject = "events.queue.WorkerStopped";
        let fields = r#","event_version":"2.0","worker_id":"w","why":"shutdown","jobs_running":0"#;
        client.publish(subject, &event("WorkerStopped", 1, fields));
        client.publish(subject, &event("WorkerStopped", 2, r#","worker_id":7"#));
        client.flush();
        wait_for("the copies", || {
            let info = client.api("STREAM.INFO.REJECTED", "");
            (info["state"]["messages"] == 2).then_some(())
        });
        let here = ["--nats-url", url.as_str()];
        let listed = said(folder.path(), &[&["rejected", "list"], &here[..]].concat());
        assert!(listed.contains("unsupported_version events.queue.WorkerStopped"), "{listed}");
        assert!(listed.ends_with("2 kept\n"), "{listed}");
        // A transform takes one of them now; the other stays wrong.
        let transform =
            "transforms: [{event_type: WorkerStopped, major: 2, steps: [{rename: {why: reason}}]}]\n";
        let config = format!("jetstream: {{create_stream: true}}\n{transform}");
        std::fs::write(folder.path().join("signalbox.yaml"), config).unwrap();
        assert_eq!(post(port, "/-/reload").unwrap().status, 200);
        let resent = said(folder.path(), &[&["rejected", "resend", "--only", "1"], &here[..]].concat());
        assert!(resent.ends_with("1 message sent again, 0 not taken, 0 left\n"), "{resent}");
        wait_for("the worker's stop", || {
            let text = get(port, "/metrics")?.text();
            text.contains("queue_workers_stopped_total{reason=\"shutdown\"} 1").then_some(())
        });
        let output = signalbox()
            .args(["rejected", "resend", "--dry-run"])
            .args(here)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("1 would be sent to events.queue.WorkerStopped"), "{text}");
        assert!(text.contains("2 left: worker_id: expected a string; "), "{text}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn what_is_sent_again_has_the_headers_of_its_publisher() {
    let nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let mut client = nats.client();
    client.create_stream(&json!({
        "name": "REJECTED", "subjects": ["signalbox.rejected"], "retention": "limits", "storage": "memory",
        "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1,
    }));
    let url = nats.url();
    let (_sidecar, port) = run_signalbox(folder.path(), &url, &[]);
    // Without its envelope in the headers the data says neither its id nor its time.
    let headers = b"NATS/1.0\r\nce-specversion: 1.0\r\nce-type: org.example.WorkerStopped\r\n\
        ce-id: 00000000-0000-4000-8000-000000000001\r\nce-source: /w\r\nce-time: 2026-11-24T00:00:00Z\r\n\
        Nats-Msg-Id: first\r\nX-Team: media\r\n\r\n";
    let payload = r#"{"event_version":"2.0","worker_id":"w","why":"shutdown","jobs_running":0}"#;
    client.publish_with("events.queue.WorkerStopped", headers, payload);
    client.flush();
    wait_for("the copy", || {
        let info = client.api("STREAM.INFO.REJECTED", "");
        (info["state"]["messages"] == 1).then_some(())
    });
    let transform = "transforms: [{event_type: WorkerStopped, major: 2, steps: [{rename: {why: reason}}]}]\n";
    let config = format!("jetstream: {{create_stream: true}}\n{transform}");
    std::fs::write(folder.path().join("signalbox.yaml"), config).unwrap();
    assert_eq!(post(port, "/-/reload").unwrap().status, 200);
    let mut listener = nats.client();
    listener.subscribe("events.queue.WorkerStopped");
    let here = ["--nats-url", url.as_str()];
    let resent = said(folder.path(), &[&["rejected", "resend"], &here[..]].concat());
    // The stream would refuse a `Nats-Msg-Id` that it has.
    assert!(resent.ends_with("1 message sent again, 0 not taken, 0 left\n"), "{resent}");
    let heard = listener.read_until(payload);
    for kept in ["ce-type: org.example.WorkerStopped", "X-Team: media"] {
        assert!(heard.contains(kept), "{kept} is missing in {heard}");
    }
    for own in ["Nats-Msg-Id", "Signalbox-"] {
        assert!(!heard.contains(own), "{own} is in {heard}");
    }
    wait_for("the worker's stop", || {
        let text = get(port, "/metrics")?.text();
        text.contains("queue_workers_stopped_total{reason=\"shutdown\"} 1").then_some(())
    });
}

#[test]
fn a_test_is_recorded_from_a_stream_without_what_is_refused() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let folder = tempfile::tempdir().unwrap();
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["acme.events.>"]}));
        let subject = "acme.events.monitoring.MetricRecorded";
        for payload in
            [&recorded(1, 1.0), "no event", r#"{"event_type":"MetricRecorded"}"#, &recorded(2, 9.0)]
        {
            client.publish(subject, payload);
        }
        client.flush();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("rules.yaml", "groups: [{name: g, rules: [{alert: Deep, expr: depth, above: 5}]}]");
        write("signalbox.yaml", "subjects: {prefix: acme.events}");
        let url = nats.url();
        let from = [
            "test",
            "--record",
            "new.test.yaml",
            "--rules",
            "rules.yaml",
            "--nats-url",
            &url,
            "--since",
            "1h",
        ];
        let elsewhere = signalbox().args(from).current_dir(folder.path()).output().unwrap();
        let why = String::from_utf8_lossy(&elsewhere.stderr);
        assert!(why.contains("no event below `events`") && why.contains("--config"), "{why}");
        let wrote = said(folder.path(), &[&from[..], &["--config", "signalbox.yaml"]].concat());
        assert!(wrote.contains("2 events, 1 transition"), "{wrote}");
        assert!(wrote.contains("left out: 2 messages that the sidecar refuses\n"), "{wrote}");
        let passed = said(folder.path(), &["test", "new.test.yaml"]);
        assert!(passed.contains("1 passed, 0 failed"), "{passed}");
    }
}
