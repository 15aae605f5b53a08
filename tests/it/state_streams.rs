//! The real program with a state over streams that forget what is acknowledged, and over streams that change while it
//! is away.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::bad_input::process::Process;
use super::bad_input::scrape::Series;
use super::outbox::{stored, walk};
use super::state::{APPLIED, OFTEN, shown, start, store, wait_counted, wait_saved};
use super::support::{Client, Nats, event, job_queued, server_programs, wait_at_most, wait_for};
use super::times::times;

const DUPLICATE: &str = "signalbox_events_duplicate_total";
const LOST: &str = "signalbox_stream_lost_total";

fn create(nats: &Nats, more: &Value) {
    let mut config = json!({"name": "EVENTS", "subjects": ["events.queue.JobQueued"], "storage": "file"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    nats.client().create_stream(&config);
}

fn info(client: &mut Client) -> Value {
    client.api("STREAM.INFO.EVENTS", "")["state"].clone()
}

/// Saves now and waits until that is done: a clean stop.
fn stop(process: Process) {
    process.terminate();
}

/// Waits until it is caught up; the scrape that shows it.
fn caught_up(process: &Process) -> Series {
    process.wait_ready();
    wait_for("a scrape", || shown(process))
}

/// Waits until a process is ready whose forerunner was killed. What the server sent to that one while it died comes again
/// only after a minute, where the new one looked at the consumer before.
fn wait_back(process: &Process) {
    let patience = Duration::from_mins(2);
    wait_at_most(patience, "readiness", || (process.get("/-/ready").status == 200).then_some(()));
}

#[test]
fn streams_that_forget_what_is_acknowledged_are_exact_over_kills() {
    for program in server_programs() {
        for retention in ["workqueue", "interest"] {
            let nats = Nats::start(&program);
            create(&nats, &json!({ "retention": retention }));
            let folder = tempfile::tempdir().unwrap();
            let mut stored = 0;
            for round in 0..times(8) {
                let process = start(&nats, folder.path(), OFTEN);
                // An interest stream keeps nothing for a consumer that was never there.
                wait_back(&process);
                for _ in 0..4 {
                    store(&nats, stored, 300);
                    stored += 300;
                    std::thread::park_timeout(Duration::from_millis(13 * (round % 8 + 1)));
                }
                process.kill();
                store(&nats, stored, 50);
                stored += 50;
            }
            let process = start(&nats, folder.path(), OFTEN);
            wait_back(&process);
            let series = wait_counted(&process, stored as f64);
            assert_eq!(series.total(APPLIED, "jetstream"), stored as f64, "{retention}");
            assert_eq!(series.sum("queue_jobs_queued_total"), stored as f64, "{retention}");
            assert_eq!(series.sum(DUPLICATE), 0.0, "{retention}");
            // What a checkpoint holds is acknowledged, and leaves.
            let mut client = nats.client();
            wait_for("an empty stream", || (info(&mut client)["messages"] == 0).then_some(()));
            process.terminate();
        }
    }
}

#[test]
fn a_queue_keeps_what_no_checkpoint_holds() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        create(&nats, &json!({ "retention": "workqueue" }));
        let folder = tempfile::tempdir().unwrap();
        let process = start(&nats, folder.path(), "state: {checkpoint_every: 1h}\n");
        process.wait_ready();
        store(&nats, 0, 100);
        wait_counted(&process, 100.0);
        assert_eq!(info(&mut nats.client())["messages"], 100);
        process.kill();
        let process = start(&nats, folder.path(), OFTEN);
        let series = wait_counted(&process, 100.0);
        assert_eq!((series.total(APPLIED, "jetstream"), series.sum(DUPLICATE)), (100.0, 0.0));
        process.terminate();
    }
}

#[test]
fn a_damaged_checkpoint_costs_nothing_of_a_queue_that_holds_other_types_too() {
    for (place, program) in server_programs().into_iter().enumerate() {
        let nats = Nats::start(&program);
        // nats-server 2.9 does not let several types of a queue be left to others.
        let (subject, others) =
            if place == 0 { ("events.queue.JobQueued", 0) } else { ("events.queue.>", 15) };
        create(&nats, &json!({ "retention": "workqueue", "subjects": [subject] }));
        let folder = tempfile::tempdir().unwrap();
        let mut stored = 0;
        for _ in 0..3 {
            let process = start(&nats, folder.path(), OFTEN);
            wait_back(&process);
            let mut client = nats.client();
            // Messages of others lie between ours.
            for _ in 0..5 {
                store(&nats, stored, 20);
                stored += 20;
                client.publish("events.queue.SomethingElse", "{}");
                client.flush();
                wait_counted(&process, stored as f64);
                wait_saved(folder.path());
            }
            process.kill();
            let mut bytes = std::fs::read(folder.path().join("checkpoint")).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(folder.path().join("checkpoint"), &bytes).unwrap();
        }
        let process = start(&nats, folder.path(), OFTEN);
        wait_back(&process);
        let series = wait_counted(&process, stored as f64);
        assert_eq!(series.total(APPLIED, "jetstream"), stored as f64);
        assert_eq!((series.sum(DUPLICATE), series.sum(LOST)), (0.0, 0.0));
        assert!(process.has_logged(&["going on from the one before it".to_owned()]), "{}", process.log());
        // What two checkpoints hold is acknowledged, and leaves.
        wait_for("the others alone", || (info(&mut nats.client())["messages"] == others).then_some(()));
        process.terminate();
    }
}

#[test]
fn copies_of_rejected_events_are_published_once_over_kills() {
    for program in server_programs() {
        for retention in ["limits", "workqueue"] {
            let nats = Nats::start(&program);
            create(&nats, &json!({ "retention": retention }));
            nats.client().create_stream(&json!({"name": "REJECTED", "subjects": ["signalbox.rejected"]}));
            let folder = tempfile::tempdir().unwrap();
            let copies = |client: &mut Client| {
                client.api("STREAM.INFO.REJECTED", "")["state"]["messages"].as_u64().unwrap()
            };
            let mut client = nats.client();
            let mut bad = 0;
            for round in 0..4 {
                // Now and then a checkpoint holds what was rejected; else only the log does.
                let often = if round % 2 == 0 { "state: {checkpoint_every: 1h}\n" } else { OFTEN };
                let process = start(&nats, folder.path(), often);
                process.wait_ready();
                for _ in 0..5 {
                    client.publish("events.queue.JobQueued", &format!("{{\"bad\": {bad}"));
                    bad += 1;
                }
                store(&nats, 1_000 * round, 10);
                wait_counted(&process, (10 * (round + 1)) as f64);
                wait_for("the copies", || (copies(&mut client) >= bad).then_some(()));
                process.kill();
            }
            let process = start(&nats, folder.path(), OFTEN);
            let series = wait_counted(&process, 40.0);
            assert_eq!(
                series.total("signalbox_events_rejected_total", "jetstream"),
                bad as f64,
                "{retention}"
            );
            assert_eq!(copies(&mut client), bad, "{retention}");
            process.terminate();
        }
    }
}

/// A run that counted so many events, and stopped.
fn run_of(nats: &Nats, folder: &Path, events: u64) {
    let process = start(nats, folder, OFTEN);
    process.wait_ready();
    store(nats, 0, events);
    wait_counted(&process, events as f64);
    stop(process);
}

#[test]
fn what_a_purge_took_while_it_was_away_is_lost_to_the_message() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        create(&nats, &json!({}));
        let folder = tempfile::tempdir().unwrap();
        run_of(&nats, folder.path(), 100);
        store(&nats, 100, 30);
        let purged = nats.client().api("STREAM.PURGE.EVENTS", r#"{"keep": 7}"#);
        assert_eq!(purged["success"], true, "{purged}");
        let process = start(&nats, folder.path(), OFTEN);
        let series = caught_up(&process);
        assert_eq!((series.sum(LOST), series.sum(DUPLICATE)), (23.0, 0.0));
        assert_eq!(series.total(APPLIED, "jetstream"), 107.0);
        assert_eq!(series.sum("signalbox_stream_epochs_total"), 0.0);
        stop(process);
        // All of it: nothing is left to begin with.
        store(&nats, 200, 5);
        nats.client().api("STREAM.PURGE.EVENTS", "");
        let process = start(&nats, folder.path(), OFTEN);
        let series = caught_up(&process);
        assert_eq!((series.sum(LOST), series.total(APPLIED, "jetstream")), (28.0, 107.0));
        store(&nats, 300, 3);
        assert_eq!(wait_counted(&process, 110.0).total(APPLIED, "jetstream"), 110.0);
        process.terminate();
    }
}

#[test]
fn what_expired_while_it_was_away_is_lost_to_the_message() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        create(&nats, &json!({ "max_msgs": 20 }));
        let folder = tempfile::tempdir().unwrap();
        // Nothing was read of it yet.
        let process = start(&nats, folder.path(), OFTEN);
        process.wait_ready();
        wait_for("a checkpoint", || folder.path().join("checkpoint").exists().then_some(()));
        stop(process);
        store(&nats, 0, 50);
        let process = start(&nats, folder.path(), OFTEN);
        let series = caught_up(&process);
        assert_eq!((series.sum(LOST), series.total(APPLIED, "jetstream")), (30.0, 20.0));
        stop(process);
        store(&nats, 50, 90);
        let process = start(&nats, folder.path(), OFTEN);
        let series = caught_up(&process);
        assert_eq!((series.sum(LOST), series.total(APPLIED, "jetstream")), (100.0, 40.0));
        wait_saved(folder.path());
        process.kill();
        store(&nats, 150, 25);
        let process = start(&nats, folder.path(), OFTEN);
        let series = caught_up(&process);
        // Who looked before it broke off may have seen what nobody can count again: the counters begin anew.
        assert_eq!((series.sum(LOST), series.total(APPLIED, "jetstream")), (105.0, 20.0));
        process.terminate();
    }
}

/// The samples of a metric with these words.
fn with(series: &Series, name: &str, words: &str) -> f64 {
    let named = series.of(name).filter(|(key, _)| key.contains(words));
    named.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

#[test]
fn a_stream_that_was_recreated_is_read_from_its_first_message_and_what_was_counted_is_not_counted_again() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        create(&nats, &json!({}));
        let folder = tempfile::tempdir().unwrap();
        run_of(&nats, folder.path(), 100);
        nats.client().api("STREAM.DELETE.EVENTS", "");
        create(&nats, &json!({}));
        // Forty of the old ones come again, among thirty new ones, of which five are gone.
        store(&nats, 100, 5);
        wait_for("the five", || (info(&mut nats.client())["last_seq"] == 5).then_some(()));
        nats.client().api("STREAM.PURGE.EVENTS", "");
        wait_for("the purge", || (info(&mut nats.client())["messages"] == 0).then_some(()));
        store(&nats, 60, 40);
        store(&nats, 105, 25);
        let process = start(&nats, folder.path(), OFTEN);
        let series = caught_up(&process);
        assert_eq!(series.total(APPLIED, "jetstream"), 125.0);
        assert_eq!((series.sum(DUPLICATE), series.sum(LOST)), (40.0, 5.0));
        assert_eq!(with(&series, "signalbox_stream_epochs_total", "recreated"), 1.0);
        store(&nats, 200, 10);
        assert_eq!(wait_counted(&process, 135.0).total(APPLIED, "jetstream"), 135.0);
        process.terminate();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

#[test]
fn a_stream_that_was_rolled_back_is_known_by_what_it_lacks_and_by_what_stands_in_its_place() {
    for program in server_programs() {
        // With fewer messages than were read, and with as many others and more.
        for after in [0_u64, 80] {
            let mut nats = Nats::start(&program);
            create(&nats, &json!({}));
            let folder = tempfile::tempdir().unwrap();
            store(&nats, 0, 60);
            wait_for("them", || (info(&mut nats.client())["last_seq"] == 60).then_some(()));
            nats.stop();
            let backup = tempfile::tempdir().unwrap();
            copy_folder(&nats.store(), backup.path());
            nats.go();
            let process = start(&nats, folder.path(), OFTEN);
            process.wait_ready();
            store(&nats, 60, 40);
            wait_counted(&process, 100.0);
            stop(process);
            nats.stop();
            std::fs::remove_dir_all(nats.store()).unwrap();
            copy_folder(backup.path(), &nats.store());
            nats.go();
            wait_for("the stream", || (info(&mut nats.client())["last_seq"] == 60).then_some(()));
            store(&nats, 1_000, after);
            let process = start(&nats, folder.path(), OFTEN);
            let series = caught_up(&process);
            assert_eq!(series.total(APPLIED, "jetstream"), (100 + after) as f64);
            assert_eq!(series.sum(DUPLICATE), 60.0);
            assert_eq!(with(&series, "signalbox_stream_epochs_total", "rolled_back"), 1.0, "{after}");
            assert_eq!(series.sum(LOST), 0.0);
            process.terminate();
        }
    }
}

#[test]
fn what_left_a_stream_that_was_made_after_the_start_before_it_was_read_is_lost() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let folder = tempfile::tempdir().unwrap();
        let process = start(&nats, folder.path(), OFTEN);
        wait_for("the reason", || process.get("/-/ready").text().contains("does not exist").then_some(()));
        nats.client()
            .create_stream(&json!({"name": "OTHER", "subjects": ["events.queue.*"], "storage": "file"}));
        let mut client = nats.client();
        for number in 0..12 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client.flush();
        client.api("STREAM.DELETE.OTHER", "");
        create(&nats, &json!({ "max_msgs": 1 }));
        // All at once, so that most are gone before the stream is found.
        store(&nats, 100, 200);
        let balance = || {
            let series = shown(&process)?;
            let (applied, lost) = (series.total(APPLIED, "jetstream"), series.sum(LOST));
            (applied + lost == 200.0).then_some(lost)
        };
        assert!(wait_for("applied + lost = stored", balance) > 0.0);
        process.terminate();
    }
}

/// Events of two contexts, each taken by a stream of its own, with what is none of ours between them.
fn store_in_both(nats: &Nats, first: u64, count: u64) {
    let mut client = nats.client();
    for number in first..first + count {
        let fields = format!(
            r#","cache_key":"k{number}","cache_level":"L1","entry_size_bytes":1,"ttl_seconds":60,"entry_type":"summary","source":"computation""#
        );
        client.publish("events.queue.JobQueued", &job_queued(number));
        client.publish(
            "events.caching.CacheEntryCreated",
            &event("CacheEntryCreated", 1_000_000 + number, &fields),
        );
        client.publish("events.queue.Internal", "of nobody's business");
    }
    client.flush();
}

/// An alert that 300 jobs raise.
const MANY_JOBS: &str =
    "groups: [{name: g, rules: [{alert: ManyJobs, expr: sum(queue_jobs_queued_total), above: 299}]}]";

#[test]
fn several_streams_are_counted_exactly_through_one_that_sources_them() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "QUEUE", "subjects": ["events.queue.*"]}));
        client.create_stream(&json!({"name": "CACHING", "subjects": ["events.caching.*"]}));
        create(
            &nats,
            &json!({
                "subjects": ["events.monitoring.AlertTriggered", "events.monitoring.AlertCleared"],
                "sources": [{"name": "QUEUE"}, {"name": "CACHING"}],
            }),
        );
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.yaml");
        std::fs::write(&rules, MANY_JOBS).unwrap();
        let start = || {
            let state = folder.path().join("state").display().to_string();
            let rules = rules.display().to_string();
            Process::start_with(&nats.url(), OFTEN, &["--state-dir", &state, "--rules", &rules])
        };
        store_in_both(&nats, 0, 100);
        let process = start();
        process.wait_ready();
        wait_counted(&process, 100.0);
        store_in_both(&nats, 100, 50);
        process.kill();
        store_in_both(&nats, 150, 50);
        let process = start();
        process.wait_ready();
        let count = |wanted: f64| {
            wait_for("both streams", || {
                shown(&process).filter(|series| series.total(APPLIED, "jetstream") >= wanted)
            })
        };
        let series = count(400.0);
        assert_eq!(series.sum("queue_jobs_queued_total"), 200.0);
        assert_eq!(series.sum("cache_entries_created_total"), 200.0);
        for nothing in
            [DUPLICATE, LOST, "signalbox_events_rejected_total", "signalbox_stream_subject_missing"]
        {
            assert_eq!(series.sum(nothing), 0.0, "{nothing}");
        }
        store_in_both(&nats, 200, 100);
        let series = count(600.0);
        assert_eq!(series.total(APPLIED, "jetstream"), 600.0);
        // What is decided goes into the same stream, and is not taken for an event of others.
        wait_for("the alert", || (walk(&stored(&nats)) == (1, 1)).then_some(()));
        assert!(!process.log().contains("takes none"), "{}", process.log());
        process.terminate();
    }
}
