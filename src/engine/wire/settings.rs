//! What messages and events may be, which lane each type rides, and how other major versions become 1.x.

use std::collections::BTreeMap;

use super::{EventType, Lane};

/// What the decoder is set up with.
#[derive(Clone, Debug, PartialEq)]
pub struct WireSettings {
    /// Bytes of a message.
    pub message_bytes_max: usize,
    /// Elements of an array.
    pub elements_max: usize,
    /// Depth of nesting.
    pub depth_max: usize,
    /// The lane of each type that is read; all JetStream-lane types move to core where JetStream is off.
    pub lanes: BTreeMap<EventType, Lane>,
    /// How other major versions become 1.x.
    pub transforms: Vec<Transform>,
}

/// A declared way from another major version's shape to 1.x.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// The type it is for.
    pub(crate) event_type: EventType,
    /// The major version it reads.
    pub(crate) major: u32,
    /// The steps, in order.
    pub(crate) steps: Vec<TransformStep>,
}

/// One step of a transform, on top-level fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TransformStep {
    /// A field gets another name.
    Rename {
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// A missing or null field gets a value.
    Default {
        /// The field.
        field: String,
        /// The value, as JSON text.
        json: String,
    },
    /// A number is multiplied.
    Scale {
        /// The field.
        field: String,
        /// The factor.
        factor: f64,
    },
    /// A text becomes another; texts not named stay.
    Map {
        /// The field.
        field: String,
        /// From and to.
        values: BTreeMap<String, String>,
    },
    /// A field is left out.
    Drop {
        /// The field.
        field: String,
    },
}

impl EventType {
    /// The lane where nothing else is said: progress and metrics tolerate loss, the rest does not.
    pub(crate) const fn default_lane(self) -> Lane {
        if matches!(self, Self::MetricRecorded | Self::ProgressUpdated | Self::JobProgressUpdated) {
            Lane::Core
        } else {
            Lane::JetStream
        }
    }
}

#[cfg(test)]
impl WireSettings {
    /// Settings for tests: the defaults of `METRICS.md`.
    pub(super) fn of_tests() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            elements_max: 10_000,
            depth_max: 128,
            lanes: EventType::ALL.iter().map(|event_type| (*event_type, event_type.default_lane())).collect(),
            transforms: Vec::new(),
        }
    }
}
