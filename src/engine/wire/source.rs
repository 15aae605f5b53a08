//! What a message says beside its payload, and what that adds to each event in it.

use std::borrow::Cow;
use std::num::NonZero;

use super::envelope::{self, Envelope, after_last_dot};
use super::field::Field;
use super::headers::Headers;
use super::identity::trace_id;
use super::payload::EventType;
use super::read::Reader;
use super::subjects::type_token;
use super::{EventId, Lane, Message, Reason, Refusal, Text};

/// Lane, subject, and headers where there are any.
pub(super) struct Source<'a> {
    pub(super) lane: Lane,
    subject: &'a str,
    beside: Option<Beside<'a>>,
}

struct Beside<'a> {
    headers: Headers<'a>,
    envelope: Result<Option<Envelope<'a>>, Refusal>,
}

impl<'a> Source<'a> {
    #[inline]
    pub(super) fn new(lane: Lane, message: &Message<'a>) -> Self {
        let (subject, headers) = (message.subject, message.headers);
        // Two values instead of one that is chosen: what stands beside is too large to be moved for nothing.
        if headers.is_empty() {
            return Self { lane, subject, beside: None };
        }
        Self { lane, subject, beside: Beside::read(headers) }
    }

    /// Whether no header says anything.
    #[inline]
    pub(super) const fn is_bare(&self) -> bool {
        self.beside.is_none()
    }

    /// Says that the message holds several events, of which no header can give the id.
    pub(super) fn hold_several(&mut self) {
        if let Some(Beside { envelope: Ok(Some(envelope)), .. }) = &mut self.beside {
            envelope.id = Cow::Borrowed("");
        }
    }

    /// The envelope of an event: its own, where it is structured, else that of the headers.
    ///
    /// # Errors
    /// `invalid_field` where the envelope is broken, or announced and not there.
    pub(super) fn envelope<'e>(
        &'e self,
        structured: Option<&'e Envelope<'e>>,
    ) -> Result<Option<&'e Envelope<'e>>, Refusal> {
        let (None, Some(beside)) = (structured, &self.beside) else { return Ok(structured) };
        if beside.headers.content_type.is_some_and(is_structured) {
            let detail = "specversion: expected \"1.0\" in what is sent as CloudEvents";
            return Err(Refusal::new(Reason::InvalidField, detail));
        }
        beside.envelope.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    /// The type of an event: its own word, else the envelope's, else a header's, else the subject's.
    ///
    /// # Errors
    /// `invalid_field` where its own word is no string, `unknown_type` where the name is none of the specification's.
    #[inline]
    pub(super) fn event_type(
        &self,
        reader: Reader<'_>,
        envelope: Option<&Envelope<'_>>,
    ) -> Result<EventType, Refusal> {
        if let Some(event_type) = reader.fields.usual().event_type {
            return Ok(event_type);
        }
        if let Some(value) = reader.value(Field::event_type) {
            let name = reader.as_text(value);
            let name =
                name.ok_or_else(|| Refusal::new(Reason::InvalidField, "event_type: expected a string"))?;
            if !name.is_empty() {
                return named(&name);
            }
        }
        match (envelope, &self.beside) {
            (Some(envelope), _) => named(&envelope.event_type),
            (None, Some(beside)) => named(&beside.headers.type_name().unwrap_or_else(|| self.type_token())),
            (None, None) => named(&self.type_token()),
        }
    }

    fn type_token(&self) -> Text<'a> {
        Cow::Borrowed(type_token(self.subject))
    }

    /// The id of an event.
    #[inline]
    pub(super) fn id(reader: Reader<'_>, envelope: Option<&Envelope<'_>>) -> Option<EventId> {
        if let Some(id) = reader.fields.usual().id {
            return Some(id);
        }
        match (reader.value(Field::event_id), envelope) {
            (Some(value), _) => reader.as_text(value)?.parse().ok(),
            (None, Some(envelope)) => envelope.id.parse().ok(),
            (None, None) => None,
        }
    }

    /// The trace of an event: its own, else the envelope's, else the message's.
    #[inline]
    pub(super) fn trace(&self, reader: Reader<'_>, envelope: Option<&Envelope<'_>>) -> Option<NonZero<u128>> {
        let own = reader.string(Field::traceparent).and_then(|text| trace_id(&text));
        let headers = || self.beside.as_ref()?.headers.traceparent.and_then(trace_id);
        own.or_else(|| envelope?.trace).or_else(headers)
    }
}

impl<'a> Beside<'a> {
    fn read(block: &'a [u8]) -> Option<Self> {
        let headers = Headers::read(block)?;
        Some(Self { headers, envelope: envelope::binary(&headers) })
    }
}

impl<'a> Headers<'a> {
    /// The type a header names. What cannot be decoded names none.
    fn type_name(&self) -> Option<Text<'a>> {
        let cloud_type = envelope::decoded(self.cloud_type).ok().flatten().map(after_last_dot);
        cloud_type.or(self.event_type.map(Cow::Borrowed))
    }
}

/// Whether a content type announces a `CloudEvent`, or a batch of them, as the payload.
fn is_structured(content_type: &str) -> bool {
    const PREFIX: &str = "application/cloudevents";
    content_type.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The type of this name.
#[inline]
fn named(name: &str) -> Result<EventType, Refusal> {
    EventType::from_name(name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let detail = match shown.as_str() {
            "" => "`event_type` is missing".to_owned(),
            shown => format!("{shown:?} is no event type"),
        };
        Refusal::new(Reason::UnknownType, detail)
    })
}
