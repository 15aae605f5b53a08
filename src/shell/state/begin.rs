//! The start: who holds the folder, what is in it, and the engine that goes on from it.

use std::path::Path;

use anyhow::Context;

use crate::engine::config::Config;
use crate::engine::rules::{LogRecord, RuleSet};
use crate::engine::time::Timestamp;
use crate::engine::{Ending, Engine};

use super::folder::{FolderError, Found, StateFolder};

/// A folder with what is in it; none where the disk does not let it be used now.
pub(crate) type Kept = Option<(StateFolder, Found)>;

/// Takes hold of the folder and reads what is there.
///
/// # Errors
/// What only an edit can mend: another process holds it, it is no folder, a newer release wrote it.
pub(crate) fn open(path: &Path) -> anyhow::Result<Kept> {
    let kept = StateFolder::open(path).and_then(|folder| {
        let found = folder.load()?;
        Ok((folder, found))
    });
    match kept {
        Ok(kept) => Ok(Some(kept)),
        Err(error @ FolderError::Disk { .. }) => {
            tracing::error!(%error, "starting without a state; it is saved as soon as the folder can be used");
            Ok(None)
        }
        Err(error) => Err(error).context("start"),
    }
}

/// The engine that goes on from what was found; none where there is nothing to go on from.
pub(crate) fn restore(
    (kept, log): (Kept, &[LogRecord]),
    config: &Config,
    rules: &RuleSet,
    now: Timestamp,
) -> (Option<StateFolder>, Option<Engine>) {
    let Some((folder, found)) = kept else { return (None, None) };
    let engine = match found {
        Found::Nothing => {
            tracing::info!(folder = %folder.path().display(), "no state yet: beginning with the first stored message");
            folder.begin(Ending::Crash);
            None
        }
        Found::Damaged(why) => {
            tracing::error!(why, "the state cannot be read and is set aside; everything begins anew");
            folder.begin(Ending::Crash);
            None
        }
        Found::State { mut state, ending, instead_of } => {
            state.forget(log);
            if let Some(why) = instead_of {
                tracing::error!(why, "the last checkpoint cannot be read; going on from the one before it");
            }
            go_on(&folder, (*state, ending), (config, rules), now)
        }
    };
    (Some(folder), engine)
}

fn go_on(
    folder: &StateFolder,
    (state, ending): (crate::engine::checkpoint::SavedState, Ending),
    (config, rules): (&Config, &RuleSet),
    now: Timestamp,
) -> Option<Engine> {
    let saved = state.saved_at();
    let ending = folder.begin(ending);
    match Engine::restore(config, rules.clone(), state, ending) {
        Ok((engine, anew)) => {
            let age = now.since(saved);
            let position = engine.position().map_or(0, |position| position.sequence);
            tracing::info!(?age, ?ending, position, "going on from the state");
            for metric in anew {
                tracing::warn!(metric, "begins anew: the configuration has other buckets for it now");
            }
            Some(engine)
        }
        Err(error) => {
            tracing::error!(%error, "the state cannot be gone on from; everything begins anew");
            None
        }
    }
}
