//! The demo as a person meets it: the story it prints, what shipped rules make of the story, and what it leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::process::{Process, get, signalbox};
use super::support::{Nats, free_port, server_programs, wait_for};

/// The printed story of these arguments, from a fixed start.
fn story(arguments: &[&str]) -> String {
    let mut command = signalbox();
    command.args(["demo", "--print", "--start", "2026-11-24T00:00:00Z"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_same_seed_and_start_tell_the_same_story() {
    let arguments = ["--duration", "20s", "--seed", "1"];
    let first = story(&arguments);
    assert_eq!(first, story(&arguments));
    assert_ne!(first, story(&["--duration", "20s", "--seed", "2"]));
    let last: Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
    assert!(last["timestamp"].as_str().unwrap().starts_with("2026-11-24T00:00:20"), "{last}");
}

#[test]
fn the_story_has_every_type_of_event_but_alerts_of_others() {
    let told = story(&["--duration", "2m", "--seed", "1"]);
    let types: BTreeSet<String> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types.len(), 26, "{types:?}");
    assert!(!types.contains("AlertTriggered") && !types.contains("AlertCleared"));
}

/// How often each alert was triggered and cleared when shipped rules met this story.
fn episodes(story: &str) -> BTreeMap<String, [usize; 2]> {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("story.jsonl");
    std::fs::write(&events, story).unwrap();
    // At the interval alone: the story is long and a debug build slow.
    let config = folder.path().join("signalbox.yaml");
    std::fs::write(&config, "evaluate: interval\n").unwrap();
    let mut command = signalbox();
    command.arg("replay").arg(&events).args(["--format", "json", "--rules"]).arg(shipped_rules());
    let output = command.arg("--config").arg(&config).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut episodes = BTreeMap::<String, [usize; 2]>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(name) = line["alert_name"].as_str() {
            let place = usize::from(line["event_type"] == "AlertCleared");
            episodes.entry(name.to_owned()).or_default()[place] += 1;
        }
    }
    episodes
}

fn shipped_rules() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rules"))
}

#[test]
fn each_incident_makes_shipped_rules_fire_and_clear_and_no_others() {
    for (seed, rate) in [("1", "100"), ("2", "300")] {
        let told = story(&["--duration", "5m10s", "--seed", seed, "--rate", rate]);
        let episodes = episodes(&told);
        let expected = [
            "CacheHitRateLow",
            "ChunksFailing",
            "ConnectionPoolExhausted",
            "JobsFailing",
            "QueueBacklog",
            "SlowQueries",
            "WorkerLost",
        ];
        assert!(episodes.keys().eq(expected), "with seed {seed} and rate {rate}: {episodes:?}");
        assert!(
            episodes.values().all(|[triggered, cleared]| *triggered > 0 && *cleared > 0),
            "with seed {seed} and rate {rate}: {episodes:?}"
        );
    }
}

#[test]
fn an_interrupted_demo_ends_well_and_leaves_nothing() {
    for program in server_programs() {
        let folder = tempfile::tempdir().unwrap();
        let logs = tempfile::tempdir().unwrap();
        let (nats, http) = (free_port(), free_port());
        let mut command = signalbox();
        command.args(["demo", "--nats-url", &format!("nats://127.0.0.1:{nats}")]);
        command.args(["--listen", &format!("127.0.0.1:{http}"), "--rules"]).arg(shipped_rules());
        command.env("TMPDIR", folder.path()).env("SIGNALBOX_NATS_SERVER", &program);
        let mut demo = Process::start(&mut command, logs.path());
        wait_for("events of the demo", || {
            let text = get(http, "/metrics").map(|answer| answer.text()).unwrap_or_default();
            text.lines()
                .any(|line| line.starts_with("processing_uploads_total") && !line.ends_with(" 0"))
                .then_some(())
        });
        assert!(
            std::fs::read_dir(folder.path()).unwrap().count() > 0,
            "the server keeps its stream elsewhere"
        );
        let interrupt = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
        assert!(interrupt.success());
        assert_eq!(demo.wait(), Some(0), "{}", demo.said());
        // It was never without its server for as long as the rule waits.
        assert!(!demo.said().contains("ConnectionLost"), "{}", demo.said());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{}", demo.said());
        assert!(std::net::TcpStream::connect(("127.0.0.1", nats)).is_err(), "nats-server still answers");
    }
}

#[test]
fn a_demo_whose_address_is_in_use_says_so_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (nats, http) = (free_port(), taken.local_addr().unwrap());
    let mut command = signalbox();
    command.args(["demo", "--nats-url", &format!("nats://127.0.0.1:{nats}"), "--listen", &http.to_string()]);
    command.env("TMPDIR", folder.path()).env("SIGNALBOX_NATS_SERVER", &server_programs()[0]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&http.to_string()) && said.contains("in use"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{said}");
}

#[test]
fn the_same_seed_tells_the_same_story_with_other_ids_at_another_start() {
    let arguments = ["--duration", "2m", "--seed", "1", "--rate", "100"];
    let told = |start: &str| {
        let output =
            signalbox().args(["demo", "--print", "--start", start]).args(arguments).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let (first, second) = (told("2026-11-24T00:00:00Z"), told("2026-11-25T00:00:00Z"));
    let types = |story: &[Value]| story.iter().map(|event| event["event_type"].clone()).collect::<Vec<_>>();
    assert_eq!(types(&first), types(&second));
    let ids = |story: &[Value]| -> BTreeSet<String> {
        let names = ["event_id", "job_id", "transcript_id", "chunk_id"];
        let of = |event: &Value| names.map(|name| event[name].as_str().unwrap_or_default().to_owned());
        story.iter().flat_map(of).filter(|id| !id.is_empty()).collect()
    };
    assert_eq!(ids(&first).intersection(&ids(&second)).count(), 0);
}

/// `demo --events-only` of one story at this server, to its end; what it said.
fn play_events(nats: &Nats) -> String {
    play_events_to(&nats.url())
}

fn play_events_to(url: &str) -> String {
    let mut command = signalbox();
    command.args(["demo", "--events-only", "--seed", "1", "--duration", "500ms", "--nats-url", url]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn events_alone_find_a_stream_or_make_it_and_are_no_duplicates_of_the_last_time() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let said = play_events(&nats);
        assert!(said.contains("made EVENTS"), "{said}");
        let mut client = nats.client();
        let mut messages = || {
            let info = client.api("STREAM.INFO.EVENTS", "");
            info["state"]["messages"].as_u64().unwrap_or_default()
        };
        let once = messages();
        assert!(once > 0);
        let said = play_events(&nats);
        assert!(said.contains("the stream EVENTS takes the events"), "{said}");
        assert_eq!(messages(), 2 * once);
    }
}

#[test]
fn the_url_says_who_plays() {
    let config = "authorization { users: [ { user: \"a b\", password: \"p@ss/word\" } ] }";
    let nats = Nats::start_with(&server_programs()[0], config);
    let said = play_events_to(&format!("nats://a%20b:p%40ss%2Fword@127.0.0.1:{}", nats.port));
    assert!(said.contains("made EVENTS") && !said.contains("p@ss") && !said.contains("p%40ss"), "{said}");
}

#[test]
fn events_alone_leave_a_stream_of_another_name_alone() {
    let nats = Nats::start(&server_programs()[0]);
    let mut client = nats.client();
    client.create_stream(&serde_json::json!({"name": "OTHER", "subjects": ["events.>"]}));
    let said = play_events(&nats);
    assert!(said.contains("the stream OTHER takes the events"), "{said}");
    assert!(client.api("STREAM.INFO.EVENTS", "")["state"].is_null());
}

#[test]
fn a_demo_that_is_told_no_server_starts_its_own() {
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let http = free_port();
    let mut command = signalbox();
    command.args(["demo", "--listen", &format!("127.0.0.1:{http}")]).current_dir(logs.path());
    command.env("TMPDIR", folder.path()).env("SIGNALBOX_NATS_SERVER", &server_programs()[0]);
    let mut demo = Process::start(&mut command, logs.path());
    let said = wait_for("the demo's words", || Some(demo.said()).filter(|said| said.contains("Ctrl-C")));
    assert!(said.contains("started a private nats-server on 127.0.0.1:"), "{said}");
    assert!(said.contains(" sub 'events.monitoring.>'"), "{said}");
    assert!(said.contains("no rules/ folder here, so the incidents raise no alert"), "{said}");
    assert!(!said.contains("The first incident"), "{said}");
    assert!(Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap().success());
    assert_eq!(demo.wait(), Some(0), "{}", demo.said());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{}", demo.said());
}
