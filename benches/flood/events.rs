//! The events of the flood.

use std::fmt::Write as _;

/// One event of about 275 bytes; every id is another.
pub(crate) fn event(number: u64, out: &mut String) -> &'static str {
    let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let (minute, second, micros) = (number / 60 % 60, number % 60, number % 1_000_000);
    let _ = write!(
        out,
        r#"{{"event_id":"{id:08x}-0000-4000-8000-{number:012x}","timestamp":"2026-11-24T10:{minute:02}:{second:02}.{micros:06}Z","event_version":"1.0","#,
    );
    let (value, job) = (number % 100, number / 3 % 2_000);
    match number % 3 {
        0 => {
            let (name, route) = (number % 10, number % 50);
            let _ = write!(
                out,
                r#""event_type":"MetricRecorded","metric_name":"http_requests_{name}","metric_value":{value},"metric_type":"counter","tags":{{"method":"GET","route":"/transcripts/{route}","status":"200"}}}}"#,
            );
            "events.monitoring.MetricRecorded"
        }
        1 => {
            let _ = write!(
                out,
                r#""event_type":"ProgressUpdated","transcript_id":"7d9f0c5e-0000-4000-8000-{job:012x}","progress":0.{value:02},"current_chunk":{value},"total_chunks":100,"status":"processing"}}"#,
            );
            "events.processing.ProgressUpdated"
        }
        _ => {
            let _ = write!(
                out,
                r#""event_type":"JobProgressUpdated","job_id":"1b4e28ba-0000-4000-8000-{job:012x}","progress":0.{value:02},"message":null,"current_step":"chunk {value} of 100"}}"#,
            );
            "events.queue.JobProgressUpdated"
        }
    }
}
