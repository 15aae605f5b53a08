//! A seeded simulation: the engine, the driver, the lanes' machines, the machine that publishes, and the state, over a
//! broker, a disk and a clock that fail as real ones do.
//!
//! A seed draws a [`plan`]; the [`world`] has it happen, one turn of one part at a time, so that the process can die
//! between any two turns and in the middle of what it does to the disk. Beside it a [`model`] reckons what should be
//! counted, and every alert event that the broker stores is walked. There is no thread and no real time: a seed is the
//! same world each time.

mod acts;
mod alertmanager;
mod alerts;
mod broker;
mod disk;
mod keeping;
mod lane;
mod model;
mod pair;
mod plan;
mod process;
mod publisher;
pub(super) mod random;
mod rest;
mod scraper;
mod setup;
mod shrink;
#[cfg(test)]
mod tests;
mod time;
mod trace;
mod turning;
mod workload;
mod world;

use pair::PairWorld;
use plan::Plan;
use setup::Setup;
use trace::Trace;
use world::World;

/// What came of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationOutcome {
    /// The promise that does not hold; none where all do.
    pub failure: Option<String>,
    /// A hash of everything that happened.
    pub trace: u64,
    /// Alert events that were stored.
    pub alerts: u64,
    /// Scrapes that were looked at.
    pub scrapes: u64,
    /// Everything that happened, a line each, where it was asked for.
    pub lines: Vec<String>,
}

/// A plan that fails, with what can be left out of it left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The places of the steps that are needed.
    pub kept: Vec<usize>,
    /// The steps, as people read them.
    pub steps: Vec<String>,
    /// What fails.
    pub failure: String,
}

/// Runs worlds.
#[derive(Debug)]
pub struct Simulator {
    setup: Setup,
    /// Of a pair.
    pair: Setup,
}

/// Whether what happens is told line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It is.
    Lines,
    /// It is not.
    Nothing,
}

impl Simulator {
    /// One that is ready to run.
    ///
    /// # Errors
    /// What is wrong with the configuration or the rules of the worlds.
    pub fn new() -> Result<Self, String> {
        Ok(Self { setup: Setup::read()?, pair: Setup::read_with(pair::CONFIG)? })
    }

    /// Runs the world of a seed.
    pub fn run(&self, seed: u64) -> SimulationOutcome {
        self.run_plan(Plan::of(seed), Telling::Nothing)
    }

    /// Runs the world of a seed with these steps of its plan alone.
    pub fn run_part(&self, seed: u64, kept: Option<&[usize]>, telling: Telling) -> SimulationOutcome {
        let plan = Plan::of(seed);
        let plan = kept.map_or_else(|| plan.clone(), |kept| plan.keeping(kept));
        self.run_plan(plan, telling)
    }

    /// Runs the world of a seed in which two processes are a pair.
    pub fn run_pair(&self, seed: u64, telling: Telling) -> SimulationOutcome {
        let mut trace = match telling {
            Telling::Lines => Trace::told(),
            Telling::Nothing => Trace::hashed(),
        };
        let mut world = PairWorld::new(&self.pair, seed, &mut trace);
        let failure = world.run().err().map(|what| format!("at {} µs: {what}", world.now()));
        let alerts = world.stored();
        let (hash, lines) = (trace.hash(), trace.lines().to_vec());
        SimulationOutcome { failure, trace: hash, alerts, scrapes: 0, lines }
    }

    /// Leaves out of a failing plan what it fails without.
    pub fn shrink(&self, seed: u64) -> Option<Shrunk> {
        shrink::shrink(&Plan::of(seed), &|plan| self.run_plan(plan, Telling::Nothing).failure)
    }

    fn run_plan(&self, plan: Plan, telling: Telling) -> SimulationOutcome {
        let mut trace = match telling {
            Telling::Lines => Trace::told(),
            Telling::Nothing => Trace::hashed(),
        };
        let mut world = World::new(&self.setup, plan, &mut trace);
        let setting = world.plan.setting;
        let failure = world.run().err().map(|what| format!("at {} µs: {what} ({setting})", world.now));
        let (alerts, scrapes) = (world.walk.stored, world.scraper.scrapes);
        let (hash, lines) = (trace.hash(), trace.lines().to_vec());
        SimulationOutcome { failure, trace: hash, alerts, scrapes, lines }
    }
}
