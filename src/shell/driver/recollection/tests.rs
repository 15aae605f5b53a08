//! The driver over what was told before it began.

use crate::engine::checkpoint::SavedState;
use crate::engine::config::Config;
use crate::engine::rules::load::for_tests::rule_set;
use crate::engine::{Engine, RunEnding};
use crate::shell::clock::Clock;
use crate::shell::driver::command::Command;
use crate::shell::driver::mailbox::LaneGate;
use crate::shell::driver::tests::{Rig, STREAM, firing_rig, rig, rig_of};

use super::*;

/// A driver whose engine goes on from a state, under a rule that fires for every label set of `load`; the stream is awaited.
fn restored_rig() -> Rig {
    let clock = Clock::start();
    let config = Config::with_defaults("test");
    let rules = || rule_set("groups: [{name: g, rules: [{alert: High, expr: load, above: 0}]}]");
    let before = clock.now().before(Duration::from_hours(1));
    let mut engine = Engine::new(&config, rules(), before);
    let saved = SavedState::read(&engine.save(before).to_bytes()).unwrap();
    let (mut engine, _) = Engine::restore(&config, rules(), saved, RunEnding::Crash).unwrap();
    engine.await_stream("S", clock.now());
    rig_of(engine, config, clock)
}

#[test]
fn what_was_stored_waits_until_it_is_known_what_was_told_of_it() {
    let answers: [fn(&mut Rig); 3] = [
        |rig| {
            rig.order(Command::NothingToAdopt);
        },
        |rig| {
            rig.order(Command::Adopt(Box::default()));
        },
        |rig| {
            rig.driver.clock.put_forward(rig.driver.clock.now().after(RECALL_WAIT));
            rig.driver.turn(DriverStage::Running);
        },
    ];
    for answer in answers {
        let mut rig = restored_rig();
        assert_eq!(rig.driver.gate(DriverStage::Running), LaneGate::CoreShut);
        rig.drive(&["found 2 2", "stored 1 bad"]);
        assert_eq!(rig.driver.gate(DriverStage::Running), LaneGate::Shut);
        assert_eq!(rig.driver.gate(DriverStage::Finishing), LaneGate::StreamShut);
        assert_eq!((rig.sample(STREAM), rig.driver.engine.standing()), (Some(0.0), Standing::Awaiting));
        answer(&mut rig);
        rig.driver.turn(DriverStage::Running);
        assert_eq!(rig.sample(STREAM), Some(1.0));
    }
    // Without a state nothing can have been told of it.
    let mut rig = rig();
    rig.drive(&["found 2 2"]);
    assert_eq!(rig.driver.gate(DriverStage::Running), LaneGate::CoreShut);
}

#[test]
fn the_clock_goes_on_from_behind_what_a_stream_shows_decided() {
    let mut rig = firing_rig();
    // Nobody's clock is off by more than that.
    for (ahead, goes_on) in [(Duration::from_mins(10), true), (AHEAD_MAX * 2, false)] {
        let decided_at = rig.driver.clock.now().after(ahead);
        let shown = StoredAlerts { decided_at, ..StoredAlerts::default() };
        rig.order(Command::Adopt(Box::new(shown)));
        assert_eq!(rig.driver.clock.now() > decided_at, goes_on);
    }
}
