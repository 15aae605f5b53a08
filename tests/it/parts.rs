//! Several sidecars that share the work, by context and by key; and subjects with more tokens than the type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::bad_input::process::Process as Running;
use super::bad_input::scrape::Series;
use super::process::{Process, get, run_configured, signalbox};
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
        (series.sum(metric) == expected).then_some(series)
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
fn part(folder: &Path, nats: &Nats, config: &str) -> (Process, u16) {
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
        assert_eq!(jobs.sum("queue_depth"), 300.0);
        let all_else = wait_sum(rest, APPLIED, 400.0);
        assert_eq!(all_else.sum("db_indexes_created_total"), 300.0);
        assert_eq!(all_else.sum("clicks_total"), 100.0);
        for series in [&jobs, &all_else] {
            assert_eq!(series.sum("signalbox_events_received_total"), series.sum(APPLIED));
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
            (queued(""), labelled(&series, "queue_depth", "tenant"), series.sum("queue_depth")),
            (4.0, 0.0, 4.0)
        );
        assert_eq!(labelled(&series, "clicks_total", r#"tenant="t8""#), 1.0);
        assert_eq!(series.sum("clicks_total"), 2.0);
        assert_eq!(series.sum("signalbox_events_received_total"), 6.0);
        assert!(!get(port, "/metrics").unwrap().text().contains("s1"));
    }
}

/// What `signalbox partition-config` prints of one kind.
fn partition_config(count: usize, print: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = signalbox();
    command.args(["partition-config", "--count", &count.to_string(), "--print", print]);
    let output = command.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The demo's story, as subjects with a key and payloads; dashboards have none.
fn story() -> Vec<(String, String)> {
    let keys = [
        ("Job", "job_id"),
        ("Worker", "worker_id"),
        ("CacheWarmer", "warming_strategy"),
        ("Cache", "cache_key"),
        ("Connection", "pool_id"),
        ("Query", "query_hash"),
        ("Index", "table_name"),
        ("Metric", "metric_name"),
        ("Alert", "alert_rule_id"),
        ("Dashboard", ""),
        ("", "transcript_id"),
    ];
    let mut command = signalbox();
    command.args(["demo", "--print", "--duration", "2m", "--seed", "7", "--rate", "80"]);
    let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
    // Progress comes by core NATS: whether before or after the job's other events, nobody promises.
    let lines = printed.lines().filter(|line| !line.contains("ProgressUpdated"));
    let messages = lines.map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        let event_type = event["event_type"].as_str().unwrap();
        let (_, field) = keys.iter().find(|(start, _)| event_type.starts_with(start)).unwrap();
        let context = super::dashboards::context(event_type);
        let key = event[*field].as_str().map(|key| format!(".{}", key.replace(['.', ' ', '*', '>'], "_")));
        (format!("events.{context}.{event_type}{}", key.unwrap_or_default()), line.to_owned())
    });
    messages.collect()
}

/// Every series of the catalogue with its value.
fn catalogue(series: &Series) -> BTreeMap<String, f64> {
    let own = |name: &str| name.starts_with("signalbox_") || name.starts_with("process_");
    let values = series.all().filter(|(key, _)| !own(key));
    values.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect()
}

#[test]
fn the_parts_of_the_keys_add_up_to_the_whole() {
    const PARTS: usize = 4;
    let story = story();
    for program in server_programs() {
        let user = |part| format!("{{user: part{part}, password: word, permissions: $SIGNALBOX_{part}}}\n");
        let users = (0..PARTS).map(user).collect::<Vec<String>>().concat();
        let server = format!(
            "{}{}authorization: {{users: [{{user: all, password: word}}\n{users}]}}\nno_auth_user: all\n",
            partition_config(PARTS, "mappings"),
            partition_config(PARTS, "permissions"),
        );
        let (parted, plain) = (Nats::start_with(&program, &server), Nats::start(&program));
        for line in partition_config(PARTS, "streams").lines() {
            parted.client().create_stream(&serde_json::from_str(line).unwrap());
        }
        let contexts = ["processing", "caching", "queue", "monitoring", "database"];
        let subjects = contexts.map(|context| format!("events.{context}.>"));
        plain.client().create_stream(&json!({"name": "EVENTS", "subjects": subjects, "storage": "file"}));
        let mut sidecars = Vec::new();
        for (index, config) in partition_config(PARTS, "instances").split("---\n").enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("nats://part{index}:word@127.0.0.1:{}", parted.port);
            let (process, port) = run_configured(folder.path(), &url, config, &[]);
            sidecars.push((folder, process, port));
        }
        let folder = tempfile::tempdir().unwrap();
        let (_whole, whole) = part(folder.path(), &plain, "subjects: {tokens: [{name: key}]}\n");
        for nats in [&parted, &plain] {
            let mut client = nats.client();
            for (subject, payload) in &story {
                client.publish(subject, payload);
            }
            client.flush();
        }
        let whole = wait_sum(whole, APPLIED, story.len() as f64);
        let parts: Vec<Series> = wait_for("all parts", || {
            let parts: Vec<Series> = sidecars.iter().map(|(_, _, port)| shown(*port)).collect();
            let applied: f64 = parts.iter().map(|series| series.sum(APPLIED)).sum();
            (applied == story.len() as f64).then_some(parts)
        });
        assert!(parts.iter().all(|series| series.sum(APPLIED) > story.len() as f64 / 20.0));
        let (whole, parts) = (catalogue(&whole), parts.iter().map(catalogue).collect::<Vec<_>>());
        let keys: BTreeSet<&String> = whole.keys().chain(parts.iter().flat_map(BTreeMap::keys)).collect();
        let mut wrong = Vec::new();
        for key in keys {
            // What `check` says is no sum: ages, ratios, worst values, and running jobs once a worker is lost.
            let others = ["_oldest_", "_progress_ratio", "db_slow_query_seconds", "queue_jobs_running"];
            if others.iter().any(|name| key.contains(name)) {
                continue;
            }
            let sum: f64 = parts.iter().filter_map(|part| part.get(key)).sum();
            let expected = whole.get(key).copied().unwrap_or(0.0);
            if (sum - expected).abs() > 1e-9 * expected.abs().max(1.0) {
                wrong.push(format!("{key}: {sum} in parts, {expected} in one"));
            }
        }
        assert!(wrong.is_empty() && whole.len() > 500, "{} series: {wrong:#?}", whole.len());
    }
}

#[test]
fn another_number_of_parts_has_trackers_begin_anew_and_keeps_counters() {
    for program in server_programs() {
        let nats = Nats::start(&program);
        let mut client = nats.client();
        client.create_stream(&json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "file"}));
        let folder = tempfile::tempdir().unwrap();
        let run = |config: &str| super::state::start(&nats, folder.path(), config);
        let wait = |process: &Running, metric: &str, expected: f64| {
            wait_for(metric, || super::state::shown(process).filter(|series| series.sum(metric) == expected))
        };
        let process = run("partition: {count: 2, index: 1}\n");
        for number in 0..30 {
            client.publish(&format!("events.1.queue.JobQueued.job-{number}"), &job_queued(number));
            client.publish(&format!("events.0.queue.JobQueued.job-{number}"), &job_queued(100 + number));
            client.publish("events.queue.JobQueued", &job_queued(200 + number));
        }
        client.flush();
        let series = wait(&process, APPLIED, 30.0);
        assert_eq!(series.sum("queue_depth"), 30.0);
        process.terminate();
        let process = run("partition: {count: 2, index: 1}\n");
        let series = wait(&process, "queue_depth", 30.0);
        assert_eq!(series.sum("queue_jobs_queued_total"), 30.0);
        process.terminate();
        let process = run("partition: {count: 3, index: 1}\n");
        let series = wait(&process, "queue_depth", 0.0);
        assert_eq!(series.sum("queue_jobs_queued_total"), 30.0);
        let reassigned = r#"signalbox_tracker_evictions_total{reason="reassigned",tracker="jobs"}"#;
        assert_eq!(series.text(&super::bad_input::scrape::canonical(reassigned)), Some("30"));
        client.publish("events.1.queue.JobQueued.job-500", &job_queued(500));
        client.flush();
        let series = wait(&process, "queue_depth", 1.0);
        assert_eq!(series.sum("queue_jobs_queued_total"), 31.0);
    }
}
