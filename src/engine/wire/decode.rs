//! From a message to its events, each judged in the order `METRICS.md` lays down: JSON, type, own, lane, version,
//! `event_id`; then (the duplicate window in between is the engine's) the fields.

use std::borrow::Cow;

use super::envelope::{self, Envelope, after_last_dot};
use super::field::Field;
use super::fields::Fields;
use super::headers::Headers;
use super::identity::trace_id;
use super::payload::EventType;
use super::read::Reader;
use super::scan::{Nesting, blank};
use super::{Event, EventId, Lane, Message, Reason, Refusal, Text, Version, transform};
use crate::engine::config::{Transform, WireConfig};
use crate::engine::time::Timestamp;

/// Reads messages. It keeps its tables and buffers, so that a usual event costs no allocation.
#[derive(Debug)]
pub struct Decoder {
    rules: Rules,
    nesting: Nesting,
    elements: Vec<(u32, u32)>,
    /// The object itself.
    fields: Fields,
    /// The `data` of a structured CloudEvent.
    data: Fields,
    /// What a transform made of another major version: its text, and its fields.
    rewritten: String,
    rewritten_fields: Fields,
}

/// What the configuration says about messages.
#[derive(Debug)]
struct Rules {
    own: Box<str>,
    lanes: Vec<Lane>,
    transforms: Vec<Transform>,
    message_bytes_max: usize,
    elements_max: usize,
}

/// One event of a message, or what stands in its place.
#[derive(Debug)]
pub struct Element<'a> {
    /// Its type; `None` is counted as `unknown`.
    pub event_type: Option<EventType>,
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
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    reader: Reader<'a>,
    event_type: EventType,
    id: EventId,
    version: Version,
    time: Option<Timestamp>,
    trace: Option<u128>,
}

impl<'a> Draft<'a> {
    /// Its id.
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// The version it was sent in.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Its type.
    pub const fn event_type(&self) -> EventType {
        self.event_type
    }

    /// Reads the fields.
    ///
    /// # Errors
    /// `invalid_field` for the first field that is missing, of the wrong type or out of its range.
    pub fn event(&self) -> Result<Event<'a>, Refusal> {
        let timestamp = match (self.reader.value(Field::timestamp), self.time) {
            (None, Some(time)) => time,
            (None, None) => return Err(invalid("timestamp: expected an RFC 3339 time")),
            (Some(value), _) => {
                let text = self.reader.as_text(value);
                let time = text.and_then(|text| text.parse().ok());
                time.ok_or_else(|| invalid("timestamp: expected an RFC 3339 time"))?
            }
        };
        let payload = self.reader.payload(self.event_type)?;
        Ok(Event { id: self.id, timestamp, version: self.version, trace: self.trace, payload })
    }
}

/// What a message says beside its payload.
struct Source<'a> {
    lane: Lane,
    subject: &'a str,
    headers: Headers<'a>,
    envelope: Result<Envelope<'a>, Refusal>,
}

impl Decoder {
    /// Prepares to read messages as `config` has it; alert events whose source is `instance` are its own.
    pub fn new(config: &WireConfig, instance: &str) -> Self {
        let lane = |event_type| config.lanes.get(event_type).copied().unwrap_or(Lane::JetStream);
        Self {
            rules: Rules {
                own: instance.into(),
                lanes: EventType::ALL.iter().map(lane).collect(),
                transforms: config.transforms.clone(),
                message_bytes_max: config.message_bytes_max.min(u32::MAX as usize),
                elements_max: config.elements_max,
            },
            nesting: Nesting::new(config.depth_max),
            elements: Vec::new(),
            fields: Fields::new(),
            data: Fields::new(),
            rewritten: String::new(),
            rewritten_fields: Fields::new(),
        }
    }

    /// Calls `sink` with each element in order: once for every event of an array, and once for a message that is one
    /// event, no event at all, an empty array or too large.
    pub fn decode(&mut self, lane: Lane, message: &Message<'_>, mut sink: impl FnMut(Element<'_>)) {
        let text = match self.text(message.payload) {
            Ok(text) => text,
            Err(refusal) => return sink(refused(None, refusal)),
        };
        let source = Source::new(lane, message);
        let bytes = text.as_bytes();
        let start = blank(bytes, 0);
        match bytes.get(start) {
            Some(b'{') => match self.fields.scan(text, start, &mut self.nesting) {
                Some(end) if blank(bytes, end) == bytes.len() => sink(self.judge(&source, text, start)),
                _ => sink(refused(None, not_json(text))),
            },
            Some(b'[') => match self.find_elements(text, start) {
                Ok(()) => self.decode_elements(source, text, sink),
                Err(refusal) => sink(refused(None, refusal)),
            },
            _ => sink(refused(None, not_json(text))),
        }
    }

    /// The payload as text, where it is one that may be read.
    fn text<'a>(&self, payload: &'a [u8]) -> Result<&'a str, Refusal> {
        if payload.len() > self.rules.message_bytes_max {
            return Err(refusal(Reason::TooLarge, format!("{} bytes", payload.len())));
        }
        let fault = |error: std::str::Utf8Error| {
            refusal(Reason::Malformed, format!("not UTF-8 after {} bytes", error.valid_up_to()))
        };
        std::str::from_utf8(payload).map_err(fault)
    }

    /// Finds the elements of the array at `start`, all of the message checked to be JSON.
    fn find_elements(&mut self, text: &str, start: usize) -> Result<(), Refusal> {
        self.elements.clear();
        let count = self.count_elements(text.as_bytes(), start).ok_or_else(|| not_json(text))?;
        if count > self.rules.elements_max {
            Err(refusal(Reason::TooLarge, format!("an array of {count} elements")))
        } else if count == 0 {
            Err(refusal(Reason::Malformed, "an empty array"))
        } else {
            Ok(())
        }
    }

    fn count_elements(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = blank(bytes, start + 1);
        let mut count = 0;
        if *bytes.get(at)? != b']' {
            loop {
                let end = self.nesting.skip(bytes, at, 1)?;
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

    fn decode_elements(&mut self, mut source: Source<'_>, text: &str, mut sink: impl FnMut(Element<'_>)) {
        if let Ok(envelope) = &mut source.envelope {
            // One id cannot be that of several events.
            envelope.id = None;
        }
        let elements = std::mem::take(&mut self.elements);
        for (start, end) in &elements {
            let element = text.get(*start as usize..*end as usize).unwrap_or_default();
            if element.starts_with('{') && self.fields.scan(element, 0, &mut self.nesting).is_some() {
                sink(self.judge(&source, element, 0));
            } else {
                sink(refused(None, refusal(Reason::Malformed, "an element that is no object")));
            }
        }
        self.elements = elements;
    }

    /// Judges the object at `open`, which `self.fields` holds the fields of.
    fn judge<'s>(&'s mut self, source: &'s Source<'_>, text: &'s str, open: usize) -> Element<'s> {
        let outer = Reader { text, fields: &self.fields };
        let structured;
        let (reader, open, envelope) = if outer.value(Field::specversion).is_none() {
            (outer, open, &source.envelope)
        } else {
            if let Some(detail) = outer.malformed_envelope() {
                return refused(None, refusal(Reason::Malformed, detail));
            }
            let (envelope, data) = match envelope::structured(outer) {
                Ok(found) => found,
                Err(refusal) => return refused(None, refusal),
            };
            let open = data.start as usize;
            if self.data.scan(text, open, &mut self.nesting).is_none() {
                return refused(None, not_json(text));
            }
            structured = Ok(envelope);
            (Reader { text, fields: &self.data }, open, &structured)
        };
        let found = source.event_type(reader, envelope.as_ref());
        if let Some(detail) = reader.malformed(found.as_ref().ok().copied()) {
            return refused(None, refusal(Reason::Malformed, detail));
        }
        let event_type = match found {
            Ok(event_type) => event_type,
            Err(refusal) => return refused(None, refusal),
        };
        if self.rules.is_own(reader, event_type) {
            return Element { event_type: Some(event_type), verdict: Verdict::Own };
        }
        let reshaping = match self.rules.admit(reader, event_type, source.lane) {
            Ok(reshaping) => reshaping,
            Err(refusal) => return refused(Some(event_type), refusal),
        };
        let mut reader = reader;
        if let Some(transform) = reshaping.transform {
            transform::rewrite(text, open, &transform.steps, &mut self.nesting, &mut self.rewritten);
            let scanned = self.rewritten_fields.scan(&self.rewritten, 0, &mut self.nesting);
            reader = Reader { text: &self.rewritten, fields: &self.rewritten_fields };
            let detail = if scanned.is_none() {
                Some("what the transform makes")
            } else {
                reader.malformed(Some(event_type))
            };
            if let Some(detail) = detail {
                return refused(None, refusal(Reason::Malformed, detail));
            }
        }
        match source.draft(reader, envelope.as_ref().ok(), event_type, reshaping.version) {
            Ok(draft) => Element { event_type: Some(event_type), verdict: Verdict::Draft(draft) },
            Err(refusal) => refused(Some(event_type), refusal),
        }
    }
}

/// The version of an event, and what makes it 1.x where it is another.
struct Reshaping<'a> {
    version: Version,
    transform: Option<&'a Transform>,
}

impl Rules {
    /// Whether this is an alert event of this very instance.
    fn is_own(&self, reader: Reader<'_>, event_type: EventType) -> bool {
        matches!(event_type, EventType::AlertTriggered | EventType::AlertCleared)
            && reader.text(Field::source).is_ok_and(|source| source == *self.own)
    }

    /// Checks lane and version.
    fn admit(&self, reader: Reader<'_>, event_type: EventType, lane: Lane) -> Result<Reshaping<'_>, Refusal> {
        if self.lanes.get(event_type as usize) != Some(&lane) {
            return Err(refusal(Reason::OtherLane, "a type of the other lane"));
        }
        let version = match reader.value(Field::event_version) {
            None => Version::DEFAULT,
            Some(value) => {
                let version = reader.as_text(value).and_then(|text| text.parse().ok());
                version.ok_or_else(|| invalid("event_version: expected major.minor or major.minor.patch"))?
            }
        };
        if version.major == 1 {
            return Ok(Reshaping { version, transform: None });
        }
        let fits =
            |transform: &&Transform| transform.event_type == event_type && transform.major == version.major;
        match self.transforms.iter().find(fits) {
            Some(transform) => Ok(Reshaping { version, transform: Some(transform) }),
            None => {
                Err(refusal(Reason::UnsupportedVersion, format!("version {version} without a transform")))
            }
        }
    }
}

impl<'a> Source<'a> {
    fn new(lane: Lane, message: &Message<'a>) -> Self {
        let headers = Headers::read(message.headers);
        let envelope = envelope::binary(&headers);
        Self { lane, subject: message.subject, headers, envelope }
    }

    /// The type of an event: its own word, else the envelope's, else a header's, else the subject's.
    fn event_type(
        &self,
        reader: Reader<'_>,
        envelope: Result<&Envelope<'_>, &Refusal>,
    ) -> Result<EventType, Refusal> {
        let envelope = envelope.map_err(Clone::clone)?;
        let structured = self.headers.content_type.is_some_and(is_structured);
        if structured && envelope.id.is_none() {
            return Err(invalid("specversion: expected \"1.0\" in what is sent as CloudEvents"));
        }
        if let Some(value) = reader.value(Field::event_type) {
            let name = reader.as_text(value).ok_or_else(|| invalid("event_type: expected a string"))?;
            if !name.is_empty() {
                return named(&name);
            }
        }
        if let Some(name) = &envelope.event_type {
            return named(name);
        }
        let header = envelope::decoded(self.headers.cloud_type).ok().flatten().map(after_last_dot);
        match header.or(self.headers.event_type.map(Cow::Borrowed)) {
            Some(name) => named(&name),
            None => named(self.subject.rsplit('.').next().unwrap_or_default()),
        }
    }

    /// Checks the id, the last thing before the fields.
    fn draft<'r>(
        &self,
        reader: Reader<'r>,
        envelope: Option<&Envelope<'_>>,
        event_type: EventType,
        version: Version,
    ) -> Result<Draft<'r>, Refusal> {
        let id = match reader.value(Field::event_id) {
            Some(value) => reader.as_text(value),
            None => envelope.and_then(|envelope| envelope.id.as_deref()).map(Cow::Borrowed),
        };
        let id = id
            .and_then(|id: Text<'_>| id.parse().ok())
            .ok_or_else(|| invalid("event_id: expected a UUID"))?;
        let trace = match reader.value(Field::traceparent).and_then(|value| reader.as_text(value)) {
            Some(text) => trace_id(&text),
            None => None,
        };
        let trace = trace.or_else(|| envelope?.trace).or_else(|| self.headers.traceparent.and_then(trace_id));
        let time = envelope.and_then(|envelope| envelope.time);
        Ok(Draft { reader, event_type, id, version, time, trace })
    }
}

/// Whether a content type announces a CloudEvent, or a batch of them, as the payload.
fn is_structured(content_type: &str) -> bool {
    const PREFIX: &str = "application/cloudevents";
    content_type.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The type of this name.
fn named(name: &str) -> Result<EventType, Refusal> {
    EventType::from_name(name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        refusal(Reason::UnknownType, format!("{shown:?} is no event type"))
    })
}

fn refused<'a>(event_type: Option<EventType>, refusal: Refusal) -> Element<'a> {
    Element { event_type, verdict: Verdict::Refused(refusal) }
}

fn refusal(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { reason, detail: detail.into() }
}

fn invalid(detail: &'static str) -> Refusal {
    refusal(Reason::InvalidField, detail)
}

/// What is wrong with a text that is no event, in the words of a parser that keeps them.
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
    refusal(Reason::Malformed, detail)
}
