//! The end of a world: everything is mended, and what was promised must have come true.

use std::collections::BTreeSet;

use super::time::{MILLI, SECOND};
use super::workload::{RECORDED, Says};
use super::world::World;

/// How long the world may take to come to rest.
const REST_ROUNDS: usize = 240;

impl World<'_> {
    /// Mends everything and looks that nothing is lost, nothing double and no alert left open.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.heal();
        self.rest()?;
        self.reload(0);
        for (tank, value) in [(0, 12), (1, 25), (2, 5)] {
            self.publish(Says::Level { tank, value });
        }
        self.run_until(self.now + 8 * SECOND)?;
        self.rest()?;
        self.expect_open(&["high 0", "high 1", "held 1", "sum"])?;
        for tank in 0..3 {
            self.publish(Says::Level { tank, value: 0 });
        }
        self.run_until(self.now + 30 * SECOND)?;
        self.rest()?;
        self.expect_open(&[])?;
        self.look_for_missing()
    }

    /// Waits until the process is up, has read the stream and published what it decided.
    fn rest(&mut self) -> Result<(), String> {
        let mut reason = String::new();
        for _ in 0..REST_ROUNDS {
            self.run_until(self.now + 500 * MILLI)?;
            match self.unrest() {
                None => return Ok(()),
                Some(why) => reason = why,
            }
        }
        Err(format!("it does not come to rest: {reason}"))
    }

    /// What is still to be done.
    fn unrest(&mut self) -> Option<String> {
        let missing = self.missing().len();
        let Some(process) = &mut self.process else { return Some("the process is away".to_owned()) };
        let driver = process.driver();
        let reasons = driver.status.reasons();
        let pending = driver.engine.outbox().count();
        if !process.is_present() {
            Some(format!("it lives in the past: {reasons:?}"))
        } else if !reasons.is_empty() {
            Some(format!("not ready: {reasons:?}"))
        } else if pending > 0 {
            Some(format!("{pending} alert events wait"))
        } else if missing > 0 {
            Some(format!("{missing} events of the stream were not read"))
        } else {
            None
        }
    }

    /// Events that the stream holds and that were never given to the engine.
    fn missing(&self) -> Vec<u64> {
        let Some(stream) = self.broker.streams.get("EVENTS") else { return Vec::new() };
        let of_lane = stream.messages.iter().filter(|(_, message)| *message.subject == *RECORDED);
        let life = self.model.place.as_ref().map(|(life, _)| life.clone());
        of_lane
            .map(|(sequence, _)| *sequence)
            .filter(|sequence| life.clone().is_none_or(|life| !self.model.given.contains(&(life, *sequence))))
            .collect()
    }

    fn look_for_missing(&self) -> Result<(), String> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(format!("never read: {missing:?}"));
        }
        Ok(())
    }

    fn expect_open(&mut self, names: &[&str]) -> Result<(), String> {
        let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let open: BTreeSet<String> = self.walk.open().into_iter().filter(|name| name != "burst").collect();
        let open = if expected.is_empty() { self.walk.open() } else { open };
        if open != expected {
            let known = self.process.as_mut().map(|process| {
                let engine = &process.driver().engine;
                let alerts = engine.alerts();
                let alerts = alerts
                    .iter()
                    .map(|alert| format!("{} {} {:?}", alert.rule_id, alert.labels, alert.state));
                (alerts.collect::<Vec<_>>(), engine.next_tick())
            });
            return Err(format!("open are {open:?}, and should be {expected:?}; known are {known:?}"));
        }
        Ok(())
    }
}
