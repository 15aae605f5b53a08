//! What the lease says.

use serde::Deserialize;

/// Who holds the lease.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct LeaseRecord {
    /// By which the process is known.
    pub(super) holder: String,
    /// The instance's name, for people.
    pub(super) instance: String,
    /// How long the holder means it to last, in milliseconds.
    pub(super) lease_ms: u64,
    /// Alert events that wait at the holder.
    #[serde(default)]
    pub(super) waiting: usize,
}

impl LeaseRecord {
    /// What is written.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({
            "holder": self.holder,
            "instance": self.instance,
            "lease_ms": self.lease_ms,
            "waiting": self.waiting,
        })
        .to_string()
    }

    /// Reads a lease; none where it was let go, or where it is something else.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_a_lease_that_was_let_go_is_none() {
        let record = LeaseRecord {
            holder: "h".to_owned(),
            instance: "box-\"1\"".to_owned(),
            lease_ms: 5_000,
            waiting: 3,
        };
        assert_eq!(LeaseRecord::read(record.to_json().as_bytes()), Some(record));
        assert_eq!(LeaseRecord::read(b""), None);
        assert_eq!(LeaseRecord::read(b"{}"), None);
    }
}
