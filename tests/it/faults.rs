//! The real program while the world breaks: kills, floods, streams that lose messages, clients that stall.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::outbox::{set_levels, stored, wait_sum, walk};
use super::process::post;
use super::state::{rules, shown, start_with_rules, wait_counted, wait_saved};
use super::state_disk::DEEP;
use super::support::{Nats, free_port, job_queued, metric_recorded, read_answer, server_programs, wait_for};
use super::times::times;

const CREATE: &str = "jetstream: {create_stream: true}";
const APPLIED: &str = "signalbox_events_applied_total";

/// Stores this many `JobQueued` events from `first` on.
fn store(nats: &Nats, first: u64, count: u64) {
    let mut client = nats.client();
    for number in first..first + count {
        client.publish("events.queue.JobQueued", &job_queued(number));
    }
    client.flush();
}

/// Every test that `scripts/faults` runs is there under its name.
#[test]
fn the_script_that_runs_the_faults_knows_their_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(root.join("scripts/faults")).unwrap();
    let names: Vec<(&str, &str)> = script
        .split_whitespace()
        .filter_map(|word| word.split_once("::"))
        .filter(|(module, _)| module.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for (module, name) in names {
        let text = std::fs::read_to_string(root.join(format!("tests/it/{module}.rs"))).unwrap();
        assert!(text.contains(&format!("\nfn {name}() {{")), "{module}::{name}");
    }
}

#[test]
fn a_sidecar_killed_while_a_flood_is_stored_counts_all_of_it_once_when_it_is_back() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        let rounds = times(5);
        for round in 0..rounds {
            let process = Process::start(&nats.url(), "");
            store(&nats, round * 2_000, 2_000);
            process.kill();
        }
        let process = Process::start(&nats.url(), "");
        let mut refused = 0;
        let complete = wait_for("the first scrape", || {
            let series = shown(&process);
            refused += u64::from(series.is_none());
            series
        });
        // The first scrape that is answered has caught up: a counter never starts low.
        let stored = (rounds * 2_000) as f64;
        assert_eq!(complete.total(APPLIED, "jetstream"), stored, "after {refused} refused scrapes");
        assert_eq!(complete.sum("queue_jobs_queued_total"), stored);
        assert_eq!(complete.sum("signalbox_events_duplicate_total"), 0.0);
        process.terminate();
    }
}

#[test]
fn what_leaves_the_stream_while_it_is_read_is_counted_as_lost_to_the_last_message() {
    for program in server_programs() {
        for subjects in ["events.>", "events.queue.JobQueued"] {
            let nats = Nats::start(&program);
            let mut client = nats.client();
            client.create_stream(
                &json!({"name": "EVENTS", "subjects": [subjects], "storage": "memory", "max_msgs": 50}),
            );
            let process = Process::start(&nats.url(), "");
            process.wait_ready();
            // A first one: what left a stream before the start was never ours.
            store(&nats, 0, 1);
            wait_for("the first event", || {
                (shown(&process)?.total(APPLIED, "jetstream") == 1.0).then_some(())
            });
            store(&nats, 1, 20_000);
            let balance = || {
                let series = shown(&process)?;
                let (applied, lost) =
                    (series.total(APPLIED, "jetstream"), series.sum("signalbox_stream_lost_total"));
                (applied + lost == 20_001.0).then_some(lost)
            };
            assert!(wait_for("applied + lost = stored", balance) > 0.0);
            process.terminate();
        }
    }
}

#[test]
fn a_killed_server_costs_nothing_that_was_stored() {
    for program in server_programs() {
        let mut nats = Nats::start(&program);
        let process = Process::start(&nats.url(), CREATE);
        process.wait_ready();
        let mut last = 0.0;
        for round in 0..times(3) {
            store(&nats, round * 1_000, 1_000);
            nats.kill();
            nats.go();
        }
        let mut client = nats.client();
        let stored = client.api("STREAM.INFO.EVENTS", "")["state"]["messages"].as_f64().unwrap();
        wait_for("everything stored", || {
            let applied = shown(&process)?.total(APPLIED, "jetstream");
            assert!(applied >= last, "{applied} after {last}");
            last = applied;
            (applied == stored).then_some(())
        });
        process.terminate();
    }
}

#[test]
fn a_flood_does_not_keep_it_from_ending_well() {
    let nats = Nats::start(&server_programs()[0]);
    let process = Process::start(&nats.url(), CREATE);
    process.wait_ready();
    let mut client = nats.client();
    for number in 0..50_000 {
        client.publish("events.monitoring.MetricRecorded", &metric_recorded(number));
        client.publish("events.queue.JobQueued", &job_queued(100_000 + number));
    }
    let begun = Instant::now();
    process.terminate();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Rules under which 100 alerts fire, with texts of their own each time, and one that is there each second time.
fn reloaded(round: u64) -> String {
    let beside = if round.is_multiple_of(2) { "" } else { ", {alert: Beside, id: beside, expr: vector(1)}" };
    format!(
        "groups: [{{name: g, interval: 200ms, rules: [{{alert: Deep, id: deep, expr: level, above: 10, \
        annotations: {{summary: round {round}}}}}{beside}]}}]"
    )
}

#[test]
fn a_hundred_alerts_fire_on_through_five_hundred_reloads() {
    let nats = Nats::start(&server_programs()[0]);
    let rules = tempfile::tempdir().unwrap();
    let write = |round: u64| {
        std::fs::write(rules.path().join("next"), reloaded(round)).unwrap();
        std::fs::rename(rules.path().join("next"), rules.path().join("rules.yaml")).unwrap();
    };
    write(0);
    let config = "instance: ours\njetstream: {create_stream: true}";
    let process = Process::start_with(&nats.url(), config, &["--rules", rules.path().to_str().unwrap()]);
    process.wait_ready();
    let (mut client, mut numbers) = (nats.client(), 0);
    set_levels(&mut client, &mut numbers, 100, 20.0);
    wait_sum(&process, "signalbox_alert_events_published_total", 100.0);
    let rounds = times(500);
    for round in 1..=rounds {
        write(round);
        let answer = post(process.address.port(), "/-/reload").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    wait_sum(&process, "signalbox_alerts", 100.0);
    wait_sum(&process, "signalbox_alert_events_pending", 0.0);
    let text = format!("round {rounds}");
    wait_for("the last texts", || process.get("/api/v1/alerts").text().contains(&text).then_some(()));
    let is_deep = |event: &Value| event["alert_rule_id"] == "deep";
    let events = stored(&nats);
    assert_eq!(events.iter().filter(|event| is_deep(event)).count(), 100);
    let beside: Vec<Value> = events.iter().filter(|event| !is_deep(event)).cloned().collect();
    assert!(beside.iter().any(|event| event["reason"] == "rule_removed"), "{beside:?}");
    assert_eq!(walk(&beside).1, 0);
    set_levels(&mut client, &mut numbers, 100, 1.0);
    wait_sum(&process, "signalbox_alerts", 0.0);
    wait_sum(&process, "signalbox_alert_events_pending", 0.0);
    assert_eq!(walk(&stored(&nats)), (101, 0));
    process.terminate();
}

#[test]
fn bodies_that_never_come_keep_no_scrape_waiting() {
    let process = Process::start(&format!("nats://127.0.0.1:{}", free_port()), "jetstream: {enabled: false}");
    let head = "POST /api/v1/query HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 100\r\n\r\nque";
    let mut stalled: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(process.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(process.get("/metrics").status, 200);
    assert_eq!(process.get("/-/healthy").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // In the end each is told so.
    let mut start = [0; 12];
    stalled[0].set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stalled[0].read_exact(&mut start).unwrap();
    assert_eq!(String::from_utf8_lossy(&start), "HTTP/1.1 408");
}

#[test]
fn two_hundred_scrapers_at_once_are_all_answered() {
    let process = Process::start(&format!("nats://127.0.0.1:{}", free_port()), "jetstream: {enabled: false}");
    std::thread::scope(|scope| {
        let scrapers: Vec<_> = (0..200).map(|_| scope.spawn(|| process.get("/metrics"))).collect();
        for scraper in scrapers {
            let answer = scraper.join().unwrap();
            assert_eq!(answer.status, 200);
            assert!(Series::parse(&answer.body).faults.is_empty());
        }
    });
}

#[test]
fn an_address_in_use_ends_the_start_with_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(["run", "--listen", &address])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}

#[test]
fn accounts_stay_exact_whatever_the_limits_of_series_are() {
    let nats = Nats::start(&server_programs()[0]);
    let process =
        Process::start(&nats.url(), "jetstream: {enabled: false}\nlimits: {series: 1, series_per_metric: 1}");
    process.wait_ready();
    let mut client = nats.client();
    for number in 0..100 {
        client.publish("events.queue.JobQueued", &job_queued(number % 50));
    }
    client.publish("events.queue.JobQueued", "{");
    client.flush();
    let series = wait_for("all of them", || {
        shown(&process).filter(|it| it.total("signalbox_events_received_total", "core") == 101.0)
    });
    assert_eq!(series.total(APPLIED, "core"), 50.0);
    assert_eq!(series.total("signalbox_events_duplicate_total", "core"), 50.0);
    assert_eq!(series.total("signalbox_events_rejected_total", "core"), 1.0);
    assert_eq!(series.sum("queue_jobs_queued_total"), 50.0);
}

#[test]
fn without_file_descriptors_it_counts_on_and_answers_once_there_are_some() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        nats.client().create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        let (folder, rules) = (tempfile::tempdir().unwrap(), rules(DEEP));
        let process = start_with_rules(&nats, folder.path(), &rules);
        process.wait_ready();
        wait_saved(folder.path());
        // Fewer than it has: no file is opened and no connection accepted from here on.
        process.limit_descriptors(3);
        let mut waiting = TcpStream::connect(process.address).unwrap();
        waiting.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        store(&nats, 0, 300);
        wait_for("the alert", || (!stored(&nats).is_empty()).then_some(()));
        let said = ["the state is not saved".to_owned()];
        wait_for("a checkpoint that fails", || process.has_logged(&said).then_some(()));
        process.limit_descriptors(1_024);
        assert_eq!(read_answer(&mut waiting).status, 200);
        wait_saved(folder.path());
        let series = wait_counted(&process, 300.0);
        assert_eq!(series.sum("queue_jobs_queued_total"), 300.0);
        process.wait_ready();
        process.terminate();
        assert_eq!(walk(&stored(&nats)), (1, 1));
    }
}
