//! What the shell's tests have in common: rules, events, and the parts that everything else hangs on.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::engine::exposition::{Scrape, negotiate};
use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message};

use super::driver::command::Command;
use super::driver::mailbox::{LaneGate, Mailbox};

/// The subject of [`gauge`] and [`counter`].
pub(crate) const METRIC_SUBJECT: &str = "events.monitoring.MetricRecorded";

/// A `MetricRecorded` event that sets a gauge; the number makes its id.
pub(crate) fn gauge(number: u64, (name, value): (&str, f64), tags: &Value) -> String {
    metric(number, "gauge", (name, value), tags)
}

/// A `MetricRecorded` event that adds to a counter.
pub(crate) fn counter(number: u64, (name, value): (&str, f64), tags: &Value) -> String {
    metric(number, "counter", (name, value), tags)
}

fn metric(number: u64, kind: &str, (name, value): (&str, f64), tags: &Value) -> String {
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    json!({"event_id": id, "timestamp": "2026-11-28T00:00:00Z", "metric_name": name, "metric_type": kind,
        "metric_value": value, "tags": tags})
    .to_string()
}

/// Applies events of core NATS.
pub(crate) fn apply(engine: &mut Engine, payloads: &[String], now: Timestamp) {
    let messages: Vec<Message<'_>> = payloads
        .iter()
        .map(|payload| Message { subject: METRIC_SUBJECT, headers: &[], payload: payload.as_bytes() })
        .collect();
    let rejected = engine.apply(Lane::Core, &messages, now);
    assert!(rejected.is_empty(), "{rejected:?}");
}

/// What a scrape shows now.
pub(crate) fn scraped(engine: &mut Engine, now: Timestamp) -> String {
    let scrape = Scrape { format: negotiate(""), names: Vec::new() };
    String::from_utf8(engine.freeze(now).to_bytes(scrape)).unwrap()
}

/// The facts that wait to be counted, each as it is written; other commands are not among them.
pub(crate) fn facts(mailbox: &Mailbox) -> Vec<String> {
    let taken = mailbox.take(LaneGate::CoreShut);
    let fact = |command| if let Command::Fact(fact) = command { Some(format!("{fact:?}")) } else { None };
    taken.commands.into_iter().filter_map(fact).collect()
}

/// A driver without lanes: a thread that freezes, reloads and counts on an engine, until the mailbox is closed.
pub(crate) fn drive(mut engine: Engine, mailbox: &Arc<Mailbox>, now: Timestamp) {
    let mailbox = Arc::downgrade(mailbox);
    std::thread::spawn(move || {
        while let Some(mailbox) = mailbox.upgrade() {
            mailbox.wait(std::time::Duration::from_millis(20), LaneGate::Open);
            for command in mailbox.take(LaneGate::Open).commands {
                match command {
                    Command::Freeze(reader) => drop(reader.send(engine.freeze(now))),
                    Command::Reload(order) => {
                        let kept = order.config.map(|config| engine.reconfigure(&config, now));
                        engine.replace_rules(order.rules, now);
                        drop(order.done.send(kept.unwrap_or_default()));
                    }
                    Command::Fact(fact) => engine.observe(fact, now),
                    Command::Confirmed(_)
                    | Command::Saved
                    | Command::Adopt(_)
                    | Command::NothingToAdopt
                    | Command::LetGo { .. }
                    | Command::Pair(_)
                    | Command::Save(_)
                    | Command::Finish(_) => {}
                }
            }
        }
    });
}
