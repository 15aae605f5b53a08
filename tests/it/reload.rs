//! Reloading the configuration of a running sidecar: by request, by signal and by what happens to its file.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::process::{Process, get, post, signalbox};
use super::support::{Nats, free_port, server_programs, wait_for};
use super::times::times;

/// A sidecar of this configuration file, with a server it finds.
struct Running {
    process: Process,
    port: u16,
    nats: Nats,
}

impl Running {
    fn start(folder: &Path, config: &Path) -> Self {
        let nats = Nats::start(&server_programs()[0]);
        let port = free_port();
        let mut command = signalbox();
        command.args(["run", "--nats-url", &nats.url(), "--listen", &format!("127.0.0.1:{port}")]);
        let mut process = Process::start(command.arg("--config").arg(config).current_dir(folder), folder);
        wait_for("HTTP", || {
            assert!(process.is_running(), "signalbox ended");
            get(port, "/metrics").filter(|answer| answer.status == 200)
        });
        Self { process, port, nats }
    }

    fn metric(&self, name: &str) -> Option<String> {
        let text = get(self.port, "/metrics")?.text();
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next().map(str::to_owned)
    }

    fn wait_metric(&self, name: &str, value: &str) {
        wait_for(&format!("{name} {value}"), || (self.metric(name).as_deref() == Some(value)).then_some(()));
    }
}

const START: &str = "jetstream: {create_stream: true}\nrules: [rules.yaml]\nlimits: {series: 5000}\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("signalbox.yaml"), START).unwrap();
    let rules = "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]";
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    folder
}

#[test]
fn live_keys_count_at_once_and_the_others_wait_for_a_restart() {
    let folder = folder();
    let config = folder.path().join("signalbox.yaml");
    let running = Running::start(folder.path(), &config);
    assert_eq!(running.metric("signalbox_series_limit").as_deref(), Some("5000"));
    let changed = START.replace("5000", "6000") + "namespace: shop\nlog_format: json\nhistory: {step: 1s}\n";
    std::fs::write(&config, changed).unwrap();
    let answer = post(running.port, "/-/reload").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    // The file's own change may have been noticed before the request came.
    let said = format!("{text}{}", running.process.said());
    assert!(said.contains("limits.series") && said.contains("history.step"), "{said}");
    assert!(text.contains("Waiting for a restart: namespace."), "{text}");
    running.wait_metric("signalbox_series_limit", "6000");
    running.wait_metric("signalbox_config_restart_pending", "1");
    wait_for("the page", || get(running.port, "/")?.text().contains("namespace").then_some(()));
    wait_for("JSON lines", || running.process.said().contains("{\"timestamp\"").then_some(()));
    std::fs::write(&config, START).unwrap();
    running.wait_metric("signalbox_series_limit", "5000");
    running.wait_metric("signalbox_config_restart_pending", "0");
}

#[test]
fn a_bad_configuration_changes_nothing_and_says_so() {
    let folder = folder();
    let config = folder.path().join("signalbox.yaml");
    let running = Running::start(folder.path(), &config);
    std::fs::write(&config, START.replace("5000", "many")).unwrap();
    let answer = post(running.port, "/-/reload").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("`limits.series` is `many`"), "{}", answer.text());
    running.wait_metric("signalbox_config_last_reload_successful", "0");
    assert_eq!(running.metric("signalbox_series_limit").as_deref(), Some("5000"));
    wait_for("the log", || running.process.said().contains("the previous ones stay in force").then_some(()));
    wait_for("the page", || get(running.port, "/")?.text().contains("expected a whole number").then_some(()));
    // Mended, it is noticed by itself.
    std::fs::write(&config, START.replace("5000", "7000")).unwrap();
    running.wait_metric("signalbox_series_limit", "7000");
    running.wait_metric("signalbox_config_last_reload_successful", "1");
}

#[test]
fn the_swap_of_a_config_map_is_noticed_twice_and_brings_other_rules() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let version = |name: &str, series: &str| {
        std::fs::create_dir(at(name)).unwrap();
        let text = START.replace("5000", series).replace("rules.yaml", "rules.yaml, more.yaml");
        std::fs::write(at(name).join("app.yaml"), text).unwrap();
    };
    let more = "groups: [{name: more, rules: [{alert: B, expr: up == 0}]}]";
    std::fs::write(at("more.yaml"), more).unwrap();
    std::fs::create_dir(at("first")).unwrap();
    std::fs::write(at("first").join("app.yaml"), START).unwrap();
    symlink("first", at("..data")).unwrap();
    symlink("..data/app.yaml", at("app.yaml")).unwrap();
    let running = Running::start(folder.path(), &at("app.yaml"));
    for (name, series) in [("second", "8000"), ("third", "9000")] {
        version(name, series);
        symlink(name, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        running.wait_metric("signalbox_series_limit", series);
        wait_for("the other rules", || {
            get(running.port, "/api/v1/rules")?.text().contains("\"more\"").then_some(())
        });
    }
}

/// Rules of a file in this round: 25 alerts that always fire, and what says which round it is.
fn firing(file: &str, round: u64) -> String {
    let rule = |number: u64| {
        format!(
            "      - {{alert: {file}{number}, expr: signalbox_build_info, above: 0, annotations: {{round: 'round {round}.'}}}}\n"
        )
    };
    format!("groups:\n  - name: {file}\n    interval: 1s\n    rules:\n")
        + &(0..25).map(rule).collect::<String>()
}

/// Whether the rules of all four files are those of this round.
fn is_round(running: &Running, round: u64) -> Option<()> {
    let text = get(running.port, "/api/v1/rules")?.text();
    let said = format!("\"annotations\":{{\"round\":\"round {round}.\"}},\"duration\"");
    (text.matches(&said).count() >= 100).then_some(())
}

/// Writes a file as slowly as it gets, and asks for a reload while it is empty, half written and written to its end.
fn write_slowly(running: &Running, path: &Path, text: &str) {
    let reload = || post(running.port, "/-/reload").unwrap().text();
    let being_written = format!("{} is being written", path.file_name().unwrap().display());
    let mut file = File::create(path).unwrap();
    drop(reload());
    // Cut where a rule ends, so that it reads well.
    let cut = text.match_indices("      - ").nth(12).unwrap().0;
    for piece in [&text[..cut], &text[cut..]] {
        file.write_all(piece.as_bytes()).unwrap();
        let said = reload();
        assert!(said.contains(&being_written), "{said}");
    }
    drop(file);
    let said = reload();
    assert!(!said.contains(&being_written), "{said}");
}

/// Whoever edits rules, in whatever way: only what they change changes.
#[test]
fn alerts_that_fire_outlive_any_number_of_rewrites_renames_and_swaps() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let swap = |round: u64| {
        let version = format!("version-{round}");
        std::fs::create_dir(at(&version)).unwrap();
        std::fs::write(at(&version).join("mounted.yaml"), firing("mounted", round)).unwrap();
        symlink(&version, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    let config = at("signalbox.yaml");
    let names = "[copied.yaml, edited.yaml, renamed.yaml, mounted.yaml]";
    let text = format!("jetstream: {{create_stream: true}}\nrules: {names}\n");
    std::fs::write(&config, &text).unwrap();
    swap(0);
    symlink("..data/mounted.yaml", at("mounted.yaml")).unwrap();
    for name in ["copied", "edited", "renamed"] {
        std::fs::write(at(&format!("{name}.yaml")), firing(name, 0)).unwrap();
    }
    let running = Running::start(folder.path(), &config);
    running.wait_metric("signalbox_alert_events_published_total{type=\"AlertTriggered\"}", "100");
    let rounds = times(15);
    for round in 1..=rounds {
        std::fs::write(at("next"), firing("renamed", round)).unwrap();
        std::fs::rename(at("next"), at("renamed.yaml")).unwrap();
        swap(round);
        for _ in 0..10 {
            std::fs::write(at("copied.yaml"), firing("copied", round)).unwrap();
            std::fs::write(&config, &text).unwrap();
        }
        if round % 10 == 5 {
            write_slowly(&running, &at("edited.yaml"), &firing("edited", round));
        } else {
            // As an editor that keeps the last version beside.
            std::fs::rename(at("edited.yaml"), at("edited.yaml~")).unwrap();
            std::fs::write(at("edited.yaml"), firing("edited", round)).unwrap();
        }
        wait_for(&format!("round {round}"), || is_round(&running, round));
    }
    running.wait_metric("signalbox_alert_events_published_total{type=\"AlertTriggered\"}", "100");
    assert_eq!(
        running.metric("signalbox_alert_events_published_total{type=\"AlertCleared\"}").as_deref(),
        Some("0")
    );
    let stored = running.nats.client().api("STREAM.INFO.EVENTS", r#"{"subjects_filter": ">"}"#);
    let said = stored["state"]["subjects"].as_object().unwrap();
    assert_eq!(
        said.iter().map(|(subject, count)| format!("{subject} {count}")).collect::<Vec<_>>(),
        ["events.monitoring.AlertTriggered 100"]
    );
}
