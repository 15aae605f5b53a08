//! A producer: one job from the queue to its end, and a metric of its own.
//!
//! ```sh
//! cargo run --example producer -- nats://127.0.0.1:4222
//! cargo run --example producer -- --print | signalbox validate -
//! ```

#![expect(clippy::disallowed_methods, reason = "a producer has a clock")]

use std::error::Error;
use std::io::Write as _;

use async_nats::HeaderMap;
use async_nats::jetstream;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct JobQueued {
    job_id: &'static str,
    job_type: &'static str,
    priority: &'static str,
    queue_name: &'static str,
    payload_size: u64,
    submitter: &'static str,
}

#[derive(Serialize)]
struct JobStarted {
    job_id: &'static str,
    worker_id: &'static str,
    worker_pid: u32,
    queue_name: &'static str,
}

#[derive(Serialize)]
struct JobCompleted {
    job_id: &'static str,
    worker_id: &'static str,
    duration_ms: u64,
    result_size: u64,
    retry_count: u64,
}

#[derive(Serialize)]
struct MetricRecorded {
    metric_name: &'static str,
    metric_value: f64,
    metric_type: &'static str,
    tags: Value,
}

/// The id, the subject and the body of an event.
fn message(context: &str, name: &str, fields: &impl Serialize) -> (String, String, Value) {
    let now: DateTime<Utc> = std::time::SystemTime::now().into();
    // Any UUID serves; one made of what it names is the same when the program tries again.
    let seed = format!("{name} {now}");
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, seed.as_bytes()).to_string();
    let mut body = json!({ "event_id": id, "timestamp": now.to_rfc3339(), "event_type": name });
    if let (Value::Object(body), Ok(Value::Object(fields))) = (&mut body, serde_json::to_value(fields)) {
        body.extend(fields);
    }
    (id, format!("events.{context}.{name}"), body)
}

fn messages() -> [(String, String, Value); 4] {
    let (job_id, worker_id, queue_name) = ("7d444840-9dc0-11d1-b245-5ffdce74fad2", "worker-1", "default");
    let queued = JobQueued {
        job_id,
        job_type: "transcription",
        priority: "high",
        queue_name,
        payload_size: 2048,
        submitter: "api",
    };
    let started = JobStarted { job_id, worker_id, worker_pid: std::process::id(), queue_name };
    let completed = JobCompleted { job_id, worker_id, duration_ms: 1500, result_size: 900, retry_count: 0 };
    let metric = MetricRecorded {
        metric_name: "models_loaded",
        metric_value: 3.0,
        metric_type: "gauge",
        tags: json!({ "host": "example" }),
    };
    [
        message("queue", "JobQueued", &queued),
        message("queue", "JobStarted", &started),
        message("queue", "JobCompleted", &completed),
        message("monitoring", "MetricRecorded", &metric),
    ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("--print") {
        for (_, subject, payload) in messages() {
            writeln!(std::io::stdout(), "{}", json!({ "subject": subject, "payload": payload }))?;
        }
        return Ok(());
    }
    let client = async_nats::connect(argument.as_deref().unwrap_or("nats://127.0.0.1:4222")).await?;
    let stream = jetstream::new(client.clone());
    for (id, subject, payload) in messages() {
        let body = payload.to_string();
        if subject.ends_with("MetricRecorded") {
            // The core lane: may be lost.
            client.publish(subject, body.into()).await?;
        } else {
            // Kept until it is read.
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", id.as_str());
            stream.publish_with_headers(subject, headers, body.into()).await?.await?;
        }
    }
    client.flush().await?;
    Ok(())
}
