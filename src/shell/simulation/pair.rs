//! The world of a pair: two processes over one broker, each with a disk and a clock of its own, killed, stopped, standing
//! still and cut off at random, while the alert events that are stored are walked.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::alertmanager::Alertmanager;
use super::alerts::AlertWalk;
use super::broker::{Broker, LateRequest, Retention, Stream};
use super::disk::{Death, FakeDisk};
use super::plan::Setting;
use super::process::{Beginnings, Outside, Part, Process};
use super::publisher::Weather;
use super::random::{self, Random};
use super::setup::Setup;
use super::time::{self, MILLI, Micros, SECOND};
use super::trace::Trace;
use super::turning::{Course, Turning};
use super::workload::{Says, Workload};
use crate::engine::time::Timestamp;
use crate::engine::wire::EventType;

/// What the configuration of a pair has beside that of one.
pub(super) const CONFIG: &str = "pair: {bucket: pairs, lease: 3s}\n";

/// When a world begins.
const BEGIN_MILLIS: i64 = 1_780_000_000_000;

/// Things that happen in one world.
const ACTS: (u64, u64) = (30, 90);

/// One of the two.
struct One {
    process: Option<Process>,
    disk: FakeDisk,
    start_at: Option<Micros>,
    away_after_stop: Micros,
    stalled_until: Micros,
    clock_off_millis: i64,
}

/// A simulated world of two.
pub(super) struct PairWorld<'a> {
    setup: &'a Setup,
    setting: Setting,
    now: Micros,
    broker: Broker,
    weather: Weather,
    alertmanager: Alertmanager,
    workload: Workload,
    walk: AlertWalk,
    ones: [One; 2],
    broker_back_at: Option<Micros>,
    /// What processes had sent that are gone or stand still, and when it arrives.
    late: Vec<LateRequest>,
    turns: u64,
    random: Random,
    trace: &'a mut Trace,
}

/// The one of this number.
const fn one_of(ones: &mut [One; 2], who: usize) -> &mut One {
    let [first, second] = ones;
    if who == 0 { first } else { second }
}

/// What waits at a process, for who reads the trace.
fn waiting(process: &mut Process, trace: &Trace) -> Vec<String> {
    if !trace.is_read() {
        return Vec::new();
    }
    let events = process.driver().engine.outbox();
    let shown = events.map(|event| {
        let sign = if event.event_type() == EventType::AlertCleared { '-' } else { '+' };
        let tank = event.labels.get("tank").unwrap_or_default();
        format!("{sign}{}{tank}({})", event.rule_id, event.started_at.micros() / 1_000 % 1_000_000)
    });
    shown.collect()
}

/// Something that has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Broker,
    Part(usize, Part),
    Start(usize),
    BrokerBack,
    Late,
}

impl<'a> PairWorld<'a> {
    /// The world of a seed, in which nothing has happened.
    pub(super) fn new(setup: &'a Setup, seed: u64, trace: &'a mut Trace) -> Self {
        let mut random = Random::new(seed ^ 0x9a1f);
        random::begin(random.next());
        time::set(0);
        let begin = Timestamp::from_millis(BEGIN_MILLIS);
        let mut broker = Broker::new(begin, random.next());
        let events = ["events.>"];
        broker.streams.insert(Rc::from("EVENTS"), Stream::new(&events, Retention::Limits, begin));
        let save_every = random.between(300 * MILLI, 8 * SECOND);
        let setting = Setting::plain(save_every);
        let ones = [(); 2].map(|()| One {
            process: None,
            disk: FakeDisk::new(random.next()),
            start_at: Some(0),
            away_after_stop: 0,
            stalled_until: 0,
            clock_off_millis: if random.percent(50) {
                0
            } else {
                random.below(240_000).cast_signed() - 120_000
            },
        });
        Self {
            setup,
            setting,
            now: 0,
            broker,
            weather: Weather::default(),
            alertmanager: Alertmanager::default(),
            workload: Workload::default(),
            walk: AlertWalk::default(),
            ones,
            broker_back_at: None,
            late: Vec::new(),
            turns: 0,
            random,
            trace,
        }
    }

    /// The present.
    pub(super) const fn now(&self) -> Micros {
        self.now
    }

    /// Alert events that were stored.
    pub(super) const fn stored(&self) -> u64 {
        self.walk.stored
    }

    /// Has things happen, and then looks that the world comes to rest as it should.
    ///
    /// # Errors
    /// The promise that does not hold.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.run_until(2 * SECOND)?;
        for _ in 0..self.random.between(ACTS.0, ACTS.1) {
            let after = match self.random.below(10) {
                0..4 => self.random.below(3 * MILLI),
                4..8 => self.random.below(200 * MILLI),
                _ => self.random.below(3 * SECOND),
            };
            self.run_until(self.now + after)?;
            self.act();
            self.look_at_arrivals()?;
        }
        self.settle()
    }

    fn act(&mut self) {
        let who = self.random.below(2) as usize;
        match self.random.below(100) {
            0..12 => {
                let (shop, by) = (self.random.below(3) as u8, self.random.between(1, 5) as u8);
                self.publish(Says::Count { shop, by });
            }
            12..60 => {
                let (tank, value) = (self.random.below(3) as u8, self.random.below(30) as u8);
                self.publish(Says::Level { tank, value });
            }
            60..68 => self.kill(who),
            68..71 => {
                let away = self.random.between(20 * MILLI, 4 * SECOND);
                let one = one_of(&mut self.ones, who);
                one.away_after_stop = away;
                if let Some(process) = &mut one.process {
                    self.trace.note(self.now, "stop", || who.to_string());
                    process.stop(&mut self.broker, self.now);
                }
            }
            71..81 => self.stall(who),
            81..86 => {
                let which = self.random.below(3) as u8;
                self.trace.note(self.now, "cut", || format!("{who} {which}"));
                if let Some(process) = &one_of(&mut self.ones, who).process {
                    process.cut(which, &mut self.broker);
                }
            }
            86..88 => {
                self.trace.note(self.now, "broker away", String::new);
                self.broker.stop();
                self.broker_back_at = Some(self.now + self.random.below(8 * SECOND));
            }
            88..91 => self.weather = Weather { lost_answers: 2, ..Weather::default() },
            91..93 => self.weather = Weather { late_answers: 3, ..Weather::default() },
            93..94 => self.weather = Weather { lost_requests: 2, ..Weather::default() },
            94..95 => self.weather = Weather { late_requests: 2, ..Weather::default() },
            95..97 => self.broker.delete_ephemeral_consumers(),
            97..98 => {
                // Both at once.
                self.kill(0);
                self.kill(1);
            }
            _ => {
                self.broker.slowness =
                    self.random.pick(&[2 * MILLI, 40 * MILLI, 300 * MILLI]).unwrap_or(MILLI);
            }
        }
    }

    fn publish(&mut self, says: Says) {
        let (subject, bytes) = self.workload.make(says, self.broker.wall(self.now));
        self.trace.note(self.now, "publish", || format!("{says:?}"));
        if self.broker.is_up {
            self.broker.publish(subject, &bytes, self.now);
        }
    }

    fn kill(&mut self, who: usize) {
        let Some(process) = one_of(&mut self.ones, who).process.take() else { return };
        self.trace.note(self.now, "kill", || who.to_string());
        let away = self.random.between(20 * MILLI, 6 * SECOND);
        self.leave(who, process, away);
    }

    fn leave(&mut self, who: usize, process: Process, away: Micros) {
        for (request, ending) in process.vanish(&mut self.broker) {
            self.late.push((self.now + self.random.below(5 * SECOND), request, ending));
        }
        let one = one_of(&mut self.ones, who);
        one.disk.outlive(Death::Kill);
        one.stalled_until = 0;
        one.start_at = Some(self.now + away.max(10 * MILLI));
    }

    /// A process stands still; what it had sent may arrive long after another has taken its place.
    fn stall(&mut self, who: usize) {
        let span = self.random.below(10 * SECOND);
        let one = one_of(&mut self.ones, who);
        one.stalled_until = self.now + span;
        self.trace.note(self.now, "stall", || format!("{who} for {span}"));
        if let Some(process) = &mut one.process {
            for (request, ending) in process.publisher().strand() {
                self.late.push((self.now + self.random.below(span + SECOND), request, ending));
            }
        }
    }

    fn work(&mut self, who: usize, part: Part) {
        let Some(process) = &mut one_of(&mut self.ones, who).process else { return };
        let led = process.publisher().leads();
        if part == Part::Driver {
            let before = waiting(process, self.trace);
            process.drive(self.now, &mut |_| {});
            let after = waiting(process, self.trace);
            if before != after {
                self.trace.note(self.now, "waiting", || format!("at {who}: {}", after.join(" ")));
            }
        } else {
            let (broker, weather) = (&mut self.broker, &mut self.weather);
            let alertmanager = &mut self.alertmanager;
            process.work(part, Outside { broker, weather, alertmanager }, self.now);
        }
        let leads = process.publisher().leads();
        if leads != led {
            self.trace
                .note(self.now, "role", || format!("{who} {}", if leads { "leads" } else { "follows" }));
        }
        if process.is_over(self.now)
            && let Some(mut process) = one_of(&mut self.ones, who).process.take()
        {
            self.trace.note(self.now, "end", || who.to_string());
            if let Some(checkpoint) = process.last_checkpoint() {
                let _outcome = process.store_last(&checkpoint);
            }
            process.publisher().release(self.now);
            let away = one_of(&mut self.ones, who).away_after_stop;
            self.leave(who, process, away);
        }
    }

    fn start(&mut self, who: usize) -> Result<(), String> {
        let wall = self.broker.wall(self.now).millis() + one_of(&mut self.ones, who).clock_off_millis;
        let beginnings = Beginnings {
            config: Rc::clone(&self.setup.config),
            rules: self.setup.rules(0),
            setting: self.setting,
            wall: Timestamp::from_millis(wall),
        };
        let seed = self.random.next();
        self.trace.note(self.now, "start", || who.to_string());
        let one = one_of(&mut self.ones, who);
        one.start_at = None;
        let process = Process::start(&beginnings, &one.disk, (seed, self.now))
            .map_err(|error| format!("{who} does not start: {error:#}"))?;
        one.process = Some(process);
        Ok(())
    }

    /// Walks the alert events that were stored.
    fn look_at_arrivals(&mut self) -> Result<(), String> {
        for arrival in self.broker.take_arrivals() {
            if arrival.subject.starts_with("events.monitoring.Alert") {
                let text = || String::from_utf8_lossy(&arrival.payload).into_owned();
                self.trace.note(self.now, "alert", text);
                self.walk.take(&arrival.payload)?;
            }
        }
        Ok(())
    }

    /// Mends everything and looks that no alert is left open, and that both know the same.
    fn settle(&mut self) -> Result<(), String> {
        self.weather = Weather::default();
        self.broker.slowness = 2 * MILLI;
        if !self.broker.is_up {
            self.broker_back_at = None;
            self.broker.start();
        }
        for one in &mut self.ones {
            one.stalled_until = 0;
            if one.process.is_none() {
                one.start_at = Some(self.now);
            }
        }
        self.rest()?;
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
        self.expect_open(&[])
    }

    fn expect_open(&mut self, names: &[&str]) -> Result<(), String> {
        let expected: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let open: BTreeSet<String> = self.walk.open().into_iter().filter(|name| name != "burst").collect();
        if open == expected {
            return Ok(());
        }
        let known = self.ones.iter_mut().map(|one| {
            let alerts =
                one.process.as_mut().map(|process| process.driver().engine.alerts()).unwrap_or_default();
            alerts
                .iter()
                .map(|alert| format!("{} {} {:?}", alert.rule_id, alert.labels, alert.state))
                .collect()
        });
        let known: Vec<Vec<String>> = known.collect();
        Err(format!("open are {open:?}, and should be {expected:?}; known are {known:?}"))
    }
}

impl Turning for PairWorld<'_> {
    type Due = Due;

    const TURNS_MAX: u64 = 1_000_000;

    fn course(&mut self) -> Course<'_> {
        Course { now: &mut self.now, turns: &mut self.turns, random: &mut self.random }
    }

    fn due(&mut self) -> Vec<(Micros, Due)> {
        let mut due: Vec<(Micros, Due)> = Vec::with_capacity(16);
        due.extend(self.broker.deadline().map(|at| (at, Due::Broker)));
        due.extend(self.broker_back_at.map(|at| (at, Due::BrokerBack)));
        due.extend(self.late.iter().map(|(at, ..)| (*at, Due::Late)).min_by_key(|(at, _)| *at));
        for (who, one) in self.ones.iter_mut().enumerate() {
            match &mut one.process {
                Some(process) => {
                    let parts = process.ready(&self.broker, self.now).into_iter();
                    due.extend(parts.map(|(at, part)| (at.max(one.stalled_until), Due::Part(who, part))));
                }
                None => due.extend(one.start_at.map(|at| (at, Due::Start(who)))),
            }
        }
        due
    }

    fn turn(&mut self, due: Due) -> Result<(), String> {
        match due {
            Due::Broker => self.broker.work(self.now),
            Due::Part(who, part) => self.work(who, part),
            Due::Start(who) => self.start(who)?,
            Due::BrokerBack => {
                self.broker_back_at = None;
                self.broker.start();
            }
            Due::Late => {
                for subject in self.broker.take_late(&mut self.late, self.now) {
                    self.trace.note(self.now, "late", || subject);
                }
            }
        }
        self.look_at_arrivals()
    }

    fn unrest(&mut self) -> Option<String> {
        let mut leaders = 0;
        let mut found = Vec::new();
        let mut is_at_rest = true;
        for (who, one) in self.ones.iter_mut().enumerate() {
            let Some(process) = &mut one.process else { return Some(format!("{who} is away")) };
            let leads = process.publisher().leads();
            leaders += usize::from(leads);
            let is_present = process.is_present();
            let driver = process.driver();
            let reasons = driver.status.reasons();
            let pending: Vec<String> = driver
                .engine
                .outbox()
                // Between its two thresholds an alert may stand otherwise at each.
                .filter(|event| leads || *event.rule_id != *"sum")
                .map(|event| format!("{} {} {}", event.event_type().name(), event.labels, event.started_at))
                .collect();
            is_at_rest &= is_present && reasons.is_empty() && pending.is_empty();
            let alerts = driver.engine.alerts();
            let alerts = alerts.iter().map(|it| format!("{} {} {}", it.rule_id, it.labels, it.value));
            let alerts: Vec<String> = alerts.collect();
            let role = if leads { "leads" } else { "follows" };
            found.push(format!("{who} {role} {reasons:?}, waiting {pending:?}, known {alerts:?}"));
        }
        (!is_at_rest || leaders != 1).then(|| found.join("; "))
    }
}
