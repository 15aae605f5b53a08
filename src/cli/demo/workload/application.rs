//! What the application does beside its jobs: it records metrics of itself, warms its cache, keeps house.

use super::{Action, Workload};
use crate::engine::metric::MetricType;
use crate::engine::wire::Tags;
use crate::engine::wire::payload::{
    CacheWarmerCompleted, CacheWarmerStarted, DashboardGenerated, IndexCreated, MetricRecorded, Payload,
    Quantity,
};

impl Workload {
    /// What the application records of itself, once a second.
    pub(super) fn record(&mut self) {
        let requests = self.random.whole(5, 40) as f64;
        let memory = 4e8 + 5e7 * f64::sin(self.now / 30.0);
        let latency = self.random.between(0.004, 0.2);
        let metrics = [
            (
                "http_requests_total",
                requests,
                MetricType::Counter,
                &[("method", "GET"), ("status", "200")][..],
            ),
            (
                "http_requests_total",
                (requests / 20.0).floor(),
                MetricType::Counter,
                &[("method", "POST"), ("status", "500")][..],
            ),
            ("app_memory_bytes", memory.round(), MetricType::Gauge, &[("service", "api")][..]),
            ("api_latency_seconds", latency, MetricType::Histogram, &[("route", "/transcripts")][..]),
        ];
        for (name, value, metric_type, tags) in metrics {
            let payload = Payload::MetricRecorded(MetricRecorded {
                metric_name: name.into(),
                metric_value: value,
                metric_type,
                tags: Tags::render(tags.iter().copied()),
            });
            self.emit(payload);
        }
        self.plan(1.0, Action::Record);
    }

    pub(super) fn warm(&mut self) {
        let target = self.random.whole(50, 200);
        let payload = Payload::CacheWarmerStarted(CacheWarmerStarted {
            warming_strategy: "frequent_access".into(),
            target_entries: Quantity::Whole(target),
        });
        self.emit(payload);
        self.plan(4.0, Action::WarmDone { target });
        self.plan(60.0, Action::Warm);
    }

    pub(super) fn warmed(&mut self, target: u64) {
        let payload = Payload::CacheWarmerCompleted(CacheWarmerCompleted {
            warming_strategy: "frequent_access".into(),
            entries_loaded: Quantity::Whole(target - target / 50),
            entries_failed: Quantity::Whole(target / 50),
            duration_ms: Quantity::Whole(4_000),
        });
        self.emit(payload);
        self.warmth = (self.warmth + 0.1).min(0.85);
    }

    /// Now and then an index is built and a dashboard drawn.
    pub(super) fn index(&mut self) {
        let payload = Payload::IndexCreated(IndexCreated {
            index_name: Some("idx_chunks_transcript".into()),
            table_name: Some("chunks".into()),
            duration_ms: Some(Quantity::Whole(self.random.whole(200, 4_000))),
        });
        self.emit(payload);
        let payload = Payload::DashboardGenerated(DashboardGenerated {
            dashboard_id: Some("overview".into()),
            dashboard_name: Some("Overview".into()),
            panel_count: Some(Quantity::Whole(12)),
        });
        self.emit(payload);
        self.plan(120.0, Action::Index);
    }
}
