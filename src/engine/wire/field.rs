//! The names of all top-level fields an event or its CloudEvents envelope may carry, found fast.

use super::words::Guess;

/// Declares [`Field`] from the names as they stand on the wire.
macro_rules! fields {
    ($($field:ident)* ; $($renamed:ident = $name:literal)*) => {
        /// A known field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(non_camel_case_types, reason = "the variants are the field names of the specification")]
        #[repr(u8)]
        pub(super) enum Field { $($field,)* $($renamed,)* }

        impl Field {
            /// All of them, each at the place of its number.
            const ALL: &'static [Self] = &[$(Self::$field,)* $(Self::$renamed,)*];

            /// The name on the wire.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$field => stringify!($field),)* $(Self::$renamed => $name,)* }
            }
        }
    };
}

fields! {
    event_id timestamp event_type event_version traceparent source specversion
    transcript_id file_name file_size file_hash language upload_ip chunk_id chunk_index total_chunks chunk_size
    processing_strategy processing_duration_ms text_length was_cached cache_key error_type error_message
    retry_count will_retry total_duration_ms successful_chunks failed_chunks cache_hits final_text_length
    detected_language progress current_chunk status cache_level entry_size_bytes ttl_seconds entry_type was_hit
    access_duration_ms reason entry_age_seconds warming_strategy target_entries entries_loaded entries_failed
    duration_ms job_id job_type priority queue_name payload_size submitter worker_id worker_pid message
    current_step result_size sent_to_dlq retry_attempt max_retries backoff_seconds queues concurrency
    jobs_running metric_name metric_value metric_type tags alert_rule_id alert_name severity current_value
    threshold duration_seconds fingerprint dashboard_id dashboard_name panel_count pool_id pool_size pool_available
    checkout_duration_ms held_duration_ms query_hash query_type table_name row_count used_index index_name
    ; cloud_id = "id" cloud_type = "type" cloud_time = "time" cloud_data = "data" cloud_data_base64 = "data_base64"
}

/// How many fields are known.
pub(super) const COUNT: usize = Field::ALL.len();

const _: () = assert!(COUNT <= 128, "a set of fields is 128 bits");

impl Field {
    /// The field of this name (without escapes), where it is known.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        let mut slot = hash(name);
        loop {
            let field = *Self::ALL.get(usize::from(*SLOTS.get(slot)?))?;
            if field.name().as_bytes() == name {
                return Some(field);
            }
            slot = (slot + 1) % SLOT_COUNT;
        }
    }

    /// How many bytes a comma, this name as a key and a colon take, where `text` begins with them in this style.
    #[inline]
    pub(super) fn member_at_start(self, text: &[u8], style: Style) -> Option<usize> {
        self.member(style)?.at_start(text)
    }

    /// A comma, this name as a key and a colon in this style.
    #[inline]
    pub(super) fn member(self, style: Style) -> Option<&'static Guess<MEMBER_CHUNKS>> {
        MEMBERS.get(style as usize)?.get(self as usize)
    }

    /// The same with the quote that begins a string.
    pub(super) fn text_member(self, style: Style) -> Option<&'static Guess<MEMBER_CHUNKS>> {
        TEXT_MEMBERS.get(style as usize)?.get(self as usize)
    }

    /// Whether it is one of the four that every event has, which come first.
    #[inline]
    pub(super) const fn is_common(self) -> bool {
        self as u8 <= Self::event_version as u8
    }

    /// The set of this field alone.
    pub(super) const fn bit(self) -> u128 {
        1 << self as u8
    }
}

/// How a publisher separates the members of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Style {
    /// Without white space.
    Compact,
    /// With a blank after each comma and colon, as Python does.
    Spaced,
}

/// The chunks that hold the longest name with its separators.
const MEMBER_CHUNKS: usize = 2;

/// What stands before the value of each field, by style.
static MEMBERS: [[Guess<MEMBER_CHUNKS>; COUNT]; 2] = [members(",\"", "\":"), members(", \"", "\": ")];

/// The same where the value is a string.
static TEXT_MEMBERS: [[Guess<MEMBER_CHUNKS>; COUNT]; 2] =
    [members(",\"", "\":\""), members(", \"", "\": \"")];

/// The version of nearly all events as a member, by style.
static VERSION_MEMBERS: [Guess<MEMBER_CHUNKS>; 2] = [
    Guess::new([",\"event_version\":\"", "1.0", "\""]),
    Guess::new([", \"event_version\": \"", "1.0", "\""]),
];

/// A comma and the member `event_version` as nearly all events have it in this style.
pub(super) fn version_member(style: Style) -> Option<&'static Guess<MEMBER_CHUNKS>> {
    VERSION_MEMBERS.get(style as usize)
}

/// An opening brace and the key most events begin with, by style.
static OPENINGS: [Guess<1>; 2] =
    [Guess::new(["{\"", "event_id", "\":"]), Guess::new(["{\"", "event_id", "\": "])];

/// How many bytes the brace and the key `event_id` take, where `text` begins with them in this style.
#[inline]
pub(super) fn opening_at_start(text: &[u8], style: Style) -> Option<usize> {
    OPENINGS.get(style as usize)?.at_start(text)
}

const fn members(before: &str, after: &str) -> [Guess<MEMBER_CHUNKS>; COUNT] {
    let mut members = [const { Guess::new([""; 3]) }; COUNT];
    let (mut places, mut fields): (&mut [Guess<MEMBER_CHUNKS>], _) = (&mut members, Field::ALL);
    while let ([place, other_places @ ..], [field, other_fields @ ..]) = (places, fields) {
        *place = Guess::new([before, field.name(), after]);
        (places, fields) = (other_places, other_fields);
    }
    members
}

const SLOT_COUNT: usize = 512;
const EMPTY: u8 = u8::MAX;

/// Open addressing over the names: the number of a field, or [`EMPTY`].
static SLOTS: [u8; SLOT_COUNT] = slots();

#[expect(clippy::indexing_slicing, reason = "it runs when the program is built; `get` is not const")]
const fn slots() -> [u8; SLOT_COUNT] {
    let mut slots = [EMPTY; SLOT_COUNT];
    let mut fields = Field::ALL;
    while let [field, others @ ..] = fields {
        let mut slot = hash(field.name().as_bytes());
        while slots[slot] != EMPTY {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = *field as u8;
        fields = others;
    }
    slots
}

/// Mixes the first and the last eight bytes and the length, which tell most names apart.
const fn hash(name: &[u8]) -> usize {
    let (head, tail) = match (name.first_chunk(), name.last_chunk()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (short(name), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 55) as usize
}

/// At most seven bytes as one number.
const fn short(mut name: &[u8]) -> u64 {
    let mut packed = 0;
    while let [byte, rest @ ..] = name {
        packed = packed << 8 | *byte as u64;
        name = rest;
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for field in Field::ALL {
            assert_eq!(Field::from_name(field.name().as_bytes()), Some(*field));
            let compact = format!(",{:?}:", field.name());
            let spaced = format!(", {:?}: ", field.name());
            for (text, style, other) in
                [(compact, Style::Compact, Style::Spaced), (spaced, Style::Spaced, Style::Compact)]
            {
                assert_eq!(field.member_at_start(text.as_bytes(), style), Some(text.len()));
                assert_eq!(field.member_at_start(text.as_bytes(), other), None);
            }
        }
        for other in
            ["", "i", "ids", "event_i", "event_idd", "EVENT_ID", "a much longer name than any of them"]
        {
            assert_eq!(Field::from_name(other.as_bytes()), None, "{other}");
        }
    }
}
