//! One line of what is validated: an event as it is, or a message with its subject and headers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message as it would be published.
pub(super) struct Message {
    /// Where it is published, where that is known.
    pub(super) subject: Option<String>,
    /// The raw header block; empty where there is none.
    pub(super) headers: Vec<u8>,
    /// The payload.
    pub(super) payload: Vec<u8>,
}

/// The line of a message. An event has none of these keys together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapper<'a> {
    subject: String,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// The values of one header.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

impl Message {
    /// Reads a line; an event without a subject of its own is published to `subject`.
    pub(super) fn of(line: &[u8], subject: Option<&str>) -> Self {
        let Ok(wrapper) = serde_json::from_slice::<Wrapper<'_>>(line) else {
            return Self { subject: subject.map(str::to_owned), headers: Vec::new(), payload: line.to_vec() };
        };
        let raw = wrapper.payload.get();
        // A text is the payload itself, so that what is no JSON can be written too.
        let payload = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
        Self {
            subject: Some(wrapper.subject),
            headers: block(&wrapper.headers),
            payload: payload.into_bytes(),
        }
    }
}

/// Headers as they stand in a message.
fn block(headers: &BTreeMap<String, Values>) -> Vec<u8> {
    let mut block = String::new();
    for (name, values) in headers {
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values.as_slice(),
        };
        for value in values {
            block.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
    }
    if block.is_empty() { Vec::new() } else { format!("NATS/1.0\r\n{block}\r\n").into_bytes() }
}
