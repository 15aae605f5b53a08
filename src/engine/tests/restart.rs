//! An engine that was saved and restored goes on as one that was not.

use proptest::prelude::*;

use super::super::checkpoint::SavedState;
use super::super::rules::Reach;
use super::*;
use crate::engine::rules::load::for_tests::rule_set;

const RULES: &str = "
groups:
  - name: arrival
    rules:
      - {alert: Backlog, expr: sum by (queue) (queue_depth), above: 2, clear_below: 1, for: 3s, keep_firing_for: 4s}
      - {alert: Burst, metric: queue_jobs_queued_total, stat: increase, window: 20s, by: [queue], above: 2}
      - {alert: Temperature, metric: temperature, above: 20, no_data: alert}
      - {record: 'queue:depth:sum', expr: sum by (queue) (queue_depth)}
      - {alert: Recorded, expr: 'queue:depth:sum > 1', annotations: {summary: '{{ $labels.queue }} {{ $value }}'}}
      - {alert: Highest, expr: 'max_over_time(temperature[15s])', above: 50}
  - name: interval
    evaluate: interval
    interval: 7s
    limit: 1
    rules:
      - alert: Levels
        metric: queue_depth
        severities: {warning: {above: 1, for: 5s}, critical: {above: 3}}
      - {alert: Slow, expr: 'rate(shop_orders_total[30s]) > 0.1'}
";

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happening {
    Event { kind: u8, id: u8, choice: u8, value: u16 },
    Passes { millis: u16 },
    Confirmed,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let event = (0..16_u8, 0..6_u8, 0..3_u8, 0..100_u16)
        .prop_map(|(kind, id, choice, value)| Happening::Event { kind, id, choice, value });
    let passes = (1..9_000_u16).prop_map(|millis| Happening::Passes { millis });
    proptest::collection::vec(prop_oneof![6 => event, 2 => passes, 1 => Just(Happening::Confirmed)], 0..60)
}

fn recorded(name: &str, metric_type: &str, choice: u8, value: u16) -> (&'static str, String) {
    let what = format!(r#""metric_name":"{name}","metric_type":"{metric_type}""#);
    ("MetricRecorded", format!(r#"{what},"metric_value":{value},"tags":{{"place":"p{choice}"}}"#))
}

fn body(kind: u8, id: u8, choice: u8, value: u16) -> (&'static str, String) {
    let queue = ["a", "b", ""][usize::from(choice)];
    match kind {
        0 | 1 => (
            "JobQueued",
            format!(
                r#""job_id":"j{id}","job_type":"t","priority":"p{choice}","queue_name":"{queue}","payload_size":{value},"submitter":"s""#
            ),
        ),
        2 => (
            "JobStarted",
            format!(r#""job_id":"j{id}","queue_name":"{queue}","worker_id":"w{choice}","worker_pid":1"#),
        ),
        3 => (
            "JobCompleted",
            format!(
                r#""job_id":"j{id}","worker_id":"w{choice}","duration_ms":{value},"retry_count":1,"result_size":2"#
            ),
        ),
        4 => (
            "JobProgressUpdated",
            format!(r#""job_id":"j{id}","progress":0.{value},"message":"m","current_step":"c""#),
        ),
        5 => (
            "WorkerStarted",
            format!(r#""worker_id":"w{id}","queues":["a","{queue}"],"concurrency":{value},"worker_pid":1"#),
        ),
        6 => ("WorkerStopped", format!(r#""worker_id":"w{id}","reason":"crash","jobs_running":{choice}"#)),
        7 => (
            "CacheEntryCreated",
            format!(
                r#""cache_level":"L{choice}","cache_key":"k{id}","entry_type":"e","entry_size_bytes":{value},"ttl_seconds":{choice},"source":"s""#
            ),
        ),
        8 => (
            "CacheEntryInvalidated",
            format!(r#""cache_level":"L{choice}","cache_key":"k{id}","reason":"r","entry_age_seconds":1"#),
        ),
        9 => (
            "ProgressUpdated",
            format!(
                r#""transcript_id":"f{id}","progress":0.{value},"current_chunk":1,"total_chunks":2,"status":"s{choice}""#
            ),
        ),
        10 => (
            "CacheWarmerStarted",
            format!(r#""warming_strategy":"s{choice}","target_entries":{value},"priority":"p""#),
        ),
        11 => (
            "QueryExecuted",
            format!(
                r#""query_hash":"h{id}","query_type":"SELECT","table_name":"t","duration_ms":1{value}00,"row_count":1,"used_index":"i""#
            ),
        ),
        12 => recorded("temperature", "gauge", choice, value),
        13 => recorded("shop.orders", "counter", choice, value),
        14 => recorded("took_seconds", "histogram", choice, value),
        _ => (
            "AlertTriggered",
            format!(
                r#""alert_rule_id":"r{id}","alert_name":"n","severity":"warning","metric_name":"m","current_value":1,"threshold":0,"message":"m","source":"other","fingerprint":"f{choice}""#
            ),
        ),
    }
}

/// A world with its time, in which things happen to an engine.
struct World {
    engine: Engine,
    now: Timestamp,
    events: u32,
}

impl World {
    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Event { kind, id, choice, value } => {
                self.events += 1;
                let (event_type, fields) = body(*kind, *id, *choice, *value);
                let event_id = if *value == 7 { 1 } else { self.events };
                let payload = format!(
                    r#"{{"event_id":"00000000-0000-0000-0000-{event_id:012x}","event_type":"{event_type}","timestamp":"{}",{fields}}}"#,
                    self.now
                );
                let core = ["MetricRecorded", "ProgressUpdated", "JobProgressUpdated"].contains(&event_type);
                let lane = if core { Lane::Core } else { Lane::JetStream };
                let message = Message { subject: "events.x", headers: &[], payload: payload.as_bytes() };
                let rejected = self.engine.apply(lane, &[message], self.now);
                assert_eq!(rejected, [], "{payload}");
            }
            Happening::Passes { millis } => {
                let until = self.now.after(Duration::from_millis(u64::from(*millis)));
                while self.engine.next_tick() <= until {
                    self.now = self.now.max(self.engine.next_tick());
                    self.engine.tick(self.now);
                }
                self.now = until;
            }
            Happening::Confirmed => {
                let first = self.engine.outbox().next().map(|event| event.id);
                if let Some(id) = first {
                    self.engine.confirm(id, self.now);
                }
            }
        }
    }

    fn restarted(mut self, config: &Config) -> Self {
        let saved = SavedState::read(&self.engine.save(self.now).to_bytes()).unwrap();
        let (engine, anew) = Engine::restore(config, rule_set(RULES), saved, RunEnding::Clean).unwrap();
        assert_eq!(anew, Vec::<String>::new());
        self.engine = engine;
        self.engine.go_on(self.now);
        self
    }

    /// What readers see: every sample but those of the sidecar's own that count since its start.
    fn shown(&mut self) -> Vec<String> {
        let scrape = Scrape { format: negotiate("application/openmetrics-text"), names: Vec::new() };
        let text = String::from_utf8(self.engine.freeze(self.now).to_bytes(scrape)).unwrap();
        let since_start = [
            "signalbox_event_lag",
            "signalbox_checkpoint",
            "signalbox_history_bytes",
            "signalbox_config_last_reload",
            "signalbox_series ",
        ];
        let shown = text.lines().filter(|line| !since_start.iter().any(|own| line.contains(own)));
        shown.map(str::to_owned).collect()
    }
}

fn lines(saved: &SavedState) -> Vec<String> {
    format!("{saved:#?}").lines().map(str::to_owned).collect()
}

/// The first place in which two texts differ.
fn difference(left: &[String], right: &[String]) -> Option<(String, String)> {
    let longest = left.len().max(right.len());
    let line = |text: &[String], at: usize| text.get(at).cloned().unwrap_or_default();
    (0..longest).map(|at| (line(left, at), line(right, at))).find(|(left, right)| left != right)
}

fn config() -> Config {
    let mut config = Config::with_defaults("test");
    config.limits.series_per_metric = 3;
    config.limits.tracker_entries = 5;
    config.dedupe.entries = 100;
    config.park_after = Some(Duration::from_secs(20));
    config
}

fn world(config: &Config) -> World {
    World { engine: Engine::new(config, rule_set(RULES), at(0)), now: at(0), events: 1 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_restart_at_any_point_changes_nothing(before in happenings(), after in happenings()) {
        let config = config();
        let (mut stayed, mut restarted) = (world(&config), world(&config));
        for happening in &before {
            stayed.happen(happening);
            restarted.happen(happening);
        }
        // To save is to look at what time moved, as a scrape does.
        stayed.engine.save(stayed.now);
        let mut restarted = restarted.restarted(&config);
        prop_assert_eq!(difference(&stayed.shown(), &restarted.shown()), None);
        for happening in &after {
            stayed.happen(happening);
            restarted.happen(happening);
            // How much was applied when an event was decided a state tells less exactly.
            let waiting = |world: &World| {
                let events = world.engine.outbox().cloned();
                events.map(|event| AlertEvent { reach: Reach::default(), ..event }).collect::<Vec<_>>()
            };
            let (left, right) = (waiting(&stayed), waiting(&restarted));
            prop_assert!(left == right, "{left:?}\n{right:?}");
        }
        prop_assert_eq!(difference(&stayed.shown(), &restarted.shown()), None);
    }

    #[test]
    fn what_was_restored_is_saved_as_it_was(before in happenings()) {
        let config = config();
        let mut world = world(&config);
        for happening in &before {
            world.happen(happening);
        }
        // The first restart begins to tell of checkpoints.
        let mut again = || {
            let bytes = world.engine.save(world.now).to_bytes();
            let saved = SavedState::read(&bytes).unwrap();
            world.engine = Engine::restore(&config, rule_set(RULES), saved, RunEnding::Clean).unwrap().0;
            world.engine.go_on(world.now);
            bytes
        };
        again();
        let (bytes, again) = (again(), again());
        let (first, second) = (SavedState::read(&bytes).unwrap(), SavedState::read(&again).unwrap());
        prop_assert_eq!(difference(&lines(&first), &lines(&second)), None);
    }
}

/// Saves in the midst of a pause, of which a rule then reads the highest value.
#[test]
fn a_value_that_waits_for_its_evaluation_when_the_state_is_saved_is_sampled_all_the_same() {
    let config = config();
    let temperature = |value| Happening::Event { kind: 12, id: 0, choice: 1, value };
    let mut world = world(&config);
    // The first arrival is answered at once, so that the second one waits.
    world.happen(&Happening::Event { kind: 0, id: 0, choice: 0, value: 0 });
    world.happen(&temperature(51));
    let mut world = world.restarted(&config);
    world.happen(&Happening::Passes { millis: 100 });
    world.happen(&temperature(5));
    let firing: Vec<String> = world.engine.outbox().map(|event| event.alert_name.to_string()).collect();
    assert!(firing.iter().any(|name| name == "Highest"), "{firing:?}");
}

/// A small state with something in each section.
fn small() -> Vec<u8> {
    let mut config = config();
    config.dedupe.entries = 10;
    let mut world = world(&config);
    for kind in 0..16 {
        world.happen(&Happening::Event { kind, id: kind % 3, choice: 1, value: 60 });
        world.happen(&Happening::Passes { millis: 2_500 });
    }
    world.engine.save(world.now).to_bytes()
}

#[test]
fn a_state_that_is_cut_anywhere_or_has_a_bit_flipped_is_refused() {
    let bytes = small();
    assert!(SavedState::read(&bytes).is_ok());
    for end in (0..bytes.len()).step_by(97).chain(bytes.len() - 40..bytes.len()) {
        assert!(SavedState::read(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(SavedState::read(&longer).is_err());
    let mut flipped = bytes.clone();
    for place in (0..bytes.len()).step_by(61).chain(0..64) {
        flipped[place] ^= 1 << (place % 8);
        assert!(SavedState::read(&flipped).is_err(), "flipped at {place}");
        flipped[place] = bytes[place];
    }
}

#[test]
fn a_newer_state_is_told_from_a_damaged_and_a_foreign_one() {
    let mut bytes = small();
    bytes[8] = 9;
    let told = |bytes: &[u8]| SavedState::read(bytes).unwrap_err().to_string();
    assert!(told(&bytes).starts_with("it is damaged"), "{}", told(&bytes));
    let checksum = crc32fast::hash(&bytes[..12]).to_le_bytes();
    bytes[12..16].copy_from_slice(&checksum);
    assert!(told(&bytes).starts_with("a newer signalbox wrote it"), "{}", told(&bytes));
    assert_eq!(told(b"something else"), "it is no state of signalbox");
}

/// Puts right checksums over whatever the sections hold.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut start = 16;
    while let Some(head) = bytes.get(start..start + 12) {
        let len = u64::from_le_bytes(head[4..].try_into().unwrap()) as usize;
        let end = start + 12 + len;
        let checksum = crc32fast::hash(&bytes[start..end]).to_le_bytes();
        bytes[end..end + 4].copy_from_slice(&checksum);
        start = end + 4;
    }
    bytes
}

#[test]
fn whatever_a_state_with_right_checksums_holds_it_is_refused_or_gone_on_from() {
    let (bytes, config) = (small(), config());
    let mut gone_on = 0;
    for round in 0..120_usize {
        let mut forged = bytes.clone();
        for flip in 0..=round % 3 {
            let place = (round * 7_919 + flip * 104_729) % bytes.len();
            // Lengths of sections stay, so that the checksums can be put right.
            let mut start = 16;
            while start + 12 <= bytes.len() {
                let len = u64::from_le_bytes(bytes[start + 4..start + 12].try_into().unwrap()) as usize;
                if (start + 12..start + 12 + len).contains(&place) {
                    forged[place] = forged[place].wrapping_add(1 + (round % 200) as u8);
                }
                start += 16 + len;
            }
        }
        let Ok(saved) = SavedState::read(&sealed(forged)) else { continue };
        let now = saved.saved_at();
        let Ok((engine, _)) = Engine::restore(&config, rule_set(RULES), saved, RunEnding::Crash) else {
            continue;
        };
        let mut world = World { engine, now, events: 900 };
        world.engine.go_on(now);
        world.happen(&Happening::Event { kind: 0, id: 0, choice: 0, value: 1 });
        world.happen(&Happening::Passes { millis: 6_000 });
        world.shown();
        gone_on += 1;
    }
    assert!(gone_on > 20, "{gone_on}");
}

#[test]
fn what_counts_since_the_start_is_born_at_each_start() {
    let config = Config::with_defaults("test");
    let mut engine = Engine::new(&config, RuleSet::default(), at(0));
    apply(&mut engine, &[job_queued(1)]);
    let saved = engine.save(at(2)).to_bytes();
    let mut created = |start| {
        let saved = SavedState::read(&saved).unwrap();
        let (mut engine, _) = Engine::restore(&config, RuleSet::default(), saved, RunEnding::Crash).unwrap();
        engine.go_on(at(start));
        let scrape = Scrape { format: negotiate("application/openmetrics-text"), names: Vec::new() };
        let text = String::from_utf8(engine.freeze(at(start)).to_bytes(scrape)).unwrap();
        let line = text.lines().find(|line| line.starts_with("signalbox_event_lag_seconds_created"));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    // Both from one checkpoint: who scrapes is to see that the second one counts anew.
    assert_eq!([10, 12].map(&mut created), ["1764000010", "1764000012"]);
}
