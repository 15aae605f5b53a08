//! Fuzzing on stable Rust: inputs of a corpus (`tests/fuzz/corpus/TARGET/…`) changed at random, from a seed.
//!
//! `cargo test --lib fuzz` runs few rounds. `SIGNALBOX_FUZZ_ROUNDS=1000000 SIGNALBOX_FUZZ_SEED=7 cargo test --profile
//! simulation --lib fuzz` runs many others. An input that panics, hangs or is answered wrongly is written to
//! `target/fuzz`, with what to do to see it again; it belongs into the corpus then, which every run begins with.

mod kept;
mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::simulation::random::Random;
use mutate::Mutator;
use targets::{TARGETS, Target};

/// Rounds of a target without being told otherwise.
const ROUNDS: u64 = 60;

/// How long one input may take, however slow the machine is.
const PATIENCE: Duration = Duration::from_mins(2);

/// The longest input that is made.
const BYTES_MAX: usize = 16 << 10;

fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

/// The inputs that are kept of a target, in order.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::iter::once(folder("tests/fuzz/corpus").join(target.name))
        .chain(target.beside.iter().map(|path| folder(path)))
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let mut inputs: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    inputs.extend((target.made)());
    assert!(!inputs.is_empty(), "{} has no corpus", target.name);
    inputs
}

/// Takes inputs one by one and says what came of each.
fn work(target: &'static Target, inputs: &Receiver<Vec<u8>>, outcomes: &Sender<Result<(), String>>) {
    let mut run = (target.begin)();
    for input in inputs {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&input)));
        let outcome = outcome.unwrap_or_else(|panic| {
            run = (target.begin)();
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned())
        });
        if outcomes.send(outcome).is_err() {
            return;
        }
    }
}

/// Runs a target; what is wrong with it.
fn fuzz(target: &'static Target) -> Result<(), String> {
    let (seed, rounds) = (told("SIGNALBOX_FUZZ_SEED").unwrap_or(1), told("SIGNALBOX_FUZZ_ROUNDS"));
    let (give, inputs) = channel();
    let (tell, outcomes) = channel();
    // Deep enough for what nests as deep as is allowed, in a build that is not optimised.
    let worker = std::thread::Builder::new().stack_size(16 << 20);
    let worker = worker.spawn(move || work(target, &inputs, &tell)).unwrap();
    let run = |input: &[u8], round: u64| {
        give.send(input.to_vec()).unwrap();
        let wrong = match outcomes.recv_timeout(PATIENCE) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(what)) => what,
            Err(RecvTimeoutError::Timeout) => format!("it takes more than {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => "the thread is gone".to_owned(),
        };
        let kept = folder("target/fuzz");
        std::fs::create_dir_all(&kept).unwrap();
        let path = kept.join(format!("{}-{seed}-{round}", target.name));
        std::fs::write(&path, input).unwrap();
        Err(format!(
            "{}: {wrong}\nthe input is in {} (seed {seed}, round {round}); put it into tests/fuzz/corpus/{} to see it again",
            target.name,
            path.display(),
            target.name
        ))
    };
    let corpus = corpus(target);
    for (place, input) in (0..).zip(&corpus) {
        run(input, place)?;
    }
    let mut mutator = Mutator::new(Random::new(seed), &corpus, target.words);
    for round in 0..rounds.unwrap_or(ROUNDS) {
        run(&mutator.next(BYTES_MAX), round)?;
    }
    drop(give);
    worker.join().unwrap();
    Ok(())
}

#[test]
fn no_input_panics_hangs_or_is_answered_wrongly() {
    let only = std::env::var("SIGNALBOX_FUZZ_TARGET").ok();
    let wanted = |target: &&Target| only.as_ref().is_none_or(|only| only == target.name);
    let faults: Vec<String> = TARGETS.iter().filter(wanted).filter_map(|target| fuzz(target).err()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn a_seed_makes_the_same_inputs_each_time() {
    let corpus = [b"some text".to_vec(), b"other".to_vec()];
    let inputs = |seed| {
        let mut mutator = Mutator::new(Random::new(seed), &corpus, &["{}"]);
        (0..50).map(|_| mutator.next(64)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(3), inputs(3));
    assert_ne!(inputs(3), inputs(4));
    assert!(inputs(3).iter().all(|input| input.len() <= 64));
}
