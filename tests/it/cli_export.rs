//! Exported rules mean the same: random series through the rules as they are, and through what Prometheus gets.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Hysteresis, overrides with another `for`, severities that move, and templates in labels. Not `keep_firing_for`, which Prometheus mixes up with hysteresis.
const RULES: &str = r#"groups:
  - name: g
    rules:
      - alert: Deep
        expr: sum by (q) (depth)
        above: 10
        clear_below: 5
        for: 2m
        labels: {team: "x{{ $labels.q }}"}
        overrides:
          - {where: {q: bulk}, above: 100, clear_below: 50}
          - {where: {q: low}, above: 3, for: 1m}
      - alert: Slow
        expr: lat
        severities: {warning: {above: 1, clear_below: 0.5}, critical: {above: 5, clear_below: 4}}
      - {alert: Low, expr: lat, below: 0.5, clear_above: 3}
"#;

/// Tests that expect nothing, so that everything that fires is printed.
fn tests() -> String {
    let mut state = 5_u64;
    let mut pick = |values: &[&'static str]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values[(state >> 33) as usize % values.len()]
    };
    let mut text = String::from("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n");
    for _ in 0..15 {
        text.push_str("  - interval: 1m\n    input_series:\n");
        for queue in ["a", "bulk", "low"] {
            let values: Vec<_> =
                (0..20).map(|_| pick(&["0", "2", "4", "4.5", "6", "9", "11", "20", "60", "120"])).collect();
            writeln!(text, "      - {{series: 'depth{{q=\"{queue}\"}}', values: '{}'}}", values.join(" "))
                .unwrap();
        }
        let values: Vec<_> = (0..20).map(|_| pick(&["0.2", "0.7", "2", "4.5", "6"])).collect();
        writeln!(text, "      - {{series: lat, values: '{}'}}\n    alert_rule_test:", values.join(" "))
            .unwrap();
        for minute in 0..20 {
            for alert in ["Deep", "Slow", "Low"] {
                writeln!(text, "      - {{eval_time: {minute}m, alertname: {alert}}}").unwrap();
            }
        }
    }
    text
}

fn signalbox(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Label sets that promtool or signalbox say they got, each with its number of occurrences in the text.
fn got(text: &str, marker: &str) -> BTreeSet<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for line in text.lines().filter_map(|line| line.trim().strip_prefix(marker)) {
        let labels = line.split(" annotations").next().unwrap();
        *counts.entry(labels.trim().to_owned()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn exported_rules_fire_and_clear_as_the_originals_do() {
    let (original, exported) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(original.path().join("rules.yml"), RULES).unwrap();
    let rules = signalbox(original.path(), &["rules", "export", "--rules", "rules.yml"]);
    fs::write(exported.path().join("rules.yml"), rules).unwrap();
    for folder in [&original, &exported] {
        fs::write(folder.path().join("t.yml"), tests()).unwrap();
    }
    let own = signalbox(original.path(), &["test", "t.yml"]);
    assert!(got(&own, "got: labels").len() > 4, "{own}");
    assert_eq!(own, signalbox(exported.path(), &["test", "t.yml"]));
    // Prometheus' own tool, where it is installed.
    let promtool =
        Command::new("promtool").args(["test", "rules", "t.yml"]).current_dir(exported.path()).output();
    if let Ok(output) = promtool {
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(got(&own, "got: labels"), got(&text, "Labels:"));
    }
}

/// Two parts of one queue, neither of which has much by itself.
const PARTS: &str = r#"rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'queue_depth{queue="a",priority="high",instance="0",job="s"}', values: '30+0x10'}
      - {series: 'queue_depth{queue="a",priority="high",instance="1",job="s"}', values: '30+0x4 0+0x5'}
      - {series: 'queue_oldest_job_age_seconds{queue="a",instance="0",job="s"}', values: '5+0x10'}
      - {series: 'queue_oldest_job_age_seconds{queue="a",instance="1",job="s"}', values: '90+0x10'}
      - {series: 'db_pool_available{pool="p",instance="1",job="s"}', values: '0+0x10'}
    alert_rule_test:
      - eval_time: 2m
        alertname: Backlog
        exp_alerts: [{exp_labels: {queue: a}}]
      - eval_time: 9m
        alertname: Backlog
      - eval_time: 2m
        alertname: Deep
        exp_alerts: [{exp_labels: {queue: a, priority: high, job: s}}]
      - eval_time: 2m
        alertname: Peak
        exp_alerts: [{exp_labels: {queue: a, priority: high, job: s}}]
      - eval_time: 2m
        alertname: Old
        exp_alerts: [{exp_labels: {queue: a, job: s}}]
      - {eval_time: 2m, alertname: Pool}
"#;

#[test]
fn rules_over_parts_fire_where_one_instance_of_all_would() {
    let (original, exported) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(original.path().join("signalbox.yaml"), "partition: {count: 2}\n").unwrap();
    let rules = "groups:\n  - name: g\n    rules:\n\
        \x20     - {alert: Backlog, expr: sum by (queue) (queue_depth), above: 50}\n\
        \x20     - {alert: Deep, metric: queue_depth, above: 50}\n\
        \x20     - {alert: Peak, metric: queue_depth, stat: max, window: 5m, above: 50}\n\
        \x20     - {alert: Old, metric: queue_oldest_job_age_seconds, above: 60}\n\
        \x20     - {alert: Pool, metric: db_pool_available, below: 1}\n";
    fs::write(original.path().join("rules.yml"), rules).unwrap();
    let rules = signalbox(original.path(), &["rules", "export", "--spanning", "--rules", "rules.yml"]);
    fs::write(exported.path().join("rules.yml"), rules).unwrap();
    fs::write(exported.path().join("t.yml"), PARTS).unwrap();
    // Nothing but what is expected fires, and the pool, which is in one part alone, is left to that part.
    let own = signalbox(exported.path(), &["test", "t.yml"]);
    assert!(!own.contains("got:"), "{own}");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules").display().to_string();
    let all = signalbox(original.path(), &["rules", "export", "--spanning", "--rules", &shipped]);
    fs::write(exported.path().join("shipped.yml"), all).unwrap();
    for arguments in [["test", "rules", "t.yml"], ["check", "rules", "shipped.yml"]] {
        // Prometheus' own tool, where it is installed.
        let promtool = Command::new("promtool").args(arguments).current_dir(exported.path()).output();
        if let Ok(output) = promtool {
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{text}");
        }
    }
}
