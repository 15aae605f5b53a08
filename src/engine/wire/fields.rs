//! The top level of one JSON object as a table: which known fields are there, of which kind, and where.
//!
//! An object is scanned once, before its type is known; the typed fields are then read from the table. The table is
//! used again for the next object without being cleared: each value knows the object it was found in.

use super::field::{COUNT, Field, Style, opening_at_start};
use super::habit::{Form, Habits};
use super::payload::EventType;
use super::scan::{Nesting, Spelling, blank, colon, literal, plain_string, string, unescape};
use super::usual::Usual;
use super::value::{JsonKind, Value, number};
use super::{EventId, LEADING, LikelyId};

/// A key that is not a known field, or one of the tags: where it is, and whether with escapes.
#[derive(Clone, Copy, Debug)]
struct Key {
    start: u32,
    end: u32,
    spelling: Spelling,
}

/// What names look like: two that are one look the same.
#[derive(Clone, Copy, Debug, Default)]
struct Looks {
    /// The looks that were noted.
    seen: u64,
    may_repeat: bool,
}

impl Looks {
    #[inline]
    fn note(&mut self, name: &[u8], spelling: Spelling) {
        let [first, last] = [name.first(), name.last()].map(|byte| byte.map_or(0, |byte| usize::from(*byte)));
        let bit = 1 << ((name.len() + first + 7 * last) % 64);
        self.may_repeat |= self.seen & bit != 0 || spelling != Spelling::Plain;
        self.seen |= bit;
    }
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
    values: [Value; COUNT],
    object: u32,
    lone: u128,
    usual: Usual,
    repeated: bool,
    tags: TagsForm,
    unknown: Vec<Key>,
    tag_names: Vec<Key>,
    tag_looks: Looks,
    /// Which key followed each key last time: publishers write their fields in one order, and comparing with a guess
    /// costs less than finding the end of a key and looking it up. By the type of the event, where it has come.
    followers: Box<[[Field; KEYS]; ROWS]>,
    style: Style,
    habits: Habits,
    /// The id that the next object is known to begin with.
    expected: Option<EventId>,
}

/// What follows a value.
enum Next {
    /// A known field, and the place of its value.
    Known(Field, usize),
    /// An unknown field, and the place of its value.
    Unknown(usize),
    /// The end of the object, and the place after it.
    End(usize),
}

/// Places in `followers` for a type, and for keys: powers of two, so that no place has to be looked at twice.
const ROWS: usize = 32;
const KEYS: usize = 128;
/// The row of what has no type yet.
const NO_TYPE: usize = EventType::ALL.len();
const _: () = assert!(NO_TYPE < ROWS && UNKNOWN < KEYS, "every type and every field has a place");
/// Where the id ends that a message begins with.
const LEADING_END: usize = LEADING.len() + 36;
/// The place in `followers` of all keys that are no known field.
const UNKNOWN: usize = COUNT;

impl Fields {
    pub(super) fn new() -> Self {
        Self {
            values: [Value::NULL; COUNT],
            object: 0,
            lone: 0,
            usual: Usual::default(),
            repeated: false,
            tags: TagsForm::Texts,
            unknown: Vec::new(),
            tag_names: Vec::new(),
            tag_looks: Looks::default(),
            followers: Box::new([[Field::event_id; KEYS]; ROWS]),
            style: Style::Compact,
            habits: Habits::new(),
            expected: None,
        }
    }

    /// Knows no more by which id the next message begins.
    #[inline]
    pub(super) fn expect_nothing(&mut self) {
        self.expected = None;
    }

    /// Says by which id the next message begins, where a glance at it has told, and on which subject it came.
    #[inline]
    pub(super) fn expect(&mut self, glance: Option<LikelyId>, subject: &str) {
        self.habits.turn_to(subject);
        self.expected = glance.filter(|glance| glance.leads).map(|glance| glance.id);
    }

    /// The value of a field, where it is there.
    #[inline]
    pub(super) fn get(&self, field: Field) -> Option<Value> {
        let value = self.values.get(field as usize)?;
        value.is_of(self.object).then_some(*value)
    }

    /// What was read of the fields of every event that stand in their usual forms.
    #[inline]
    pub(super) const fn usual(&self) -> &Usual {
        &self.usual
    }

    /// Whether no key was there twice and no string had half a surrogate pair.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        !self.repeated && self.lone == 0 && self.tags != TagsForm::Repeated
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
        let (key, at) = match self.leading_id(bytes) {
            Some(end) => (Field::event_id as usize, end),
            None => match self.first_member(text, open)? {
                Next::Known(field, value) => (field as usize, self.known(text, value, field, nesting)?),
                Next::Unknown(value) => (UNKNOWN, nesting.skip(bytes, value, 1)?),
                Next::End(end) => return Some(end),
            },
        };
        let (key, at) = self.walk(text, (key, at), nesting)?;
        if bytes.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        let end = self.scan_on(text, (key, at), nesting)?;
        self.habits.settle();
        if self.unknown.len() > 1 {
            self.repeated |= repeats(text, &self.unknown);
        }
        Some(end)
    }

    /// Reads the members that come as they came last time; returns the key of the last one and the place after it.
    #[inline]
    fn walk(
        &mut self,
        text: &str,
        (mut key, mut at): (usize, usize),
        nesting: &mut Nesting,
    ) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let mut steps = 0;
        while let Some(step) = self.habits.step(steps) {
            let Some(length) = step.key.at_start(bytes.get(at..)?) else { break };
            let start = at + length;
            let spanning = |start, end| (Value::spanning(JsonKind::Plain, start, end), end + 1);
            let quoted = |length| spanning(start + 1, start + length - 1);
            let rest = bytes.get(start..)?;
            let read = match step.form {
                Form::Text => plain_string(bytes, start).map(|end| spanning(start, end)),
                Form::Number => number(bytes, start),
                Form::Time => {
                    self.usual.read_time_inside(rest).map(|length| spanning(start, start + length - 1))
                }
                Form::Type(event_type) => self.usual.read_this_type(rest, event_type).map(quoted),
                Form::Version => {
                    self.usual.take_version();
                    Some(spanning(start - "1.0\"".len(), start - 1))
                }
                Form::Other => {
                    (key, at) = (step.field as usize, self.known(text, start, step.field, nesting)?);
                    steps += 1;
                    continue;
                }
            };
            let Some((value, after)) = read else { break };
            self.keep(step.field, value)?;
            (key, at) = (step.field as usize, after);
            steps += 1;
        }
        if bytes.get(at) != Some(&b'}') {
            self.habits.leave_after(steps);
        }
        Some((key, at))
    }

    /// Reads the rest of an object member by member, and returns the place after it.
    fn scan_on(
        &mut self,
        text: &str,
        (mut key, mut at): (usize, usize),
        nesting: &mut Nesting,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        loop {
            let (guess, rest) = (self.follower(key), bytes.get(at..)?);
            let (field, value) = if let Some(length) = guess.member_at_start(rest, self.style) {
                (guess, at + length)
            } else {
                match self.other_member(text, at, key)? {
                    Next::Known(field, value) => (field, value),
                    Next::Unknown(value) => {
                        self.habits.learn_no_more();
                        (key, at) = (UNKNOWN, nesting.skip(bytes, value, 1)?);
                        continue;
                    }
                    Next::End(end) => return Some(end),
                }
            };
            at = self.known(text, value, field, nesting)?;
            key = field as usize;
            let kind = self.get(field)?.kind;
            self.habits.learn(field, Form::of(field, kind, &self.usual), self.style);
        }
    }

    /// Takes the id that a glance has read already, and returns the place after it.
    #[inline]
    fn leading_id(&mut self, bytes: &[u8]) -> Option<usize> {
        let id = self.expected.take()?;
        if *bytes.get(LEADING_END)? != b'"' {
            return None;
        }
        self.usual.id = Some(id);
        let value = Value::spanning(JsonKind::Plain, LEADING.len(), LEADING_END);
        *self.values.get_mut(Field::event_id as usize)? = value.of(self.object);
        Some(LEADING_END + 1)
    }

    fn clear(&mut self) {
        (self.lone, self.repeated, self.tags) = (0, false, TagsForm::Texts);
        self.usual.clear();
        self.unknown.clear();
        self.object = self.object.wrapping_add(1);
        if self.object == 0 {
            // The count has come round: nothing of the last round may look like the present.
            self.values.fill(Value::NULL);
            self.object = 1;
        }
    }

    /// Reads the first key of the object at `open`, or the end of an empty one.
    fn first_member(&mut self, text: &str, open: usize) -> Option<Next> {
        let bytes = text.as_bytes();
        if let Some(length) = opening_at_start(bytes.get(open..)?, self.style) {
            return Some(Next::Known(Field::event_id, open + length));
        }
        let at = blank(bytes, open + 1);
        match bytes.get(at)? {
            b'}' => Some(Next::End(at + 1)),
            _ => self.any_member(text, at),
        }
    }

    /// The field that followed this key last time.
    #[inline]
    fn follower(&self, key: usize) -> Field {
        let row = self.followers.get(self.row() % ROWS);
        row.and_then(|row| row.get(key % KEYS)).copied().unwrap_or(Field::event_id)
    }

    /// The row of `followers` for the type that was read so far.
    #[inline]
    fn row(&self) -> usize {
        self.usual.event_type.map_or(NO_TYPE, |event_type| event_type as usize)
    }

    /// Reads a key that was not guessed, and remembers it as a guess; or what ends the object.
    fn other_member(&mut self, text: &str, at: usize, key: usize) -> Option<Next> {
        let bytes = text.as_bytes();
        let at = blank(bytes, at);
        match *bytes.get(at)? {
            b',' => {}
            b'}' => return Some(Next::End(at + 1)),
            _ => return None,
        }
        self.style = if bytes.get(at + 1) == Some(&b' ') { Style::Spaced } else { Style::Compact };
        let next = self.any_member(text, blank(bytes, at + 1))?;
        let row = self.row();
        let follower = self.followers.get_mut(row).and_then(|row| row.get_mut(key));
        if let (Next::Known(field, _), Some(follower)) = (&next, follower) {
            *follower = *field;
        }
        Some(next)
    }

    /// Reads the key that begins at `at`.
    fn any_member(&mut self, text: &str, at: usize) -> Option<Next> {
        let (field, after) = self.any_key(text, at)?;
        let value = colon(text.as_bytes(), after)?;
        Some(field.map_or(Next::Unknown(value), |field| Next::Known(field, value)))
    }

    fn any_key(&mut self, text: &str, at: usize) -> Option<(Option<Field>, usize)> {
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
    fn known(&mut self, text: &str, at: usize, field: Field, nesting: &mut Nesting) -> Option<usize> {
        let bytes = text.as_bytes();
        // A guess ends at its colon or one blank after it.
        let at = blank(bytes, at);
        let (value, after) = match *bytes.get(at)? {
            b'"' if field.is_common() => match self.usual.read(bytes.get(at..)?, field) {
                Some(length) => (Value::spanning(JsonKind::Plain, at + 1, at + length - 1), at + length),
                None => self.string(bytes, at, field)?,
            },
            b'"' => self.string(bytes, at, field)?,
            b't' => (Value::spanning(JsonKind::True, at, at), literal(bytes, at, b"true")?),
            b'f' => (Value::spanning(JsonKind::False, at, at), literal(bytes, at, b"false")?),
            b'n' => (Value::NULL, literal(bytes, at, b"null")?),
            b'{' | b'[' => self.nested(text, at, field, nesting)?,
            _ => number(bytes, at)?,
        };
        self.keep(field, value)?;
        Some(after)
    }

    #[inline]
    fn keep(&mut self, field: Field, value: Value) -> Option<()> {
        let entry = self.values.get_mut(field as usize)?;
        self.repeated |= entry.is_of(self.object);
        *entry = value.of(self.object);
        Some(())
    }

    #[inline]
    fn string(&mut self, bytes: &[u8], at: usize, field: Field) -> Option<(Value, usize)> {
        let (end, spelling) = string(bytes, at + 1)?;
        let kind = if spelling == Spelling::Plain { JsonKind::Plain } else { JsonKind::Escaped };
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
        let kind = if *bytes.get(at)? == b'{' { JsonKind::Object } else { JsonKind::Array };
        let end = match (kind, field) {
            (JsonKind::Object, Field::tags) => self.scan_tags(text, at, nesting)?,
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
        self.tag_looks = Looks::default();
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
            self.tag_looks.note(bytes.get(at + 1..end)?, spelling);
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
        if self.tag_looks.may_repeat && repeats(text, &self.tag_names) {
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
