//! The process's own metrics, as the `prometheus` crate collects them.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricType as CollectedType;

use crate::engine::exposition::{ExtraFamily, ExtraSample};
use crate::engine::metric::MetricType;
use crate::engine::time::Timestamp;

/// The `process_*` families as they are now; `started` is since when their counters count.
pub(crate) fn families(started: Timestamp) -> Vec<ExtraFamily> {
    ProcessCollector::for_self()
        .collect()
        .iter()
        .filter_map(|family| {
            let metric_type = match family.get_field_type() {
                CollectedType::COUNTER => MetricType::Counter,
                CollectedType::GAUGE => MetricType::Gauge,
                _ => return None,
            };
            let name = metric_type.family_name(family.name());
            let samples = family.get_metric().iter().map(|metric| ExtraSample {
                labels: Vec::new(),
                value: match metric_type {
                    MetricType::Counter => metric.get_counter().get_value(),
                    MetricType::Gauge | MetricType::Histogram => metric.get_gauge().get_value(),
                },
            });
            Some(ExtraFamily {
                name: name.to_owned(),
                metric_type,
                help: family.help().to_owned(),
                unit: ["seconds", "bytes"]
                    .iter()
                    .find(|unit| name.ends_with(*unit))
                    .map(|unit| (*unit).to_owned()),
                created: started,
                samples: samples.collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_its_memory_and_its_time() {
        let names: Vec<String> = families(Timestamp::EPOCH).into_iter().map(|family| family.name).collect();
        for name in ["process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
    }
}
