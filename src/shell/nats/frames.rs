//! The NATS text protocol as a client hears it: frames cut out of one buffer, nothing copied, nothing judged.
//!
//! A header block stays the bytes it came as: a block that cannot be read must not end the connection, or one
//! stored message would end it for ever.

use memchr::{memchr, memchr2_iter};

/// The longest control line; `INFO` of a big cluster is the longest there is.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The largest message, headers included: a server takes none near it.
const CONTENT_BYTES_MAX: usize = 128 << 20;

/// One frame from the server, borrowed from the buffer it was read into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// `MSG` and `HMSG`.
    Message(Delivery<'a>),
    /// `PING`, which wants a `PONG`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`.
    Ok,
    /// `-ERR`, without its quotes.
    Error(&'a [u8]),
    /// `INFO`, its JSON.
    Info(&'a [u8]),
}

/// One delivered message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery<'a> {
    /// The subscription it came by.
    pub(crate) subscription: u64,
    /// Where it was published.
    pub(crate) subject: &'a [u8],
    /// Where an answer goes; empty for nowhere.
    pub(crate) reply: &'a [u8],
    /// The raw header block, empty where there is none.
    pub(crate) headers: &'a [u8],
    /// The payload.
    pub(crate) payload: &'a [u8],
}

/// What no server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// A control line without end.
    #[error("a control line of more than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// A message that no server takes.
    #[error("a message of more than {CONTENT_BYTES_MAX} bytes")]
    TooLarge,
    /// An operation that is none, or one with wrong arguments.
    #[error("an operation that is not part of the NATS protocol")]
    Unknown,
}

/// Cuts the first frame off; `None` where more bytes are needed. The number is how many bytes it took.
#[inline]
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    // Nearly all is messages, of which servers write the control line in one way.
    if let Some(rest) = bytes.strip_prefix(b"MSG ")
        && let Some((arguments, length)) = usual_arguments(rest)
    {
        return message(bytes, b"MSG ".len() + length, &arguments, Block::Payload);
    }
    parse_any(bytes)
}

fn parse_any(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some(end) = memchr(b'\n', bytes) else {
        return if bytes.len() > LINE_BYTES_MAX { Err(FrameError::LineTooLong) } else { Ok(None) };
    };
    let line = bytes.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let body = end + 1;
    if let Some(arguments) = operation(line, b"MSG ") {
        return message(bytes, body, &arguments_of(arguments), Block::Payload);
    }
    if let Some(arguments) = operation(line, b"HMSG ") {
        return message(bytes, body, &arguments_of(arguments), Block::HeadersAndPayload);
    }
    let frame = if operation(line, b"PING").is_some() {
        Frame::Ping
    } else if operation(line, b"PONG").is_some() {
        Frame::Pong
    } else if operation(line, b"+OK").is_some() {
        Frame::Ok
    } else if let Some(text) = operation(line, b"-ERR") {
        Frame::Error(text.trim_ascii().strip_prefix(b"'").unwrap_or(text).trim_ascii().trim_suffix_quote())
    } else if let Some(json) = operation(line, b"INFO ") {
        Frame::Info(json)
    } else {
        return Err(FrameError::Unknown);
    };
    Ok(Some((frame, body)))
}

/// What follows a control line.
#[derive(Clone, Copy)]
enum Block {
    Payload,
    HeadersAndPayload,
}

/// The rest of the line where it begins with `name`, whatever the case.
fn operation<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then_some(rest)
}

trait TrimQuote {
    fn trim_suffix_quote(&self) -> &Self;
}

impl TrimQuote for [u8] {
    fn trim_suffix_quote(&self) -> &Self {
        self.strip_suffix(b"'").unwrap_or(self)
    }
}

/// Up to six arguments of a control line; missing ones are empty.
struct Arguments<'a> {
    values: [&'a [u8]; 6],
    count: usize,
}

/// The arguments at the start of `bytes` where one blank stands between each two and the line ends as it must, and how
/// many bytes they and the line's end take. What is longer, cut off or written otherwise is left to others.
#[inline]
fn usual_arguments(bytes: &[u8]) -> Option<(Arguments<'_>, usize)> {
    let mut arguments = Arguments { values: [b""; 6], count: 0 };
    let mut rest = bytes;
    for place in &mut arguments.values {
        let (word, after) = rest.split_at_checked(word_end(rest)?)?;
        *place = word;
        arguments.count += 1;
        rest = match after {
            _ if word.is_empty() => return None,
            [b' ', after @ ..] => after,
            [b'\r', b'\n', after @ ..] => return Some((arguments, bytes.len() - after.len())),
            _ => return None,
        };
    }
    None
}

/// Where the first blank or control character is, eight bytes at a time; `None` where fewer are left.
#[inline]
fn word_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    for (chunk, place) in bytes.as_chunks::<8>().0.iter().zip((0..).step_by(8)) {
        let word = u64::from_le_bytes(*chunk);
        // A subtraction borrows into the bytes above a match only, so the lowest bit set is right.
        let found = word.wrapping_sub(ONES * u64::from(b' ' + 1)) & !word & (ONES << 7);
        if found != 0 {
            return Some(place + found.trailing_zeros() as usize / 8);
        }
    }
    None
}

fn arguments_of(line: &[u8]) -> Arguments<'_> {
    let mut arguments = Arguments { values: [b""; 6], count: 0 };
    let mut start = 0;
    for end in memchr2_iter(b' ', b'\t', line).chain([line.len()]) {
        let value = line.get(start..end).unwrap_or_default();
        start = end + 1;
        if value.is_empty() {
            continue;
        }
        if let Some(place) = arguments.values.get_mut(arguments.count) {
            *place = value;
        }
        arguments.count += 1;
    }
    arguments
}

#[inline]
fn message<'a>(
    bytes: &'a [u8],
    body: usize,
    arguments: &Arguments<'a>,
    block: Block,
) -> Result<Option<(Frame<'a>, usize)>, FrameError> {
    let [subject, subscription, third, fourth, fifth, _] = arguments.values;
    let (reply, headers, total) = match (block, arguments.count) {
        (Block::Payload, 3) => (&b""[..], 0, number(third)?),
        (Block::Payload, 4) => (third, 0, number(fourth)?),
        (Block::HeadersAndPayload, 4) => (&b""[..], number(third)?, number(fourth)?),
        (Block::HeadersAndPayload, 5) => (third, number(fourth)?, number(fifth)?),
        _ => return Err(FrameError::Unknown),
    };
    let (headers, total) = (headers as usize, total as usize);
    if headers > total {
        return Err(FrameError::Unknown);
    }
    if total > CONTENT_BYTES_MAX {
        return Err(FrameError::TooLarge);
    }
    let after = body.saturating_add(total);
    let Some(content) = bytes.get(body..after) else { return Ok(None) };
    let Some(ending) = bytes.get(after..after.saturating_add(2)) else { return Ok(None) };
    if ending != b"\r\n" {
        return Err(FrameError::Unknown);
    }
    let (headers, payload) = content.split_at_checked(headers).ok_or(FrameError::Unknown)?;
    let delivery = Delivery { subscription: number(subscription)?, subject, reply, headers, payload };
    Ok(Some((Frame::Message(delivery), after + 2)))
}

/// A decimal number of at most 15 digits.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Result<u64, FrameError> {
    if digits.is_empty() || digits.len() > 15 {
        return Err(FrameError::Unknown);
    }
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + u64::from(digit - b'0')),
        _ => Err(FrameError::Unknown),
    })
}

#[cfg(test)]
mod tests;
