//! The top level of one JSON object as a table: which known fields are there, of which kind, and where.
//!
//! An object is scanned once, before its type is known; the typed fields are then read from the table. The table is
//! used again for the next object: only the set of fields that are present is cleared.

use super::field::{COUNT, Field};
use super::scan::{Nesting, Spelling, blank, colon, literal, number, string, unescape};

/// What kind of JSON value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Array,
    Object,
}

/// A value: its kind and its bytes (of a string those between the quotes).
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

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
    present: u128,
    lone: u128,
    values: [Value; COUNT],
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
            present: 0,
            lone: 0,
            values: [Value { kind: Kind::Null, start: 0, end: 0 }; COUNT],
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
        if self.present & field.bit() == 0 { None } else { self.values.get(field as usize).copied() }
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
        (self.present, self.lone, self.repeated, self.tags) = (0, 0, false, TagsForm::Texts);
        self.unknown.clear();
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
        self.repeated |= repeats(text, &self.unknown);
        Some(at + 1)
    }

    /// Reads a key; `None` within stands for an unknown one.
    #[inline]
    fn key(&mut self, text: &str, at: usize, previous: usize) -> Option<(Option<Field>, usize)> {
        let bytes = text.as_bytes();
        let guess = *self.followers.get(previous)?;
        if bytes.get(at..)?.starts_with(guess.quoted()) {
            return Some((Some(guess), at + guess.quoted().len()));
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
        let (kind, start, end, after) = match *bytes.get(at)? {
            b'"' => {
                let (end, spelling) = string(bytes, at + 1)?;
                let kind = match spelling {
                    Spelling::Plain => Kind::Plain,
                    Spelling::Escaped => Kind::Escaped,
                    Spelling::Lone => {
                        self.lone |= field.bit();
                        Kind::Escaped
                    }
                };
                (kind, at + 1, end, end + 1)
            }
            b't' => spanning(Kind::True, at, literal(bytes, at, b"true")?),
            b'f' => spanning(Kind::False, at, literal(bytes, at, b"false")?),
            b'n' => spanning(Kind::Null, at, literal(bytes, at, b"null")?),
            open @ (b'{' | b'[') => {
                nesting.lone = false;
                let end = match (open, field) {
                    (b'{', Field::tags) => self.scan_tags(text, at, nesting)?,
                    _ => nesting.skip(bytes, at, 1)?,
                };
                if nesting.lone {
                    self.lone |= field.bit();
                }
                spanning(if open == b'{' { Kind::Object } else { Kind::Array }, at, end)
            }
            _ => spanning(Kind::Number, at, number(bytes, at)?),
        };
        self.repeated |= self.present & field.bit() != 0;
        self.present |= field.bit();
        *self.values.get_mut(field as usize)? = Value { kind, start: start as u32, end: end as u32 };
        Some(after)
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

const fn spanning(kind: Kind, start: usize, end: usize) -> (Kind, usize, usize, usize) {
    (kind, start, end, end)
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
