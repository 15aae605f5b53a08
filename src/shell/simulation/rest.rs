//! The end of a world: everything is mended, and what was promised must have come true.

use std::collections::BTreeSet;

use super::broker::{Message, Stream};
use super::time::{Micros, SECOND};
use super::turning::Turning;
use super::workload::{RECORDED, Says};
use super::world::{Memory, World};

impl World<'_> {
    /// Mends everything and looks that nothing is lost, nothing double and no alert left open.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.heal();
        self.rest()?;
        self.reload(0);
        for (tank, value) in [(0, 12), (1, 25), (2, 5)] {
            self.publish(Says::Level { tank, value });
        }
        self.come_to_rest(8 * SECOND)?;
        let names = ["high 0", "high 1", "held 1", "sum"];
        self.expect_open(&names)?;
        self.expect_told(&names)?;
        for tank in 0..3 {
            self.publish(Says::Level { tank, value: 0 });
        }
        self.come_to_rest(30 * SECOND)?;
        self.expect_open(&[])?;
        self.expect_told(&[])?;
        self.look_for_missing()
    }

    /// Lets time pass until everything is decided: for so long, and for as long again behind what was read late, as it waited
    /// for messages that had expired.
    fn come_to_rest(&mut self, span: Micros) -> Result<(), String> {
        self.run_until(self.now + span)?;
        let begun = self.now;
        self.rest()?;
        if self.now > begun + SECOND {
            self.run_until(self.now + span)?;
            self.rest()?;
        }
        Ok(())
    }

    /// What is still to be done until the process is up, has read the stream and published what it decided.
    pub(super) fn unfinished(&mut self) -> Option<String> {
        let missing = self.missing().len();
        let stream = self.broker.streams.get("EVENTS");
        // One that is made anew between the look at it and the reading is noticed some seconds later.
        let is_it = stream.is_none_or(|stream| self.model.reads(&stream.created));
        let is_kept = self.broker.streams.get("EVENTS").is_none_or(Stream::keeps);
        let Some(process) = &mut self.process else { return Some("the process is away".to_owned()) };
        let driver = process.driver();
        let reasons = driver.status.reasons();
        let pending = driver.engine.outbox().count();
        if !process.is_present() {
            Some(format!("it lives in the past: {reasons:?}"))
        } else if !reasons.is_empty() {
            Some(format!("not ready: {reasons:?}"))
        } else if !is_kept {
            Some("the stream keeps nothing, as nobody reads it".to_owned())
        } else if !is_it {
            Some("it reads a stream that is gone".to_owned())
        } else if pending > 0 {
            Some(format!("{pending} alert events wait"))
        } else if process.is_telling() {
            Some("the Alertmanager is still to be told".to_owned())
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
        let given = self.model.given();
        of_lane
            .map(|(sequence, _)| *sequence)
            .filter(|sequence| given.is_none_or(|given| !given.contains(sequence)))
            .collect()
    }

    fn look_for_missing(&self) -> Result<(), String> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(format!("never read: {missing:?}"));
        }
        self.look_for_settled()
    }

    /// Looks that whatever left the stream because it was acknowledged is in the state: as the message of its sequence, or,
    /// where the stream was made anew between the look at it and the reading, as the event that it is.
    pub(super) fn look_for_settled(&self) -> Result<(), String> {
        let Some(stream) = self.broker.streams.get("EVENTS") else { return Ok(()) };
        let given = self.model.given();
        let of_lane = stream.settled.iter().filter(|(_, message)| *message.subject == *RECORDED);
        let is_lost = |(sequence, message): &&(u64, Message)| {
            let is_given = given.is_some_and(|given| given.contains(sequence));
            !is_given && !self.model.has_seen(&message.payload, &self.workload)
        };
        match of_lane.into_iter().find(is_lost) {
            Some((sequence, _)) => Err(format!("{sequence} was acknowledged, and is in no state")),
            None => Ok(()),
        }
    }

    /// Looks that the Alertmanager was told of the same alerts.
    fn expect_told(&self, names: &[&str]) -> Result<(), String> {
        let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut firing = self.alertmanager.firing();
        if !names.is_empty() {
            firing.remove("burst");
        }
        let is_told = match self.memory {
            Memory::Whole => firing == expected,
            // It may have been told of alerts that nobody knows of any more: they end without a word.
            Memory::Lost => expected.is_subset(&firing),
        };
        if is_told {
            Ok(())
        } else {
            Err(format!("the Alertmanager was told that {firing:?} fire, and should that {expected:?} do"))
        }
    }

    fn expect_open(&mut self, names: &[&str]) -> Result<(), String> {
        let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let open: BTreeSet<String> = self.walk.open().into_iter().filter(|name| name != "burst").collect();
        let open = if expected.is_empty() { self.walk.open() } else { open };
        if open != expected {
            let known = self.process.as_mut().map(|process| {
                let engine = &process.driver().engine;
                let alerts = engine.alerts();
                let alerts = alerts.iter().map(|alert| {
                    format!("{} {} {:?} {:?}", alert.rule_id, alert.labels, alert.state, alert.fired_at)
                });
                (alerts.collect::<Vec<_>>(), engine.next_tick())
            });
            return Err(format!("open are {open:?}, and should be {expected:?}; known are {known:?}"));
        }
        Ok(())
    }
}
