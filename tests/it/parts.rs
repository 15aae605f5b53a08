//! Several sidecars that share the work: by context; and subjects with more tokens than the type.

use std::path::Path;

use serde_json::{Value, json};

use super::bad_input::scrape::Series;
use super::process::{get, run_configured};
use super::state::sum;
use super::support::{Client, Nats, event, job_queued, metric_recorded, server_programs, wait_for};

const APPLIED: &str = "signalbox_events_applied_total";

/// What a sidecar shows now.
fn shown(port: u16) -> Series {
    Series::parse(&get(port, "/metrics").unwrap().body)
}

/// Waits until a metric's samples add up to this; the scrape that shows it.
fn wait_sum(port: u16, metric: &str, expected: f64) -> Series {
    wait_for(&format!("{metric} of {expected}"), || {
        let series = shown(port);
        (sum(&series, metric) == expected).then_some(series)
    })
}

/// What the consumers of a stream ask the server for.
fn filters(client: &mut Client, stream: &str) -> Vec<Vec<String>> {
    let names = client.api(&format!("CONSUMER.NAMES.{stream}"), "");
    let names = names["consumers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
    let filters = names.map(|name| {
        let info = client.api(&format!("CONSUMER.INFO.{stream}.{name}"), "");
        let several = info["config"]["filter_subjects"].as_array().cloned().unwrap_or_default();
        several.iter().map(|subject| subject.as_str().unwrap().to_owned()).collect()
    });
    filters.collect()
}

/// Whether a server knows several filters of one consumer.
fn filters_several(client: &mut Client) -> bool {
    let info: Value = serde_json::from_str(client.info().trim().strip_prefix("INFO ").unwrap()).unwrap();
    let version = info["version"].as_str().unwrap().to_owned();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(2), Some(10))
}

/// A sidecar with this configuration, in a folder of its own.
fn part(folder: &Path, nats: &Nats, config: &str) -> (super::process::Process, u16) {
    run_configured(folder, &nats.url(), config, &[])
}

#[test]
fn contexts_that_are_off_are_left_to_another_instance() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        for number in 0..200 {
            client.publish("events.queue.JobQueued", &job_queued(number));
            client.publish("events.database.IndexCreated", &event("IndexCreated", 1_000 + number, ""));
        }
        client.flush();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let others = "lanes: {processing: off, caching: off, monitoring: off, database: off}\n";
        let (_queue, queue) = part(folders[0].path(), &nats, others);
        let (_rest, rest) = part(folders[1].path(), &nats, "lanes: {queue: off}\n");
        for number in 0..100 {
            client.publish("events.queue.JobQueued", &job_queued(2_000 + number));
            client.publish("events.monitoring.MetricRecorded", &metric_recorded(3_000 + number));
            client.publish("events.database.IndexCreated", &event("IndexCreated", 4_000 + number, ""));
        }
        client.flush();
        let jobs = wait_sum(queue, APPLIED, 300.0);
        assert_eq!(sum(&jobs, "queue_depth"), 300.0);
        let all_else = wait_sum(rest, APPLIED, 400.0);
        assert_eq!(sum(&all_else, "db_indexes_created_total"), 300.0);
        assert_eq!(sum(&all_else, "clicks_total"), 100.0);
        for series in [&jobs, &all_else] {
            assert_eq!(sum(series, "signalbox_events_received_total"), sum(series, APPLIED));
        }
        // Zeros of what another instance reads would be a claim.
        assert_eq!(jobs.of("cache_entries").count() + jobs.of("clicks_total").count(), 0);
        assert_eq!(all_else.of("queue_depth").count() + all_else.of("queue_jobs_queued_total").count(), 0);
        let filters = filters(&mut client, "EVENTS");
        let is_queue =
            |filter: &Vec<String>| filter.iter().all(|subject| subject.starts_with("events.queue."));
        let own = filters.iter().filter(|filter| !filter.is_empty() && is_queue(filter)).count();
        assert_eq!(own, usize::from(filters_several(&mut client)), "{filters:?}");
        let page = get(rest, "/events").unwrap().text();
        assert!(page.contains("Off here (`lanes`), for other instances to read: queue."), "{page}");
    }
}

/// What a metric's samples whose labels contain `words` add up to.
fn labelled(series: &Series, metric: &str, words: &str) -> f64 {
    let found = series.of(metric).filter(|(labels, _)| labels.contains(words));
    found.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

#[test]
fn tokens_behind_the_type_are_read_and_become_labels_where_the_configuration_says_so() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        let folder = tempfile::tempdir().unwrap();
        let config = "subjects: {tokens: [{name: tenant, label: tenant}, {name: shard}]}\n";
        let (_sidecar, port) = part(folder.path(), &nats, config);
        let typeless = job_queued(100).replace(r#""event_type":"JobQueued","#, "");
        for (subject, payload) in [
            ("events.queue.JobQueued.t7", job_queued(1)),
            ("events.queue.JobQueued.t7.s1", job_queued(2)),
            ("events.queue.JobQueued", job_queued(3)),
            ("events.queue.JobQueued.t7.s1.more", job_queued(4)),
            ("events.queue.JobQueued.t8", typeless),
            ("events.monitoring.MetricRecorded.t8.s1", metric_recorded(5)),
            ("events.monitoring.MetricRecorded", metric_recorded(6)),
            ("events.monitoring.MetricRecorded.t8.s1.more", metric_recorded(7)),
        ] {
            client.publish(subject, &payload);
        }
        client.flush();
        let series = wait_sum(port, APPLIED, 6.0);
        let queued = |words: &str| labelled(&series, "queue_jobs_queued_total", words);
        assert_eq!(
            [queued(r#"tenant="t7""#), queued(r#"tenant="t8""#), queued(r#"tenant="unknown""#)],
            [2.0, 1.0, 1.0]
        );
        assert_eq!(
            (queued(""), labelled(&series, "queue_depth", "tenant"), sum(&series, "queue_depth")),
            (4.0, 0.0, 4.0)
        );
        assert_eq!(labelled(&series, "clicks_total", r#"tenant="t8""#), 1.0);
        assert_eq!(sum(&series, "clicks_total"), 2.0);
        assert_eq!(sum(&series, "signalbox_events_received_total"), 6.0);
        assert!(!get(port, "/metrics").unwrap().text().contains("s1"));
    }
}
