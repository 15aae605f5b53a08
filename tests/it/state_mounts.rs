//! A state folder on file systems that are read-only or full, in a mount namespace of the process' own.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::bad_input::process::Process;
use super::state::{APPLIED, OFTEN, rules, start, start_with_rules, store, wait_counted, wait_saved};
use super::state_disk::{
    DEEP, FAILURES, LOG_FAILURES, ends_with_all, round, says_unsaved, server, wait_failures,
};
use super::support::{Nats, server_programs, wait_for};

/// Mounts the folder over itself for this process alone, so that nobody writes there; what is open stays open. It is made
/// read-only elsewhere: nobody has opened anything there.
const READ_ONLY: &str = "mount --bind \"$1\" /mnt; mount -o remount,bind,ro /mnt; mount --bind /mnt \"$1\"";

/// Whether the machine lets file systems be mounted; says so where it does not.
fn can_mount() -> bool {
    let done = Command::new("unshare").args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output();
    let can = done.is_ok_and(|it| it.status.success());
    if !can {
        eprintln!("left out: this machine lets nobody mount a file system (unshare --mount)");
    }
    can
}

fn start_on(nats: &Nats, (folder, mount): (&Path, &str), rules: Option<&Path>) -> Process {
    let config = format!("instance: ours\n{OFTEN}");
    let mut arguments = vec!["--state-dir".to_owned(), folder.display().to_string()];
    arguments
        .extend(rules.map(|rules| ["--rules".to_owned(), rules.display().to_string()]).into_iter().flatten());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::start_on_mount((folder, mount), (&nats.url(), &config), &arguments)
}

#[test]
fn a_folder_that_turns_read_only_stops_neither_metrics_nor_alerts_and_is_gone_on_from() {
    if !can_mount() {
        return;
    }
    for program in server_programs() {
        let nats = server(&program);
        let folder = tempfile::tempdir().unwrap();
        let rules = rules(DEEP);
        let mut jobs = 0;
        let process = start_on(&nats, (folder.path(), "true"), Some(rules.path()));
        process.wait_ready();
        round(&nats, &process, &mut jobs);
        wait_saved(folder.path());
        process.on_mount(folder.path(), READ_ONLY);
        wait_failures(&process, FAILURES);
        round(&nats, &process, &mut jobs);
        says_unsaved(&process);
        process.kill();
        // It is read-only already when the next one starts, which goes on from what it can read.
        let process = start_on(&nats, (folder.path(), READ_ONLY), Some(rules.path()));
        wait_counted(&process, jobs as f64);
        assert!(process.has_logged(&["going on from the state".to_owned()]), "{}", process.log());
        round(&nats, &process, &mut jobs);
        wait_failures(&process, FAILURES);
        wait_failures(&process, LOG_FAILURES);
        process.on_mount(folder.path(), "mount -o remount,bind,rw \"$1\"");
        wait_saved(folder.path());
        round(&nats, &process, &mut jobs);
        process.kill();
        let process = start_with_rules(&nats, folder.path(), &rules);
        ends_with_all(&nats, process, jobs);
    }
}

#[test]
fn what_a_queue_forgot_is_known_from_a_read_only_folder_and_stays_known_once_it_can_be_written() {
    if !can_mount() {
        return;
    }
    for program in server_programs() {
        let nats = Nats::start(&program);
        nats.client().create_stream(&json!({
            "name": "EVENTS", "subjects": ["events.queue.JobQueued"], "storage": "file", "retention": "workqueue",
        }));
        let folder = tempfile::tempdir().unwrap();
        let process = start(&nats, folder.path(), OFTEN);
        process.wait_ready();
        store(&nats, 0, 200);
        wait_counted(&process, 200.0);
        let mut client = nats.client();
        let mut is_empty = || client.api("STREAM.INFO.EVENTS", "")["state"]["messages"] == 0;
        wait_for("an empty stream", || is_empty().then_some(()));
        process.kill();
        let process = start_on(&nats, (folder.path(), READ_ONLY), None);
        wait_counted(&process, 200.0);
        store(&nats, 200, 50);
        wait_counted(&process, 250.0);
        process.on_mount(folder.path(), "mount -o remount,bind,rw \"$1\"");
        wait_saved(folder.path());
        process.kill();
        let process = start(&nats, folder.path(), OFTEN);
        let series = wait_counted(&process, 250.0);
        assert_eq!(
            (series.sum("queue_jobs_queued_total"), series.total(APPLIED, "jetstream")),
            (250.0, 250.0)
        );
        process.terminate();
    }
}

#[test]
fn a_full_file_system_stops_neither_metrics_nor_alerts_and_the_state_comes_back_with_room() {
    if !can_mount() {
        return;
    }
    for program in server_programs() {
        let nats = server(&program);
        let (folder, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let rules = rules(DEEP);
        let mut jobs = 0;
        let tmpfs = "mount -t tmpfs -o size=80m tmpfs \"$1\"";
        let process = start_on(&nats, (folder.path(), tmpfs), Some(rules.path()));
        process.wait_ready();
        round(&nats, &process, &mut jobs);
        let is_saved = "for i in $(seq 300); do test -e \"$1/checkpoint\" && exit; sleep 0.1; done; exit 1";
        process.on_mount(folder.path(), is_saved);
        process.on_mount(folder.path(), "head -c 160m /dev/zero >\"$1/filling\" 2>/dev/null || true");
        wait_failures(&process, FAILURES);
        for _ in 0..5 {
            round(&nats, &process, &mut jobs);
        }
        assert!(process.has_logged(&["No space left on device".to_owned()]), "{}", process.log());
        process.on_mount(folder.path(), "rm \"$1/filling\"; touch \"$1/room\"");
        let newer = "test \"$1/checkpoint\" -nt \"$1/room\"";
        let is_saved = format!("for i in $(seq 300); do {newer} && exit; sleep 0.1; done; exit 1");
        process.on_mount(folder.path(), &is_saved);
        round(&nats, &process, &mut jobs);
        // The file system goes with the process.
        process.signal("STOP");
        process.on_mount(folder.path(), &format!("cp -r \"$1/.\" {}", kept.path().display()));
        process.kill();
        let process = start_with_rules(&nats, kept.path(), &rules);
        wait_counted(&process, jobs as f64);
        assert!(process.has_logged(&["going on from the state".to_owned()]), "{}", process.log());
        ends_with_all(&nats, process, jobs);
    }
}
