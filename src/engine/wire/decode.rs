//! From a message to its events, each judged in the order `METRICS.md` lays down: JSON, type, own, lane, version,
//! `event_id`; then (the duplicate window in between is the engine's) the fields.

use std::borrow::Cow;

use super::envelope::{self, Data, Envelope};
use super::field::Field;
use super::fields::Fields;
use super::headers;
use super::identity::trace_id;
use super::payload::EventType;
use super::read::{Head, Reader};
use super::scan::{Nesting, blank};
use super::source::Source;
use super::value::JsonKind;
use super::{
    Event, EventId, Lane, LikelyId, Message, Reason, Refusal, Transform, Version, WireSettings, transform,
};

/// Reads messages. It keeps its tables and buffers, so that a usual event costs no allocation.
#[derive(Debug)]
pub struct Decoder {
    rules: Rules,
    elements: Vec<(u32, u32)>,
    /// The object itself.
    fields: Fields,
    /// The `data` of a structured `CloudEvent`.
    data: Fields,
    /// Its text, where it was in a string.
    data_text: String,
    workshop: Workshop,
}

/// What the configuration says about messages.
#[derive(Debug)]
struct Rules {
    own: Box<str>,
    /// None where a type is left to other instances.
    lanes: [Option<Lane>; EventType::ALL.len()],
    transforms: Vec<Transform>,
    message_bytes_max: usize,
    elements_max: usize,
}

/// What scanning needs, and what a transform made of an event of another major version: its text and its fields.
#[derive(Debug)]
struct Workshop {
    nesting: Nesting,
    text: String,
    fields: Fields,
}

/// One event of a message, or what stands in its place.
#[derive(Debug)]
pub struct Element<'a> {
    /// Its type; `None` is counted as `unknown`.
    pub(crate) event_type: Option<EventType>,
    /// What is to be done with it.
    pub verdict: Verdict<'a>,
}

/// What is to be done with an element.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// An alert event of this very instance: not even received.
    Own,
    /// Received and rejected.
    Refused(Refusal),
    /// Received; its fields are still to be judged.
    Draft(Draft<'a>),
}

/// An event whose type, lane, version and id are valid. Its fields are read when it is known to be no duplicate.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    reader: Reader<'a>,
    head: Head,
}

impl<'a> Draft<'a> {
    /// Its id.
    pub(crate) const fn id(&self) -> EventId {
        self.head.id
    }

    /// Its type.
    pub(crate) const fn event_type(&self) -> EventType {
        self.head.event_type
    }

    /// Reads the fields.
    ///
    /// # Errors
    /// `invalid_field` for the first field that is missing, of the wrong type or out of its range.
    #[inline]
    pub fn event(&self) -> Result<Event<'a>, Refusal> {
        self.reader.event(&self.head)
    }
}

impl Decoder {
    /// The types that ride a lane.
    pub(in crate::engine) fn types_of(&self, lane: Lane) -> Vec<EventType> {
        let types = EventType::ALL.iter().zip(self.rules.lanes);
        types.filter_map(|(event_type, rides)| (rides == Some(lane)).then_some(*event_type)).collect()
    }

    /// Prepares to read messages as `settings` have it; alert events whose source is `instance` are its own.
    pub fn new(settings: &WireSettings, instance: &str) -> Self {
        let mut lanes = [None; EventType::ALL.len()];
        for (lane, event_type) in lanes.iter_mut().zip(EventType::ALL) {
            *lane = settings.lanes.get(event_type).copied();
        }
        Self {
            rules: Rules {
                own: instance.into(),
                lanes,
                transforms: settings.transforms.clone(),
                message_bytes_max: settings.message_bytes_max.min(u32::MAX as usize),
                elements_max: settings.elements_max,
            },
            elements: Vec::new(),
            fields: Fields::new(),
            data: Fields::new(),
            data_text: String::new(),
            workshop: Workshop {
                nesting: Nesting::new(settings.depth_max),
                text: String::new(),
                fields: Fields::new(),
            },
        }
    }

    /// Decodes a message of which [`super::likely_id`] has told the id.
    pub(crate) fn decode_glanced(
        &mut self,
        lane: Lane,
        message: &Message<'_>,
        glance: Option<LikelyId>,
        sink: impl FnMut(Element<'_>),
    ) {
        self.fields.expect(glance, message.subject);
        self.decode(lane, message, sink);
        self.fields.expect_nothing();
    }

    /// Calls `sink` with each element in order: once for every event of an array, and once for a message that is one
    /// event, no event at all, an empty array or too large. What the server itself puts into a stream is none of them.
    pub fn decode(&mut self, lane: Lane, message: &Message<'_>, mut sink: impl FnMut(Element<'_>)) {
        if message.payload.is_empty() && headers::is_marker(message.headers) {
            return;
        }
        let text = match self.text(message.payload) {
            Ok(text) => text,
            Err(refusal) => return sink(refused(None, refusal)),
        };
        let mut source = Source::new(lane, message);
        let bytes = text.as_bytes();
        let start = blank(bytes, 0);
        match bytes.get(start) {
            Some(b'{') => match self.fields.scan(text, start, &mut self.workshop.nesting) {
                Some(end) if blank(bytes, end) == bytes.len() => sink(self.judge(&source, text, start)),
                _ => sink(refused(None, not_json(text))),
            },
            Some(b'[') => match self.find_elements(text, start) {
                Ok(()) => {
                    source.hold_several();
                    self.decode_elements(&source, text, sink);
                }
                Err(refusal) => sink(refused(None, refusal)),
            },
            _ => sink(refused(None, not_json(text))),
        }
    }

    /// The payload as text, where it is one that may be read.
    fn text<'a>(&self, payload: &'a [u8]) -> Result<&'a str, Refusal> {
        if payload.len() > self.rules.message_bytes_max {
            return Err(Refusal::new(Reason::TooLarge, format!("{} bytes", payload.len())));
        }
        simdutf8::basic::from_utf8(payload).map_err(|_| not_utf8(payload))
    }

    /// Finds the elements of the array at `start`, all of the message checked to be JSON.
    fn find_elements(&mut self, text: &str, start: usize) -> Result<(), Refusal> {
        self.elements.clear();
        let count = self.count_elements(text.as_bytes(), start).ok_or_else(|| not_json(text))?;
        if count > self.rules.elements_max {
            Err(Refusal::new(Reason::TooLarge, format!("an array of {count} elements")))
        } else if count == 0 {
            Err(Refusal::new(Reason::Malformed, "an empty array"))
        } else {
            Ok(())
        }
    }

    fn count_elements(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = blank(bytes, start + 1);
        let mut count = 0;
        if *bytes.get(at)? != b']' {
            loop {
                let end = self.workshop.nesting.skip(bytes, at, 1)?;
                if count < self.rules.elements_max {
                    self.elements.push((at as u32, end as u32));
                }
                count += 1;
                at = blank(bytes, end);
                match *bytes.get(at)? {
                    b',' => at = blank(bytes, at + 1),
                    b']' => break,
                    _ => return None,
                }
            }
        }
        (blank(bytes, at + 1) == bytes.len()).then_some(count)
    }

    fn decode_elements(&mut self, source: &Source<'_>, text: &str, mut sink: impl FnMut(Element<'_>)) {
        let elements = std::mem::take(&mut self.elements);
        for (start, end) in &elements {
            let element = text.get(*start as usize..*end as usize).unwrap_or_default();
            let is_object = element.starts_with('{')
                && self.fields.scan(element, 0, &mut self.workshop.nesting).is_some();
            if is_object {
                sink(self.judge(source, element, 0));
            } else {
                sink(refused(None, Refusal::new(Reason::Malformed, "an element that is no object")));
            }
        }
        self.elements = elements;
    }

    /// Judges the object at `open`, which `self.fields` holds the fields of.
    #[inline]
    fn judge<'s>(&'s mut self, source: &Source<'_>, text: &'s str, open: usize) -> Element<'s> {
        if let Some(head) = self.rules.admit_at_once(source, Reader { text, fields: &self.fields }) {
            let draft = Draft { reader: Reader { text, fields: &self.fields }, head };
            return Element { event_type: Some(head.event_type), verdict: Verdict::Draft(draft) };
        }
        self.judge_closely(source, text, open)
    }

    fn judge_closely<'s>(&'s mut self, source: &Source<'_>, text: &'s str, open: usize) -> Element<'s> {
        if (Reader { text, fields: &self.fields }).value(Field::specversion).is_some() {
            return self.judge_structured(source, text);
        }
        let reader = Reader { text, fields: &self.fields };
        let candidate = Candidate { source, reader, open, structured: None };
        candidate.judge(&self.rules, &mut self.workshop)
    }

    /// Judges the `data` of a `CloudEvent`, which `self.fields` holds the attributes of.
    #[cold]
    fn judge_structured<'s>(&'s mut self, source: &Source<'_>, text: &'s str) -> Element<'s> {
        let attributes = Reader { text, fields: &self.fields };
        if let Some(detail) = attributes.malformed_envelope() {
            return refused(None, Refusal::new(Reason::Malformed, detail));
        }
        let (envelope, data) = match envelope::structured(attributes) {
            Ok(found) => found,
            Err(refusal) => return refused(None, refusal),
        };
        let (text, open) = match data {
            Data::Here(value) => {
                if self.data.scan(text, value.start(), &mut self.workshop.nesting).is_none() {
                    return refused(None, not_json(text));
                }
                (text, value.start())
            }
            Data::Apart(data) => {
                self.data_text = data;
                let bytes = self.data_text.as_bytes();
                let open = blank(bytes, 0);
                let end = self.data.scan(&self.data_text, open, &mut self.workshop.nesting);
                if end.is_none_or(|end| blank(bytes, end) != bytes.len()) {
                    return refused(None, envelope::no_object());
                }
                (self.data_text.as_str(), open)
            }
        };
        let reader = Reader { text, fields: &self.data };
        let candidate = Candidate { source, reader, open, structured: Some(&envelope) };
        candidate.judge(&self.rules, &mut self.workshop)
    }
}

/// An object that may be an event.
struct Candidate<'c, 's> {
    source: &'c Source<'c>,
    reader: Reader<'s>,
    open: usize,
    structured: Option<&'c Envelope<'c>>,
}

impl<'s> Candidate<'_, 's> {
    fn judge(self, rules: &Rules, workshop: &'s mut Workshop) -> Element<'s> {
        let Self { source, reader, open, structured } = self;
        let envelope = source.envelope(structured);
        let found = match &envelope {
            Ok(envelope) => source.event_type(reader, *envelope),
            Err(refusal) => Err(refusal.clone()),
        };
        if let Some(detail) = reader.malformed(found.as_ref().ok().copied()) {
            return refused(None, Refusal::new(Reason::Malformed, detail));
        }
        let event_type = match found {
            Ok(event_type) => event_type,
            Err(refusal) => return refused(None, refusal),
        };
        if rules.is_own(reader, event_type) {
            return Element { event_type: Some(event_type), verdict: Verdict::Own };
        }
        let (version, transform) = match rules.admit(reader, event_type, source.lane) {
            Ok(admitted) => admitted,
            Err(refusal) => return refused(Some(event_type), refusal),
        };
        let reader = match transform.map(|transform| workshop.reshape(reader.text, open, transform)) {
            None => reader,
            Some(Ok(reader)) => reader,
            Some(Err(refusal)) => return refused(None, refusal),
        };
        let envelope = envelope.ok().flatten();
        let Some(id) = Source::id(reader, envelope) else {
            return refused(
                Some(event_type),
                Refusal::new(Reason::InvalidField, "event_id: expected a UUID"),
            );
        };
        let time = envelope.and_then(|envelope| envelope.time);
        let trace = source.trace(reader, envelope);
        let head = Head { event_type, id, version, time, trace };
        Element { event_type: Some(event_type), verdict: Verdict::Draft(Draft { reader, head }) }
    }
}

impl Rules {
    /// Admits an event that passes every check and has nothing out of the ordinary, as nearly all do.
    #[inline]
    fn admit_at_once(&self, source: &Source<'_>, reader: Reader<'_>) -> Option<Head> {
        let fields = reader.fields;
        let usual = fields.usual();
        let (event_type, id, version) = (usual.event_type?, usual.id?, usual.version?);
        let ordinary = source.is_bare()
            && fields.is_clean()
            && self.lanes.get(event_type as usize) == Some(&Some(source.lane))
            && !matches!(event_type, EventType::AlertTriggered | EventType::AlertCleared)
            && fields.get(Field::specversion).is_none();
        if !ordinary {
            return None;
        }
        let trace = match fields.get(Field::traceparent) {
            None => None,
            Some(value) if value.kind == JsonKind::Plain => trace_id(reader.raw(value)),
            Some(_) => return None,
        };
        Some(Head { event_type, id, version, time: None, trace })
    }

    /// Whether this is an alert event of this very instance.
    #[inline]
    fn is_own(&self, reader: Reader<'_>, event_type: EventType) -> bool {
        matches!(event_type, EventType::AlertTriggered | EventType::AlertCleared)
            && reader.string(Field::source).is_some_and(|source| source == *self.own)
    }

    /// Checks lane and version; with the version, what makes it 1.x where it is another.
    #[inline]
    fn admit(
        &self,
        reader: Reader<'_>,
        event_type: EventType,
        lane: Lane,
    ) -> Result<(Version, Option<&Transform>), Refusal> {
        match self.lanes.get(event_type as usize).copied().flatten() {
            Some(rides) if rides == lane => {}
            Some(_) => return Err(Refusal::new(Reason::OtherLane, "a type of the other lane")),
            None => return Err(Refusal::new(Reason::OtherLane, "a type that `lanes` turns off here")),
        }
        let usual = reader.fields.usual().version;
        let version = match reader.value(Field::event_version) {
            _ if usual.is_some() => usual,
            None => Some(Version::DEFAULT),
            Some(value) => reader.as_text(value).and_then(|text| text.parse().ok()),
        };
        match version {
            Some(version @ Version { major: 1, .. }) => Ok((version, None)),
            Some(version) => self.transform(event_type, version).map(|transform| (version, Some(transform))),
            None => {
                let detail = "event_version: expected major.minor or major.minor.patch";
                Err(Refusal::new(Reason::InvalidField, detail))
            }
        }
    }

    fn transform(&self, event_type: EventType, version: Version) -> Result<&Transform, Refusal> {
        let fits =
            |transform: &&Transform| transform.event_type == event_type && transform.major == version.major;
        self.transforms.iter().find(fits).ok_or_else(|| {
            Refusal::new(Reason::UnsupportedVersion, format!("version {version} without a transform"))
        })
    }
}

impl Workshop {
    /// Makes 1.x of the object at `open`.
    #[cold]
    fn reshape(&mut self, text: &str, open: usize, transform: &Transform) -> Result<Reader<'_>, Refusal> {
        transform::rewrite(text, open, &transform.steps, &mut self.nesting, &mut self.text);
        if self.fields.scan(&self.text, 0, &mut self.nesting).is_none() {
            return Err(Refusal::new(Reason::Malformed, "what the transform makes is no JSON"));
        }
        let reader = Reader { text: &self.text, fields: &self.fields };
        match reader.malformed(Some(transform.event_type)) {
            None => Ok(reader),
            Some(detail) => Err(Refusal::new(Reason::Malformed, detail)),
        }
    }
}

/// Says how far the payload is text.
#[cold]
fn not_utf8(payload: &[u8]) -> Refusal {
    let valid = std::str::from_utf8(payload).map_or_else(|error| error.valid_up_to(), str::len);
    Refusal::new(Reason::Malformed, format!("not UTF-8 after {valid} bytes"))
}

#[inline]
fn refused<'a>(event_type: Option<EventType>, refusal: Refusal) -> Element<'a> {
    Element { event_type, verdict: Verdict::Refused(refusal) }
}

/// What is wrong with a text that is no event, in the words of a parser that keeps them.
#[cold]
fn not_json(text: &str) -> Refusal {
    let detail: Cow<'static, str> = if text.starts_with('\u{feff}') {
        "a byte-order mark".into()
    } else {
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Err(error) => error.to_string().into(),
            Ok(_) if text.trim_start().starts_with(['{', '[']) => "nested too deep".into(),
            Ok(_) => "no object".into(),
        }
    };
    Refusal::new(Reason::Malformed, detail)
}
