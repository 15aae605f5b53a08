//! The top level of one JSON object as a table: which known fields are there, of which kind, and where.
//!
//! An object is scanned once, before its type is known; the typed fields are then read from the table. The table is
//! used again for the next object: only the set of fields that are present is cleared.

use super::field::{COUNT, Field};
use super::scan::{Nesting, Spelling, blank, colon, literal, string, unescape};
use super::value::{Kind, Value, number};
use super::{EventId, identity};
use crate::engine::time::{Timestamp, TimestampReader};

/// A key that is not a known field, or one of the tags: where it is, and whether with escapes.
#[derive(Clone, Copy, Debug)]
struct Key {
    start: u32,
    end: u32,
    spelling: Spelling,
}

/// What the tags of the object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagsForm {
    /// Names and values are strings.
    Texts,
    /// A value is no string.
    Mixed,
    /// A name is there twice.
    Repeated,
}

/// The table.
#[derive(Debug)]
pub(super) struct Fields {
    /// The values, each with the object it was found in: what stands there from another object counts as absent.
    values: [(u32, Value); COUNT],
    object: u32,
    lone: u128,
    /// The `event_id` and the `timestamp`, where they stand in their usual forms.
    id: Option<EventId>,
    time: Option<Timestamp>,
    times: TimestampReader,
    repeated: bool,
    tags: TagsForm,
    unknown: Vec<Key>,
    tag_names: Vec<Key>,
    /// Which key followed each key last time: publishers write their fields in one order, and comparing with a guess
    /// costs less than finding the end of a key and looking it up.
    followers: [Field; COUNT + 2],
}

/// The place in `followers` of the opening brace.
const OPENING: usize = COUNT;
/// The place in `followers` of all keys that are no known field.
const UNKNOWN: usize = COUNT + 1;

impl Fields {
    pub(super) fn new() -> Self {
        Self {
            values: [(0, Value::NULL); COUNT],
            object: 0,
            lone: 0,
            id: None,
            time: None,
            times: TimestampReader::default(),
            repeated: false,
            tags: TagsForm::Texts,
            unknown: Vec::new(),
            tag_names: Vec::new(),
            followers: [Field::event_id; COUNT + 2],
        }
    }

    /// The value of a field, where it is there.
    #[inline]
    pub(super) fn get(&self, field: Field) -> Option<Value> {
        let (object, value) = self.values.get(field as usize)?;
        (*object == self.object).then_some(*value)
    }

    /// The `event_id`, where it is there in its usual form.
    #[inline]
    pub(super) const fn id(&self) -> Option<EventId> {
        self.id
    }

    /// The `timestamp`, where it is there and needs no closer look.
    #[inline]
    pub(super) const fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// The fields in which a string with half a surrogate pair stands.
    pub(super) const fn lone(&self) -> u128 {
        self.lone
    }

    /// Whether a key was there twice.
    pub(super) const fn repeated(&self) -> bool {
        self.repeated
    }

    /// What the tags are, where there are any.
    pub(super) const fn tags(&self) -> TagsForm {
        self.tags
    }

    /// Scans the object whose brace is at `open`, and returns the place after it; `None` where it is not JSON.
    pub(super) fn scan(&mut self, text: &str, open: usize, nesting: &mut Nesting) -> Option<usize> {
        self.clear();
        let bytes = text.as_bytes();
        let mut at = blank(bytes, open + 1);
        if *bytes.get(at)? == b'}' {
            return Some(at + 1);
        }
        let mut previous = OPENING;
        loop {
            let (field, after) = self.key(text, at, previous)?;
            at = colon(bytes, after)?;
            at = match field {
                Some(field) => {
                    previous = field as usize;
                    self.known(text, at, field, nesting)?
                }
                None => {
                    previous = UNKNOWN;
                    nesting.skip(bytes, at, 1)?
                }
            };
            at = blank(bytes, at);
            match *bytes.get(at)? {
                b',' => at = blank(bytes, at + 1),
                b'}' => break,
                _ => return None,
            }
        }
        if self.unknown.len() > 1 {
            self.repeated |= repeats(text, &self.unknown);
        }
        Some(at + 1)
    }

    fn clear(&mut self) {
        (self.lone, self.id, self.time, self.repeated, self.tags) = (0, None, None, false, TagsForm::Texts);
        self.unknown.clear();
        self.object = self.object.wrapping_add(1);
        if self.object == 0 {
            // The count has come round: nothing of the last round may look like the present.
            self.values.fill((0, Value::NULL));
            self.object = 1;
        }
    }

    /// Reads a key; `None` within stands for an unknown one.
    #[inline]
    fn key(&mut self, text: &str, at: usize, previous: usize) -> Option<(Option<Field>, usize)> {
        let bytes = text.as_bytes();
        let guess = *self.followers.get(previous)?;
        if let Some(length) = guess.quoted_at_start(bytes.get(at..)?) {
            return Some((Some(guess), at + length));
        }
        let (field, after) = self.other_key(text, at)?;
        if let (Some(field), Some(follower)) = (field, self.followers.get_mut(previous)) {
            *follower = field;
        }
        Some((field, after))
    }

    fn other_key(&mut self, text: &str, at: usize) -> Option<(Option<Field>, usize)> {
        let bytes = text.as_bytes();
        if *bytes.get(at)? != b'"' {
            return None;
        }
        let (end, spelling) = string(bytes, at + 1)?;
        let field = match spelling {
            Spelling::Plain => Field::from_name(bytes.get(at + 1..end)?),
            Spelling::Escaped | Spelling::Lone => Field::from_name(&unescape(text.get(at + 1..end)?)),
        };
        if field.is_none() {
            self.unknown.push(Key { start: at as u32 + 1, end: end as u32, spelling });
        }
        Some((field, end + 1))
    }

    /// Reads the value of a known field into the table.
    #[inline]
    fn known(&mut self, text: &str, at: usize, field: Field, nesting: &mut Nesting) -> Option<usize> {
        let bytes = text.as_bytes();
        let (value, after) = match *bytes.get(at)? {
            b'"' => match self.usual(bytes, at, field) {
                Some(found) => found,
                None => self.string(bytes, at, field)?,
            },
            b't' => (Value::spanning(Kind::True, at, at), literal(bytes, at, b"true")?),
            b'f' => (Value::spanning(Kind::False, at, at), literal(bytes, at, b"false")?),
            b'n' => (Value::NULL, literal(bytes, at, b"null")?),
            b'{' | b'[' => self.nested(text, at, field, nesting)?,
            _ => number(bytes, at)?,
        };
        let entry = self.values.get_mut(field as usize)?;
        self.repeated |= entry.0 == self.object;
        *entry = (self.object, value);
        Some(after)
    }

    /// Reads an id or a time in one of its usual forms, whose end needs no search.
    #[inline]
    fn usual(&mut self, bytes: &[u8], at: usize, field: Field) -> Option<(Value, usize)> {
        let inside = bytes.get(at + 1..)?;
        let length = match field {
            Field::event_id => {
                self.id = Some(EventId(identity::hyphenated_uuid(inside.first_chunk()?)?));
                36
            }
            Field::timestamp => {
                let (time, length) = self.times.read(inside)?;
                self.time = Some(time);
                length
            }
            _ => return None,
        };
        if inside.get(length) == Some(&b'"') {
            return Some((Value::spanning(Kind::Plain, at + 1, at + 1 + length), at + length + 2));
        }
        self.forget(field);
        None
    }

    /// Takes back what [`usual`](Self::usual) has read of a string that is longer.
    #[cold]
    fn forget(&mut self, field: Field) {
        match field {
            Field::event_id => self.id = None,
            _ => self.time = None,
        }
    }

    #[inline]
    fn string(&mut self, bytes: &[u8], at: usize, field: Field) -> Option<(Value, usize)> {
        let (end, spelling) = string(bytes, at + 1)?;
        let kind = if spelling == Spelling::Plain { Kind::Plain } else { Kind::Escaped };
        if spelling == Spelling::Lone {
            self.lone |= field.bit();
        }
        Some((Value::spanning(kind, at + 1, end), end + 1))
    }

    /// Reads the value of a field that is an object or an array.
    fn nested(
        &mut self,
        text: &str,
        at: usize,
        field: Field,
        nesting: &mut Nesting,
    ) -> Option<(Value, usize)> {
        let bytes = text.as_bytes();
        nesting.lone = false;
        let kind = if *bytes.get(at)? == b'{' { Kind::Object } else { Kind::Array };
        let end = match (kind, field) {
            (Kind::Object, Field::tags) => self.scan_tags(text, at, nesting)?,
            _ => nesting.skip(bytes, at, 1)?,
        };
        if nesting.lone {
            self.lone |= field.bit();
        }
        Some((Value::spanning(kind, at, end), end))
    }

    /// Scans the object of the field `tags`.
    fn scan_tags(&mut self, text: &str, open: usize, nesting: &mut Nesting) -> Option<usize> {
        self.tag_names.clear();
        let bytes = text.as_bytes();
        let mut at = blank(bytes, open + 1);
        if *bytes.get(at)? == b'}' {
            return Some(at + 1);
        }
        loop {
            if *bytes.get(at)? != b'"' {
                return None;
            }
            let (end, spelling) = string(bytes, at + 1)?;
            nesting.lone |= spelling == Spelling::Lone;
            self.tag_names.push(Key { start: at as u32 + 1, end: end as u32, spelling });
            at = colon(bytes, end + 1)?;
            if *bytes.get(at)? == b'"' {
                let (end, spelling) = string(bytes, at + 1)?;
                nesting.lone |= spelling == Spelling::Lone;
                at = end + 1;
            } else {
                self.tags = TagsForm::Mixed;
                at = nesting.skip(bytes, at, 2)?;
            }
            at = blank(bytes, at);
            match *bytes.get(at)? {
                b',' => at = blank(bytes, at + 1),
                b'}' => break,
                _ => return None,
            }
        }
        if repeats(text, &self.tag_names) {
            self.tags = TagsForm::Repeated;
        }
        Some(at + 1)
    }
}

/// Up to this many keys are compared with one another; more are sorted, so that many cost no square of their number.
const PAIRWISE_MAX: usize = 16;

/// Whether two keys are one name, however each is spelled.
fn repeats(text: &str, keys: &[Key]) -> bool {
    if keys.len() > PAIRWISE_MAX || keys.iter().any(|key| key.spelling != Spelling::Plain) {
        return repeats_among_many(text, keys);
    }
    let name = |key: &Key| text.as_bytes().get(key.start as usize..key.end as usize);
    let mut rest = keys;
    while let Some((first, others)) = rest.split_first() {
        if others
            .iter()
            .any(|other| other.end - other.start == first.end - first.start && name(other) == name(first))
        {
            return true;
        }
        rest = others;
    }
    false
}

fn repeats_among_many(text: &str, keys: &[Key]) -> bool {
    let mut names: Vec<_> = keys
        .iter()
        .filter_map(|key| {
            let raw = text.get(key.start as usize..key.end as usize)?;
            Some(if key.spelling == Spelling::Plain { raw.as_bytes().into() } else { unescape(raw).into() })
        })
        .collect::<Vec<std::borrow::Cow<'_, [u8]>>>();
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}
