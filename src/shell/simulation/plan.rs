//! What happens in a simulated world: drawn from a seed as a list, so that parts of it can be left out.

use std::fmt;
use std::time::Duration;

use super::broker::Retention;
use super::disk::{Death, DiskFault};
use super::random::Random;
use super::time::{MILLI, Micros, SECOND};

/// Steps of a plan.
const STEPS: (u64, u64) = (30, 90);

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A counter fed by the stream grows.
    Count { shop: u8, by: u8 },
    /// A gauge fed by the stream is set.
    Level { tank: u8, value: u8 },
    /// A counter fed by core NATS grows.
    Queue { queue: u8 },
    /// An event comes again under its id.
    Repeat { back: u8 },
    /// Something comes that is no event.
    Garbage,
    /// The process dies after so many steps of its parts, and is away for so long.
    Die { death: Death, steps: u16, away: Micros, harm: Harm },
    /// The process dies in the middle of what it does to the disk.
    DieWriting { death: Death, operations: u8, away: Micros, harm: Harm },
    /// The process is told to stop, and is away for so long.
    Stop { away: Micros },
    /// A connection breaks.
    Cut { which: u8 },
    /// The broker is away for so long.
    BrokerAway { span: Micros },
    /// The next answers to who publishes are lost.
    LoseAnswers { count: u8 },
    /// The next answers to who publishes are late.
    LateAnswers { count: u8 },
    /// The next requests of who publishes are lost.
    LoseRequests { count: u8 },
    /// The next requests of who publishes arrive when nobody waits for their answer any more.
    LateRequests { count: u8 },
    /// The stream of events loses its first messages.
    Expire { count: u8 },
    /// The stream of events is deleted and made again.
    Recreate,
    /// The stream of events is restored from an older copy.
    RollBack { count: u8 },
    /// The broker forgets the consumers that nobody asked to last.
    ForgetConsumers,
    /// The disk fails for so long.
    DiskFails { fault: DiskFault, span: Micros },
    /// The process stands still for so long.
    Stall { span: Micros },
    /// The engine stands still for so long.
    StallEngine { span: Micros },
    /// The process' clock is off by so much at its next start.
    ClockOff { millis: i32 },
    /// Messages are under way for up to so long from now on.
    Slow { slowness: Micros },
    /// Other rules come into force.
    Reload { rules: u8 },
    /// The state is saved.
    Save,
    /// The Alertmanager is away for so long.
    AlertmanagerAway { span: Micros },
    /// The next answers of the Alertmanager are lost.
    LoseWords { count: u8 },
}

/// What happens to the files of a process that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    None,
    FlipCheckpoint,
    FlipPrevious,
    FlipLog,
    TearCheckpoint,
    TearLog,
    Wipe,
}

impl Harm {
    const ALL: [Self; 6] = [
        Self::FlipCheckpoint,
        Self::FlipPrevious,
        Self::FlipLog,
        Self::TearCheckpoint,
        Self::TearLog,
        Self::Wipe,
    ];

    fn drawn(random: &mut Random) -> Self {
        if random.percent(85) { Self::None } else { random.pick(&Self::ALL).unwrap_or(Self::None) }
    }
}

/// An action and how long after the one before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) after: Micros,
    pub(super) action: Action,
}

/// Where alert events are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AlertStream {
    /// In the stream of events.
    Same,
    /// In one of their own.
    Own,
}

/// Whether the process has a folder for its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateFolder {
    /// It has.
    There,
    /// It has not.
    Missing,
}

/// What a world is like from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) alerts: AlertStream,
    /// When events leave their stream.
    pub(super) retention: Retention,
    pub(super) state: StateFolder,
    /// How long the streams know an id again.
    pub(super) knows_ids_for: Duration,
    /// How often the state is saved.
    pub(super) save_every: Micros,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alerts, retention, state, knows_ids_for, save_every } = self;
        let every = Duration::from_micros(*save_every);
        write!(
            f,
            "events by {retention:?}, alerts in {alerts:?}, ids for {knows_ids_for:?}, state {state:?} each {every:?}"
        )
    }
}

impl Setting {
    /// One stream for all, a state folder, and nothing else that is drawn.
    pub(super) const fn plain(save_every: Micros) -> Self {
        Self {
            alerts: AlertStream::Same,
            retention: Retention::Limits,
            state: StateFolder::There,
            knows_ids_for: Duration::from_mins(2),
            save_every,
        }
    }

    fn drawn(random: &mut Random) -> Self {
        let alerts = if random.percent(50) { AlertStream::Same } else { AlertStream::Own };
        let save_every = random.between(300 * MILLI, 8 * SECOND);
        // Alert events want a stream with limits retention.
        let retention = match (random.below(10), alerts) {
            (0, AlertStream::Own) => Retention::Interest,
            (1 | 2, AlertStream::Own) => Retention::WorkQueue,
            (_, AlertStream::Same | AlertStream::Own) => Retention::Limits,
        };
        let state = if random.percent(85) { StateFolder::There } else { StateFolder::Missing };
        let knows_ids_for =
            if random.percent(70) { Duration::from_mins(2) } else { Duration::from_millis(100) };
        Self { alerts, retention, state, knows_ids_for, save_every }
    }
}

/// A world and what happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) setting: Setting,
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let setting = Setting::drawn(&mut random);
        let count = random.between(STEPS.0, STEPS.1);
        let steps = (0..count).map(|_| step(&mut random, setting)).collect();
        Self { seed, setting, steps }
    }

    /// The same with these steps alone.
    pub(super) fn keeping(&self, kept: &[usize]) -> Self {
        let steps = kept.iter().filter_map(|place| self.steps.get(*place).copied()).collect();
        Self { steps, ..self.clone() }
    }
}

fn step(random: &mut Random, setting: Setting) -> Step {
    let after = match random.below(10) {
        0..4 => random.below(3 * MILLI),
        4..8 => random.below(200 * MILLI),
        _ => random.below(3 * SECOND),
    };
    Step { after, action: action(random, setting) }
}

fn action(random: &mut Random, setting: Setting) -> Action {
    match random.below(100) {
        0..18 => Action::Count { shop: random.below(3) as u8, by: random.between(1, 5) as u8 },
        18..44 => Action::Level { tank: random.below(3) as u8, value: random.below(30) as u8 },
        44..50 => Action::Queue { queue: random.below(2) as u8 },
        50..54 => Action::Repeat { back: random.below(8) as u8 },
        54..56 => Action::Garbage,
        56..66 => end(random),
        66..69 => Action::Cut { which: random.below(3) as u8 },
        69..72 => Action::BrokerAway { span: random.below(8 * SECOND) },
        72..79 => publishing(random),
        79..83 => of_stream(random, setting),
        83..85 => Action::DiskFails {
            fault: random.pick(&[DiskFault::Full, DiskFault::Unsynced]).unwrap_or(DiskFault::Full),
            span: random.below(6 * SECOND),
        },
        85..87 => Action::Stall { span: random.below(10 * SECOND) },
        87..88 => Action::StallEngine { span: random.below(4 * SECOND) },
        88..89 => Action::ClockOff { millis: random.below(120_000) as i32 - 60_000 },
        89..90 => {
            Action::Slow { slowness: random.pick(&[2 * MILLI, 40 * MILLI, 300 * MILLI]).unwrap_or(MILLI) }
        }
        90..93 => Action::Reload { rules: random.below(4) as u8 },
        93..96 => Action::Save,
        96..98 => Action::AlertmanagerAway { span: random.below(20 * SECOND) },
        98..99 => Action::LoseWords { count: random.between(1, 4) as u8 },
        _ => Action::LateRequests { count: random.between(1, 4) as u8 },
    }
}

/// An end of the process.
fn end(random: &mut Random) -> Action {
    let death = if random.percent(70) { Death::Kill } else { Death::PowerLoss };
    let away_max = if random.percent(70) { SECOND } else { 10 * SECOND };
    let away = random.between(20 * MILLI, away_max);
    let harm = Harm::drawn(random);
    match random.below(10) {
        0..5 => Action::Die { death, steps: random.below(60) as u16, away, harm },
        5..8 => Action::DieWriting { death, operations: random.between(1, 20) as u8, away, harm },
        _ => Action::Stop { away },
    }
}

/// Something that happens to who publishes.
fn publishing(random: &mut Random) -> Action {
    let count = random.between(1, 4) as u8;
    match random.below(4) {
        0..2 => Action::LoseAnswers { count },
        2 => Action::LateAnswers { count },
        _ => Action::LoseRequests { count },
    }
}

/// Something that happens to the stream of events. Where alert events are stored in it too, a broker that loses what it
/// acknowledged is outside the promises.
fn of_stream(random: &mut Random, setting: Setting) -> Action {
    match (random.below(6), setting.alerts) {
        (0..2, _) | (_, AlertStream::Same) => Action::ForgetConsumers,
        (2..4, AlertStream::Own) => Action::Expire { count: random.below(20) as u8 },
        (4, AlertStream::Own) => Action::Recreate,
        (_, AlertStream::Own) => Action::RollBack { count: random.below(10) as u8 },
    }
}
