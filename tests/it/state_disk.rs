//! A state folder on a disk that refuses: metrics and alerts go on, and it is said. And counters that nobody sees fall.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::outbox::{stored, walk};
use super::state::{
    APPLIED, OFTEN, complete, rules, said, shown, start, start_with_rules, store, wait_counted,
};
use super::support::{Nats, server_programs, wait_for};
use super::times::times;

pub(super) const FAILURES: &str = "signalbox_checkpoint_failures_total";
pub(super) const LOG_FAILURES: &str = "signalbox_alert_log_failures_total";
pub(super) const DEEP: &str = "{alert: Deep, id: deep, expr: sum(queue_depth), above: 2}";

pub(super) fn server(program: &Path) -> Nats {
    let nats = Nats::start(program);
    nats.client().create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
    nats
}

fn wait_alerts(nats: &Nats, count: usize) {
    wait_for("the alert events", || (stored(nats).len() >= count).then_some(()));
}

/// A round of events that begins and ends an alert; the process must count and tell all of it.
pub(super) fn round(nats: &Nats, process: &Process, jobs: &mut u64) {
    let before = stored(nats).len();
    store(nats, *jobs, 3);
    wait_alerts(nats, before + 1);
    complete(nats, *jobs..*jobs + 3);
    wait_alerts(nats, before + 2);
    *jobs += 3;
    wait_counted(process, *jobs as f64);
    assert_eq!(process.get("/-/ready").status, 200, "{}", process.get("/-/ready").text());
}

pub(super) fn wait_failures(process: &Process, name: &str) {
    wait_for(name, || shown(process).filter(|series| series.sum(name) >= 1.0).map(drop));
}

/// The log and the page say that the state is not saved.
pub(super) fn says_unsaved(process: &Process) {
    assert!(process.has_logged(&["the state is not saved".to_owned()]), "{}", process.log());
    let page = process.get("/");
    assert!(page.text().contains("cannot use the state folder"), "{}", page.text());
}

/// A process that went on from the state counts every job once, and ends; the alert events that are stored alternate.
pub(super) fn ends_with_all(nats: &Nats, process: Process, jobs: u64) {
    let series = wait_counted(&process, jobs as f64);
    assert_eq!(series.sum("queue_jobs_queued_total"), jobs as f64);
    assert_eq!(series.sum("signalbox_events_duplicate_total"), 0.0);
    process.terminate();
    assert_eq!(walk(&stored(nats)), (1, 0));
}

#[test]
fn a_full_disk_stops_neither_metrics_nor_alerts_and_the_state_comes_back_with_room() {
    for program in server_programs() {
        let nats = server(&program);
        let folder = tempfile::tempdir().unwrap();
        let rules = rules(DEEP);
        let mut jobs = 0;
        let process = start_with_rules(&nats, folder.path(), &rules);
        process.wait_ready();
        round(&nats, &process, &mut jobs);
        wait_for("a checkpoint", || folder.path().join("checkpoint").exists().then_some(()));
        // No file may grow from here on: what a full disk does to a write.
        process.limit_files(0);
        wait_failures(&process, FAILURES);
        round(&nats, &process, &mut jobs);
        wait_failures(&process, LOG_FAILURES);
        round(&nats, &process, &mut jobs);
        says_unsaved(&process);
        assert!(!folder.path().join("checkpoint.next").exists());
        process.limit_files(1 << 40);
        let path = folder.path().join("checkpoint");
        let saved = || std::fs::metadata(&path).and_then(|it| it.modified()).ok();
        let before = saved();
        wait_for("a checkpoint", || (saved() > before).then_some(()));
        process.kill();
        let process = start_with_rules(&nats, folder.path(), &rules);
        ends_with_all(&nats, process, jobs);
    }
}

#[test]
fn a_folder_that_is_removed_is_made_again() {
    for program in server_programs() {
        let nats = server(&program);
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state");
        let rules = rules(DEEP);
        let mut jobs = 0;
        let process = start_with_rules(&nats, &folder, &rules);
        process.wait_ready();
        round(&nats, &process, &mut jobs);
        wait_for("a checkpoint", || folder.join("checkpoint").exists().then_some(()));
        wait_for("its removal", || std::fs::remove_dir_all(&folder).ok());
        round(&nats, &process, &mut jobs);
        wait_for("a checkpoint", || folder.join("checkpoint").exists().then_some(()));
        process.kill();
        let process = start_with_rules(&nats, &folder, &rules);
        wait_counted(&process, jobs as f64);
        assert!(process.has_logged(&["going on from the state".to_owned()]), "{}", process.log());
        round(&nats, &process, &mut jobs);
        process.terminate();
        assert_eq!(walk(&stored(&nats)), (1, 0));
    }
}

#[test]
fn a_folder_that_cannot_be_made_leaves_a_sidecar_without_a_state_that_says_so() {
    for program in server_programs() {
        let nats = server(&program);
        let rules = rules(DEEP);
        let mut jobs = 0;
        // Nobody makes a folder there, root neither.
        let process = start_with_rules(&nats, Path::new("/proc/signalbox-state"), &rules);
        process.wait_ready();
        assert!(process.has_logged(&["starting without a state".to_owned()]), "{}", process.log());
        round(&nats, &process, &mut jobs);
        wait_failures(&process, FAILURES);
        process.terminate();
        // And goes on with what the stream shows of its alerts.
        let process = start_with_rules(&nats, Path::new("/proc/signalbox-state"), &rules);
        wait_counted(&process, jobs as f64);
        round(&nats, &process, &mut jobs);
        process.terminate();
        assert_eq!(walk(&stored(&nats)), (1, 0));
    }
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_it_and_a_newer_one_is_refused() {
    for program in server_programs() {
        let nats = server(&program);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let process = start(&nats, folder.path(), OFTEN);
        process.wait_ready();
        store(&nats, 0, 100);
        wait_counted(&process, 100.0);
        wait_for("two checkpoints", || file("checkpoint.previous").exists().then_some(()));
        process.kill();
        let mut bytes = std::fs::read(file("checkpoint")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file("checkpoint"), &bytes).unwrap();
        let process = start(&nats, folder.path(), "state: {checkpoint_every: 1h}\n");
        assert_eq!(wait_counted(&process, 100.0).total(APPLIED, "jetstream"), 100.0);
        assert!(process.has_logged(&["going on from the one before it".to_owned()]), "{}", process.log());
        assert!(file("checkpoint.damaged").exists());
        process.kill();
        // Both: it begins anew, and reads the stream again.
        std::fs::write(file("checkpoint"), b"SIGNLBOX").unwrap();
        std::fs::write(file("checkpoint.previous"), b"torn").unwrap();
        let process = start(&nats, folder.path(), OFTEN);
        assert_eq!(wait_counted(&process, 100.0).total(APPLIED, "jetstream"), 100.0);
        assert!(process.has_logged(&["everything begins anew".to_owned()]), "{}", process.log());
        process.terminate();
        // A header of a later version, with its checksum.
        let mut newer = b"SIGNLBOX\xff\0\0\0".to_vec();
        newer.extend_from_slice(&crc32fast::hash(&newer).to_le_bytes());
        std::fs::write(file("checkpoint"), newer).unwrap();
        let refused = std::process::Command::new(env!("CARGO_BIN_EXE_signalbox"))
            .args(["run", "--listen", "127.0.0.1:0", "--nats-url", &nats.url(), "--state-dir"])
            .arg(folder.path())
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains("newer signalbox (format 255"), "{text}");
    }
}

#[test]
fn a_log_whose_end_is_torn_or_flipped_breaks_no_alternation() {
    let tear = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 5);
    let flip = |bytes: &mut Vec<u8>| {
        let place = bytes.len() - 20;
        bytes[place] ^= 4;
    };
    let harms: [fn(&mut Vec<u8>); 2] = [tear, flip];
    for program in server_programs() {
        let nats = server(&program);
        let (folder, rules) = (tempfile::tempdir().unwrap(), rules(DEEP));
        let (state, rules_at) = (folder.path().display().to_string(), rules.path().display().to_string());
        let path = folder.path().join("transitions");
        let length = || std::fs::metadata(&path).map_or(0, |it| it.len());
        let begin = || {
            let config = "instance: ours\nstate: {checkpoint_every: 1h}\n";
            Process::start_with(&nats.url(), config, &["--state-dir", &state, "--rules", &rules_at])
        };
        let mut jobs = 0;
        for harm in harms.into_iter().cycle().take(4) {
            let checkpoint =
                || std::fs::metadata(folder.path().join("checkpoint")).and_then(|it| it.modified()).ok();
            let before = checkpoint();
            let process = begin();
            process.wait_ready();
            wait_for("the first checkpoint", || (checkpoint() > before).then_some(()));
            round(&nats, &process, &mut jobs);
            let (told, known) = (stored(&nats).len(), length());
            store(&nats, jobs, 3);
            wait_alerts(&nats, told + 1);
            wait_for("the record", || (length() > known).then_some(()));
            process.kill();
            let mut bytes = std::fs::read(&path).unwrap();
            harm(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
            let process = begin();
            process.wait_ready();
            complete(&nats, jobs..jobs + 3);
            jobs += 3;
            wait_alerts(&nats, told + 2);
            round(&nats, &process, &mut jobs);
            process.kill();
        }
        let process = begin();
        assert_eq!(wait_counted(&process, jobs as f64).sum("queue_jobs_queued_total"), jobs as f64);
        process.terminate();
        assert_eq!(walk(&stored(&nats)), (1, 0));
    }
}

/// Looks each 50 ms, over all processes, whether a counter that can be replayed fell or left.
fn scrape(processes: &std::sync::Mutex<Option<Process>>, done: &AtomicBool) -> (u64, Vec<String>) {
    let mut last: BTreeMap<String, f64> = BTreeMap::new();
    let (mut scrapes, mut faults) = (0, Vec::new());
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(50));
        let Some(series) = processes.lock().unwrap().as_ref().and_then(shown) else { continue };
        scrapes += 1;
        let mut now = BTreeMap::new();
        for name in ["queue_jobs_queued_total", "queue_jobs_completed_total", APPLIED] {
            let replayable = series.of(name).filter(|(key, _)| name != APPLIED || key.contains("jetstream"));
            now.extend(replayable.map(|(key, value)| (key.to_owned(), value.parse::<f64>().unwrap())));
        }
        for (key, before) in &last {
            match now.get(key) {
                Some(value) if value >= before => {}
                other => faults.push(format!("{key} was {before}, then {other:?}")),
            }
        }
        last = now;
    }
    (scrapes, faults)
}

#[test]
fn nobody_who_looks_each_fifty_milliseconds_sees_a_counter_fall_over_kills_of_either_side() {
    for program in server_programs() {
        let mut nats = server(&program);
        let folder = tempfile::tempdir().unwrap();
        let rules = rules(DEEP);
        let process = std::sync::Mutex::new(None);
        let done = AtomicBool::new(false);
        let mut jobs = 0;
        let (scrapes, faults) = std::thread::scope(|scope| {
            let scraper = scope.spawn(|| scrape(&process, &done));
            for kill in 0..times(8) {
                let started = start_with_rules(&nats, folder.path(), &rules);
                *process.lock().unwrap() = Some(started);
                for _ in 0..4 {
                    store(&nats, jobs, 50);
                    complete(&nats, jobs..jobs + 50);
                    jobs += 50;
                    std::thread::park_timeout(Duration::from_millis(60 + 17 * (kill % 8)));
                }
                if kill % 3 == 2 {
                    nats.kill();
                    nats.go();
                }
                let killed = process.lock().unwrap().take().unwrap();
                killed.kill();
            }
            let started = start_with_rules(&nats, folder.path(), &rules);
            wait_for("the events", || {
                let applied = shown(&started)?;
                (applied.sum("queue_jobs_completed_total") == jobs as f64).then_some(())
            });
            *process.lock().unwrap() = Some(started);
            std::thread::park_timeout(Duration::from_millis(200));
            done.store(true, Ordering::Relaxed);
            scraper.join().unwrap()
        });
        assert!(faults.is_empty() && scrapes > 5, "{scrapes} scrapes: {faults:#?}");
        let last = process.lock().unwrap().take().unwrap();
        last.wait_ready();
        let series: Series = wait_for("a scrape", || shown(&last));
        assert_eq!(series.sum("queue_jobs_queued_total"), jobs as f64);
        last.terminate();
        let events = stored(&nats);
        assert_eq!(walk(&events).1, 0, "{:?}", said(&events));
    }
}
#[test]
fn a_state_of_format_1_is_gone_on_from() {
    goes_on_from("format-1");
}

#[test]
fn a_state_of_format_2_is_gone_on_from() {
    goes_on_from("format-2");
}

#[test]
fn a_state_of_format_3_is_gone_on_from() {
    goes_on_from("format-3");
}

/// Goes on from a state that an earlier release left, and finds what it had.
fn goes_on_from(format: &str) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state").join(format);
    let folder = tempfile::tempdir().unwrap();
    for name in ["checkpoint", "transitions", "clean"] {
        std::fs::copy(kept.join(name), folder.path().join(name)).unwrap();
    }
    let nats = Nats::start(&server_programs()[0]);
    let config = "instance: ours\njetstream: {enabled: false}\n";
    let state = folder.path().display().to_string();
    let rules = kept.join("rules.yaml").display().to_string();
    let process = Process::start_with(&nats.url(), config, &["--state-dir", &state, "--rules", &rules]);
    let series = wait_for("a scrape", || shown(&process));
    let expected = std::fs::read_to_string(kept.join("series.txt")).unwrap();
    let lost: Vec<&str> = expected
        .lines()
        .filter(|line| {
            let (key, value) = line.rsplit_once(' ').unwrap();
            series.text(&super::bad_input::scrape::canonical(key)) != Some(value)
        })
        .collect();
    assert!(lost.is_empty() && expected.lines().count() > 20, "{lost:#?}");
    let alerts = process.get("/api/v1/alerts").json();
    let mut states: Vec<String> = alerts["data"]["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| {
            let (name, state) =
                (alert["labels"]["alertname"].as_str().unwrap(), alert["state"].as_str().unwrap());
            format!("{name} {state} {}", alert["activeAt"])
        })
        .collect();
    states.sort();
    let expected = std::fs::read_to_string(kept.join("alerts.txt")).unwrap();
    assert_eq!(states, expected.lines().collect::<Vec<_>>());
    process.terminate();
}
