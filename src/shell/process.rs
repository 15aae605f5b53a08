//! The process's own metrics, as the `prometheus` crate collects them, on their way to the engine.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

use crate::engine::fact::{Fact, ProcessReading};

use super::context::ShellContext;

/// The time between two readings, so that rules see about what a scrape would.
const EVERY: Duration = Duration::from_secs(1);

/// Tells the engine of the process again and again.
pub(crate) async fn watch(context: ShellContext) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        context.fact(Fact::Process(read()));
    }
}

/// What the operating system says now.
pub(crate) fn read() -> ProcessReading {
    let mut reading = ProcessReading::default();
    for family in ProcessCollector::for_self().collect() {
        let place = match family.name() {
            "process_cpu_seconds_total" => &mut reading.cpu_seconds,
            "process_open_fds" => &mut reading.open_fds,
            "process_max_fds" => &mut reading.max_fds,
            "process_virtual_memory_bytes" => &mut reading.virtual_memory_bytes,
            "process_resident_memory_bytes" => &mut reading.resident_memory_bytes,
            "process_start_time_seconds" => &mut reading.start_time_seconds,
            "process_threads" => &mut reading.threads,
            _ => continue,
        };
        *place = value(&family);
    }
    reading
}

/// The one value of a counter or gauge.
fn value(family: &MetricFamily) -> f64 {
    let of = |metric: &prometheus::proto::Metric| {
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    };
    family.get_metric().iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_its_memory_its_start_and_its_files() {
        let reading = read();
        assert!(reading.resident_memory_bytes > 1e6 && reading.virtual_memory_bytes > 1e6, "{reading:?}");
        assert!(reading.start_time_seconds > 1.7e9, "{reading:?}");
        assert!(reading.open_fds >= 1.0 && reading.max_fds >= reading.open_fds, "{reading:?}");
        assert!(reading.threads >= 1.0, "{reading:?}");
    }
}
