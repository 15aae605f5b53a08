//! The world: broker, disk and process taking turns, what a plan has happen to them, and whether the promises hold.

use std::hash::BuildHasher;
use std::rc::Rc;

use foldhash::quality::FixedState;

use super::alertmanager::Alertmanager;
use super::alerts::AlertWalk;
use super::broker::{Broker, LateRequest, Retention, Stream};
use super::disk::{Death, DiskFault, FakeDisk};
use super::model::{Exact, Model};
use super::plan::{AlertStream, Harm, Plan, StateFolder};
use super::process::{Beginnings, Outside, Part, Process};
use super::publisher::Weather;
use super::random::{self, Random};
use super::scraper::Scraper;
use super::setup::Setup;
use super::time::{self, MILLI, Micros, SECOND};
use super::trace::Trace;
use super::turning::{Course, Turning};
use super::workload::Workload;
use crate::engine::checkpoint::{Checkpoint, CheckpointAge};
use crate::engine::time::Timestamp;
use crate::shell::driver::mailbox::LaneItem;
use crate::shell::state::SaveOutcome;

/// When a world begins.
const BEGIN_MILLIS: i64 = 1_780_000_000_000;

/// How often it is scraped.
const SCRAPE_EVERY: Micros = 400 * MILLI;

/// How often it is scraped where the engine was given nothing since.
const SCRAPE_QUIET_EVERY: Micros = 4 * SECOND;

/// What the model was when a checkpoint was handed out, by what the checkpoint holds.
#[derive(Debug)]
pub(super) struct Snapshot {
    key: u64,
    /// How the file of an end in order names it.
    name: String,
    age: CheckpointAge,
    model: Model,
}

impl Snapshot {
    fn of(checkpoint: &Checkpoint, model: &Model) -> Self {
        let bytes = checkpoint.pieces().collect::<Vec<_>>().concat();
        let key = key_of(&bytes);
        let name = format!("{} {}\n", checkpoint.now().micros(), bytes.len());
        Self { key, name, age: checkpoint.age(), model: model.clone() }
    }
}

/// An end of the process that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dying {
    /// Turns of its parts until then; none where the disk tells.
    pub(super) turns: Option<u16>,
    pub(super) death: Death,
    pub(super) away: Micros,
    pub(super) harm: Harm,
}

/// Whether the broker lost what it had acknowledged: what was counted of it cannot be counted again then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokerLoss {
    None,
    Some,
}

/// Whether messages left the stream before they were acknowledged, or by its limits, since the last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    None,
    Some,
}

/// Whether what was acknowledged, or told an Alertmanager, is in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// It is.
    Whole,
    /// The disk lost it, or there is no folder for it.
    Lost,
}

/// Something that has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Broker,
    Part(Part),
    Scrape,
    Start,
    BrokerBack,
    DiskBack,
    LastWords,
}

/// A simulated world.
pub(super) struct World<'a> {
    pub(super) setup: &'a Setup,
    pub(super) plan: Plan,
    pub(super) now: Micros,
    pub(super) broker: Broker,
    pub(super) disk: FakeDisk,
    pub(super) weather: Weather,
    pub(super) alertmanager: Alertmanager,
    /// Whether the Alertmanager may know of alerts that nobody else knows of any more.
    pub(super) memory: Memory,
    pub(super) workload: Workload,
    pub(super) walk: AlertWalk,
    pub(super) scraper: Scraper,
    pub(super) model: Model,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) process: Option<Process>,
    pub(super) start_at: Option<Micros>,
    pub(super) dying: Option<Dying>,
    pub(super) away_after_stop: Micros,
    pub(super) clock_off_millis: i64,
    pub(super) rules: u8,
    pub(super) stalled_until: Micros,
    pub(super) broker_back_at: Option<Micros>,
    pub(super) disk_back_at: Option<Micros>,
    pub(super) last_words: Vec<LateRequest>,
    pub(super) broker_loss: BrokerLoss,
    pub(super) expired: Expired,
    pub(super) scrape_at: Micros,
    /// When a scrape was looked at last.
    pub(super) scraped_at: Micros,
    /// When the engine was given something last.
    pub(super) stirred_at: Micros,
    pub(super) turns: u64,
    pub(super) random: Random,
    pub(super) trace: &'a mut Trace,
}

impl<'a> World<'a> {
    /// The world of a plan, in which nothing has happened.
    pub(super) fn new(setup: &'a Setup, plan: Plan, trace: &'a mut Trace) -> Self {
        let mut random = Random::new(plan.seed ^ 0x5eed);
        random::begin(random.next());
        time::set(0);
        let begin = Timestamp::from_millis(BEGIN_MILLIS);
        let mut broker = Broker::new(begin, random.next());
        let (events, alerts): (&[&str], Option<&[&str]>) = match plan.setting.alerts {
            AlertStream::Same => (&["events.>"], None),
            AlertStream::Own => (
                &["events.monitoring.MetricRecorded", "events.queue.*"],
                Some(&["events.monitoring.AlertTriggered", "events.monitoring.AlertCleared"]),
            ),
        };
        broker.streams.insert(Rc::from("EVENTS"), Stream::new(events, plan.setting.retention, begin));
        if let Some(subjects) = alerts {
            broker.streams.insert(Rc::from("ALERTS"), Stream::new(subjects, Retention::Limits, begin));
        }
        for stream in broker.streams.values_mut() {
            stream.knows_ids_for = plan.setting.knows_ids_for;
        }
        Self {
            setup,
            plan,
            now: 0,
            broker,
            disk: FakeDisk::new(random.next()),
            weather: Weather::default(),
            alertmanager: Alertmanager::default(),
            memory: Memory::Whole,
            workload: Workload::default(),
            walk: AlertWalk::by_one_clock(),
            scraper: Scraper::default(),
            model: Model::default(),
            snapshots: Vec::new(),
            process: None,
            start_at: Some(0),
            dying: None,
            away_after_stop: 0,
            clock_off_millis: 0,
            rules: 0,
            stalled_until: 0,
            broker_back_at: None,
            disk_back_at: None,
            last_words: Vec::new(),
            broker_loss: BrokerLoss::None,
            expired: Expired::None,
            scrape_at: SCRAPE_EVERY,
            scraped_at: 0,
            stirred_at: 0,
            turns: 0,
            random,
            trace,
        }
    }

    /// Has everything happen that the plan says, and then looks that the world comes to rest as it should.
    ///
    /// # Errors
    /// The promise that does not hold.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for step in self.plan.steps.clone() {
            self.run_until(self.now + step.after)?;
            self.trace.note(self.now, "act", || format!("{:?}", step.action));
            self.act(step.action)?;
        }
        self.settle()
    }

    /// Lets a part of the process have its turn, and the process die where it is to.
    fn work(&mut self, part: Part) {
        let Some(process) = &mut self.process else { return };
        self.trace.note(self.now, "turn", || format!("{part:?}"));
        if part == Part::Driver {
            let (model, workload) = (&mut self.model, &self.workload);
            let (stirred_at, now) = (&mut self.stirred_at, self.now);
            let mut see = |item: &LaneItem| {
                *stirred_at = now;
                model.take(item, workload);
            };
            if let Some(checkpoint) = process.drive(now, &mut see) {
                self.snapshots.push(Snapshot::of(checkpoint, model));
            }
            if process.is_present() {
                self.model.arrive();
            }
        } else {
            let (broker, weather) = (&mut self.broker, &mut self.weather);
            let alertmanager = &mut self.alertmanager;
            process.work(part, Outside { broker, weather, alertmanager }, self.now);
        }
        let is_over = process.is_over(self.now);
        if self.disk.has_killed() {
            let dying = self.dying.take().unwrap_or(Dying {
                turns: None,
                death: Death::Kill,
                away: SECOND,
                harm: Harm::None,
            });
            self.die(dying);
        } else if let Some(Dying { turns: Some(turns), .. }) = &mut self.dying {
            *turns = turns.saturating_sub(1);
            if *turns == 0
                && let Some(dying) = self.dying.take()
            {
                self.die(dying);
            }
        }
        if is_over && self.process.is_some() {
            self.end_in_order();
        }
    }

    fn die(&mut self, Dying { death, away, harm, .. }: Dying) {
        let Some(process) = self.process.take() else { return };
        self.trace.note(self.now, "die", || format!("{death:?} {harm:?}"));
        if !process.remembers() {
            self.memory = Memory::Lost;
        }
        self.leave(process, away);
        self.disk.outlive(death);
        self.harm(harm);
    }

    fn end_in_order(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let mut is_saved = false;
        if let Some(checkpoint) = process.last_checkpoint() {
            self.snapshots.push(Snapshot::of(&checkpoint, &self.model));
            is_saved = process.store_last(&checkpoint) == SaveOutcome::Saved;
        }
        if !is_saved && !process.remembers() {
            self.memory = Memory::Lost;
        }
        self.trace.note(self.now, "end", String::new);
        self.leave(process, self.away_after_stop);
        self.disk.outlive(Death::Kill);
    }

    fn leave(&mut self, process: Process, away: Micros) {
        for (request, ending) in process.vanish(&mut self.broker) {
            let at = self.now + self.random.below(5 * MILLI);
            self.last_words.push((at, request, ending));
        }
        self.dying = None;
        self.stalled_until = 0;
        self.start_at = Some(self.now + away.max(10 * MILLI));
    }

    /// Which checkpoint of ours a start would go on from.
    fn stored_key(&self) -> Option<u64> {
        let last = if self.disk.holds("checkpoint").is_some() { "checkpoint" } else { "checkpoint.next" };
        let whole = |name: &str| {
            let bytes = self.disk.holds(name)?;
            let key = key_of(&bytes);
            self.snapshots.iter().any(|it| it.key == key).then_some(key)
        };
        whole(last).or_else(|| whole("checkpoint.previous"))
    }

    fn start(&mut self) -> Result<(), String> {
        self.start_at = None;
        if self.plan.setting.state == StateFolder::Missing {
            self.memory = Memory::Lost;
            self.forget_settled();
        }
        let key = self.stored_key();
        let snapshot = key.and_then(|key| self.snapshots.iter().rev().find(|it| it.key == key));
        // Where a start cannot make last that it takes the word of a clean stop away, it does not believe it.
        let is_clean = self.disk.syncs()
            && snapshot.is_some_and(|it| self.disk.holds("clean").as_deref() == Some(it.name.as_bytes()));
        let begun_anew = self.model.begun_anew;
        self.model = match snapshot {
            None => {
                self.scraper.forget();
                // What earlier lives told is in no state.
                if self.now > 0 {
                    self.memory = Memory::Lost;
                }
                Model::default()
            }
            Some(it) if is_clean && it.age == CheckpointAge::Present => it.model.clone(),
            Some(it) => it.model.after_crash(),
        };
        self.model.begun_anew = begun_anew;
        let expired = std::mem::replace(&mut self.expired, Expired::None);
        // What leaves a queue unacknowledged nobody counts; what leaves a stream is counted from the place of the state on,
        // where it has one.
        let is_counted = self.plan.setting.retention == Retention::Limits && self.model.place.is_some();
        if self.broker_loss == BrokerLoss::Some || (expired == Expired::Some && !is_counted) {
            self.scraper.forget();
        }
        if !self.disk.is_well() {
            self.model.core_exact = Exact::No;
        }
        let wall = self.broker.wall(self.now).millis() + self.clock_off_millis;
        let beginnings = Beginnings {
            config: Rc::clone(&self.setup.config),
            rules: self.setup.rules(self.rules),
            setting: self.plan.setting,
            wall: Timestamp::from_millis(wall),
        };
        let seed = self.random.next();
        self.trace.note(self.now, "start", || format!("from {:?} {key:?}", self.model.place));
        let mut process = Process::start(&beginnings, &self.disk, (seed, self.now))
            .map_err(|error| format!("it does not start: {error:#}"))?;
        let position = process.driver().engine.position().map(|it| it.sequence);
        let expected = self.model.place.as_ref().map(|(_, sequence)| *sequence);
        if position != expected {
            return Err(format!("it goes on from {position:?}, and should from {expected:?}"));
        }
        self.process = Some(process);
        self.stirred_at = self.now;
        self.look_for_settled()?;
        if self.disk.has_killed() {
            let dying = Dying { turns: None, death: Death::Kill, away: SECOND, harm: Harm::None };
            self.die(dying);
        }
        Ok(())
    }

    /// Harms a file; of the checkpoints one at a time, as the promise has it.
    fn harm(&mut self, harm: Harm) {
        let is_whole = |name: &str| {
            let bytes = self.disk.holds(name).unwrap_or_default();
            self.snapshots.iter().any(|it| it.key == key_of(&bytes))
        };
        let are_both_whole = is_whole("checkpoint") && is_whole("checkpoint.previous");
        match harm {
            Harm::FlipCheckpoint | Harm::FlipPrevious | Harm::TearCheckpoint if !are_both_whole => return,
            Harm::None => return,
            Harm::FlipCheckpoint => self.disk.flip("checkpoint"),
            Harm::FlipPrevious => self.disk.flip("checkpoint.previous"),
            Harm::FlipLog => self.disk.flip("transitions"),
            Harm::TearCheckpoint => self.disk.tear("checkpoint"),
            Harm::TearLog => self.disk.tear("transitions"),
            Harm::Wipe => self.disk.wipe(),
        }
        match harm {
            // What was acknowledged is in the other one too.
            Harm::None | Harm::FlipPrevious | Harm::FlipCheckpoint | Harm::TearCheckpoint => {}
            Harm::FlipLog | Harm::TearLog => self.memory = Memory::Lost,
            Harm::Wipe => {
                self.forget_settled();
                self.memory = Memory::Lost;
            }
        }
    }

    /// What was acknowledged so far is in no state any more, and nobody delivers it again.
    fn forget_settled(&mut self) {
        self.broker.streams.values_mut().for_each(|stream| stream.settled.clear());
    }

    fn scrape(&mut self) -> Result<(), String> {
        let is_news = self.stirred_at >= self.scraped_at || self.now >= self.scraped_at + SCRAPE_QUIET_EVERY;
        match &mut self.process {
            Some(process) if is_news && self.stalled_until <= self.now => {
                self.scraped_at = self.now;
                self.scraper.scrape(process.driver(), &self.model)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Walks the alert events that were stored.
    pub(super) fn look_at_arrivals(&mut self) -> Result<(), String> {
        for arrival in self.broker.take_arrivals() {
            if arrival.subject.starts_with("events.monitoring.Alert") {
                let text = || String::from_utf8_lossy(&arrival.payload).into_owned();
                self.trace.note(self.now, "alert", text);
                self.walk.take(&arrival.payload)?;
            }
        }
        Ok(())
    }
}

/// By what the bytes of a checkpoint are known again. Not by their checksum: that is the same for all of a length, as each
/// section ends with its own.
fn key_of(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

impl Turning for World<'_> {
    type Due = Due;

    const TURNS_MAX: u64 = 400_000;

    fn course(&mut self) -> Course<'_> {
        Course { now: &mut self.now, turns: &mut self.turns, random: &mut self.random }
    }

    fn due(&mut self) -> Vec<(Micros, Due)> {
        let mut due: Vec<(Micros, Due)> = Vec::with_capacity(12);
        due.extend(self.broker.deadline().map(|at| (at, Due::Broker)));
        due.push((self.scrape_at, Due::Scrape));
        due.extend(self.start_at.filter(|_| self.process.is_none()).map(|at| (at, Due::Start)));
        due.extend(self.broker_back_at.map(|at| (at, Due::BrokerBack)));
        due.extend(self.disk_back_at.map(|at| (at, Due::DiskBack)));
        due.extend(self.last_words.iter().map(|(at, ..)| (*at, Due::LastWords)).min_by_key(|(at, _)| *at));
        if let Some(process) = &mut self.process {
            let parts = process.ready(&self.broker, self.now);
            due.extend(parts.into_iter().map(|(at, part)| (at.max(self.stalled_until), Due::Part(part))));
        }
        due
    }

    fn turn(&mut self, due: Due) -> Result<(), String> {
        match due {
            Due::Broker => self.broker.work(self.now),
            Due::Part(part) => self.work(part),
            Due::Scrape => {
                self.scrape_at = self.now + SCRAPE_EVERY;
                self.scrape()?;
            }
            Due::Start => self.start()?,
            Due::BrokerBack => {
                self.broker_back_at = None;
                self.broker.start();
            }
            Due::DiskBack => {
                self.disk_back_at = None;
                self.disk.fail(DiskFault::None);
            }
            Due::LastWords => {
                drop(self.broker.take_late(&mut self.last_words, self.now));
            }
        }
        self.look_at_arrivals()
    }

    fn unrest(&mut self) -> Option<String> {
        self.unfinished()
    }
}
