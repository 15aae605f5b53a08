//! The versions that have series of their own, as their twins, and from them.

use super::{Board, EventAccount, Metric, Registered, Standing, VERSIONS_MAX, VersionCount};
use crate::engine::checkpoint::head::VersionTwin;
use crate::engine::wire::{EventType, Version};

impl EventAccount {
    /// The versions seen so far.
    pub(in crate::engine::account) fn save(&self) -> Vec<VersionTwin> {
        let types = EventType::ALL.iter().zip(&self.versions);
        let all = types.flat_map(|(event_type, counts)| counts.iter().map(move |count| (event_type, count)));
        let twin = |(event_type, count): (&EventType, &VersionCount)| VersionTwin {
            event_type: event_type.name().into(),
            major: count.version.major,
            minor: count.version.minor,
            patch: count.version.patch,
            deprecated: match count.standing {
                Standing::Current => 0,
                Standing::Deprecated => 1,
            },
        };
        all.map(twin).collect()
    }

    /// Takes over the versions that were saved.
    pub(in crate::engine::account) fn restore(
        &mut self,
        twins: &[VersionTwin],
        metrics: &Registered,
        board: &mut Board<'_>,
    ) {
        for twin in twins {
            let Some(event_type) = EventType::from_name(&twin.event_type) else { continue };
            let Some(known) = self.versions.get_mut(event_type as usize) else { continue };
            let version = Version { major: twin.major, minor: twin.minor, patch: twin.patch };
            let standing = if twin.deprecated == 0 { Standing::Current } else { Standing::Deprecated };
            if known.iter().filter(|count| count.standing == standing).count() < VERSIONS_MAX {
                let values = [event_type.name(), &version.to_string(), standing.word()];
                let series = metrics.resolve(board, Metric::EventVersions, &values);
                known.push(VersionCount { version, standing, series, count: 0 });
            }
        }
    }
}
