//! Alerts on the bus: one AlertTriggered and one AlertCleared for an episode, whatever the broker does meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox::engine::config::AlertDelivery;

use super::support::{Client, Nats, Setup, Sidecar, event, server_programs};

const RULES: &str = "groups: [{name: g, rules: [\
    {alert: Deep, id: deep, expr: level, above: 10, clear_below: 5, labels: {severity: critical}}]}]";

/// A gauge `level` of this value.
fn level(number: u64, value: f64) -> String {
    let fields = format!(
        r#","metric_name":"level","metric_type":"gauge","metric_value":{value},"tags":{{"tank":"north"}}"#
    );
    event("MetricRecorded", number, &fields)
}

/// A sidecar with one rule; the folder holds the rule.
fn with_rule(nats: &Nats, delivery: AlertDelivery) -> (Sidecar, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    let mut setup = Setup::new(&nats.url());
    setup.rules = vec![folder.path().to_owned()];
    setup.config.alerts.delivery = delivery;
    let sidecar = setup.start();
    sidecar.wait_ready();
    (sidecar, folder)
}

/// The next alert event that a client hears.
fn next_alert(client: &mut Client) -> Value {
    client.read_until("MSG events.monitoring.Alert");
    client.read_until("{");
    let rest = client.read_until("}\r\n");
    serde_json::from_str(&format!("{{{}", rest.trim_end())).unwrap_or_else(|_| panic!("no JSON: {rest}"))
}

#[test]
fn crossing_a_threshold_triggers_once_and_coming_back_clears_once() {
    for program in server_programs() {
        for delivery in [AlertDelivery::Auto, AlertDelivery::Core] {
            let nats = Nats::start(&program);
            let mut listener = nats.client();
            listener.subscribe("events.monitoring.*");
            let (sidecar, _folder) = with_rule(&nats, delivery);
            let mut client = nats.client();
            for (number, value) in [(1, 3.0), (2, 11.0), (3, 20.0), (4, 7.0), (5, 5.0), (6, 4.0)] {
                client.publish("events.monitoring.MetricRecorded", &level(number, value));
                client.flush();
                sidecar.wait_sum("signalbox_events_applied_total", r#"lane="core""#, number as f64);
            }
            let triggered = next_alert(&mut listener);
            assert_eq!(triggered["event_type"], "AlertTriggered", "{triggered}");
            assert_eq!(triggered["alert_rule_id"], "deep");
            assert_eq!(triggered["alert_name"], "Deep");
            assert_eq!(triggered["severity"], "critical");
            assert_eq!(triggered["metric_name"], "level");
            assert_eq!(triggered["current_value"], 11.0);
            assert_eq!(triggered["threshold"], 10.0);
            assert_eq!(triggered["labels"]["tank"], "north");
            assert_eq!(triggered["source"], "test");
            assert_eq!(triggered["evidence"][0], "00000000-0000-4000-8000-000000000002");
            let cleared = next_alert(&mut listener);
            assert_eq!(cleared["event_type"], "AlertCleared", "{cleared}");
            assert_eq!(cleared["reason"], "recovered");
            assert_eq!(cleared["value"], 5.0);
            assert_eq!(cleared["started_at"], triggered["started_at"]);
            sidecar.wait_sum("signalbox_alert_events_published_total", "", 2.0);
            sidecar.wait_sum("signalbox_alert_events_pending", "", 0.0);
            // They come back over the stream and are not even received.
            assert_eq!(sidecar.sum("signalbox_events_received_total", "Alert"), 0.0);
        }
    }
}

#[test]
fn alerts_decided_while_the_server_is_away_are_published_when_it_is_back() {
    for program in server_programs() {
        let mut nats = Nats::start(&program);
        let folder = tempfile::tempdir().unwrap();
        let rules = "groups: [{name: g, interval: 200ms, rules: [{alert: Away, expr: signalbox_nats_connected < 1 and on() level > 0}]}]";
        std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        let mut setup = Setup::new(&nats.url());
        setup.rules = vec![folder.path().to_owned()];
        let sidecar = setup.start();
        sidecar.wait_ready();
        let mut client = nats.client();
        client.publish("events.monitoring.MetricRecorded", &level(1, 1.0));
        client.flush();
        sidecar.wait_sum("level", "", 1.0);
        nats.kill();
        sidecar.wait_sum("signalbox_alert_events_pending", "", 1.0);
        nats.go();
        sidecar.wait_sum("signalbox_alert_events_published_total", r#"type="AlertTriggered""#, 1.0);
        sidecar.wait_sum("signalbox_alert_events_published_total", r#"type="AlertCleared""#, 1.0);
        sidecar.wait_ready();
        let stored = nats.client().api("STREAM.INFO.EVENTS", "");
        assert_eq!(stored["state"]["messages"], 2, "{stored}");
    }
}

#[test]
fn what_is_pending_is_published_before_the_end() {
    let nats = Nats::start(&server_programs()[0]);
    let (sidecar, _folder) = with_rule(&nats, AlertDelivery::Auto);
    let mut client = nats.client();
    client.publish("events.monitoring.MetricRecorded", &level(1, 11.0));
    client.flush();
    sidecar.wait_sum("signalbox_events_applied_total", r#"lane="core""#, 1.0);
    sidecar.stop();
    let stored = nats.client().api("STREAM.INFO.EVENTS", &json!({"subjects_filter": ">"}).to_string());
    assert_eq!(stored["state"]["messages"], 1, "{stored}");
}

#[test]
fn a_broker_that_stays_away_does_not_hold_up_the_end() {
    let mut nats = Nats::start(&server_programs()[0]);
    let folder = tempfile::tempdir().unwrap();
    let rules = "groups: [{name: g, interval: 200ms, rules: [{alert: Always, expr: vector(1)}]}]";
    let mut setup = Setup::new(&nats.url());
    setup.rules = vec![folder.path().to_owned()];
    setup.config.shutdown_grace = Duration::from_millis(300);
    let sidecar = setup.start();
    sidecar.wait_ready();
    nats.kill();
    std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    assert_eq!(sidecar.request("POST", "/-/reload", "").status, 200);
    sidecar.wait_sum("signalbox_alert_events_pending", "", 1.0);
    let stopping = Instant::now();
    sidecar.stop();
    // The grace, the lanes' own ends and a slow machine; the broker would have had to answer for ever.
    assert!(stopping.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_cluster_without_jetstream_holds_no_alert_up() {
    for program in server_programs() {
        let [nats, _other] = Nats::cluster(&program);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
        let mut setup = Setup::new(&nats.url());
        setup.config.jetstream.enabled = false;
        setup.rules = vec![folder.path().to_owned()];
        // Longer than the test's patience: whoever waits for an answer of the API fails.
        setup.settings.nats.request_timeout = Duration::from_mins(1);
        let sidecar = setup.start();
        sidecar.wait_ready();
        let mut listener = nats.client();
        listener.subscribe("events.monitoring.*");
        let mut client = nats.client();
        for (number, value) in [(1, 20.0), (2, 1.0), (3, 20.0)] {
            client.publish("events.monitoring.MetricRecorded", &level(number, value));
            client.flush();
            sidecar.wait_sum("signalbox_events_applied_total", r#"lane="core""#, number as f64);
        }
        let types = ["AlertTriggered", "AlertCleared", "AlertTriggered"];
        for expected in types {
            assert_eq!(next_alert(&mut listener)["event_type"], expected);
        }
    }
}
