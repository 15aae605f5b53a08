//! Rules that are edited while the sidecar is down, and alerts over restarts, with the real program.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::bad_input::process::Process;
use super::outbox::{stored, walk};
use super::state::{OFTEN, complete, rules, said, store, wait_saved};
use super::support::{Nats, free_port, server_programs, wait_for};

const NEVER: &str = "state: {checkpoint_every: 1h}\n";
const DEEP: &str = "{alert: Deep, id: deep, expr: sum(queue_depth), above: 2}";

/// A server with a stream for all events, a state folder and rules.
struct World {
    nats: Nats,
    state: tempfile::TempDir,
    rules: tempfile::TempDir,
    more: String,
}

impl World {
    fn new(program: &Path, text: &str) -> Self {
        let nats = Nats::start(program);
        nats.client().create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        Self { nats, state: tempfile::tempdir().unwrap(), rules: rules(text), more: String::new() }
    }

    fn start(&self, config: &str) -> Process {
        let (state, rules) =
            (self.state.path().display().to_string(), self.rules.path().display().to_string());
        let config = format!("instance: ours\n{}{config}", self.more);
        Process::start_with(&self.nats.url(), &config, &["--state-dir", &state, "--rules", &rules])
    }

    fn write(&self, text: &str) {
        let groups = format!("groups: [{{name: g, interval: 200ms, rules: [{text}]}}]");
        std::fs::write(self.rules.path().join("rules.yaml"), groups).unwrap();
    }

    /// Waits until so many alert events are stored; what they say.
    fn said(&self, count: usize) -> Vec<(String, String)> {
        wait_for(&format!("{count} alert events"), || {
            let events = stored(&self.nats);
            (events.len() >= count).then(|| said(&events))
        })
    }
}

fn pairs(said: &[(&str, &str)]) -> Vec<(String, String)> {
    said.iter().map(|(rule, what)| ((*rule).to_owned(), (*what).to_owned())).collect()
}

/// The alerts of the API.
fn alerts(process: &Process) -> Vec<Value> {
    process.get("/api/v1/alerts").json()["data"]["alerts"].as_array().unwrap().clone()
}

#[test]
fn rules_edited_while_it_was_down_end_their_alerts_with_the_reason_whatever_the_state_holds_of_them() {
    let edits: [(&str, &[(&str, &str)]); 4] = [
        (
            "{alert: Deep, id: deep, expr: sum(queue_depth), above: 1}",
            &[("deep", "rule_changed"), ("deep", "triggered")],
        ),
        ("{alert: Deep, id: deep, expr: sum(queue_depth), above: 20}", &[("deep", "rule_changed")]),
        ("", &[("deep", "rule_removed")]),
        (
            "{alert: Deep, id: deeper, expr: sum(queue_depth), above: 2}",
            &[("deep", "rule_removed"), ("deeper", "triggered")],
        ),
    ];
    for program in server_programs() {
        for (edit, expected) in edits {
            // In a checkpoint; only in the log after one; in that of a clean stop.
            for how in ["checkpoint", "log", "stop"] {
                let world = World::new(&program, DEEP);
                let process = world.start(NEVER);
                process.wait_ready();
                process.terminate();
                let process = world.start(if how == "checkpoint" { OFTEN } else { NEVER });
                process.wait_ready();
                store(&world.nats, 0, 3);
                world.said(1);
                match how {
                    "stop" => process.terminate(),
                    "checkpoint" => {
                        wait_saved(world.state.path());
                        process.kill();
                    }
                    _ => process.kill(),
                }
                world.write(edit);
                let process = world.start(OFTEN);
                process.wait_ready();
                let mut all = pairs(&[("deep", "triggered")]);
                all.extend(pairs(expected));
                let name = format!("{edit:?} with the alert in the {how}");
                assert_eq!(world.said(all.len()), all, "{name}");
                process.terminate();
                let events = stored(&world.nats);
                walk(&events);
                assert_eq!(said(&events), all, "{name}");
            }
        }
    }
}

#[test]
fn an_alert_that_fires_goes_on_over_two_kills_under_one_id_and_ends_once() {
    for program in server_programs() {
        let world = World::new(&program, DEEP);
        let process = world.start(NEVER);
        process.wait_ready();
        store(&world.nats, 0, 3);
        world.said(1);
        process.kill();
        for config in [OFTEN, NEVER] {
            let process = world.start(config);
            process.wait_ready();
            let firing = alerts(&process);
            assert_eq!((firing.len(), &firing[0]["state"]), (1, &json!("firing")), "{firing:?}");
            process.kill();
        }
        // It ends while nobody looks.
        complete(&world.nats, 0..3);
        let process = world.start(OFTEN);
        process.wait_ready();
        assert_eq!(world.said(2), pairs(&[("deep", "triggered"), ("deep", "recovered")]));
        process.kill();
        let process = world.start(OFTEN);
        process.wait_ready();
        process.terminate();
        assert_eq!(walk(&stored(&world.nats)), (1, 0));
    }
}

#[test]
fn a_pending_alert_keeps_its_beginning_and_a_kept_one_stays_over_kills() {
    for program in server_programs() {
        let rules = |kept: &str| {
            format!(
                "{{alert: Slow, id: slow, expr: sum(queue_depth), above: 0, for: 1h}}, \
                 {{alert: Kept, id: kept, expr: sum(queue_depth), above: 4, keep_firing_for: {kept}}}"
            )
        };
        let world = World::new(&program, &rules("1h"));
        let process = world.start(OFTEN);
        process.wait_ready();
        store(&world.nats, 0, 5);
        world.said(1);
        complete(&world.nats, 1..5);
        wait_saved(world.state.path());
        let pending = |process: &Process| {
            let all = alerts(process);
            all.into_iter().find(|alert| alert["labels"]["alertname"] == "Slow").unwrap()["activeAt"].clone()
        };
        let begun = pending(&process);
        process.kill();
        for config in [OFTEN, NEVER] {
            let process = world.start(config);
            process.wait_ready();
            assert_eq!(pending(&process), begun);
            process.kill();
        }
        world.write(&rules("0s"));
        let process = world.start(OFTEN);
        process.wait_ready();
        assert_eq!(world.said(2), pairs(&[("kept", "triggered"), ("kept", "recovered")]));
        assert_eq!(pending(&process), begun);
        process.terminate();
    }
}

#[test]
fn a_wait_that_ran_out_while_it_was_down_ends_with_an_alert() {
    for program in server_programs() {
        let world =
            World::new(&program, "{alert: Slow, id: slow, expr: sum(queue_depth), above: 0, for: 2s}");
        let process = world.start(OFTEN);
        process.wait_ready();
        store(&world.nats, 0, 1);
        wait_for("a pending alert", || (alerts(&process).len() == 1).then_some(()));
        wait_saved(world.state.path());
        let begun = alerts(&process)[0]["activeAt"].clone();
        process.kill();
        std::thread::park_timeout(Duration::from_millis(2_500));
        let process = world.start(OFTEN);
        process.wait_ready();
        assert_eq!(world.said(1), pairs(&[("slow", "triggered")]));
        assert_eq!(alerts(&process)[0]["activeAt"], begun);
        process.terminate();
    }
}

/// Answers one request after another, and yields the body of each.
fn hear(port: u16) -> std::sync::mpsc::Receiver<Value> {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut bytes = Vec::new();
            let body = loop {
                let mut more = [0; 4_096];
                let count = stream.read(&mut more).unwrap_or_default();
                bytes.extend_from_slice(&more[..count]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((_, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str::<Value>(body)
                {
                    break body;
                }
                if count == 0 {
                    break Value::Null;
                }
            };
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if tell.send(body).is_err() {
                return;
            }
        }
    });
    told
}

#[test]
fn what_ended_is_shown_after_a_restart_and_an_alertmanager_that_was_away_is_told_of_it() {
    for program in server_programs() {
        for kill in [false, true] {
            let mut world = World::new(&program, DEEP);
            let port = free_port();
            world.more = format!("alertmanager: {{urls: ['http://127.0.0.1:{port}'], resend_delay: 1s}}\n");
            let process = world.start(OFTEN);
            process.wait_ready();
            store(&world.nats, 0, 3);
            world.said(1);
            complete(&world.nats, 0..3);
            world.said(2);
            if kill {
                process.kill();
            } else {
                process.terminate();
            }
            // Until now nobody listened there.
            let told = hear(port);
            let process = world.start(OFTEN);
            process.wait_ready();
            let page = process.get("/").text();
            let ended = page.split("Recently ended").nth(1).unwrap();
            assert!(ended.contains("Deep"), "{ended}");
            let alert = wait_for("what is owed", || {
                let body = told.try_recv().ok()?;
                body.as_array()?.iter().find(|alert| alert["labels"]["alertname"] == "Deep").cloned()
            });
            let times = ["startsAt", "endsAt"].map(|key| alert[key].as_str().unwrap().to_owned());
            let cleared = stored(&world.nats)[1]["timestamp"].as_str().unwrap().to_owned();
            assert!(times[0] < times[1] && times[1][..19] <= cleared[..19], "{alert} {cleared}");
            process.terminate();
        }
    }
}
