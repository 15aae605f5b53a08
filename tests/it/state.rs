//! The state folder, with the real program: what was counted survives any end of it.

use std::path::Path;

use serde_json::{Value, json};

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::outbox::{stored, walk};
use super::support::{Nats, event, job_queued, metric_recorded, server_programs, wait_for};
use super::times::times;

pub(super) const APPLIED: &str = "signalbox_events_applied_total";

/// Checkpoints follow each other closely.
pub(super) const OFTEN: &str = "state: {checkpoint_every: 100ms}\n";

pub(super) fn start(nats: &Nats, folder: &Path, config: &str) -> Process {
    Process::start_with(&nats.url(), config, &["--state-dir", &folder.display().to_string()])
}

/// A scrape, where it is answered.
pub(super) fn shown(process: &Process) -> Option<Series> {
    let answer = process.get("/metrics");
    (answer.status == 200).then(|| Series::parse(&answer.body))
}

/// A stream of every type that rides the JetStream lane.
pub(super) fn create_stream(nats: &Nats) {
    nats.client()
        .create_stream(&json!({"name": "EVENTS", "subjects": ["events.queue.*"], "storage": "file"}));
}

/// Waits until a checkpoint is there that was begun after this call.
pub(super) fn wait_saved(folder: &Path) {
    let path = folder.join("checkpoint");
    let saved = || std::fs::metadata(&path).and_then(|it| it.modified()).ok();
    // One may be under way that was begun before.
    for _ in 0..2 {
        let before = saved();
        wait_for("a checkpoint", || (saved() > before).then_some(()));
    }
}

/// Stores this many `JobQueued` events from `first` on.
pub(super) fn store(nats: &Nats, first: u64, count: u64) {
    let mut client = nats.client();
    for number in first..first + count {
        client.publish("events.queue.JobQueued", &job_queued(number));
    }
    client.flush();
}

/// Waits until so many events are counted; the scrape that shows them.
pub(super) fn wait_counted(process: &Process, count: f64) -> Series {
    wait_for("the events", || shown(process).filter(|series| series.sum("queue_jobs_queued_total") >= count))
}

#[test]
fn what_was_counted_survives_kills_to_the_last_event() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        create_stream(&nats);
        let folder = tempfile::tempdir().unwrap();
        let mut stored = 0;
        for round in 0..times(6) {
            let process = start(&nats, folder.path(), OFTEN);
            store(&nats, stored, 1_500);
            stored += 1_500;
            if round % 2 == 0 {
                wait_for("a checkpoint", || folder.path().join("checkpoint").exists().then_some(()));
                wait_counted(&process, stored as f64);
            }
            process.kill();
        }
        let process = start(&nats, folder.path(), OFTEN);
        let series = wait_counted(&process, stored as f64);
        assert_eq!(series.total(APPLIED, "jetstream"), stored as f64);
        assert_eq!(series.sum("queue_jobs_queued_total"), stored as f64);
        assert_eq!(series.sum("signalbox_events_duplicate_total"), 0.0);
        assert!(process.has_logged(&["going on from the state".to_owned()]), "{}", process.log());
        process.terminate();
    }
}

#[test]
fn what_core_nats_brought_survives_a_clean_stop_and_begins_anew_after_a_kill() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        create_stream(&nats);
        let folder = tempfile::tempdir().unwrap();
        let count = |process: &Process, wanted: f64| {
            wait_for("the events", || {
                shown(process).filter(|series| series.sum("clicks_total") == wanted).map(drop)
            });
        };
        let publish = |process: &Process, from: u64| {
            process.wait_ready();
            let mut client = nats.client();
            for number in from..from + 10 {
                client.publish("events.monitoring.MetricRecorded", &metric_recorded(number));
            }
            client.flush();
        };
        let process = start(&nats, folder.path(), OFTEN);
        publish(&process, 0);
        count(&process, 10.0);
        process.terminate();
        let process = start(&nats, folder.path(), OFTEN);
        count(&process, 10.0);
        publish(&process, 10);
        count(&process, 20.0);
        process.kill();
        let process = start(&nats, folder.path(), OFTEN);
        count(&process, 0.0);
        publish(&process, 20);
        count(&process, 10.0);
        process.terminate();
    }
}

#[test]
fn a_folder_that_another_process_holds_is_refused_with_one_line() {
    let program = server_programs().remove(0);
    let nats = Nats::start(&program);
    let folder = tempfile::tempdir().unwrap();
    let _first = start(&nats, folder.path(), "");
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(["run", "--listen", "127.0.0.1:0", "--nats-url", &nats.url(), "--state-dir"])
        .arg(folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(
        said.lines().last().unwrap_or_default().contains("another signalbox uses the state folder"),
        "{said}"
    );
}

/// A folder with one file of rules.
pub(super) fn rules(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let groups = format!("groups: [{{name: g, interval: 200ms, rules: [{text}]}}]");
    std::fs::write(folder.path().join("rules.yaml"), groups).unwrap();
    folder
}

pub(super) fn start_with_rules(nats: &Nats, folder: &Path, rules: &tempfile::TempDir) -> Process {
    let (folder, rules) = (folder.display().to_string(), rules.path().display().to_string());
    let config = format!("instance: ours\n{OFTEN}");
    Process::start_with(&nats.url(), &config, &["--state-dir", &folder, "--rules", &rules])
}

/// What was said of each alert: its rule, and `triggered` or why it cleared.
pub(super) fn said(events: &[Value]) -> Vec<(String, String)> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let what = |event: &Value| match event["event_type"].as_str() {
        Some("AlertCleared") => text(event, "reason"),
        _ => "triggered".to_owned(),
    };
    events.iter().map(|event| (text(event, "alert_rule_id"), what(event))).collect()
}

pub(super) fn complete(nats: &Nats, jobs: std::ops::Range<u64>) {
    let mut client = nats.client();
    for job in jobs {
        let fields = format!(
            r#","job_id":"job-{job}","worker_id":"w","duration_ms":1,"result_size":1,"retry_count":0"#
        );
        client.publish("events.queue.JobCompleted", &event("JobCompleted", 1_000_000 + job, &fields));
    }
    client.flush();
}

const DEEP: &str = "{alert: Deep, id: deep, expr: sum(queue_depth), above: 2}";
const OTHER: &str = "{alert: Other, id: other, expr: sum(queue_depth), above: 1}";

#[test]
fn alerts_alternate_and_nothing_is_lost_over_kills_while_they_come_and_go() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        nats.client().create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        let folder = tempfile::tempdir().unwrap();
        let rules = rules(&format!("{DEEP}, {OTHER}"));
        let mut jobs = 0;
        for round in 0..times(6) {
            let process = start_with_rules(&nats, folder.path(), &rules);
            for step in 0..4 {
                store(&nats, jobs, 3);
                complete(&nats, jobs..jobs + 3);
                jobs += 3;
                std::thread::park_timeout(std::time::Duration::from_millis(37 * (round % 6 + step)));
            }
            process.kill();
        }
        let process = start_with_rules(&nats, folder.path(), &rules);
        let series = wait_counted(&process, jobs as f64);
        assert_eq!(series.sum("queue_jobs_queued_total"), jobs as f64);
        assert_eq!(series.sum("queue_jobs_completed_total"), jobs as f64);
        process.wait_ready();
        process.terminate();
        let events = stored(&nats);
        assert_eq!(walk(&events).1, 0, "{:?}", said(&events));
    }
}
