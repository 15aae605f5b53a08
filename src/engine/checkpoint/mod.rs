//! What lives across a restart, as plain structures apart from the live types, and as bytes.
//!
//! Each room turns what it keeps into its *twin* here and makes itself from one again; [`Checkpoint`] is what the engine
//! hands out, [`SavedState`] what a file held. The file begins with what it is and which version ([`mod@file`]); each section
//! has its length and checksum. Nothing that is read is trusted: whatever the bytes are, reading ends with a value or
//! with what is wrong.

pub(in crate::engine) mod bytes;
mod file;
pub(in crate::engine) mod head;
pub(in crate::engine) mod history;
pub(in crate::engine) mod rules;
pub(in crate::engine) mod series;
pub(in crate::engine) mod settled;
pub(in crate::engine) mod share;
pub(in crate::engine) mod told;
pub(in crate::engine) mod trackers;
pub(in crate::engine) mod unsampled;
pub(in crate::engine) mod window;

pub(crate) use file::VERSION;
pub(in crate::engine) use file::{Part, Section};
pub use file::{SavedState, StateError};

use crate::engine::time::Timestamp;

/// What a checkpoint is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointAge {
    /// The present: it holds everything that was seen.
    Present,
    /// A past that is being lived through: some of what was seen before a crash is still to come again.
    Past,
}

/// The engine at one instant, to be written elsewhere while the engine goes on.
pub struct Checkpoint {
    pub(in crate::engine) now: Timestamp,
    pub(in crate::engine) age: CheckpointAge,
    pub(in crate::engine) parts: Vec<(Section, Box<dyn Part>)>,
}

impl Checkpoint {
    /// The instant.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// What it is of.
    pub(crate) const fn age(&self) -> CheckpointAge {
        self.age
    }

    /// The bytes of the file, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.pieces_of(|section, part| file::framed(section, part))
    }

    /// The same with an empty past, which alone can be done without.
    pub(crate) fn pieces_without_past(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.pieces_of(|section, part| match section {
            Section::History => file::framed(section, &history::HistoryTwin::nothing()),
            Section::Head
            | Section::Series
            | Section::Recent
            | Section::Window
            | Section::Trackers
            | Section::Rules
            | Section::Told
            | Section::Share
            | Section::Unsampled
            | Section::Settled => file::framed(section, part),
        })
    }

    fn pieces_of<'a>(
        &'a self,
        framed: impl Fn(Section, &dyn Part) -> Vec<u8> + 'a,
    ) -> impl Iterator<Item = Vec<u8>> + 'a {
        let sections = self.parts.iter().map(move |(section, part)| framed(*section, part.as_ref()));
        std::iter::once(file::header()).chain(sections).chain(std::iter::once_with(file::end))
    }

    /// The bytes of the file.
    #[cfg(test)]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.pieces().flatten().collect()
    }
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Checkpoint").field("now", &self.now).finish_non_exhaustive()
    }
}
