//! Which of all events an instance reads, where several share the work: by context, and by key.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::checkpoint::share::ShareTwin;
use crate::engine::config::{Config, TrackerName};
use crate::engine::wire::EventType;

/// What of all events comes here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Share {
    /// The types that do not.
    off: BTreeSet<EventType>,
    /// Of how many parts which one, and the token that parts; none where keys are not parted.
    part: Option<(usize, usize, Arc<str>)>,
}

impl Share {
    /// As a configuration has it.
    pub(in crate::engine) fn of(config: &Config) -> Self {
        let partition = &config.partition;
        let part = || (partition.count, partition.index, Arc::from(partition.token.as_str()));
        Self { off: config.lanes.off().into_iter().collect(), part: (partition.count > 1).then(part) }
    }

    /// The trackers whose entries are moved by other events here than they were there: what they hold would stay for
    /// good, or is held elsewhere too.
    pub(in crate::engine) fn reassigned(&self, before: &Self) -> Vec<TrackerName> {
        let is_other = |tracker: &TrackerName| {
            let off_changed = |it: &EventType| self.off.contains(it) != before.off.contains(it);
            self.part != before.part || tracker.movers().iter().any(off_changed)
        };
        TrackerName::ALL.into_iter().filter(is_other).collect()
    }

    /// As it is written.
    pub(in crate::engine) fn save(&self) -> ShareTwin {
        let (count, index, token) = self.part.clone().unwrap_or((1, 0, Arc::from("")));
        ShareTwin {
            off: self.off.iter().map(|event_type| Arc::from(event_type.name())).collect(),
            count: count as u64,
            index: index as u64,
            token,
        }
    }

    /// As it was written.
    pub(in crate::engine) fn restored(twin: ShareTwin) -> Self {
        let part = (twin.count > 1).then_some((twin.count as usize, twin.index as usize, twin.token));
        Self { off: twin.off.iter().filter_map(|name| EventType::from_name(name)).collect(), part }
    }
}
