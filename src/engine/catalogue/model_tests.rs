//! Trackers against plain models: whatever events come in whatever order, after each one the gauges are what a reader
//! of the rules in `METRICS.md` would find by going through all that came so far.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{instant, samples};
use super::{Catalogue, Registered};
use crate::engine::config::Config;
use crate::engine::series::{Cause, Store};
use crate::engine::wire::payload::{
    FileProcessingCompleted, FileUploadStarted, JobCompleted, JobFailed, JobProgressUpdated, JobQueued,
    JobRetryScheduled, JobStarted, Payload, ProgressUpdated, Quantity, WorkerStopped,
};
use crate::engine::wire::{Event, EventId, Version};

const NOW_SECONDS: u32 = 100;

/// What a case is made of: which kind of event, of which subject, with which labels, at which second.
type Draw = (u8, usize, usize, usize, u32);

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let draw = (0_u8..8, 0_usize..4, 0_usize..3, 0_usize..3, 0_u32..20);
    // Repetitions of what came before, and a shuffle, as two lanes and resends make them.
    prop::collection::vec(draw, 1..40)
        .prop_flat_map(|draws| {
            let repeats = prop::collection::vec(0..draws.len(), 0..8);
            (Just(draws), repeats)
        })
        .prop_map(|(draws, repeats)| {
            let repeated: Vec<Draw> = repeats.iter().map(|place| draws[*place]).collect();
            draws.into_iter().chain(repeated).collect::<Vec<Draw>>()
        })
        .prop_shuffle()
}

const JOBS: [&str; 4] =
    ["a", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "c", "a-very-long-id-of-a-job-number-4"];
const QUEUES: [&str; 3] = ["mail", "", "bulk"];
const TYPES: [&str; 3] = ["transcription", "summary", ""];
const WORKERS: [&str; 3] = ["w1", "w2", "w3"];
const FILES: [&str; 4] = ["f", "g", "h", "i"];
const STATUSES: [&str; 3] = ["processing", "merging", "completed"];

fn known(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn job_event((kind, job, queue, other, _): Draw) -> Payload<'static> {
    let whole = Quantity::Whole(1);
    let (job_id, queue_name, worker_id) = (JOBS[job].into(), QUEUES[queue].into(), WORKERS[other].into());
    match kind {
        0 | 1 => Payload::JobQueued(JobQueued {
            job_id,
            job_type: TYPES[other].into(),
            priority: "high".into(),
            queue_name,
            payload_size: whole,
            submitter: "api".into(),
        }),
        2 | 3 => Payload::JobStarted(JobStarted { job_id, worker_id, worker_pid: whole, queue_name }),
        4 => Payload::JobCompleted(JobCompleted {
            job_id,
            worker_id,
            duration_ms: whole,
            result_size: whole,
            retry_count: whole,
        }),
        5 => Payload::JobRetryScheduled(JobRetryScheduled {
            job_id,
            retry_attempt: whole,
            max_retries: whole,
            backoff_seconds: whole,
            reason: "x".into(),
        }),
        6 => Payload::JobProgressUpdated(JobProgressUpdated {
            job_id,
            progress: (queue + other) as f64 / 8.0,
            message: None,
            current_step: "x".into(),
        }),
        _ if queue == 0 => Payload::WorkerStopped(WorkerStopped {
            worker_id,
            reason: if job == 0 { "shutdown".into() } else { "crash".into() },
            jobs_running: whole,
        }),
        _ => Payload::JobFailed(JobFailed {
            job_id,
            worker_id,
            error_type: "x".into(),
            error_message: "x".into(),
            retry_count: whole,
            sent_to_dlq: false,
        }),
    }
}

/// Gauge samples of the job tracker, found by going through every event for every job.
#[expect(clippy::wildcard_enum_match_arm, reason = "few types tell of jobs")]
fn job_model(draws: &[Draw]) -> BTreeMap<String, f64> {
    let mut expected = BTreeMap::new();
    let mut ratios: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut oldest: BTreeMap<String, f64> = BTreeMap::new();
    for job in 0..JOBS.len() {
        let (mut queue, mut job_type, mut worker) = ("unknown", "unknown", "");
        let (mut state, mut moved, mut started, mut ended) = ("apart", 0, None, None);
        let (mut seen, mut reported) = (false, None);
        for draw in draws {
            let at = draw.4;
            match job_event(*draw) {
                Payload::WorkerStopped(stop)
                    if stop.reason == "crash" && state == "running" && stop.worker_id == worker =>
                {
                    state = "apart";
                }
                _ if draw.1 != job => {}
                Payload::JobProgressUpdated(update) if seen => {
                    if Some(at) >= started {
                        reported = Some((update.progress, at));
                    }
                    if state == "running" {
                        moved = at;
                    }
                }
                Payload::JobQueued(_) => {
                    (queue, job_type) = (known(QUEUES[draw.2]), known(TYPES[draw.3]));
                    if Some(at) >= ended && Some(at) >= started {
                        (state, moved) = ("waiting", at);
                    }
                }
                Payload::JobStarted(_) => {
                    queue = known(QUEUES[draw.2]);
                    if Some(at) >= ended {
                        (state, moved, started, worker) = ("running", at, Some(at), WORKERS[draw.3]);
                    }
                }
                Payload::JobRetryScheduled(_) if state != "done" => state = "apart",
                Payload::JobCompleted(_) | Payload::JobFailed(_) => {
                    (state, ended) = ("done", ended.max(Some(at)));
                }
                _ => {}
            }
            // A retry or a report tells nothing of a job of which nothing else was seen.
            seen |= draw.1 == job && !matches!(draw.0, 5 | 6) && !(draw.0 == 7 && draw.2 == 0);
        }
        if state == "running"
            && let Some((ratio, at)) = reported
            && Some(at) >= started
        {
            ratios.entry(queue).or_default().push(ratio);
        }
        let age = f64::from(NOW_SECONDS - moved);
        let (count, gauge) = match state {
            "waiting" => (format!(r#"queue_depth{{priority="high", queue="{queue}"}}"#), "job"),
            "running" => {
                (format!(r#"queue_jobs_running{{job_type="{job_type}", queue="{queue}"}}"#), "progress")
            }
            _ => continue,
        };
        *expected.entry(count).or_insert(0.0) += 1.0;
        let age_of_queue =
            oldest.entry(format!(r#"queue_oldest_{gauge}_age_seconds{{queue="{queue}"}}"#)).or_insert(age);
        *age_of_queue = age_of_queue.max(age);
    }
    expected.extend(oldest);
    for (queue, ratios) in ratios {
        let ratio = |stat: &str| format!(r#"queue_job_progress_ratio{{queue="{queue}", stat="{stat}"}}"#);
        expected.insert(ratio("min"), ratios.iter().copied().fold(1.0, f64::min));
        expected.insert(ratio("avg"), ratios.iter().sum::<f64>() / ratios.len() as f64);
    }
    expected
}

fn file_event((kind, file, status, third, _): Draw) -> Payload<'static> {
    let whole = Quantity::Whole(1);
    let transcript_id = FILES[file].into();
    match kind {
        0 | 1 => Payload::FileUploadStarted(FileUploadStarted {
            transcript_id,
            file_name: "x".into(),
            file_size: whole,
            file_hash: "x".into(),
            language: None,
            upload_ip: "x".into(),
        }),
        2 => Payload::FileProcessingCompleted(FileProcessingCompleted {
            transcript_id,
            total_duration_ms: whole,
            total_chunks: whole,
            successful_chunks: whole,
            failed_chunks: whole,
            cache_hits: whole,
            final_text_length: whole,
            detected_language: "x".into(),
        }),
        _ => Payload::ProgressUpdated(ProgressUpdated {
            transcript_id,
            progress: f64::from(kind + third as u8) / 10.0,
            current_chunk: whole,
            total_chunks: whole,
            status: STATUSES[status].into(),
        }),
    }
}

/// Gauge samples of the file tracker, found by going through every event for every file.
#[expect(clippy::wildcard_enum_match_arm, reason = "few types tell of files")]
fn file_model(draws: &[Draw]) -> BTreeMap<String, f64> {
    let mut expected = BTreeMap::from([("processing_files_active".to_owned(), 0.0)]);
    let mut ratios: Vec<f64> = Vec::new();
    let mut oldest: Option<f64> = None;
    for file in 0..FILES.len() {
        let (mut active, mut progress, mut ended) = (false, None, None);
        for draw in draws.iter().filter(|draw| draw.1 == file) {
            let at = draw.4;
            match file_event(*draw) {
                Payload::FileUploadStarted(_) => active |= Some(at) >= ended,
                Payload::FileProcessingCompleted(_) => {
                    (active, progress, ended) = (false, None, ended.max(Some(at)));
                }
                Payload::ProgressUpdated(update) if Some(at) >= ended => {
                    let going_on = update.status != "completed";
                    progress = going_on.then_some((STATUSES[draw.2], update.progress, at));
                }
                _ => {}
            }
        }
        *expected.get_mut("processing_files_active").unwrap() += f64::from(u8::from(active));
        if let Some((status, ratio, moved)) = progress {
            *expected
                .entry(format!(r#"processing_files_in_progress{{status="{status}"}}"#))
                .or_insert(0.0) += 1.0;
            ratios.push(ratio);
            let age = f64::from(NOW_SECONDS - moved);
            oldest = Some(oldest.map_or(age, |oldest| oldest.max(age)));
        }
    }
    if let Some(oldest) = oldest {
        expected.insert("processing_oldest_progress_age_seconds".to_owned(), oldest);
        let ratio = |stat: &str| format!(r#"processing_file_progress_ratio{{stat="{stat}"}}"#);
        expected.insert(ratio("min"), ratios.iter().copied().fold(1.0, f64::min));
        expected.insert(ratio("avg"), ratios.iter().sum::<f64>() / ratios.len() as f64);
    }
    expected
}

/// Applies the events one by one and compares the gauges whose names begin with `prefixes` after each.
fn compare(
    draws: &[Draw],
    event: fn(Draw) -> Payload<'static>,
    model: fn(&[Draw]) -> BTreeMap<String, f64>,
    prefixes: &[&str],
) -> Result<(), TestCaseError> {
    let config = Config::with_defaults("signalbox");
    let mut store = Store::new((&config.limits).into());
    let registered = Registered::new(&mut store, &config, instant(0.0));
    let mut catalogue = Catalogue::new(registered, &config);
    let cause = Cause { now: instant(f64::from(NOW_SECONDS)), event: None };
    for (place, draw) in draws.iter().enumerate() {
        let event = Event {
            id: EventId(place as u128),
            timestamp: instant(f64::from(draw.4)),
            version: Version { major: 1, minor: 0, patch: 0 },
            trace: None,
            payload: event(*draw),
        };
        catalogue.apply(&mut store, &event, cause).unwrap();
        catalogue.refresh(&mut store, cause.now);
        let expected = model(&draws[..=place]);
        let found = samples(&store);
        let gauges = found.iter().filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        for (name, value) in gauges {
            let absent_or_zero = if name.contains("ratio") { f64::NAN } else { 0.0 };
            let wanted = expected.get(name).copied().unwrap_or(absent_or_zero);
            prop_assert!((value - wanted).abs() < 1e-9, "{name} is {value}, not {wanted}");
        }
        for name in expected.keys() {
            prop_assert!(found.contains_key(name), "{name} is not there");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn jobs_are_where_a_reader_of_all_events_would_find_them(draws in draws()) {
        compare(&draws, job_event, job_model, &["queue_depth", "queue_jobs_running", "queue_oldest", "queue_job_progress_ratio"])?;
    }

    #[test]
    fn files_are_where_a_reader_of_all_events_would_find_them(draws in draws()) {
        let prefixes = ["processing_files_active", "processing_files_in", "processing_file_progress",
            "processing_oldest"];
        compare(&draws, file_event, file_model, &prefixes)?;
    }
}
