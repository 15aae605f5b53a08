//! What a plan has happen to a world.

use super::broker::Stream;
use super::disk::{Death, DiskFault};
use super::plan::Action;
use super::publisher::Weather;
use super::time::MILLI;
use super::workload::{RECORDED, Says};
use super::world::{BrokerLoss, Dying, Expired, World};

impl World<'_> {
    /// Publishes an event.
    pub(super) fn publish(&mut self, says: Says) {
        let (subject, bytes) = self.workload.make(says, self.broker.wall(self.now));
        if self.broker.is_up {
            self.broker.publish(subject, &bytes, self.now);
        }
    }

    /// Has something happen.
    #[expect(clippy::too_many_lines, reason = "a line for each thing that may happen")]
    pub(super) fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Count { shop, by } => self.publish(Says::Count { shop, by }),
            Action::Level { tank, value } => self.publish(Says::Level { tank, value }),
            Action::Queue { queue } => self.publish(Says::Queue { queue }),
            Action::Garbage => self.publish(Says::Garbage),
            Action::Repeat { back } => {
                if let Some(bytes) = self.workload.earlier(usize::from(back)).filter(|_| self.broker.is_up) {
                    self.broker.publish(RECORDED, &bytes, self.now);
                }
            }
            Action::Die { death, steps, away, harm } => {
                self.dying = Some(Dying { turns: Some(steps.max(1)), death, away, harm });
            }
            Action::DieWriting { death, operations, away, harm } if self.process.is_some() => {
                self.disk.kill_in(u64::from(operations));
                self.dying = Some(Dying { turns: None, death, away, harm });
            }
            Action::Stop { away } => {
                self.away_after_stop = away;
                if let Some(process) = &mut self.process {
                    process.stop(&mut self.broker, self.now);
                }
            }
            Action::Cut { which } => {
                if let Some(process) = &self.process {
                    process.cut(which, &mut self.broker);
                }
            }
            Action::BrokerAway { span } => {
                self.broker.stop();
                self.broker_back_at = Some(self.now + span);
            }
            // No more in all than questions about open alerts are asked again.
            Action::LoseAnswers { count } => {
                self.weather = Weather { lost_answers: u32::from(count), ..Weather::default() };
            }
            Action::LateAnswers { count } => {
                self.weather = Weather { late_answers: u32::from(count), ..Weather::default() };
            }
            Action::LoseRequests { count } => {
                self.weather = Weather { lost_requests: u32::from(count), ..Weather::default() };
            }
            Action::LateRequests { count } => {
                self.weather = Weather { late_requests: u32::from(count), ..Weather::default() };
            }
            Action::Expire { count } => {
                if let Some(stream) = self.events() {
                    stream.expire(usize::from(count));
                }
                self.lose_what_is_read_again();
                self.expired = Expired::Some;
            }
            Action::Recreate => {
                let wall = self.broker.wall(self.now);
                if let Some(stream) = self.events() {
                    stream.recreate(wall);
                }
                self.lose_what_is_read_again();
                self.broker_loss = BrokerLoss::Some;
            }
            Action::RollBack { count } => {
                if let Some(stream) = self.events() {
                    stream.roll_back(u64::from(count));
                }
                self.lose_what_is_read_again();
                self.broker_loss = BrokerLoss::Some;
            }
            Action::ForgetConsumers => self.broker.delete_ephemeral_consumers(),
            Action::DiskFails { fault, span } => {
                self.disk.fail(fault);
                self.disk_back_at = Some(self.now + span);
            }
            Action::Stall { span } => self.stalled_until = self.now + span,
            Action::StallEngine { span } => {
                if let Some(process) = &mut self.process {
                    process.stall_engine(self.now + span);
                }
            }
            Action::ClockOff { millis } => {
                self.clock_off_millis = i64::from(millis);
                self.walk.change_clock();
            }
            Action::Slow { slowness } => self.broker.slowness = slowness,
            Action::Reload { rules } => self.reload(rules),
            Action::Save => {
                if let Some(process) = &mut self.process {
                    process.save(self.now);
                }
            }
            Action::AlertmanagerAway { span } => self.alertmanager.away_until = self.now + span,
            Action::LoseWords { count } => self.alertmanager.lost_answers = u32::from(count),
            Action::DieWriting { .. } => {}
        }
        self.look_at_arrivals()
    }

    /// What leaves while it is read again is missed only with the next message behind it, or not at all.
    fn lose_what_is_read_again(&mut self) {
        if self.process.as_ref().is_some_and(|process| !process.is_present()) {
            self.scraper.forget();
        }
    }

    /// The stream of events.
    fn events(&mut self) -> Option<&mut Stream> {
        self.broker.streams.get_mut("EVENTS")
    }

    /// Puts other rules in force, now or at the next start.
    pub(super) fn reload(&mut self, rules: u8) {
        self.rules = rules;
        if let Some(process) = &mut self.process {
            process.reload(self.setup.rules(rules));
        }
    }

    /// Nothing is wrong any more.
    pub(super) fn heal(&mut self) {
        self.weather = Weather::default();
        (self.alertmanager.away_until, self.alertmanager.lost_answers) = (0, 0);
        self.broker.slowness = 2 * MILLI;
        self.stalled_until = 0;
        self.disk.fail(DiskFault::None);
        self.disk_back_at = None;
        self.disk.outlive(Death::Kill);
        self.dying = None;
        if !self.broker.is_up {
            self.broker_back_at = None;
            self.broker.start();
        }
        if self.process.is_none() {
            self.start_at = Some(self.now);
        }
    }
}
