//! One life of the process: the real driver, keeper, scribe and machines, each taking its turn when the world says so.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::alertmanager::{Alertmanager, Courier};
use super::broker::{Broker, Request};
use super::disk::FakeDisk;
use super::keeping::StateKeeping;
use super::lane::Lane;
use super::plan::{Setting, StateFolder};
use super::publisher::{Publisher, Weather};
use super::random::Random;
use super::time::{self, Micros, SECOND};
use crate::engine::arrival::{Standing, StreamNews};
use crate::engine::checkpoint::Checkpoint;
use crate::engine::config::Config;
use crate::engine::rules::RuleSet;
use crate::engine::time::Timestamp;
use crate::shell::clock::Clock;
use crate::shell::context::ShellContext;
use crate::shell::driver::command::{Command, Dispatch, Reload};
use crate::shell::driver::mailbox::{LaneItem, Slot};
use crate::shell::driver::notifications::{NotificationQueue, NotificationQueues};
use crate::shell::driver::rejections::RejectedCopies;
use crate::shell::driver::{Driver, DriverStage, Outputs};
use crate::shell::nats::lanes::core::CoreMachine;
use crate::shell::nats::lanes::stream::StreamMachine;
use crate::shell::nats::out::exchange;
use crate::shell::settings::{JetStreamSettings, Settings};
use crate::shell::start::{Types, begin, mark_unready};
use crate::shell::state::{SaveOutcome, Scribe};

/// Where the state is.
pub(super) const STATE_FOLDER: &str = "/state";

/// Alert events on their way at a time: so few that others often wait for them.
const IN_FLIGHT_MAX: usize = 2;

/// How long a stop waits for what is pending.
const GRACE: Micros = 10 * SECOND;

/// What the process begins with.
#[derive(Clone, Debug)]
pub(super) struct Beginnings {
    pub(super) config: Rc<Config>,
    pub(super) rules: RuleSet,
    pub(super) setting: Setting,
    /// What the wall clock shows.
    pub(super) wall: Timestamp,
}

/// A part of the process that has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    StreamLane,
    CoreLane,
    Driver,
    Scribe,
    Publisher,
    Keeper,
    Courier,
}

/// What a process meets outside.
pub(super) struct Outside<'a> {
    pub(super) broker: &'a mut Broker,
    pub(super) weather: &'a mut Weather,
    pub(super) alertmanager: &'a mut Alertmanager,
}

/// A running process.
pub(super) struct Process {
    pub(super) context: ShellContext,
    driver: Box<Driver>,
    stage: DriverStage,
    /// None in a run without a state folder.
    keeping: Option<StateKeeping>,
    to_publish: UnboundedReceiver<Dispatch>,
    publisher: Publisher,
    courier: Courier,
    stream_lane: Lane<StreamMachine>,
    core_lane: Lane<CoreMachine>,
    _copies: RejectedCopies,
    driver_at: Micros,
    stopping_since: Option<Micros>,
    random: Random,
}

impl Process {
    /// Starts; an error is what would end the real one at once.
    pub(super) fn start(
        beginnings: &Beginnings,
        disk: &FakeDisk,
        (seed, now): (u64, Micros),
    ) -> anyhow::Result<Self> {
        let mut random = Random::new(seed);
        let config = Config::clone(&beginnings.config);
        let settings = Settings {
            jetstream: JetStreamSettings::from(&config.jetstream),
            state_dir: match beginnings.setting.state {
                StateFolder::There => Some(PathBuf::from(STATE_FOLDER)),
                StateFolder::Missing => None,
            },
            ..Settings::default()
        };
        let clock = Clock::showing(beginnings.wall, time::now);
        let types = Types::of(&config);
        let context = ShellContext::new(settings, config);
        mark_unready(&context, &types);
        let (written, to_publish) = unbounded_channel();
        let (rejections, copies) = context.rejections();
        let (engine, clock, kept) = begin(&context, &types, beginnings.rules.clone(), (clock, disk.clone()))?;
        let position = engine.position().cloned();
        let config = context.config.get();
        let url = config.alertmanager.urls.first().cloned();
        let url = url.ok_or_else(|| anyhow::anyhow!("there is an Alertmanager"))?;
        let told = Arc::new(NotificationQueue::new(url, config.alertmanager.queue));
        let notifications = Arc::new(NotificationQueues::default());
        notifications.replace(vec![Arc::clone(&told)]);
        let (alerts, keeping, notifications) = match kept {
            Some((keeper, log)) => {
                let (alerts, asked) = unbounded_channel();
                let scribe = Scribe::new(log, context.clone(), notifications);
                let save_every = beginnings.setting.save_every;
                let keeping = StateKeeping::new((keeper, scribe), (asked, written), (save_every, now));
                (alerts, Some(keeping), None)
            }
            None => (written, None, Some(notifications)),
        };
        let driver = Driver::new(
            (engine, clock),
            (Arc::clone(&context.mailbox), Arc::clone(&context.status)),
            Outputs { alerts, rejections, notifications, in_flight_max: IN_FLIGHT_MAX },
        );
        let stream_machine = StreamMachine::new(&context.settings, &types.stream, position);
        let core_machine = CoreMachine::new(&context.settings, &types.core);
        Ok(Self {
            driver: Box::new(driver),
            stage: DriverStage::Running,
            keeping,
            to_publish,
            publisher: Publisher::new(context.clone(), random.next(), now),
            courier: Courier::new(told, random.next()),
            stream_lane: Lane::new(stream_machine, Slot::Stream, context.clone(), random.next()),
            core_lane: Lane::new(core_machine, Slot::Core, context.clone(), random.next()),
            _copies: copies,
            driver_at: now,
            stopping_since: None,
            random,
            context,
        })
    }

    /// Who publishes.
    pub(super) const fn publisher(&mut self) -> &mut Publisher {
        &mut self.publisher
    }

    /// The engine.
    pub(super) const fn driver(&mut self) -> &mut Driver {
        &mut self.driver
    }

    /// Whether the Alertmanager has still to be told something.
    pub(super) fn is_telling(&self) -> bool {
        self.courier.ready_at().is_some()
    }

    /// Whether the engine lives in the present.
    pub(super) fn is_present(&self) -> bool {
        self.driver.engine.standing() == Standing::Present
    }

    /// Which parts have something to do, and when.
    pub(super) fn ready(&mut self, broker: &Broker, now: Micros) -> Vec<(Micros, Part)> {
        let mut ready = vec![(self.driver_at, Part::Driver)];
        if self.stopping_since.is_none() {
            ready.extend(self.stream_lane.ready_at(broker, now).map(|at| (at, Part::StreamLane)));
            ready.extend(self.core_lane.ready_at(broker, now).map(|at| (at, Part::CoreLane)));
        }
        if let Some(keeping) = &mut self.keeping {
            ready.extend(keeping.scribe_at(&mut self.random, now).map(|at| (at, Part::Scribe)));
            ready.extend(keeping.keeper_at().map(|at| (at, Part::Keeper)));
        }
        if !self.to_publish.is_empty() {
            ready.push((now, Part::Publisher));
        }
        ready.extend(self.publisher.ready_at(broker).map(|at| (at, Part::Publisher)));
        ready.extend(self.courier.ready_at().map(|at| (at, Part::Courier)));
        ready
    }

    /// Lets the driver take a turn; what it took in comes first to `see`, and the checkpoint it handed out.
    pub(super) fn drive(&mut self, now: Micros, see: &mut dyn FnMut(&LaneItem)) -> Option<&Checkpoint> {
        let taken = self.context.mailbox.take(self.driver.gate(self.stage));
        let is_busy = taken.item.is_some() || !taken.commands.is_empty();
        let waited = self.driver.late_stream().cloned();
        let found = match &taken.item {
            // It may wait before it is heard.
            Some(LaneItem::News(found @ StreamNews::Found { .. })) => Some(found.clone()),
            Some(item) => {
                see(item);
                None
            }
            None => None,
        };
        self.stage = self.driver.work(taken, self.stage);
        if let Some(heard) = waited.or(found).filter(|_| self.driver.late_stream().is_none()) {
            see(&LaneItem::News(heard));
        }
        let patience = u64::try_from(self.driver.patience().as_micros()).unwrap_or(SECOND);
        self.driver_at = now + if is_busy { self.random.below(200) } else { patience.max(200) };
        self.keeping.as_mut()?.handed_out(&mut self.random, now)
    }

    /// Lets a part other than the driver take a turn.
    pub(super) fn work(&mut self, part: Part, outside: Outside<'_>, now: Micros) {
        let Outside { broker, weather, alertmanager } = outside;
        match part {
            Part::StreamLane => self.stream_lane.work(broker, now),
            Part::CoreLane => self.core_lane.work(broker, now),
            Part::Scribe => {
                if let Some(keeping) = &mut self.keeping {
                    keeping.write();
                }
            }
            Part::Publisher => {
                while let Ok(dispatch) = self.to_publish.try_recv() {
                    self.publisher.take(dispatch);
                }
                self.publisher.work(broker, weather, now);
            }
            Part::Keeper => {
                if let Some(keeping) = &mut self.keeping {
                    keeping.keep(&self.context.mailbox, now);
                }
            }
            Part::Courier => self.courier.work(alertmanager, (now, self.driver.clock.now())),
            Part::Driver => {}
        }
        self.driver_at = self.driver_at.min(now + self.random.below(300));
    }

    /// Saves at once.
    pub(super) fn save(&mut self, now: Micros) {
        if let Some(keeping) = &mut self.keeping {
            keeping.save(now);
        }
    }

    /// The engine stands still until then.
    pub(super) const fn stall_engine(&mut self, until: Micros) {
        self.driver_at = until;
    }

    /// Puts other rules in force.
    pub(super) fn reload(&mut self, rules: RuleSet) {
        let (done, _) = oneshot::channel();
        self.context.mailbox.command(Command::Reload(Box::new(Reload { config: None, rules, done })));
    }

    /// Breaks a connection.
    pub(super) fn cut(&self, which: u8, broker: &mut Broker) {
        let connections: Vec<u32> = match which {
            0 => self.stream_lane.connections().collect(),
            1 => self.core_lane.connections().collect(),
            _ => self.publisher.connection().into_iter().collect(),
        };
        for connection in connections {
            broker.cut(connection);
        }
    }

    /// Begins to end in order, where it has not yet.
    pub(super) fn stop(&mut self, broker: &mut Broker, now: Micros) {
        if self.stopping_since.is_some() {
            return;
        }
        self.stopping_since = Some(now);
        self.context.stop.stop();
        self.stream_lane.finish(broker, now);
        self.core_lane.finish(broker, now);
        self.context.mailbox.close();
        match &mut self.keeping {
            Some(keeping) => keeping.finish(&self.context.mailbox),
            None => self.context.mailbox.command(Command::Finish(None)),
        }
        self.driver_at = now;
    }

    /// Whether it has ended in order, or out of patience.
    pub(super) fn is_over(&self, now: Micros) -> bool {
        let is_stored = self.keeping.as_ref().is_none_or(StateKeeping::is_done);
        self.stopping_since
            .is_some_and(|since| is_stored && (self.stage == DriverStage::Finished || now >= since + GRACE))
    }

    /// The last checkpoint of an end in order, where everything is published.
    pub(super) fn last_checkpoint(&mut self) -> Option<Checkpoint> {
        let is_kept = self.keeping.is_some() && self.stage == DriverStage::Finished;
        is_kept.then(|| self.driver.engine.save(self.driver.clock.now()))
    }

    /// Stores the last checkpoint; what came of it.
    pub(super) fn store_last(&mut self, checkpoint: &Checkpoint) -> SaveOutcome {
        self.keeping.as_mut().map_or(SaveOutcome::Unsaved, |keeping| keeping.store_last(checkpoint))
    }

    /// Whether what it decided is written down.
    pub(super) fn remembers(&self) -> bool {
        self.keeping.as_ref().is_some_and(StateKeeping::remembers)
    }

    /// The process is gone; what it had sent of alert events may still arrive.
    pub(super) fn vanish(mut self, broker: &mut Broker) -> Vec<(Request, exchange::AnswerEnding)> {
        let connections = self.stream_lane.connections().chain(self.core_lane.connections());
        for connection in connections.chain(self.publisher.connection()) {
            broker.forget(connection);
        }
        self.publisher.last_words()
    }
}
