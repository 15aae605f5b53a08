//! Both lanes against real servers: everything counts once, whatever happens to the server in between.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use signalbox::engine::wire::Subjects;
use signalbox::shell::settings::{MissingStream, StreamStart};

use super::support::{Client, Nats, Setup, job_queued, metric_recorded, server_programs, wait_for};

const RECEIVED: &str = "signalbox_events_received_total";
const APPLIED: &str = "signalbox_events_applied_total";

#[test]
fn events_of_both_lanes_count_once_and_duplicates_are_told() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        let mut client = nats.client();
        for number in 0..500 {
            client.publish("events.queue.JobQueued", &job_queued(number));
            client.publish("events.monitoring.MetricRecorded", &metric_recorded(1_000 + number));
        }
        for number in 0..50 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client.publish("events.queue.JobQueued", "{");
        client.flush();
        sidecar.wait_sum(RECEIVED, r#"lane="jetstream""#, 551.0);
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 500.0);
        sidecar.wait_sum("signalbox_events_duplicate_total", r#"lane="jetstream""#, 50.0);
        sidecar.wait_sum("signalbox_events_rejected_total", r#"lane="jetstream""#, 1.0);
        sidecar.wait_sum(APPLIED, r#"lane="core""#, 500.0);
        sidecar.wait_sum("clicks_total", "", 500.0);
        sidecar.wait_sum("signalbox_nats_connected", "", 1.0);
    }
}

#[test]
fn another_prefix_stands_for_events_on_both_lanes() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "ACME", "subjects": ["acme.live.>"]}));
        let mut setup = Setup::new(&nats.url());
        setup.settings.jetstream.stream = "ACME".into();
        setup.settings.subjects = Subjects::below("acme.live").unwrap();
        let sidecar = setup.start();
        sidecar.wait_ready();
        for prefix in ["events", "acme.live"] {
            client.publish(&format!("{prefix}.queue.JobQueued"), &job_queued(1));
            client.publish(&format!("{prefix}.monitoring.MetricRecorded"), &metric_recorded(2));
        }
        client.flush();
        sidecar.wait_sum(RECEIVED, r#"lane="jetstream""#, 1.0);
        sidecar.wait_sum(RECEIVED, r#"lane="core""#, 1.0);
        sidecar.wait_sum("clicks_total", "", 1.0);
    }
}

#[test]
fn a_header_block_nobody_can_read_ends_nothing() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        let mut client = nats.client();
        client.publish_with("events.queue.JobQueued", b"garbage\xff\xfe\r\n\r\n", &job_queued(1));
        client.publish_with("events.monitoring.MetricRecorded", b"NATS/1.0\r\nno colon", &metric_recorded(2));
        client.publish("events.queue.JobQueued", &job_queued(3));
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 2.0);
        sidecar.wait_sum(APPLIED, r#"lane="core""#, 1.0);
    }
}

#[test]
fn a_killed_server_is_found_again_and_the_stream_is_read_on_exactly() {
    for program in server_programs() {
        let mut nats = Nats::start(&program);
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        for round in 0..3_u64 {
            let mut client = nats.client();
            for number in 0..200 {
                client.publish("events.queue.JobQueued", &job_queued(round * 200 + number));
            }
            client.flush();
            sidecar.wait_sum(RECEIVED, r#"lane="jetstream""#, (round + 1) as f64 * 200.0);
            nats.kill();
            sidecar.wait_unready("NATS connection");
            nats.go();
            sidecar.wait_ready();
        }
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 600.0);
        sidecar.wait_sum("signalbox_events_duplicate_total", "", 0.0);
    }
}

#[test]
fn it_comes_up_before_the_server_does() {
    let program = &server_programs()[0];
    let mut nats = Nats::stopped(program, "");
    let sidecar = Setup::new(&nats.url()).start();
    sidecar.wait_unready("cannot connect");
    assert_eq!(sidecar.get("/-/healthy").status, 200);
    nats.go();
    sidecar.wait_ready();
}

#[test]
fn a_missing_stream_is_said_with_the_command_that_makes_it() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut setup = Setup::new(&nats.url());
        setup.settings.jetstream.missing_stream = MissingStream::Wait;
        let sidecar = setup.start();
        sidecar.wait_unready("nats stream add EVENTS");
        wait_for("the core lane", || (!sidecar.get("/-/ready").text().contains("core lane")).then_some(()));
        let mut client = nats.client();
        client.publish("events.monitoring.MetricRecorded", &metric_recorded(1));
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="core""#, 1.0);
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.queue.>"], "storage": "file"}));
        sidecar.wait_ready();
        client.publish("events.queue.JobQueued", &job_queued(2));
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 1.0);
    }
}

#[test]
fn what_was_stored_before_the_start_counts() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        for number in 0..1_000 {
            client.publish("events.queue.JobQueued", &job_queued(number));
            client.publish("events.monitoring.MetricRecorded", &metric_recorded(5_000 + number));
        }
        client.flush();
        for (start, expected) in [(StreamStart::All, 1_000.0), (StreamStart::New, 0.0)] {
            let mut setup = Setup::new(&nats.url());
            setup.settings.jetstream.start = start;
            let sidecar = setup.start();
            sidecar.wait_ready();
            sidecar.wait_sum(RECEIVED, r#"lane="jetstream""#, expected);
            // The stream's copies of the core lane's types are read past, uncounted.
            assert_eq!(sidecar.sum(RECEIVED, r#"lane="core""#), 0.0);
            assert_eq!(sidecar.sum("signalbox_events_rejected_total", ""), 0.0);
        }
    }
}

#[test]
fn what_core_nats_brings_before_the_stream_is_read_counts_in_the_present() {
    let nats = Nats::start(&server_programs()[0]);
    let mut client = nats.client();
    client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.queue.>"], "storage": "file"}));
    for number in 0..20_000 {
        client.publish("events.queue.JobQueued", &job_queued(number));
    }
    client.flush();
    let sidecar = Setup::new(&nats.url()).start();
    // Until the subscription stands nobody hears; then each one counts, whatever the stream lane is at.
    let mut sent = 0;
    wait_for("readiness", || {
        sent += 1;
        client.publish("events.monitoring.MetricRecorded", &metric_recorded(1_000_000 + sent));
        client.flush();
        (sidecar.get("/-/ready").status == 200).then_some(())
    });
    sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 20_000.0);
    client.publish("events.monitoring.MetricRecorded", &metric_recorded(2_000_000));
    client.flush();
    wait_for("the counter", || (sidecar.sum("clicks_total", "") > 0.0).then_some(()));
    let text = sidecar.request("GET", "/metrics", "Accept: application/openmetrics-text\r\n").text();
    let born =
        text.lines().find_map(|line| line.strip_prefix("clicks_created ")).unwrap().parse::<f64>().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(now - born < 600.0, "born {} s ago", now - born);
}

#[test]
fn a_recreated_stream_is_a_new_epoch_read_from_its_first_message() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        let mut client = nats.client();
        for number in 0..20 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 20.0);
        client.api("STREAM.DELETE.EVENTS", "");
        sidecar.wait_sum("signalbox_stream_epochs_total", r#"reason="recreated""#, 1.0);
        for number in 15..30 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 30.0);
        sidecar.wait_sum("signalbox_events_duplicate_total", r#"lane="jetstream""#, 5.0);
    }
}

#[test]
fn messages_that_left_the_stream_unread_are_counted_as_lost() {
    for program in server_programs() {
        let mut nats = Nats::start(&program);
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        let mut client = nats.client();
        client.publish("events.queue.JobQueued", &job_queued(1));
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 1.0);
        nats.kill();
        // Another port: the sidecar cannot follow while messages come and go.
        let mut hidden = nats;
        let port = hidden.port;
        hidden.move_to(super::support::free_port());
        hidden.go();
        let mut client = hidden.client();
        for number in 2..12 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client.flush();
        client.api("STREAM.PURGE.EVENTS", r#"{"seq":9}"#);
        hidden.kill();
        hidden.move_to(port);
        hidden.go();
        sidecar.wait_sum("signalbox_stream_lost_total", "", 7.0);
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 4.0);
    }
}

#[test]
fn a_work_queue_is_acknowledged_after_applying_and_read_on() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({
            "name": "EVENTS", "subjects": ["events.queue.JobQueued", "events.queue.JobStarted"],
            "storage": "file", "retention": "workqueue",
        }));
        for number in 0..700 {
            client.publish("events.queue.JobQueued", &job_queued(number));
        }
        client.flush();
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 700.0);
        sidecar.stop();
        let info = client.api("STREAM.INFO.EVENTS", "");
        assert_eq!(info["state"]["messages"], 0, "{info}");
        client.publish("events.queue.JobQueued", &job_queued(900));
        client.flush();
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 1.0);
    }
}

#[test]
fn resume_goes_on_where_the_last_run_stopped() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        for (run, expected) in [(0_u64, 100.0), (1, 100.0)] {
            let mut setup = Setup::new(&nats.url());
            setup.settings.jetstream.start = StreamStart::Resume;
            let sidecar = setup.start();
            sidecar.wait_ready();
            for number in 0..100 {
                client.publish("events.queue.JobQueued", &job_queued(run * 100 + number));
            }
            client.flush();
            sidecar.wait_sum(RECEIVED, r#"lane="jetstream""#, expected);
            sidecar.stop();
        }
        let consumer = client.api("CONSUMER.INFO.EVENTS.signalbox", "");
        assert_eq!(consumer["num_pending"], 0, "{consumer}");
        assert_eq!(consumer["ack_floor"]["stream_seq"], 200, "{consumer}");
    }
}

#[test]
fn a_forbidden_subscription_is_named() {
    for program in server_programs() {
        let nats = Nats::start_with(
            &program,
            r#"authorization { users: [
                { user: "a", password: "secretword", permissions: { subscribe: { deny: ["events.processing.ProgressUpdated"] } } }
            ] }"#,
        );
        let url = format!("nats://a:secretword@127.0.0.1:{}", nats.port);
        let sidecar = Setup::new(&url).start();
        sidecar.wait_unready("events.processing.ProgressUpdated");
        let refused = Setup::new(&format!("nats://a:wrongword@127.0.0.1:{}", nats.port)).start();
        refused.wait_unready("Authorization Violation");
        for answer in [sidecar.get("/-/ready"), refused.get("/-/ready"), refused.get("/")] {
            assert!(!answer.text().contains("wrongword") && !answer.text().contains("secretword"));
        }
    }
}

#[test]
fn without_jetstream_everything_comes_from_core_nats() {
    let nats = Nats::start(&server_programs()[0]);
    let mut setup = Setup::new(&nats.url());
    setup.config.jetstream.enabled = false;
    let sidecar = setup.start();
    sidecar.wait_ready();
    let mut client = nats.client();
    client.publish("events.queue.JobQueued", &job_queued(1));
    client.publish("events.monitoring.MetricRecorded", &metric_recorded(2));
    client.flush();
    sidecar.wait_sum(APPLIED, r#"lane="core""#, 2.0);
}

#[test]
fn a_rejected_event_is_passed_on_with_its_reason() {
    let nats = Nats::start(&server_programs()[0]);
    let sidecar = Setup::new(&nats.url()).start();
    sidecar.wait_ready();
    let mut listener = nats.client();
    listener.subscribe("signalbox.rejected");
    let mut client = nats.client();
    client.publish("events.queue.JobQueued", r#"{"event_type":"JobQueued"}"#);
    client.flush();
    let heard = listener.read_until(r#"{"event_type":"JobQueued"}"#);
    assert!(heard.contains("Signalbox-Reason: invalid_field"), "{heard}");
    assert!(heard.contains("Signalbox-Subject: events.queue.JobQueued"), "{heard}");
}

#[test]
fn a_rejected_event_is_passed_on_once_whatever_restarts() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut listener = nats.client();
        listener.subscribe("signalbox.rejected");
        let mut client = nats.client();
        for run in 0..3_u32 {
            let sidecar = Setup::new(&nats.url()).start();
            sidecar.wait_ready();
            client.publish("events.queue.JobQueued", &format!("bad {run}"));
            client.flush();
            let reason = r#"lane="jetstream",reason="malformed""#;
            sidecar.wait_sum("signalbox_events_rejected_total", reason, f64::from(run) + 1.0);
            let heard = listener.read_until(&format!("bad {run}"));
            assert_eq!(heard.matches("bad ").count(), 1, "{heard}");
        }
    }
}

#[test]
fn a_stream_without_the_lanes_subjects_is_said_with_the_command_that_adds_them() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["orders.>"], "storage": "file"}));
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_unready("nats stream edit EVENTS --subjects 'orders.>,events.");
        let subjects = ["orders.>", "events.queue.JobQueued"];
        let config = json!({"name": "EVENTS", "subjects": subjects, "storage": "file"});
        client.api("STREAM.UPDATE.EVENTS", &config.to_string());
        sidecar.wait_ready();
        let missing = "signalbox_stream_subject_missing";
        sidecar.wait_sum(missing, r#"event_type="JobQueued""#, 0.0);
        sidecar.wait_sum(missing, r#"event_type="JobStarted""#, 1.0);
        client.publish("events.queue.JobQueued", &job_queued(1));
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 1.0);
    }
}

#[test]
fn what_the_server_itself_stores_is_no_event() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let sidecar = Setup::new(&nats.url()).start();
        sidecar.wait_ready();
        let mut client = nats.client();
        let marker = b"NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n";
        client.publish_with("events.queue.JobQueued", marker, "");
        client.publish("events.queue.JobQueued", &job_queued(1));
        client.flush();
        sidecar.wait_sum(APPLIED, r#"lane="jetstream""#, 1.0);
        assert_eq!(sidecar.sum(RECEIVED, r#"lane="jetstream""#), 1.0);
    }
}

#[test]
fn a_server_that_leaves_its_cluster_costs_no_event() {
    for program in server_programs() {
        let [leaving, staying] = Nats::cluster(&program);
        let mut setup = Setup::new(&leaving.url());
        setup.config.jetstream.enabled = false;
        let sidecar = setup.start();
        sidecar.wait_ready();
        let mut client = staying.client();
        let mut sent = 0;
        let mut send = |count: u64| {
            for number in sent..sent + count {
                client.publish("events.monitoring.MetricRecorded", &metric_recorded(number));
            }
            client.flush();
            sent += count;
            sent as f64
        };
        wait_for("the route", || {
            send(1);
            (sidecar.sum("clicks_total", "") > 0.0).then_some(())
        });
        let before = sidecar.sum("clicks_total", "");
        let sent_before = send(0);
        leaving.signal("ldm");
        let mut all = sent_before;
        wait_for("the old server's end", || {
            all = send(20);
            std::net::TcpStream::connect(("127.0.0.1", leaving.port)).is_err().then_some(())
        });
        // Beyond the time in which the one connection takes over from the other.
        for _ in 0..200 {
            all = send(5);
            sidecar.get("/-/ready");
        }
        sidecar.wait_sum("clicks_total", "", before + (all - sent_before));
        assert_eq!(sidecar.sum("signalbox_events_dropped_total", ""), 0.0);
        assert_eq!(sidecar.sum("signalbox_events_duplicate_total", ""), 0.0);
    }
}

#[test]
fn a_server_that_leaves_alone_is_read_to_its_end() {
    for program in server_programs() {
        let mut nats = Nats::bare(&program, "lame_duck_duration: 30s\nlame_duck_grace_period: 5s\n");
        nats.go();
        let mut setup = Setup::new(&nats.url());
        setup.config.jetstream.enabled = false;
        let sidecar = setup.start();
        sidecar.wait_ready();
        // Only a client that knows protocol 1 is told.
        let mut client = Client::connect(nats.port, r#","protocol":1"#);
        nats.signal("ldm");
        client.read_until("ldm");
        for number in 0..150 {
            client.publish("events.monitoring.MetricRecorded", &metric_recorded(number));
        }
        client.flush();
        sidecar.wait_sum("clicks_total", "", 150.0);
        nats.kill();
        nats.go();
        sidecar.wait_ready();
        sidecar.wait_sum("signalbox_events_dropped_total", r#"reason="disconnected""#, 1.0);
    }
}

#[test]
fn a_flood_on_core_nats_is_counted_to_the_last_event() {
    let nats = Nats::start(&server_programs()[0]);
    let sidecar = Setup::new(&nats.url()).start();
    sidecar.wait_ready();
    let mut client = nats.client();
    for number in 0..100_000 {
        client.publish("events.monitoring.MetricRecorded", &metric_recorded(number));
    }
    client.flush();
    sidecar.wait_sum(
        RECEIVED,
        r#"lane="core""#,
        100_000.0 - sidecar.sum("signalbox_events_dropped_total", ""),
    );
}
