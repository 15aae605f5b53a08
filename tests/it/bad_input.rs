//! The classes of bad input of `tests/bad_input/*.yaml` against the real program and a real server, one after the
//! other in one process: after each case the process is up, counts exactly what the case says, shows every other
//! series as it was, and its scrape can be read by anyone.
//!
//! A case sends messages by one lane, or by each of them in turn where it names none, and lists what each received
//! event must count as: `<event type> applied`, `<event type> duplicate` or `<event type> <reason>`. Texts may hold
//! `${id}`, `${now}`, `${envelope}` (both as members), `${good}` (the members of a good event of the lane; in an
//! expectation, its type), each but `${now}` with a tag (`${id:other}`) for more than one, and `${n}` in a repetition.

mod case;
pub(crate) mod process;
pub(crate) mod scrape;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::support::{Client, Nats, server_programs};
use case::{Case, Cases, Expander, Lane};
use process::Process;
use scrape::{Series, matches_glob};

/// The configuration all cases share; the limits are small so that bombs need not be big.
const CONFIG: &str = "
instance: breaker
jetstream: {create_stream: false}
limits: {series_per_metric: 50}
stale_after: 1d
";

/// Series that move by themselves.
const MOVING: [&str; 3] = ["signalbox_*", "process_*", "*_age_seconds"];

struct Run {
    client: Client,
    process: Process,
    before: Series,
    number: u32,
}

#[test]
fn no_class_of_bad_input_does_more_than_count() {
    for program in server_programs() {
        let nats = Nats::start_with(&program, "max_payload: 8MB");
        let mut client = nats.client();
        client.create_stream(
            &serde_json::json!({"name": "EVENTS", "subjects": ["events.>"], "storage": "memory"}),
        );
        let process = Process::start(&nats.url(), CONFIG);
        process.wait_ready();
        let before = process.scrape();
        let mut run = Run { client, process, before, number: 0 };
        let mut failures = Vec::new();
        for path in case_files() {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let cases: Cases = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(cases.cases.len() >= 5, "{name} has fewer than five cases");
            for case in &cases.cases {
                for lane in case.lanes() {
                    failures.extend(
                        run.try_case(case, lane)
                            .iter()
                            .map(|it| format!("{name} / {} / {lane:?}: {it}", case.name)),
                    );
                    assert!(failures.len() < 200, "{}", failures.join("\n"));
                }
            }
        }
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
        run.process.terminate();
    }
}

fn case_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    assert!(files.len() >= 30, "classes are missing: {} files", files.len());
    // One class alone, for whoever works on it.
    if let Ok(only) = std::env::var("BAD_INPUT_ONLY") {
        files.retain(|path| path.to_string_lossy().contains(&only));
    }
    files
}

impl Run {
    /// What is wrong after this case; empty where all is well.
    fn try_case(&mut self, case: &Case, lane: Lane) -> Vec<String> {
        self.number += 1;
        let mut expander = Expander::new(self.number, lane);
        for message in &case.send {
            let payload = expander.bytes(&message.payload);
            let headers = message.headers.as_ref().map(|parts| expander.bytes(parts)).unwrap_or_default();
            let subject = message.subject.as_deref().unwrap_or(lane.subject());
            self.client.publish_bytes(&expander.text(subject), &headers, &payload);
        }
        let expected: Vec<String> = case.expect.iter().flat_map(|it| it.events(lane)).collect();
        // What follows a bad message must count as if that had never come.
        let (subject, sentinel) = expander.sentinel();
        self.client.publish_bytes(subject, b"", sentinel.as_bytes());
        self.client.flush();
        let mut counts = expected_counts(&expected, lane);
        count(&mut counts, &format!("{} applied", lane.sentinel_type()), lane);
        let wanted =
            self.before.total("signalbox_events_received_total", lane.word()) + expected.len() as f64 + 1.0;
        let after = match self.process.wait_received(lane.word(), wanted) {
            Ok(after) => after,
            Err(reason) => {
                self.before = self.process.scrape();
                return vec![reason];
            }
        };
        let mut failures: Vec<String> = after.faults.difference(&self.before.faults).cloned().collect();
        failures.extend(self.differences(case, lane, &after, &counts));
        self.before = after;
        failures
    }

    /// What is otherwise than the case says.
    fn differences(
        &self,
        case: &Case,
        lane: Lane,
        after: &Series,
        counts: &BTreeMap<String, f64>,
    ) -> Vec<String> {
        let mut failures = Vec::new();
        for name in ["received", "applied", "duplicate", "rejected"] {
            let family = format!("signalbox_events_{name}_total");
            let keys = self.before.of(&family).chain(after.of(&family)).map(|(key, _)| key.to_owned());
            let keys: std::collections::BTreeSet<String> =
                keys.chain(counts.keys().filter(|key| key.starts_with(&family)).cloned()).collect();
            for key in keys {
                let wanted =
                    self.before.value(&key).unwrap_or(0.0) + counts.get(&key).copied().unwrap_or(0.0);
                let shown = after.value(&key).unwrap_or(0.0);
                if shown != wanted {
                    failures.push(format!("{key} is {shown}, not {wanted}"));
                }
            }
        }
        for lane in ["core", "jetstream"] {
            let [received, applied, duplicate, rejected] = ["received", "applied", "duplicate", "rejected"]
                .map(|name| after.total(&format!("signalbox_events_{name}_total"), lane));
            if received != applied + duplicate + rejected {
                failures.push(format!("{lane}: {received} received, {applied} applied, {duplicate} duplicate, {rejected} rejected"));
            }
        }
        let samples: BTreeMap<String, &Option<case::Number>> =
            case.samples.iter().map(|(key, value)| (scrape::canonical(key), value)).collect();
        for (key, value) in &samples {
            let shown = after.text(key).map(str::to_owned);
            let fits = match (&shown, value) {
                (None, None) => true,
                (Some(shown), Some(value)) => value.is(shown),
                _ => false,
            };
            if !fits {
                failures.push(format!("{key} is {shown:?}, not {value:?}"));
            }
        }
        for (name, wanted) in &case.sums {
            let shown: f64 = after.of(name).filter_map(|(_, value)| value.parse::<f64>().ok()).sum();
            if shown != *wanted {
                failures.push(format!("the sum of {name} is {shown}, not {wanted}"));
            }
        }
        for (name, most) in &case.series_max {
            let shown = after.of(name).count();
            if shown > *most {
                failures.push(format!("{name} has {shown} series, more than {most}"));
            }
        }
        let may_move = |key: &str| {
            let name = key.split('{').next().unwrap_or(key);
            samples.contains_key(key)
                || lane.moving().contains(&key)
                || MOVING.iter().any(|glob| matches_glob(glob, name))
                || case.moves.iter().any(|glob| matches_glob(glob, name))
                || case.sums.keys().any(|sum| sum == name)
        };
        failures.extend(
            after
                .changes_since(&self.before)
                .filter(|key| !may_move(key))
                .map(|key| format!("{key} went from {:?} to {:?}", self.before.text(&key), after.text(&key))),
        );
        for words in &case.log {
            if !self.process.has_logged(words) {
                failures.push(format!("no log line holds all of {words:?}"));
            }
        }
        failures.extend(self.process.panic());
        failures
    }
}

/// What the accounting must grow by.
fn expected_counts(expected: &[String], lane: Lane) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for event in expected {
        count(&mut counts, event, lane);
    }
    counts
}

fn count(counts: &mut BTreeMap<String, f64>, event: &str, lane: Lane) {
    let (event_type, outcome) = event.split_once(' ').unwrap_or_else(|| panic!("no outcome in {event}"));
    let lane = lane.word();
    let by_type =
        |name: &str| format!("signalbox_events_{name}_total{{event_type=\"{event_type}\",lane=\"{lane}\"}}");
    let outcome = match outcome {
        "applied" | "duplicate" => by_type(outcome),
        reason => format!("signalbox_events_rejected_total{{lane=\"{lane}\",reason=\"{reason}\"}}"),
    };
    *counts.entry(by_type("received")).or_default() += 1.0;
    *counts.entry(outcome).or_default() += 1.0;
}
