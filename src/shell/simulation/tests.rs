//! Few worlds, as they are slow where nothing is optimised; `scripts/simulate` runs many.

use super::*;

/// Seeds whose worlds failed before what they found was mended.
const FAILED_ONCE: [u64; 53] = [
    14, 17, 28, 35, 63, 72, 95, 141, 166, 173, 205, 302, 383, 387, 393, 427, 439, 581, 722, 778, 901, 1143,
    1154, 1303, 1319, 1335, 1517, 1539, 1715, 1911, 1994, 2161, 2464, 3850, 3929, 4158, 5001, 5129, 5917,
    8039, 8923, 9240, 10_119, 13_999, 14_161, 14_225, 14_237, 25_597, 28_169, 28_610, 30_205, 32_906, 34_525,
];

/// The same of a pair.
const PAIRS_FAILED_ONCE: [u64; 1] = [1498];

#[test]
fn promises_hold_in_the_worlds_of_the_first_seeds() {
    let simulator = Simulator::new().unwrap();
    let mut failures = Vec::new();
    let seeds = std::env::var("SIGNALBOX_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in (0..seeds.unwrap_or(12)).chain(FAILED_ONCE) {
        let outcome = simulator.run(seed);
        failures.extend(outcome.failure.map(|failure| format!("seed {seed}: {failure}")));
        assert!(outcome.scrapes > 0, "seed {seed}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    let simulator = Simulator::new().unwrap();
    for seed in 0..2 {
        assert_eq!(simulator.run(seed), simulator.run(seed), "seed {seed}");
    }
}

#[test]
fn a_failing_plan_is_left_with_what_it_fails_for() {
    let plan = Plan::of(7);
    let wanted = [plan.steps[3], plan.steps[20]];
    let fails =
        |plan: Plan| wanted.iter().all(|step| plan.steps.contains(step)).then(|| "it fails".to_owned());
    let shrunk = shrink::shrink(&plan, &fails).unwrap();
    assert_eq!(shrunk.steps.len(), 2, "{:?}", shrunk.steps);
    assert!(shrink::shrink(&plan, &|_| None).is_none());
}

#[test]
fn promises_of_a_pair_hold_in_the_worlds_of_the_first_seeds() {
    let simulator = Simulator::new().unwrap();
    let mut failures = Vec::new();
    let seeds = std::env::var("SIGNALBOX_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let first =
        std::env::var("SIGNALBOX_SIMULATION_FROM").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut alerts = 0;
    let is_told = std::env::var_os("SIGNALBOX_SIMULATION_TELL").is_some();
    let telling = if is_told { Telling::Lines } else { Telling::Nothing };
    for seed in (first..first + seeds.unwrap_or(8)).chain(PAIRS_FAILED_ONCE) {
        let outcome = simulator.run_pair(seed, telling);
        if is_told {
            eprintln!("{}", outcome.lines.join("\n"));
        }
        failures.extend(outcome.failure.map(|failure| format!("seed {seed}: {failure}")));
        alerts += outcome.alerts;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(alerts > 0);
}
