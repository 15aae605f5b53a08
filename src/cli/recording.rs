//! Recorded events: JSON lines, each an event or an array of them, in the order they arrived.

use std::fmt;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::time::Timestamp;
use crate::engine::wire::EventType;
use crate::shell::nats::stored::StreamMessage;

/// Bytes of one line; what is longer is no recording of messages.
const LINE_BYTES_MAX: usize = 64 << 20;

/// One recorded event, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    /// Where it stands.
    pub(super) place: RecordedPlace,
    /// Its type, where it says a known one.
    pub(super) event_type: Option<EventType>,
    /// Its own time, where it has a readable one.
    pub(super) time: Option<Timestamp>,
    /// The subject it was published to, where that is known.
    pub(super) subject: Option<String>,
    /// The raw header block it came with; empty where there is none.
    pub(super) headers: Vec<u8>,
    /// The JSON as it stands there.
    pub(super) payload: Vec<u8>,
}

/// Where a recorded event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordedPlace {
    /// On this line of a file, from 1.
    Line(usize),
    /// In a stream, under this sequence.
    Message(u64),
}

impl RecordedPlace {
    /// The line or the sequence.
    pub(super) fn number(self) -> usize {
        match self {
            Self::Line(line) => line,
            Self::Message(sequence) => usize::try_from(sequence).unwrap_or(usize::MAX),
        }
    }
}

impl fmt::Display for RecordedPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(out, "line {line}"),
            Self::Message(sequence) => write!(out, "message {sequence}"),
        }
    }
}

impl Recorded {
    /// Reads one event's own words about itself; whether they are valid is for the engine to judge.
    pub(super) fn new(line: usize, payload: &[u8]) -> Self {
        let words: Words<'_> = serde_json::from_slice(payload).unwrap_or_default();
        let data: Words<'_> =
            words.data.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
        let own = text(words.event_type).or_else(|| text(data.event_type));
        let name =
            own.or_else(|| text(words.kind).and_then(|kind| kind.rsplit('.').next().map(str::to_owned)));
        let time = [words.timestamp, data.timestamp, words.time]
            .into_iter()
            .find_map(|time| text(time)?.parse::<Timestamp>().ok());
        Self {
            place: RecordedPlace::Line(line),
            subject: None,
            headers: Vec::new(),
            event_type: name.and_then(|name| EventType::from_name(&name)),
            time,
            payload: payload.to_vec(),
        }
    }

    /// A message of a stream, whose time is when it was stored: what was decided then was decided by that clock.
    pub(super) fn stored(message: StreamMessage, event_type: EventType) -> Self {
        Self {
            place: RecordedPlace::Message(message.sequence),
            event_type: Some(event_type),
            time: Some(message.time),
            subject: Some(message.subject),
            headers: message.headers,
            payload: message.payload,
        }
    }
}

/// The fields by which an event is put in its place.
#[derive(Default, Deserialize)]
struct Words<'a> {
    #[serde(borrow, default)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok()).filter(|text| !text.is_empty())
}

/// Calls `sink` with every event of a stream of lines until it says to stop; empty lines are passed over.
///
/// # Errors
/// What the stream itself refuses, and a line that is longer than any message.
pub(super) fn for_each(mut stream: impl BufRead, mut sink: impl FnMut(Recorded) -> Flow) -> io::Result<()> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        let read = io::Read::take(&mut stream, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if read >= LINE_BYTES_MAX {
            let message = format!("line {number} is longer than 64 MiB");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut trimmed = line.trim_ascii();
        if number == 1 {
            trimmed = trimmed.strip_prefix("\u{feff}".as_bytes()).unwrap_or(trimmed);
        }
        if trimmed.is_empty() {
            continue;
        }
        for recorded in events(number, trimmed) {
            if sink(recorded) == Flow::Stop {
                return Ok(());
            }
        }
    }
}

/// Whether to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Read on.
    Continue,
    /// That is enough.
    Stop,
}

/// The events of one line: the elements of an array one by one, since each type has its lane.
fn events(number: usize, line: &[u8]) -> Vec<Recorded> {
    if line.starts_with(b"[")
        && let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(line)
        && !elements.is_empty()
    {
        return elements.iter().map(|raw| Recorded::new(number, raw.get().as_bytes())).collect();
    }
    vec![Recorded::new(number, line)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrays_and_cloud_events_are_put_in_their_place() {
        let text = concat!(
            "\u{feff}{\"event_type\": \"JobQueued\", \"timestamp\": \"1970-01-01T00:00:01Z\"}\n\n",
            "[{\"event_type\": \"JobStarted\"}, 7]\n",
            "{\"type\": \"org.x.JobFailed\", \"time\": \"1970-01-01T00:00:02Z\", \"data\": {}}\n",
            "nonsense\n[]\n",
        );
        let mut found = Vec::new();
        for_each(text.as_bytes(), |recorded| {
            let seconds = recorded.time.map(Timestamp::seconds);
            found.push((recorded.place, recorded.event_type.map(EventType::name), seconds));
            Flow::Continue
        })
        .unwrap();
        let expected = [
            (RecordedPlace::Line(1), Some("JobQueued"), Some(1.0)),
            (RecordedPlace::Line(3), Some("JobStarted"), None),
            (RecordedPlace::Line(3), None, None),
            (RecordedPlace::Line(4), Some("JobFailed"), Some(2.0)),
            (RecordedPlace::Line(5), None, None),
            (RecordedPlace::Line(6), None, None),
        ];
        assert_eq!(found, expected);
    }
}
