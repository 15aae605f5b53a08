//! What signalbox is measured beside: processes that read the same events with the usual libraries.
//!
//! Each says `ready` once it is subscribed, and the count once it has them all.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::StreamExt;
use prometheus::{CounterVec, HistogramOpts, HistogramVec, IntCounterVec, Opts};
use serde::Deserialize;

/// Which of them this process is.
pub(crate) fn run(name: &str, url: &str, events: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client =
            async_nats::ConnectOptions::new().subscription_capacity(1 << 20).connect(url).await.unwrap();
        let received = match name {
            "bare" => subscribe(client, events, |_| {}).await,
            "usual" => {
                let mut metrics = Metrics::new();
                subscribe(client, events, |payload| metrics.take(payload)).await
            }
            "bare pull" => pull(client, events).await,
            other => panic!("no stand-in is called {other}"),
        };
        println!("{received}");
        std::future::pending::<()>().await;
    });
}

async fn subscribe(client: async_nats::Client, events: u64, mut take: impl FnMut(&[u8])) -> u64 {
    let mut messages = client.subscribe("events.>").await.unwrap();
    client.flush().await.unwrap();
    println!("ready");
    let mut received = 0;
    while received < events {
        let next = tokio::time::timeout(Duration::from_secs(10), messages.next());
        let Ok(Some(message)) = next.await else { break };
        take(&message.payload);
        received += 1;
    }
    received
}

/// A pull consumer without acknowledgements that only counts.
async fn pull(client: async_nats::Client, events: u64) -> u64 {
    println!("ready");
    let stream = async_nats::jetstream::new(client).get_stream("EVENTS").await.unwrap();
    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.stream().max_messages_per_batch(16_384).messages().await.unwrap();
    let mut received = 0;
    while received < events {
        let next = tokio::time::timeout(Duration::from_secs(10), messages.next());
        let Ok(Some(Ok(_))) = next.await else { break };
        received += 1;
    }
    received
}

/// An event as most would read it.
#[derive(Deserialize)]
#[serde(tag = "event_type")]
enum Event {
    MetricRecorded { metric_name: String, metric_value: f64, tags: HashMap<String, String> },
    ProgressUpdated { progress: f64, status: String },
    JobProgressUpdated { progress: f64 },
}

/// The vectors that most would keep.
struct Metrics {
    events: IntCounterVec,
    progress: HistogramVec,
    recorded: HashMap<String, (Vec<String>, CounterVec)>,
}

impl Metrics {
    fn new() -> Self {
        let events = IntCounterVec::new(Opts::new("events_total", "Events."), &["type"]).unwrap();
        let progress = HistogramVec::new(HistogramOpts::new("progress", "Progress."), &["of"]).unwrap();
        Self { events, progress, recorded: HashMap::new() }
    }

    fn take(&mut self, payload: &[u8]) {
        match serde_json::from_slice(payload).unwrap() {
            Event::MetricRecorded { metric_name, metric_value, tags } => {
                self.events.with_label_values(&["MetricRecorded"]).inc();
                let (names, counter) = self.recorded.entry(metric_name).or_insert_with_key(|name| {
                    let mut names: Vec<String> = tags.keys().cloned().collect();
                    names.sort();
                    let labels: Vec<&str> = names.iter().map(String::as_str).collect();
                    let counter = CounterVec::new(Opts::new(name, "Recorded."), &labels).unwrap();
                    (names, counter)
                });
                let values: Vec<&str> = names.iter().map(|name| tags[name].as_str()).collect();
                counter.with_label_values(&values).inc_by(metric_value);
            }
            Event::ProgressUpdated { progress, status } => {
                self.events.with_label_values(&["ProgressUpdated"]).inc();
                self.progress.with_label_values(&[&status]).observe(progress);
            }
            Event::JobProgressUpdated { progress } => {
                self.events.with_label_values(&["JobProgressUpdated"]).inc();
                self.progress.with_label_values(&["job"]).observe(progress);
            }
        }
    }
}
