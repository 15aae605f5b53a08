//! CloudEvents 1.0 around an event: structured (a JSON envelope with `data`) and binary (headers).
//!
//! `id`, `type` and `time` stand in where the data lacks an id, a type or a time. An envelope that breaks the
//! specification refuses the event, even where the data would do without it.

use std::borrow::Cow;
use std::num::NonZero;

use super::base64;
use super::field::Field;
use super::headers::Headers;
use super::identity::trace_id;
use super::read::Reader;
use super::value::{JsonKind, Value};
use super::{Reason, Refusal, Text};
use crate::engine::time::Timestamp;

/// What an envelope says in place of the data.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// The last part of `type`.
    pub(super) event_type: Text<'a>,
    /// `id`.
    pub(super) id: Text<'a>,
    /// `time`.
    pub(super) time: Option<Timestamp>,
    /// From the `traceparent` extension.
    pub(super) trace: Option<NonZero<u128>>,
}

/// The attributes as they came, each absent or not empty.
struct Attributes<'a> {
    specversion: Option<Text<'a>>,
    id: Option<Text<'a>>,
    source: Option<Text<'a>>,
    cloud_type: Option<Text<'a>>,
    time: Option<Text<'a>>,
    traceparent: Option<Text<'a>>,
}

/// The data of a structured envelope.
pub(super) enum Data {
    /// An object in the envelope.
    Here(Value),
    /// The text of one, which was in a string.
    Apart(String),
}

/// Reads a structured envelope and its data.
pub(super) fn structured(reader: Reader<'_>) -> Result<(Envelope<'_>, Data), Refusal> {
    let text = |field| match reader.value(field).map(|value| reader.as_text(value)) {
        Some(None) => Err(broken("an attribute that is no string")),
        text => Ok(text.flatten().filter(|text| !text.is_empty())),
    };
    let attributes = Attributes {
        specversion: text(Field::specversion)?,
        id: text(Field::cloud_id)?,
        source: text(Field::source)?,
        cloud_type: text(Field::cloud_type)?,
        time: text(Field::cloud_time)?,
        traceparent: text(Field::traceparent)?,
    };
    let data = data(reader)?;
    Ok((envelope(attributes)?, data))
}

fn data(reader: Reader<'_>) -> Result<Data, Refusal> {
    match (reader.value(Field::cloud_data), reader.value(Field::cloud_data_base64)) {
        (Some(value), None) if value.kind == JsonKind::Object => Ok(Data::Here(value)),
        (Some(value), None) => {
            reader.as_text(value).map(|text| Data::Apart(text.into_owned())).ok_or_else(no_object)
        }
        (None, Some(value)) => reader
            .as_text(value)
            .and_then(|text| base64::decoded(&text))
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Data::Apart)
            .ok_or_else(|| broken("data_base64: expected base64 of an object in UTF-8")),
        (Some(_), Some(_)) => Err(broken("data and data_base64: expected one of them")),
        (None, None) => Err(no_object()),
    }
}

/// Reads a binary envelope, where the headers have one. They do where they say its version; a `ce-type` alone is a name
/// for the event and no envelope.
pub(super) fn binary<'a>(headers: &Headers<'a>) -> Result<Option<Envelope<'a>>, Refusal> {
    if headers.cloud_specversion.is_none() {
        return Ok(None);
    }
    let attributes = Attributes {
        specversion: decoded(headers.cloud_specversion)?,
        id: decoded(headers.cloud_id)?,
        source: decoded(headers.cloud_source)?,
        cloud_type: decoded(headers.cloud_type)?,
        time: decoded(headers.cloud_time)?,
        traceparent: decoded(headers.cloud_traceparent)?,
    };
    envelope(attributes).map(Some)
}

fn envelope(attributes: Attributes<'_>) -> Result<Envelope<'_>, Refusal> {
    if attributes.specversion.as_deref() != Some("1.0") {
        return Err(broken("specversion: expected \"1.0\""));
    }
    if attributes.source.is_none() {
        return Err(broken("source: expected a string that is not empty"));
    }
    let id = attributes.id.ok_or_else(|| broken("id: expected a string that is not empty"))?;
    let cloud_type =
        attributes.cloud_type.ok_or_else(|| broken("type: expected a string that is not empty"))?;
    let time =
        attributes.time.map(|time| time.parse().map_err(|_| broken("time: expected an RFC 3339 time")));
    Ok(Envelope {
        event_type: after_last_dot(cloud_type),
        id,
        time: time.transpose()?,
        trace: attributes.traceparent.as_deref().and_then(trace_id),
    })
}

/// Data that is no object.
pub(super) fn no_object() -> Refusal {
    broken("data: expected an object, or a string that holds one")
}

fn broken(detail: &'static str) -> Refusal {
    Refusal { reason: Reason::InvalidField, detail: Cow::Owned(format!("CloudEvents envelope: {detail}")) }
}

/// What follows the last dot of a CloudEvents type: `com.example.JobQueued` is a `JobQueued`.
pub(super) fn after_last_dot(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.rsplit('.').next().unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.rsplit('.').next().unwrap_or(&text).to_owned()),
    }
}

/// The value of a `ce-` header, decoded as the CloudEvents bindings encode it: perhaps in double quotes, bytes outside
/// printable ASCII as `%XX`.
pub(super) fn decoded(value: Option<&str>) -> Result<Option<Text<'_>>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    if quoted.is_none() && !value.contains('%') {
        return Ok(Some(Cow::Borrowed(value)));
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = quoted.unwrap_or(value).bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' if quoted.is_some() => out.extend(rest.next()),
            b'%' => out.push(
                hex_pair(rest.next(), rest.next()).ok_or_else(|| broken("a header that is not encoded"))?,
            ),
            _ => out.push(byte),
        }
    }
    let text = String::from_utf8(out).map_err(|_| broken("a header that is not UTF-8"))?;
    Ok(if text.is_empty() { None } else { Some(Cow::Owned(text)) })
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(high?)? << 4 | digit(low?)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decoded_as_the_bindings_encode_them() {
        let cases = [
            ("plain", Some("plain")),
            ("a%20b%C3%A9", Some("a bé")),
            (r#""a \"b\" %25""#, Some(r#"a "b" %"#)),
            ("100%", None),
            ("%zz", None),
            ("%ff", None),
        ];
        for (value, expected) in cases {
            assert_eq!(decoded(Some(value)).ok().flatten().as_deref(), expected, "{value}");
        }
    }
}
