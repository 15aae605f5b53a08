//! Runs simulated worlds (`docs/simulation.md`): `simulate --seeds 1000`, `simulate --seed 7 --trace`.

#![expect(clippy::disallowed_methods, reason = "it says how long the worlds took")]

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use signalbox::shell::simulation::{Simulator, Telling};

/// Runs simulated worlds and says which promises do not hold in them.
#[derive(Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Of that seed's plan these steps alone, as shrinking names them.
    #[arg(long, value_delimiter = ',')]
    keep: Option<Vec<usize>>,
    /// Prints everything that happens in that seed's world.
    #[arg(long)]
    trace: bool,
    /// Runs worlds in which two processes are a pair.
    #[arg(long)]
    pair: bool,
    /// Goes on after a failure, without shrinking it.
    #[arg(long)]
    all: bool,
    /// Seeds that are passed over, as they are known to fail.
    #[arg(long, value_delimiter = ',')]
    except: Vec<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    let simulator = Simulator::new().map_err(io::Error::other)?;
    match arguments.seed {
        Some(seed) => run_one(&simulator, seed, arguments),
        None => run_many(&simulator, arguments),
    }
}

fn run_one(simulator: &Simulator, seed: u64, arguments: &Arguments) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let telling = if arguments.trace { Telling::Lines } else { Telling::Nothing };
    let outcome = if arguments.pair {
        simulator.run_pair(seed, telling)
    } else {
        simulator.run_part(seed, arguments.keep.as_deref(), telling)
    };
    for line in &outcome.lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "trace {:016x}", outcome.trace)?;
    let Some(failure) = outcome.failure else {
        writeln!(out, "seed {seed}: every promise holds")?;
        return Ok(ExitCode::SUCCESS);
    };
    writeln!(out, "seed {seed}: {failure}")?;
    if arguments.keep.is_none() && !arguments.pair {
        tell_shrunk(simulator, seed, &mut out)?;
    }
    Ok(ExitCode::FAILURE)
}

fn run_many(simulator: &Simulator, arguments: &Arguments) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let begun = Instant::now();
    let (mut failed, mut alerts, mut scrapes, mut passed_over) = (0, 0, 0, 0);
    let seeds = arguments.from..arguments.from + arguments.seeds;
    for seed in seeds {
        if arguments.except.contains(&seed) {
            passed_over += 1;
            continue;
        }
        let outcome =
            if arguments.pair { simulator.run_pair(seed, Telling::Nothing) } else { simulator.run(seed) };
        alerts += outcome.alerts;
        scrapes += outcome.scrapes;
        let Some(failure) = outcome.failure else { continue };
        failed += 1;
        writeln!(out, "seed {seed}: {failure} (trace {:016x})", outcome.trace)?;
        let pair = if arguments.pair { "--pair " } else { "" };
        writeln!(out, "see it again: scripts/simulate {pair}--seed {seed} --trace")?;
        if !arguments.all {
            if !arguments.pair {
                tell_shrunk(simulator, seed, &mut out)?;
            }
            return Ok(ExitCode::FAILURE);
        }
    }
    let took = begun.elapsed();
    let each = took.as_secs_f64() * 1_000.0 / arguments.seeds.max(1) as f64;
    writeln!(
        out,
        "{} seeds, {failed} failed, {passed_over} passed over, {alerts} alert events, {scrapes} scrapes, {:.1} s, {each:.2} ms a seed",
        arguments.seeds,
        took.as_secs_f64()
    )?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell_shrunk(simulator: &Simulator, seed: u64, out: &mut impl io::Write) -> io::Result<()> {
    let Some(shrunk) = simulator.shrink(seed) else { return Ok(()) };
    let kept: Vec<String> = shrunk.kept.iter().map(usize::to_string).collect();
    writeln!(out, "it fails with these steps alone (--seed {seed} --keep {}):", kept.join(","))?;
    for step in &shrunk.steps {
        writeln!(out, "  {step}")?;
    }
    writeln!(out, "  {}", shrunk.failure)
}
