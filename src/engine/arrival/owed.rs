//! What is to begin anew after a run that broke off, because nobody can repeat it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::wire::EventType;

/// How the run ended that left a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnding {
    /// It was told to stop: the state holds all that anybody saw.
    Clean,
    /// It broke off: what it did after the state was saved must come again.
    Crash,
}

/// The types whose counters are to begin anew.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Owed {
    /// Those of the stream, should messages that were applied have left it.
    pub(in crate::engine) stream: Option<BTreeSet<EventType>>,
    /// Those of core NATS; with them what the process itself did.
    pub(in crate::engine) core: Option<BTreeSet<EventType>>,
}

impl Owed {
    /// After a run that ended so, in which these types rode the core lane.
    pub(in crate::engine) fn after(ending: RunEnding, core_types: &[Arc<str>]) -> Self {
        match ending {
            RunEnding::Clean => Self::default(),
            RunEnding::Crash => {
                let core: BTreeSet<EventType> =
                    core_types.iter().filter_map(|name| EventType::from_name(name)).collect();
                let stream = EventType::ALL.iter().copied().filter(|it| !core.contains(it)).collect();
                Self { stream: Some(stream), core: Some(core) }
            }
        }
    }
}
