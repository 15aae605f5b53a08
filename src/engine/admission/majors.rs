//! Which versions are deprecated: an older major still counts, and is marked once a newer one has been seen for
//! long enough (`domain-events.md`, "Event Versioning").

mod saved;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::fact::Notice;
use crate::engine::time::Timestamp;
use crate::engine::wire::{EventType, Version};

/// How often a person is told of one deprecated major of a type.
const NOTICE_EVERY: Duration = Duration::from_hours(1);

/// How a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// The newest major, or an older one whose successor is young.
    Current,
    /// A newer major has been seen for long enough.
    Deprecated,
}

impl Standing {
    /// The value of the label `deprecated`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Current => "false",
            Self::Deprecated => "true",
        }
    }
}

/// The majors seen of each type.
#[derive(Debug)]
pub(crate) struct Majors {
    deprecate_after: Duration,
    /// By type: the one major seen, while there is but one.
    only: Vec<Option<u32>>,
    /// By type and major: when it was first seen, and when a person was last told that it is deprecated.
    seen: BTreeMap<(EventType, u32), (Timestamp, Option<Timestamp>)>,
}

/// Majors remembered of one type; more are not told apart.
const MAJORS_MAX: usize = 16;

impl Majors {
    /// Nothing seen yet.
    pub(crate) fn new(deprecate_after: Duration) -> Self {
        Self { deprecate_after, only: vec![None; EventType::ALL.len()], seen: BTreeMap::new() }
    }

    /// Sets how long a newer major has to be there.
    pub(crate) fn deprecate_after(&mut self, span: Duration) {
        self.deprecate_after = span;
    }

    /// Takes note of an applied event's version and says how it stands.
    pub(crate) fn seen(
        &mut self,
        event_type: EventType,
        version: Version,
        now: Timestamp,
        notices: &mut Vec<Notice>,
    ) -> Standing {
        let major = version.major;
        if self.only.get(event_type as usize) == Some(&Some(major)) {
            return Standing::Current;
        }
        if !self.seen.contains_key(&(event_type, major)) {
            if self.of(event_type).count() >= MAJORS_MAX {
                return Standing::Current;
            }
            self.seen.insert((event_type, major), (now, None));
            let majors = self.of(event_type).count();
            if let Some(only) = self.only.get_mut(event_type as usize) {
                *only = (majors == 1).then_some(major);
            }
        }
        let deprecated = self
            .seen
            .range((event_type, major.saturating_add(1))..=(event_type, u32::MAX))
            .any(|((_, newer), (first, _))| *newer > major && now.since(*first) >= self.deprecate_after);
        if !deprecated {
            return Standing::Current;
        }
        if let Some((_, told)) = self.seen.get_mut(&(event_type, major))
            && told.is_none_or(|told| now.since(told) >= NOTICE_EVERY)
        {
            *told = Some(now);
            notices.push(Notice::DeprecatedVersion { event_type, version });
        }
        Standing::Deprecated
    }

    fn of(&self, event_type: EventType) -> impl Iterator<Item = u32> {
        self.seen.range((event_type, 0)..=(event_type, u32::MAX)).map(|((_, major), _)| *major)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: u64) -> Timestamp {
        Timestamp::EPOCH.after(Duration::from_hours(24 * days))
    }

    #[test]
    fn an_older_major_is_deprecated_once_a_newer_one_is_thirty_days_old() {
        let mut majors = Majors::new(Duration::from_hours(24 * 30));
        let (old, new) = (Version { major: 1, minor: 0, patch: 0 }, Version { major: 2, minor: 0, patch: 0 });
        let mut notices = Vec::new();
        let mut standing = |version, at| majors.seen(EventType::JobQueued, version, at, &mut notices);
        assert_eq!(standing(old, day(0)), Standing::Current);
        assert_eq!(standing(new, day(1)), Standing::Current);
        assert_eq!(standing(old, day(30)), Standing::Current);
        assert_eq!(standing(old, day(31)), Standing::Deprecated);
        assert_eq!(standing(old, day(31)), Standing::Deprecated);
        assert_eq!(standing(new, day(31)), Standing::Current);
        assert_eq!(notices.len(), 1);
    }
}
