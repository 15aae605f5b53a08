//! Ids of jobs, chunks, files, workers and cache entries in 24 bytes.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::engine::series::print::Seeds;
use crate::engine::wire::lower_case_uuid;

/// The longest id kept letter by letter.
const INLINE_BYTES_MAX: usize = 22;

/// The first byte of a key that holds the 16 bytes of a UUID.
const KIND_UUID: u8 = 0xFE;

/// The first byte of a key that holds a digest.
const KIND_DIGEST: u8 = 0xFF;

/// What the digests of long ids begin with. They are written down: other numbers are another format of the state.
const DIGESTS: Seeds = Seeds::fixed([
    0x7369_676e_616c_4b65,
    0x8b6f_7842_6f78_4964,
    0x2d35_8dcc_aa6c_78a5,
    0x8bb8_4b93_962e_acc9,
]);

/// An id: a UUID in its usual form as 16 bytes, a short text as it is, a longer one as a digest.
///
/// Ids are opaque (only `event_id` has other forms that mean the same), so a UUID in capitals is another id. The digest
/// is a print of 128 bits and no secret: whoever makes two ids of one print can as well publish events about either, and
/// what they would gain is one entry counted instead of two. It is the same in every process, so that keys can be written
/// down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdKey([u8; 24]);

/// As three words: as bytes it would be hashed with its length, which is always the same.
impl Hash for IdKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for word in self.0.as_chunks::<8>().0 {
            hasher.write_u64(u64::from_le_bytes(*word));
        }
    }
}

impl IdKey {
    /// The key of an id.
    pub(crate) fn new(id: &str) -> Self {
        if let Some(number) = id.as_bytes().try_into().ok().and_then(lower_case_uuid) {
            return Self::of_uuid(number);
        }
        if id.len() <= INLINE_BYTES_MAX {
            return Self::with_kind(id.len() as u8, id.as_bytes());
        }
        let mut printer = DIGESTS.begin(KIND_DIGEST);
        printer.add(id.as_bytes());
        Self::with_kind(KIND_DIGEST, &printer.end().bytes())
    }

    /// As it is written.
    pub(crate) const fn twin(self) -> [u8; 24] {
        self.0
    }

    /// As it was written.
    pub(crate) const fn of_twin(twin: [u8; 24]) -> Self {
        Self(twin)
    }

    /// Put together as words, as it is read: what is written in other pieces than it is read in has to wait for the cache.
    #[inline]
    fn of_uuid(number: u128) -> Self {
        let number = number.swap_bytes();
        let words =
            [u64::from(KIND_UUID) | (number as u64) << 8, (number >> 56) as u64, (number >> 120) as u64];
        let mut key = [0; 24];
        for (place, word) in key.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        Self(key)
    }

    fn with_kind(kind: u8, bytes: &[u8]) -> Self {
        let mut key = [0; 24];
        let [first, rest @ ..] = &mut key;
        *first = kind;
        if let Some(place) = rest.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
        Self(key)
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_known_in_lower_case_alone() {
        let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let is_uuid = |text: &str| IdKey::new(text).0.first() == Some(&KIND_UUID);
        assert!(is_uuid(text));
        for (place, byte) in text.bytes().enumerate() {
            for other in [byte.to_ascii_uppercase(), b'g', b'`', b'@', b'/', b':', 0x15] {
                let mut changed = text.as_bytes().to_vec();
                changed[place] = other;
                let same = other == byte;
                assert_eq!(is_uuid(std::str::from_utf8(&changed).unwrap()), same, "{place} {other}");
            }
        }
    }

    #[test]
    fn a_digest_is_what_it_was_when_states_were_written() {
        let key = IdKey::new("transcript:67e55044-10b1-426f-9247-bb680e5fe0c8:7");
        assert_eq!(format!("{key:?}"), "ff1f28b138ed85f1efc2a45a20ddda28b600000000000000");
    }

    #[test]
    fn ids_are_opaque_so_other_forms_of_a_uuid_are_other_ids() {
        let long = "x".repeat(100);
        let ids = [
            "",
            "\0",
            "job-1",
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
            "67E55044-10B1-426F-9247-BB680E5FE0C8",
            "67e5504410b1426f9247bb680e5fe0c8",
            "67e55044-10b1-426f-9247-bb680e5fe0cg",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            long.as_str(),
        ];
        for (place, left) in ids.iter().enumerate() {
            for (other, right) in ids.iter().enumerate() {
                assert_eq!(IdKey::new(left) == IdKey::new(right), place == other, "{left} {right}");
            }
        }
    }
}
