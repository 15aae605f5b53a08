//! The start: who holds the folder, what is in it, and the engine that goes on from it.

use std::path::Path;

use anyhow::Context;

use crate::engine::checkpoint::{SavedState, StateError};
use crate::engine::config::Config;
use crate::engine::rules::{LogRecord, RuleSet, since_checkpoint};
use crate::engine::time::Timestamp;
use crate::engine::{Engine, RunEnding};

use super::disk::Disk;
use super::folder::{FolderError, FoundState, StateFolder};
use super::log::TransitionLog;

/// A folder with what is in it; none where the disk does not let it be used now.
pub(crate) type OpenedState<D> = Option<(StateFolder<D>, FoundState)>;

/// Takes hold of the folder and reads what is there.
///
/// # Errors
/// What only an edit can mend: another process holds it, it is no folder, a newer release wrote it.
pub(crate) fn open<D: Disk>(disk: D, path: &Path) -> anyhow::Result<OpenedState<D>> {
    let kept = StateFolder::open(disk, path).and_then(|folder| {
        let found = folder.load()?;
        Ok((folder, found))
    });
    match kept {
        Ok(kept) => Ok(Some(kept)),
        Err(error @ FolderError::Disk { .. }) => {
            tracing::error!(%error, "starting without a state; it is saved as soon as the folder can be used");
            Ok(None)
        }
        Err(error) => Err(error).context("cannot start"),
    }
}

/// The engine that goes on from what was found; none where there is nothing to go on from. A state that contradicts
/// itself gives way to the one before it, and what the log told between the two is put before what it tells.
pub(crate) fn restore<D: Disk>(
    (kept, log): (OpenedState<D>, &mut Vec<LogRecord>),
    config: &Config,
    rules: &RuleSet,
    now: Timestamp,
) -> (Option<StateFolder<D>>, Option<Engine>) {
    let Some((folder, mut found)) = kept else { return (None, None) };
    let mut has_earlier_log = false;
    loop {
        if found.needs_earlier_log() && !has_earlier_log {
            log.splice(..0, TransitionLog::earlier(folder.disk(), folder.path()));
            has_earlier_log = true;
        }
        match found {
            FoundState::Nothing => {
                let folder_shown = folder.path().display();
                tracing::info!(folder = %folder_shown, "no state yet: beginning with the first stored message");
                folder.begin(RunEnding::Crash);
                return (Some(folder), None);
            }
            FoundState::Damaged(why) => {
                tracing::error!(why, "the state cannot be read and is set aside; everything begins anew");
                folder.begin(RunEnding::Crash);
                return (Some(folder), None);
            }
            FoundState::State { mut state, ending, instead_of, name } => {
                let since = since_checkpoint(log, state.saved_at()).to_vec();
                state.forget(&since);
                if let Some(why) = instead_of {
                    tracing::error!(
                        why,
                        "the last checkpoint cannot be read; going on from the one before it"
                    );
                }
                match go_on(&folder, (*state, ending), (config, rules), now) {
                    Ok(engine) => {
                        *log = since;
                        return (Some(folder), Some(engine));
                    }
                    Err(error) => found = folder.load_another(name, &error.to_string()),
                }
            }
        }
    }
}

fn go_on<D: Disk>(
    folder: &StateFolder<D>,
    (state, ending): (SavedState, RunEnding),
    (config, rules): (&Config, &RuleSet),
    now: Timestamp,
) -> Result<Engine, StateError> {
    let saved = state.saved_at();
    let ending = folder.begin(ending);
    let (engine, anew) = Engine::restore(config, rules.clone(), state, ending)?;
    let age = now.since(saved);
    let position = engine.position().map_or(0, |position| position.sequence);
    tracing::info!(?age, ?ending, position, "going on from the state");
    for metric in anew {
        tracing::warn!(metric, "begins anew: the configuration has other buckets for it now");
    }
    Ok(engine)
}
