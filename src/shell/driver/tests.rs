//! The driver with a mailbox that is filled by hand.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::command::Dispatch;
use super::*;
use crate::engine::arrival::{Epoch, Order, Origin, Stored, StreamNews};
use crate::engine::config::Config;
use crate::engine::exposition::{Scrape, negotiate};
use crate::engine::fact::ReloadResult;
use crate::engine::rules::RuleSet;
use crate::engine::time::Timestamp;
use crate::shell::driver::batch::Batch;
use crate::shell::driver::mailbox::Slot;
use crate::shell::driver::rejections::{RejectedCopies, queue};
use crate::shell::in_force::ConfigInForce;
use crate::shell::settings::RejectedSettings;

/// A driver whose stream is awaited, and the ends of its queues.
struct Rig {
    driver: Driver,
    _alerts: UnboundedReceiver<Dispatch>,
    copies: RejectedCopies,
}

fn rig() -> Rig {
    let clock = Clock::start();
    let config = Config::with_defaults("test");
    let mut engine = Engine::new(&config, RuleSet::default(), clock.now().before(Duration::from_hours(1)));
    engine.await_stream("S", clock.now());
    let (alerts, events) = unbounded_channel();
    let (rejections, copies) =
        queue(&RejectedSettings::default(), Arc::new(ConfigInForce::new(config)), Arc::default());
    let status = Arc::new(Status::default());
    status.expect(&[Topic::CatchUp]);
    let driver = Driver {
        standing: engine.standing(),
        engine,
        mailbox: Arc::new(Mailbox::new(1 << 20)),
        status,
        clock,
        alerts,
        rejections,
        notifications: Arc::default(),
        in_flight: 0,
        shown: None,
        saves: Vec::new(),
        batch: 0,
    };
    Rig { driver, _alerts: events, copies }
}

impl Rig {
    /// Leaves an item, as `core PAYLOAD`, `stored SEQUENCE PAYLOAD`, `found LAST PENDING` and `drained` have it.
    fn leave(&self, text: &str) {
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        let epoch = Epoch::first("a");
        let (slot, item) = match words.as_slice() {
            ["core", payload] => (Slot::Core, Item::Core(batch(payload, None))),
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
                (Slot::Stream, Item::Stream(FromStream { origin, batch, receipt: None, number: 0 }))
            }
            ["found", last, pending] => {
                let (last_sequence, pending) = (last.parse().unwrap(), pending.parse().unwrap());
                let news = StreamNews::Found { stream: Arc::from("S"), epoch, last_sequence, pending };
                (Slot::Stream, Item::News(news))
            }
            _ => (Slot::Stream, Item::News(StreamNews::Drained)),
        };
        self.driver.mailbox.push(slot, item, Duration::ZERO).unwrap();
    }

    /// Leaves these items and takes as many turns.
    fn drive(&mut self, items: &[&str]) {
        for item in items {
            self.leave(item);
        }
        for _ in items {
            self.driver.turn(Stage::Running);
        }
    }

    /// The value of the sample that begins so; none where there is none.
    fn sample(&mut self, begin: &str) -> Option<f64> {
        let scrape = Scrape { format: negotiate(""), names: Vec::new() };
        let text = String::from_utf8(self.driver.engine.freeze(Timestamp::EPOCH).to_bytes(scrape)).unwrap();
        let line = text.lines().find(|line| line.starts_with(begin))?;
        line.rsplit(' ').next()?.parse().ok()
    }
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
const STREAM: &str = r#"signalbox_events_rejected_total{lane="jetstream",reason="malformed"}"#;

#[test]
fn what_core_nats_brings_waits_until_the_past_is_read() {
    let mut rig = rig();
    rig.drive(&["core bad", "found 1 2"]);
    assert_eq!(rig.sample(CORE), Some(0.0));
    assert!(rig.driver.status.reasons()[0].contains("reading 2 messages"));
    rig.drive(&["stored 1 bad"]);
    assert_eq!((rig.sample(STREAM), rig.driver.engine.standing()), (Some(1.0), Standing::Present));
    assert!(rig.driver.status.reasons().is_empty());
    rig.driver.turn(Stage::Running);
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
    let mut stage = Stage::Running;
    let mut turns = 0;
    while stage != Stage::Finished {
        stage = rig.driver.turn(stage);
        turns += 1;
    }
    assert!(turns > 1);
    assert_eq!(rig.sample(CORE), Some(1.0));
}
