//! When the state is saved and what is said of it, over a real folder.

use std::fs;

use super::*;
use crate::engine::Engine;
use crate::engine::config::Config;
use crate::engine::rules::RuleSet;
use crate::engine::time::Timestamp;
use crate::shell::driver::mailbox::LaneGate;
use crate::shell::for_tests::{apply, gauge};
use crate::shell::saves::Settled;
use crate::shell::settings::Settings;
use crate::shell::state::folder::FoundState;
use serde_json::json;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_824_000_000).after(Duration::from_secs(seconds))
}

/// A keeper of a folder, and the engine that it keeps.
struct Rig {
    root: tempfile::TempDir,
    context: ShellContext,
    keeper: Keeper,
    engine: Engine,
}

impl Rig {
    /// With the folder at this path below a root.
    fn of(path: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::with_defaults("test");
        // Its place is kept whole, however many there are.
        config.dedupe.entries = 1_000;
        let engine = Engine::new(&config, RuleSet::default(), at(0));
        let context = ShellContext::new(Settings::default(), config);
        let keeper = Keeper::new((RealDisk, root.path().join(path)), None, context.clone());
        Self { root, context, keeper, engine }
    }

    /// Keeps what the engine holds, as of this batch.
    fn keep(&mut self, batch: u64) {
        let checkpoint = self.engine.save(at(1));
        self.keeper.keep(&HandedOut { checkpoint, batch }, RunEnding::Crash);
    }

    /// What the driver was told since the last call, by its first word.
    fn told(&self) -> Vec<String> {
        let taken = self.context.mailbox.take(LaneGate::CoreShut);
        let word = |command: &Command| {
            let text = format!("{command:?}");
            text.split([' ', '(', ')', '{'])
                .filter(|word| *word != "Fact")
                .find(|it| !it.is_empty())
                .unwrap()
                .to_owned()
        };
        taken.commands.iter().map(word).collect()
    }

    fn concerns(&self) -> Vec<String> {
        self.context.status.concerns().into_iter().map(|(_, text)| text).collect()
    }

    fn settled(&self) -> (u64, u64) {
        let Settled { saved, unsaved, .. } = self.context.saves.settled();
        (saved, unsaved)
    }
}

#[test]
fn what_is_on_disk_is_told_to_the_metrics_the_log_and_the_lane() {
    let mut rig = Rig::of("state");
    assert_eq!(rig.keeper.pause(), FIRST, "a log needs something to go on from");
    rig.keep(5);
    assert_eq!((rig.told(), rig.settled()), (vec!["Saved".to_owned(), "Saved".to_owned()], (5, 0)));
    assert_eq!(rig.keeper.pause(), rig.context.config.get().state.checkpoint_every);
    assert!(rig.concerns().is_empty());
}

#[test]
fn a_checkpoint_of_a_past_leaves_the_log_as_it_is() {
    let mut rig = Rig::of("state");
    rig.keep(1);
    let found = StateFolder::open(RealDisk, &rig.root.path().join("state"));
    assert!(matches!(found, Err(FolderError::Taken(_))), "the keeper holds it");
    drop((rig.told(), rig.keeper.folder.take()));
    let folder = StateFolder::open(RealDisk, &rig.root.path().join("state")).unwrap();
    let FoundState::State { state, ending, .. } = folder.load().unwrap() else { panic!("nothing there") };
    let config = rig.context.config.get();
    let (engine, _) = Engine::restore(&config, RuleSet::default(), *state, ending).unwrap();
    rig.engine = engine;
    rig.engine.await_stream("S", at(9));
    rig.keeper.folder = Some(folder);
    if rig.engine.can_be_saved() {
        rig.keep(2);
        assert_eq!(
            (rig.told(), rig.settled()),
            (vec!["Saved".to_owned()], (2, 0)),
            "only the metrics hear of it"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_told_of_and_tried_again() {
    let mut rig = Rig::of("file/state");
    fs::write(rig.root.path().join("file"), "").unwrap();
    rig.keep(3);
    assert_eq!((rig.told(), rig.settled()), (vec!["NotSaved".to_owned()], (0, 3)));
    let concerns = rig.concerns();
    assert!(
        concerns.len() == 1 && concerns[0].starts_with("state: cannot use the state folder"),
        "{concerns:?}"
    );
    fs::remove_file(rig.root.path().join("file")).unwrap();
    rig.keep(4);
    assert_eq!((rig.settled(), rig.concerns().len()), ((4, 0), 0));
}

#[test]
fn a_folder_that_somebody_removed_is_made_again_with_the_next_checkpoint() {
    let mut rig = Rig::of("state");
    rig.keep(1);
    fs::remove_dir_all(rig.root.path().join("state")).unwrap();
    rig.keep(2);
    assert_eq!(rig.settled(), (1, 2));
    rig.keep(3);
    assert_eq!((rig.settled(), rig.concerns().len()), ((3, 0), 0));
}

#[test]
fn with_less_and_less_room_first_the_past_and_then_the_state_is_left_out() {
    let mut rig = Rig::of("state");
    for second in 0..60_u64 {
        let event = |host: u64| {
            let value = (second * 200 + host) as f64 / 3.0;
            gauge(second * 200 + host + 1, ("load", value), &json!({"host": host.to_string()}))
        };
        apply(&mut rig.engine, &(0..200).map(event).collect::<Vec<_>>(), at(second));
        rig.engine.tick(at(second));
    }
    let checkpoint = rig.engine.save(at(1));
    let whole = checkpoint.pieces().map(|piece| piece.len() as u64).sum::<u64>();
    let bare = checkpoint.pieces_without_past().map(|piece| piece.len() as u64).sum::<u64>();
    assert!(bare < whole, "{bare} {whole}");
    // A checkpoint may take five parts of 24 of the folder.
    let folder_for = |bytes: u64| (bytes * 24 / 5 + 24) as usize;
    let mut seen = Vec::new();
    for bytes in [whole, whole - 8, bare, bare - 8] {
        let mut config = (*rig.context.config.get()).clone();
        config.state.bytes_max = folder_for(bytes);
        rig.context.config.put(std::sync::Arc::new(config));
        rig.keep(bytes);
        let concerns = rig.concerns();
        let outcome = match concerns.first() {
            None => "whole",
            Some(text) if text.contains("without the past") => "without the past",
            Some(_) => "nothing",
        };
        assert_eq!(rig.settled().1 == 0, outcome != "nothing", "{bytes}: {concerns:?}");
        seen.push(outcome);
    }
    assert_eq!(seen, ["whole", "without the past", "without the past", "nothing"]);
}

#[test]
fn a_wish_brings_a_checkpoint_before_its_time_and_a_stop_a_clean_one() {
    let Rig { root, context, keeper, mut engine } = Rig::of("state");
    let driver = {
        let context = context.clone();
        std::thread::spawn(move || {
            let mut batch = 0;
            loop {
                context.mailbox.wait(Duration::from_secs(1), LaneGate::Open);
                let commands = context.mailbox.take(LaneGate::Open).commands;
                for command in commands {
                    let is_last = matches!(command, Command::Finish(_));
                    if let Command::Save(keeper) | Command::Finish(Some(keeper)) = command {
                        batch += 1;
                        keeper.send(HandedOut { checkpoint: engine.save(at(1)), batch }).unwrap();
                    }
                    if is_last {
                        return;
                    }
                }
            }
        })
    };
    let running = std::thread::spawn(move || keeper.run());
    // The first comes by itself, the second is due in half a minute.
    while context.saves.settled().saved < 1 {
        std::thread::yield_now();
    }
    context.saves.wish();
    while context.saves.settled().saved < 2 {
        std::thread::yield_now();
    }
    context.stop.stop();
    context.saves.wish();
    let mut keeper = running.join().unwrap();
    keeper.finish();
    driver.join().unwrap();
    assert!(context.saves.settled().saved >= 3);
    drop(keeper);
    let folder = StateFolder::open(RealDisk, &root.path().join("state")).unwrap();
    let FoundState::State { ending, .. } = folder.load().unwrap() else { panic!("nothing there") };
    assert_eq!(ending, RunEnding::Clean);
}
