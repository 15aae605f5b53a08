//! The driver with a mailbox that is filled by hand.

use std::sync::mpsc::sync_channel;

use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::command::{Dispatch, Logged};
use super::*;
use crate::engine::arrival::{Epoch, Order, Origin, Stored, StreamNews};
use crate::engine::config::{Config, HttpUrl};
use crate::engine::diagnostic::Source;
use crate::engine::fact::ReloadResult;
use crate::engine::rules::RuleSet;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::time::Timestamp;
use crate::engine::wire::EventId;
use crate::shell::driver::batch::Batch;
use crate::shell::driver::mailbox::Slot;
use crate::shell::driver::rejections::{RejectedCopies, queue};
use crate::shell::for_tests;
use crate::shell::in_force::ConfigInForce;
use crate::shell::settings::RejectedSettings;

/// A driver whose stream is awaited, and the ends of its queues.
pub(super) struct Rig {
    pub(super) driver: Driver,
    alerts: UnboundedReceiver<Dispatch>,
    copies: RejectedCopies,
}

pub(super) fn rig() -> Rig {
    let clock = Clock::start();
    let config = Config::with_defaults("test");
    let mut engine = Engine::new(&config, RuleSet::default(), clock.now().before(Duration::from_hours(1)));
    engine.await_stream("S", clock.now());
    rig_of(engine, config, clock)
}

/// A driver in the present, under a rule that fires for every label set of `load`.
pub(super) fn firing_rig() -> Rig {
    let clock = Clock::start();
    let config = Config::with_defaults("test");
    let rules = rule_set("groups: [{name: g, rules: [{alert: High, expr: load, above: 0}]}]");
    let engine = Engine::new(&config, rules, clock.now());
    rig_of(engine, config, clock)
}

/// The same with an Alertmanager that is told by who writes the log.
fn logging_rig() -> Rig {
    let clock = Clock::start();
    let mut config = Config::with_defaults("test");
    config.alertmanager.urls.push(HttpUrl::parse("http://127.0.0.1:9093").unwrap());
    let rules = rule_set("groups: [{name: g, rules: [{alert: High, expr: load, above: 0}]}]");
    let engine = Engine::new(&config, rules, clock.now());
    let mut rig = rig_of(engine, config, clock);
    rig.driver.outputs.notifications = None;
    rig
}

pub(super) fn rig_of(engine: Engine, config: Config, clock: Clock) -> Rig {
    let (alerts, events) = unbounded_channel();
    let (rejections, copies) =
        queue(&RejectedSettings::default(), Arc::new(ConfigInForce::new(config)), Arc::default());
    let status = Arc::new(Status::default());
    status.expect(&[Topic::CatchUp]);
    let driver = Driver::new(
        (engine, clock),
        (Arc::new(Mailbox::new(1 << 20)), status),
        Outputs { alerts, rejections, notifications: Some(Arc::default()), in_flight_max: IN_FLIGHT_MAX },
    );
    Rig { driver, alerts: events, copies }
}

impl Rig {
    /// Leaves an item, as `core PAYLOAD`, `stored SEQUENCE PAYLOAD`, `missing`, `found LAST PENDING` and `drained` have it.
    fn leave(&self, text: &str) {
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        let epoch = Epoch::first("a");
        let (slot, item) = match words.as_slice() {
            ["core", payload] => (Slot::Core, LaneItem::Core(batch(payload, None))),
            ["stored", sequence, payload] => {
                let sequence = sequence.parse().unwrap();
                let at = self.driver.clock.now().before(Duration::from_mins(1));
                let origin = Origin {
                    stream: Arc::from("S"),
                    epoch,
                    order: Order::Stream,
                    first_sequence: sequence,
                    last_sequence: sequence,
                    pending: 1,
                };
                let batch = batch(payload, Some(Stored { sequence, at }));
                (Slot::Stream, LaneItem::Stream(FromStream { origin, batch, receipt: None, number: 0 }))
            }
            ["found", last, pending] => {
                let (last_sequence, pending) = (last.parse().unwrap(), pending.parse().unwrap());
                let news = StreamNews::Found { stream: Arc::from("S"), epoch, last_sequence, pending };
                (Slot::Stream, LaneItem::News(news))
            }
            ["missing"] => (Slot::Stream, LaneItem::News(StreamNews::Missing)),
            _ => (Slot::Stream, LaneItem::News(StreamNews::Drained)),
        };
        self.driver.mailbox.push(slot, item, Duration::ZERO).unwrap();
    }

    /// Leaves these items and takes as many turns.
    pub(super) fn drive(&mut self, items: &[&str]) {
        for item in items {
            self.leave(item);
        }
        for _ in items {
            self.driver.turn(DriverStage::Running);
        }
    }

    /// Leaves a batch in which these label sets of `load` cross their threshold, and lets the driver go on until all of
    /// them fire: after an evaluation the rest of a batch waits for a while.
    fn fire(&mut self, hosts: std::ops::Range<u64>) {
        let mut batch = Batch::default();
        for host in hosts {
            let event = for_tests::gauge(host + 1, ("load", 1.0), &json!({ "host": host.to_string() }));
            batch.push(for_tests::METRIC_SUBJECT.as_bytes(), b"", event.as_bytes());
        }
        let firing = self.driver.engine.alerts().len() + batch.len();
        self.driver.mailbox.push(Slot::Core, LaneItem::Core(batch), Duration::ZERO).unwrap();
        while self.driver.engine.alerts().len() < firing {
            self.driver.turn(DriverStage::Running);
        }
    }

    /// Leaves a command and lets the driver take a turn.
    pub(super) fn order(&mut self, command: Command) -> DriverStage {
        self.driver.mailbox.command(command);
        self.driver.turn(DriverStage::Running)
    }

    /// What the publisher was asked since the last call: `publish HOST`, `mark` and the like.
    fn dispatched(&mut self) -> Vec<String> {
        let shown = |dispatch: Dispatch| match dispatch {
            Dispatch::Publish { event, logged: Logged::Now, .. } => format!("publish {}", host_of(&event)),
            Dispatch::Publish { event, logged: Logged::Before, .. } => {
                format!("publish, logged before, {}", host_of(&event))
            }
            Dispatch::Decided { event, .. } => format!("decided {}", host_of(&event)),
            Dispatch::Acknowledged(_) => "acknowledged".to_owned(),
            Dispatch::Copied { sequences, .. } => format!("copied {sequences:?}"),
            Dispatch::Mark { .. } => "mark".to_owned(),
            Dispatch::Saved => "saved".to_owned(),
            Dispatch::Withdrawn(_) => "withdrawn".to_owned(),
            Dispatch::BeginAnew => "begin anew".to_owned(),
            Dispatch::Renew => "renew".to_owned(),
            Dispatch::StreamKnown => "stream known".to_owned(),
            Dispatch::StreamFound => "stream found".to_owned(),
            Dispatch::Tell(notifications) => format!("tell {}", notifications.len()),
        };
        std::iter::from_fn(|| self.alerts.try_recv().ok()).map(shown).collect()
    }

    /// The id of the first event that waits to be acknowledged.
    fn first_id(&self) -> EventId {
        self.driver.engine.outbox().next().unwrap().id
    }

    /// The value of the sample that begins so; none where there is none.
    pub(super) fn sample(&mut self, begin: &str) -> Option<f64> {
        let text = for_tests::scraped(&mut self.driver.engine, Timestamp::EPOCH);
        let line = text.lines().find(|line| line.starts_with(begin))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

fn host_of(event: &AlertEvent) -> &str {
    event.labels.get("host").unwrap_or_default()
}

fn batch(payload: &str, stored: Option<Stored>) -> Batch {
    let mut batch = Batch::default();
    let subject = b"events.monitoring.MetricRecorded";
    batch.push(subject, b"", payload.as_bytes());
    if let Some(stored) = stored {
        batch.note_stored(stored);
    }
    batch
}

const CORE: &str = r#"signalbox_events_rejected_total{lane="core",reason="malformed"}"#;
pub(super) const STREAM: &str = r#"signalbox_events_rejected_total{lane="jetstream",reason="malformed"}"#;

#[test]
fn what_core_nats_brings_waits_until_the_past_is_read() {
    let mut rig = rig();
    rig.drive(&["core bad", "found 1 2"]);
    assert_eq!(rig.sample(CORE), Some(0.0));
    assert!(rig.driver.status.reasons()[0].contains("reading 2 messages"));
    rig.drive(&["stored 1 bad"]);
    assert_eq!((rig.sample(STREAM), rig.driver.engine.standing()), (Some(1.0), Standing::Present));
    assert!(rig.driver.status.reasons().is_empty());
    rig.driver.turn(DriverStage::Running);
    assert_eq!(rig.sample(CORE), Some(1.0));
}

#[test]
fn copies_are_published_of_what_is_rejected_after_the_start_alone() {
    let mut rig = rig();
    rig.drive(&["found 1 2", "stored 1 old", "stored 2 new"]);
    assert_eq!(rig.sample(STREAM), Some(2.0));
    assert_eq!(rig.copies.waiting_payloads(), ["new"]);
}

#[test]
fn a_reload_counts_when_the_present_begins() {
    let mut rig = rig();
    let reloads = r#"signalbox_config_reloads_total{result="success"}"#;
    rig.driver.mailbox.command(Command::Fact(Fact::Reloaded(ReloadResult::Success)));
    rig.drive(&["found 1 1"]);
    assert_eq!(rig.sample(reloads), Some(0.0));
    rig.drive(&["drained"]);
    assert_eq!(rig.sample(reloads), Some(1.0));
}

#[test]
fn it_finishes_once_everything_that_waited_is_applied() {
    let mut rig = rig();
    rig.leave("core bad");
    rig.driver.mailbox.close();
    rig.driver.mailbox.command(Command::Finish(None));
    let mut stage = DriverStage::Running;
    let mut turns = 0;
    while stage != DriverStage::Finished {
        stage = rig.driver.turn(stage);
        turns += 1;
    }
    assert!(turns > 1);
    assert_eq!(rig.sample(CORE), Some(1.0));
}

#[test]
fn a_stream_is_found_when_it_is_there_and_not_when_it_is_missed() {
    let mut rig = rig();
    rig.drive(&["missing"]);
    assert_eq!(rig.dispatched(), [""; 0]);
    // It was made meanwhile.
    rig.drive(&["found 0 0"]);
    assert_eq!(rig.dispatched(), ["stream found"]);
}

#[test]
fn what_the_stream_shows_waits_until_the_past_is_read() {
    let mut rig = rig();
    rig.order(Command::Adopt(Box::default()));
    rig.drive(&["found 1 2"]);
    assert_eq!(rig.dispatched(), ["stream found"]);
    rig.drive(&["drained"]);
    assert_eq!(rig.dispatched(), ["begin anew"]);
    // A process that ends does not wait for the past.
    let mut rig = self::rig();
    rig.driver.mailbox.command(Command::Adopt(Box::default()));
    rig.driver.turn(DriverStage::Finishing);
    assert_eq!(rig.dispatched(), ["begin anew"]);
}

#[test]
fn a_checkpoint_is_marked_in_the_log_before_it_is_handed_out() {
    let mut rig = firing_rig();
    rig.fire(1..2);
    let (keeper, checkpoints) = sync_channel(1);
    rig.order(Command::Save(keeper));
    assert!(checkpoints.try_recv().is_ok());
    assert_eq!(rig.dispatched(), ["publish 1", "mark"]);
    rig.order(Command::Saved);
    assert_eq!(rig.dispatched(), ["saved"]);
    assert!(rig.driver.saves.is_empty());
}

#[test]
fn before_the_stream_was_seen_who_asks_for_a_checkpoint_gets_none() {
    let mut rig = rig();
    let (keeper, checkpoints) = sync_channel(1);
    rig.order(Command::Save(keeper));
    assert!(checkpoints.recv().is_err(), "the sender is dropped, so that nobody waits");
    assert_eq!(rig.dispatched(), Vec::<String>::new());
    let (keeper, checkpoints) = sync_channel(1);
    rig.drive(&["found 1 2"]);
    rig.order(Command::Save(keeper));
    assert!(checkpoints.recv().is_ok(), "a past that is half read is gone on from");
}

#[test]
fn a_keeper_that_left_keeps_nobody_waiting() {
    let mut rig = firing_rig();
    let (keeper, checkpoints) = sync_channel(0);
    drop(checkpoints);
    rig.order(Command::Save(keeper));
    let (reader, instant) = oneshot::channel();
    drop(instant);
    assert_eq!(rig.order(Command::Freeze(reader)), DriverStage::Running);
}

#[test]
fn the_checkpoint_of_a_stop_holds_everything_that_was_queued() {
    let mut rig = firing_rig();
    let (keeper, checkpoints) = sync_channel(1);
    for _ in 0..3 {
        rig.leave("core bad");
    }
    rig.driver.mailbox.close();
    rig.driver.mailbox.command(Command::Finish(Some(keeper)));
    let mut stage = DriverStage::Running;
    let mut early = 0;
    while stage != DriverStage::Finished {
        stage = rig.driver.turn(stage);
        let applied = rig.sample(CORE).unwrap_or_default();
        early += usize::from(applied < 3.0 && checkpoints.try_recv().is_ok());
    }
    assert_eq!((early, rig.sample(CORE)), (0, Some(3.0)));
    assert!(checkpoints.try_recv().is_ok());
}

#[test]
fn it_does_not_end_before_what_is_on_its_way_is_acknowledged() {
    let mut rig = firing_rig();
    rig.fire(1..3);
    rig.driver.mailbox.close();
    rig.driver.mailbox.command(Command::Finish(None));
    let mut stage = DriverStage::Running;
    for _ in 0..3 {
        stage = rig.driver.turn(stage);
        assert_eq!(stage, DriverStage::Finishing);
    }
    for _ in 0..2 {
        let id = rig.first_id();
        rig.driver.mailbox.command(Command::Confirmed(id));
        stage = rig.driver.turn(stage);
    }
    assert_eq!(stage, DriverStage::Finished);
    assert_eq!(rig.driver.engine.outbox().count(), 0);
}

#[test]
fn without_a_publisher_nothing_is_taken_for_sent() {
    let mut rig = firing_rig();
    rig.alerts.close();
    rig.fire(1..3);
    assert_eq!(rig.driver.in_flight, 0);
    assert_eq!(rig.driver.engine.outbox().count(), 2);
}

#[test]
fn what_is_read_holds_everything_that_was_applied_before_it_was_asked_for() {
    let mut rig = firing_rig();
    rig.fire(1..3);
    let (reader, mut instant) = oneshot::channel();
    rig.order(Command::Freeze(reader));
    let instant = instant.try_recv().unwrap();
    assert_eq!(instant.alerts().len(), 2);
    rig.fire(3..5);
    assert_eq!(instant.alerts().len(), 2, "what comes later is not in it");
}

#[test]
fn a_reload_puts_rules_and_configuration_in_force_in_one_turn_and_says_what_is_kept() {
    let mut rig = firing_rig();
    rig.fire(1..3);
    let (done, mut kept) = oneshot::channel();
    let mut config = Config::with_defaults("test");
    config.limits.series_per_metric = 2;
    let reload = Reload { config: Some(Arc::new(config)), rules: RuleSet::default(), done };
    rig.order(Command::Reload(Box::new(reload)));
    assert!(kept.try_recv().is_ok_and(|anew| anew.is_empty()));
    assert_eq!(rig.driver.engine.groups().len(), 0);
    for host in 3..6 {
        let event = for_tests::gauge(host + 1, ("load", 1.0), &json!({ "host": host.to_string() }));
        rig.drive(&[&format!("core {event}")]);
    }
    let overflow = r#"signalbox_series_overflow_total{metric="load"}"#;
    assert!(rig.sample(overflow).is_some_and(|count| count > 0.0), "the new limit counts");
}

#[test]
fn who_waits_for_a_batch_to_be_applied_is_told() {
    let mut rig = rig();
    let (receipt, told) = sync_channel(1);
    let epoch = Epoch::first("a");
    rig.drive(&["found 1 1"]);
    let (stream, order) = (Arc::from("S"), Order::Consumer);
    let origin = Origin { stream, epoch, order, first_sequence: 1, last_sequence: 1, pending: 0 };
    let at = rig.driver.clock.now();
    let batch = batch("bad", Some(Stored { sequence: 1, at }));
    let item = LaneItem::Stream(FromStream { origin, batch, receipt: Some(receipt), number: 0 });
    rig.driver.mailbox.push(Slot::Stream, item, Duration::ZERO).unwrap();
    assert!(told.try_recv().is_err());
    rig.driver.turn(DriverStage::Running);
    assert!(told.try_recv().is_ok());
    assert_eq!(rig.sample(STREAM), Some(1.0));
}

#[test]
fn it_sleeps_until_something_is_due_and_not_at_all_where_a_checkpoint_is_owed() {
    let mut rig = firing_rig();
    assert!(rig.driver.patience() <= SLEEP_MAX);
    let (keeper, _checkpoints) = sync_channel(1);
    rig.driver.saves.push(keeper);
    assert_eq!(rig.driver.patience(), Duration::ZERO);
    let rig = self::rig();
    assert_eq!(rig.driver.patience(), SLEEP_MAX, "in the past only the stream moves it");
}

#[test]
fn core_nats_waits_only_while_the_past_is_read_and_the_process_goes_on() {
    let (mut past, present) = (rig(), firing_rig());
    let stages = [DriverStage::Running, DriverStage::Finishing, DriverStage::Finished];
    assert_eq!(stages.map(|stage| present.driver.gate(stage)), [LaneGate::Open; 3]);
    let expected = [LaneGate::CoreShut, LaneGate::Open, LaneGate::Open];
    assert_eq!(stages.map(|stage| past.driver.gate(stage)), expected);
    past.drive(&["found 0 0"]);
    assert_eq!(past.driver.gate(DriverStage::Running), LaneGate::Open);
}

#[test]
fn facts_of_the_lanes_are_counted_at_their_place_in_the_order() {
    let mut rig = firing_rig();
    let lost = |count| LaneItem::Fact(Fact::StreamLost { stream: Arc::from("S"), count });
    for count in [2, 3] {
        rig.driver.mailbox.push(Slot::Stream, lost(count), Duration::ZERO).unwrap();
    }
    let name = r#"signalbox_stream_lost_total{stream="S"}"#;
    rig.driver.turn(DriverStage::Running);
    assert_eq!(rig.sample(name), Some(2.0));
    rig.driver.turn(DriverStage::Running);
    assert_eq!(rig.sample(name), Some(5.0));
}

#[test]
fn who_publishes_is_told_of_a_stream_that_an_earlier_run_read() {
    let (clock, config) = (Clock::start(), Config::with_defaults("test"));
    let mut engine = Engine::new(&config, RuleSet::default(), clock.now());
    let (stream, epoch) = (Arc::from("S"), Epoch::first("a"));
    engine.hear(&StreamNews::Found { stream, epoch, last_sequence: 0, pending: 0 }, clock.now());
    let mut rig = rig_of(engine, config, clock);
    assert_eq!(rig.dispatched(), ["stream known"]);
    assert_eq!(self::rig().dispatched(), [""; 0]);
}

#[test]
fn alertmanagers_are_told_behind_the_log_where_there_is_one() {
    let source = Source { name: "c".into(), text: "alertmanager: {urls: 'http://a'}".into() };
    let config = Config::parse(&source).0.unwrap().named("test");
    let rules = rule_set("groups: [{name: g, rules: [{alert: High, expr: load, above: 0}]}]");
    let clock = Clock::start();
    let engine = Engine::new(&config, rules, clock.now());
    let mut rig = rig_of(engine, config, clock);
    rig.driver.outputs.notifications = None;
    rig.fire(0..1);
    assert_eq!(rig.dispatched(), ["publish 0", "tell 1"]);
}

mod leaving;
