//! Reloading the configuration of a running sidecar: by request, by signal and by what happens to its file.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::process::{Process, get, post, signalbox};
use super::support::{Nats, free_port, server_programs, wait_for};

/// A sidecar of this configuration file, with a server it finds.
struct Running {
    process: Process,
    port: u16,
    _nats: Nats,
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
        Self { process, port, _nats: nats }
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
