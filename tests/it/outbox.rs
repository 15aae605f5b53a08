//! Alert events leave in order and once, whatever dies on the way: the real program, real servers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::proxy::Proxy;
use super::support::{Client, Nats, event, job_queued, server_programs, wait_for};
use super::times::times;

const CREATE: &str = "instance: ours\njetstream: {create_stream: true}";

/// A rule with one alert a tank.
const RULES: &str = "groups: [{name: g, interval: 200ms, rules: [\
    {alert: Deep, id: deep, expr: level, above: 10, labels: {severity: critical}}]}]";

/// A folder with that rule.
fn rules() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    folder
}

fn start(url: &str, rules: &tempfile::TempDir) -> Process {
    Process::start_with(url, CREATE, &["--rules", rules.path().to_str().unwrap()])
}

/// The same with a state, saved each so often.
fn start_with_state(
    nats: &Nats,
    rules: &tempfile::TempDir,
    state: &tempfile::TempDir,
    every: &str,
) -> Process {
    let config = format!("{CREATE}\nstate: {{checkpoint_every: {every}}}");
    let (rules, state) = (rules.path().to_str().unwrap(), state.path().to_str().unwrap());
    Process::start_with(&nats.url(), &config, &["--rules", rules, "--state-dir", state])
}

/// Sets the levels of so many tanks, and waits until they are applied.
pub(super) fn set_levels(client: &mut Client, numbers: &mut u64, tanks: usize, value: f64) {
    for tank in 0..tanks {
        *numbers += 1;
        let fields = format!(
            r#","metric_name":"level","metric_type":"gauge","metric_value":{value},"tags":{{"tank":"{tank}"}}"#
        );
        client.publish("events.monitoring.MetricRecorded", &event("MetricRecorded", *numbers, &fields));
    }
    client.flush();
}

/// The sum of a metric's series, where the process answers.
fn scraped(process: &Process, name: &str) -> Option<f64> {
    let answer = process.get("/metrics");
    (answer.status == 200).then(|| Series::parse(&answer.body).sum(name))
}

pub(super) fn wait_sum(process: &Process, name: &str, expected: f64) {
    wait_for(&format!("{name} {expected}"), || (scraped(process, name) == Some(expected)).then_some(()));
}

/// Every alert event that the stream holds, in its order.
pub(super) fn stored(nats: &Nats) -> Vec<Value> {
    let mut client = nats.client();
    let state = client.api("STREAM.INFO.EVENTS", "")["state"].clone();
    let (first, last) = (state["first_seq"].as_u64().unwrap(), state["last_seq"].as_u64().unwrap());
    let mut events = Vec::new();
    for sequence in first..=last {
        let answer = client.api("STREAM.MSG.GET.EVENTS", &json!({ "seq": sequence }).to_string());
        let Some(data) = answer["message"]["data"].as_str() else { continue };
        let subject = answer["message"]["subject"].as_str().unwrap();
        if subject.starts_with("events.monitoring.Alert") {
            events.push(serde_json::from_slice(&base64(data)).unwrap());
        }
    }
    events
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .bytes()
        .filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte))
        .map(|place| u32::try_from(place).unwrap())
        .collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

/// Looks that events alternate for each alert, beginning with AlertTriggered, and that none is there twice; how many
/// alerts there are, and how many of them are open.
pub(super) fn walk(events: &[Value]) -> (usize, usize) {
    let mut open: BTreeMap<&str, bool> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for event in events {
        assert!(ids.insert(event["event_id"].as_str().unwrap()), "twice: {event}");
        let is_open = open.entry(event["fingerprint"].as_str().unwrap()).or_default();
        let others = || {
            let line = |(at, other): (usize, &Value)| {
                let same = other["fingerprint"] == event["fingerprint"];
                same.then(|| {
                    format!(
                        "{at}: {} {} {} {}\n",
                        other["event_type"], other["source"], other["started_at"], other["timestamp"]
                    )
                })
            };
            events.iter().enumerate().filter_map(line).collect::<String>()
        };
        assert_eq!(*is_open, event["event_type"] == "AlertCleared", "out of turn: {event}\n{}", others());
        *is_open = !*is_open;
    }
    (open.len(), open.values().filter(|open| **open).count())
}

#[test]
fn two_hundred_transitions_wait_for_a_server_that_is_away_and_leave_in_order_once() {
    for program in server_programs() {
        let mut nats = Nats::start(&program);
        let rules = rules();
        let process = start(&nats.url(), &rules);
        process.wait_ready();
        let (mut client, mut numbers) = (nats.client(), 0);
        set_levels(&mut client, &mut numbers, 100, 20.0);
        wait_sum(&process, "signalbox_alert_events_published_total", 100.0);
        nats.kill();
        // Without a server no event comes: the rule goes, and comes back.
        std::fs::write(rules.path().join("rules.yaml"), "groups: []").unwrap();
        wait_sum(&process, "signalbox_alert_events_pending", 100.0);
        std::fs::write(rules.path().join("rules.yaml"), RULES).unwrap();
        wait_sum(&process, "signalbox_alert_events_pending", 200.0);
        nats.go();
        wait_sum(&process, "signalbox_alert_events_published_total", 300.0);
        wait_sum(&process, "signalbox_alert_events_pending", 0.0);
        let events = stored(&nats);
        assert_eq!((events.len(), walk(&events)), (300, (100, 100)));
        process.terminate();
    }
}

#[test]
fn an_event_whose_acknowledgement_was_lost_is_stored_once() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        // The window in which the server knows an id again is shorter than what the connection takes to come back.
        nats.client().create_stream(&json!({
            "name": "EVENTS", "subjects": ["events.>"], "storage": "file", "duplicate_window": 100_000_000,
        }));
        let proxy = Proxy::start(nats.port, "events.monitoring.Alert", 4);
        let rules = rules();
        let process = start(&format!("nats://127.0.0.1:{}", proxy.port), &rules);
        process.wait_ready();
        let (mut client, mut numbers) = (nats.client(), 0);
        for value in [20.0, 1.0, 20.0] {
            set_levels(&mut client, &mut numbers, 3, value);
            wait_sum(&process, "level", 3.0 * value);
            wait_sum(&process, "signalbox_alerts", if value > 10.0 { 3.0 } else { 0.0 });
            wait_sum(&process, "signalbox_alert_events_pending", 0.0);
        }
        wait_sum(&process, "signalbox_alert_events_published_total", 9.0);
        assert_eq!(proxy.cuts_left(), 0);
        let events = stored(&nats);
        assert_eq!((events.len(), walk(&events)), (9, (3, 3)));
        process.terminate();
    }
}

#[test]
fn a_server_killed_under_load_has_each_alert_event_once() {
    for program in server_programs() {
        let store = tempfile::tempdir().unwrap();
        // Otherwise a killed server loses what it acknowledged in its last milliseconds. Servers before 2.10 always do.
        let config =
            format!("jetstream {{ store_dir: {:?}, sync_interval: always }}", store.path().to_str().unwrap());
        let mut nats = Nats::bare(&program, &config);
        if !nats.takes_its_configuration() {
            continue;
        }
        nats.go();
        nats.client().create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        let rules = rules();
        let process = start(&nats.url(), &rules);
        process.wait_ready();
        let mut numbers = 0;
        for round in 1..=times(3) {
            let mut client = nats.client();
            for value in [20.0, 1.0, 20.0] {
                set_levels(&mut client, &mut numbers, 30, value);
            }
            nats.kill();
            nats.go();
            // The core lane promises nothing of what is published before it is there again: so until it is.
            let (mut client, calm) = (nats.client(), (round % 10) as f64);
            wait_for("the calm of this round", || {
                set_levels(&mut client, &mut numbers, 30, calm);
                (scraped(&process, "level") == Some(30.0 * calm)).then_some(())
            });
            wait_sum(&process, "signalbox_alerts", 0.0);
        }
        wait_sum(&process, "signalbox_alert_events_pending", 0.0);
        let events = stored(&nats);
        let (alerts, open) = walk(&events);
        assert!(alerts > 0 && open == 0, "{alerts} alerts, {open} open");
        process.terminate();
    }
}

#[test]
fn another_instance_on_the_same_subjects_holds_nothing_up() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let (rules, others) = (rules(), tempfile::tempdir().unwrap());
        // Another rule id: two instances that evaluate one rule at the same instant decide events of one id.
        std::fs::write(others.path().join("rules.yaml"), RULES.replace("id: deep", "id: theirs")).unwrap();
        let path = others.path().to_str().unwrap();
        let ours = start(&nats.url(), &rules);
        let theirs = Process::start_with(&nats.url(), "instance: theirs", &["--rules", path]);
        ours.wait_ready();
        theirs.wait_ready();
        let (mut client, mut numbers) = (nats.client(), 0);
        for value in [20.0, 1.0, 20.0, 1.0] {
            set_levels(&mut client, &mut numbers, 20, value);
            for process in [&ours, &theirs] {
                wait_sum(process, "level", 20.0 * value);
                // What is seen is not yet evaluated: two crossings between two evaluations would be none.
                wait_sum(process, "signalbox_alerts", if value > 10.0 { 20.0 } else { 0.0 });
            }
        }
        for process in [&ours, &theirs] {
            wait_sum(process, "signalbox_alert_events_published_total", 80.0);
        }
        let events = stored(&nats);
        for source in ["ours", "theirs"] {
            let of_source: Vec<Value> =
                events.iter().filter(|event| event["source"] == source).cloned().collect();
            assert_eq!((of_source.len(), walk(&of_source)), (80, (20, 0)), "{source}");
        }
    }
}

#[test]
fn a_stream_that_keeps_alert_events_for_nobody_is_said_to_be_one() {
    for program in server_programs() {
        for (more, words, status) in [
            (json!({"retention": "interest"}), "interest retention", 503),
            (json!({"storage": "memory"}), "keeps alert events in memory", 200),
        ] {
            let nats = Nats::start(&program);
            let mut config =
                json!({"name": "ALERTS", "subjects": ["events.monitoring.*"], "storage": "file"});
            for (key, value) in more.as_object().unwrap() {
                config[key] = value.clone();
            }
            nats.client().create_stream(&config);
            let rules = rules();
            let process = Process::start_with(
                &nats.url(),
                "jetstream: {enabled: false}",
                &["--rules", rules.path().to_str().unwrap()],
            );
            wait_for(words, || {
                let answer = process.get("/-/ready");
                (answer.text().contains(words) && answer.status == status).then_some(())
            });
        }
    }
}

#[test]
fn a_run_without_a_state_goes_on_with_the_alerts_that_an_earlier_one_left_open() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let rules = rules();
        let process = start(&nats.url(), &rules);
        process.wait_ready();
        let (mut client, mut numbers) = (nats.client(), 0);
        set_levels(&mut client, &mut numbers, 3, 20.0);
        wait_sum(&process, "signalbox_alert_events_published_total", 3.0);
        process.kill();

        // Two still fire, one ended meanwhile.
        let process = start(&nats.url(), &rules);
        process.wait_ready();
        set_levels(&mut client, &mut numbers, 3, 1.0);
        wait_sum(&process, "signalbox_alert_events_published_total", 3.0);
        set_levels(&mut client, &mut numbers, 2, 20.0);
        wait_sum(&process, "signalbox_alert_events_published_total", 5.0);
        process.kill();
        let process = start(&nats.url(), &rules);
        process.wait_ready();
        set_levels(&mut client, &mut numbers, 2, 30.0);
        wait_sum(&process, "level", 60.0);
        wait_sum(&process, "signalbox_alerts", 2.0);
        process.terminate();
        assert_eq!(walk(&stored(&nats)), (3, 2));

        // Their rule goes while nobody is there.
        std::fs::write(rules.path().join("rules.yaml"), "groups: []").unwrap();
        let process = start(&nats.url(), &rules);
        wait_sum(&process, "signalbox_alert_events_published_total", 2.0);
        process.terminate();
        let events = stored(&nats);
        assert_eq!((events.len(), walk(&events)), (10, (3, 0)));
        for event in &events[8..] {
            assert_eq!(
                (&event["event_type"], &event["reason"]),
                (&json!("AlertCleared"), &json!("rule_removed"))
            );
        }
    }
}

#[test]
fn a_full_outbox_survives_a_kill_and_each_event_leaves_once() {
    for program in server_programs() {
        for every in ["1h", "200ms"] {
            let mut nats = Nats::start(&program);
            let (rules, state) = (rules(), tempfile::tempdir().unwrap());
            let process = start_with_state(&nats, &rules, &state, every);
            process.wait_ready();
            set_levels(&mut nats.client(), &mut 0, 100, 20.0);
            wait_sum(&process, "signalbox_alert_events_published_total", 100.0);
            nats.kill();
            std::fs::write(rules.path().join("rules.yaml"), "groups: []").unwrap();
            wait_sum(&process, "signalbox_alert_events_pending", 100.0);
            process.kill();
            // Killed before anything could leave, and once more.
            start_with_state(&nats, &rules, &state, every).kill();
            nats.go();
            let process = start_with_state(&nats, &rules, &state, every);
            process.wait_ready();
            wait_sum(&process, "signalbox_alert_events_pending", 0.0);
            process.terminate();
            let events = stored(&nats);
            assert_eq!((events.len(), walk(&events)), (200, (100, 0)), "{every}");
        }
    }
}

#[test]
fn alerts_of_a_stream_alternate_over_any_number_of_kills() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let (rules, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text =
            "groups: [{name: g, interval: 100ms, rules: [{alert: Deep, expr: queue_depth, above: 2}]}]";
        std::fs::write(rules.path().join("rules.yaml"), text).unwrap();
        start_with_state(&nats, &rules, &state, "300ms").wait_ready();
        let mut client = nats.client();
        let rounds = times(6);
        for round in 0..rounds {
            let process = start_with_state(&nats, &rules, &state, "300ms");
            for job in 0..30_u64 {
                let number = round * 1_000 + job;
                client.publish("events.queue.JobQueued", &job_queued(number));
                // Each fifth job the queue is emptied again.
                for done in (job - job % 5..=job).filter(|_| job % 5 == 4) {
                    let fields = format!(
                        r#","job_id":"job-{}","worker_id":"w","worker_pid":1,"queue_name":"bulk""#,
                        round * 1_000 + done
                    );
                    let started = event("JobStarted", round * 1_000 + 500 + done, &fields);
                    client.publish("events.queue.JobStarted", &started);
                }
                client.flush();
                std::thread::park_timeout(std::time::Duration::from_millis(20));
            }
            process.kill();
        }
        let process = start_with_state(&nats, &rules, &state, "300ms");
        process.wait_ready();
        wait_sum(&process, "queue_jobs_started_total", (rounds * 30) as f64);
        wait_sum(&process, "queue_depth", 0.0);
        wait_sum(&process, "signalbox_alerts", 0.0);
        wait_sum(&process, "signalbox_alert_events_pending", 0.0);
        process.terminate();
        let events = stored(&nats);
        assert!(!events.is_empty());
        assert_eq!(walk(&events), (1, 0));
    }
}
