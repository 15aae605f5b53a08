//! The majors as their twin, and from it.

use std::time::Duration;

use super::Majors;
use crate::engine::checkpoint::head::MajorTwin;
use crate::engine::wire::EventType;

impl Majors {
    /// The majors seen so far.
    pub(in crate::engine) fn save(&self) -> Vec<MajorTwin> {
        let twin = |((event_type, major), (first, told)): (&(EventType, u32), &(_, _))| MajorTwin {
            event_type: event_type.name().into(),
            major: *major,
            first: *first,
            told: *told,
        };
        self.seen.iter().map(twin).collect()
    }

    /// The majors that were saved; those of types there no longer are leave.
    pub(in crate::engine) fn restored(twins: Vec<MajorTwin>, deprecate_after: Duration) -> Self {
        let mut majors = Self::new(deprecate_after);
        for twin in twins {
            if let Some(event_type) = EventType::from_name(&twin.event_type) {
                majors.seen.insert((event_type, twin.major), (twin.first, twin.told));
            }
        }
        for (place, event_type) in EventType::ALL.iter().enumerate() {
            let mut own = majors.of(*event_type);
            let only = own.next().filter(|_| own.next().is_none());
            drop(own);
            if let Some(place) = majors.only.get_mut(place) {
                *place = only;
            }
        }
        majors
    }
}
