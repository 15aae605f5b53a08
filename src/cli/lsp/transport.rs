//! The protocol's frames on standard input and output.
//!
//! The library's own reader makes room for whatever length a head names, so that one line can end the process; this one
//! refuses what is longer than any message of an editor is.

use std::io::{self, BufRead, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};

use anyhow::{Context, bail};
use crossbeam_channel::{Receiver, Sender, bounded};
use lsp_server::{Connection, Message};

/// Bytes of a message: room for the longest file, however it is escaped.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a line of a head.
const HEAD_LINE_BYTES_MAX: u64 = 4 << 10;

/// Messages that wait, of either side. Whether any does tells that somebody still types.
const WAITING_MAX: usize = 64;

/// The threads that read and write.
pub(super) struct Transport {
    writer: JoinHandle<io::Result<()>>,
    fault: Arc<Mutex<Option<anyhow::Error>>>,
}

/// Reads and writes from now on.
pub(super) fn begin() -> (Connection, Transport) {
    let (sender, to_write) = bounded(WAITING_MAX);
    let (heard, receiver) = bounded(WAITING_MAX);
    let fault = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&fault);
    spawn(move || {
        let outcome = read_all(&mut io::stdin().lock(), &heard);
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = outcome.err();
        // Whoever finds that nothing more comes finds the reason too.
        drop(heard);
    });
    let writer = spawn(move || write_all(&mut io::stdout().lock(), &to_write));
    (Connection { sender, receiver }, Transport { writer, fault })
}

impl Transport {
    /// Waits until everything is written, where nobody writes more.
    ///
    /// # Errors
    /// What the editor sent and nobody can read.
    pub(super) fn end(self) -> anyhow::Result<()> {
        // Who does not read any more is told nothing more.
        drop(self.writer.join());
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

/// Hands on what is read until the editor says that it is the last.
fn read_all(from: &mut impl BufRead, heard: &Sender<Message>) -> anyhow::Result<()> {
    while let Some(message) = read(from)? {
        let is_last = matches!(&message, Message::Notification(told) if told.method == "exit");
        if heard.send(message).is_err() || is_last {
            break;
        }
    }
    Ok(())
}

fn write_all(to: &mut impl Write, messages: &Receiver<Message>) -> io::Result<()> {
    messages.iter().try_for_each(|message| message.write(to))
}

/// The next message; none where the editor is gone.
fn read(from: &mut impl BufRead) -> anyhow::Result<Option<Message>> {
    let Some(length) = read_head(from)? else { return Ok(None) };
    if length > MESSAGE_BYTES_MAX {
        bail!("read a message of {length} bytes: an editor's have at most {MESSAGE_BYTES_MAX}");
    }
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body).context("read what the editor sends")?;
    if (body.len() as u64) < length {
        bail!("read a message of {length} bytes: it ends after {}", body.len());
    }
    serde_json::from_slice(&body).map(Some).context("read a message as the protocol has it")
}

/// How many bytes the message after the next head has.
fn read_head(from: &mut impl BufRead) -> anyhow::Result<Option<u64>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        from.take(HEAD_LINE_BYTES_MAX).read_until(b'\n', &mut line).context("read what the editor sends")?;
        let text = String::from_utf8_lossy(&line);
        match (text.strip_suffix("\r\n"), length) {
            _ if line.is_empty() => return Ok(None),
            (None, _) => bail!("read `{}`: a line of a head ends with CR and LF", text.trim_end()),
            (Some(""), None) => bail!("read a head without `Content-Length: BYTES`"),
            (Some(""), Some(length)) => return Ok(Some(length)),
            (Some(field), _) => {
                let (name, value) =
                    field.split_once(':').with_context(|| format!("read `{field}`: write `NAME: VALUE`"))?;
                if name.eq_ignore_ascii_case("content-length") {
                    let bytes = value.trim().parse();
                    length = Some(bytes.with_context(|| format!("read `{field}`: write a number of bytes"))?);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The methods of what is read, and why no more is.
    fn heard(text: &str) -> (Vec<String>, String) {
        let (sender, receiver) = bounded(9);
        let outcome = read_all(&mut text.as_bytes(), &sender);
        drop(sender);
        let method = |message| match message {
            Message::Notification(told) => told.method,
            Message::Request(_) | Message::Response(_) => String::new(),
        };
        (
            receiver.iter().map(method).collect(),
            outcome.map_or_else(|error| format!("{error:#}"), |()| String::new()),
        )
    }

    fn frame(method: &str) -> String {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}");
        format!("content-length:{}\r\nContent-Type: application/json\r\n\r\n{body}", body.len())
    }

    #[test]
    fn messages_are_read_to_the_last_one() {
        let (one, exit) = (frame("one"), frame("exit"));
        assert_eq!(heard(&format!("{one}{one}")), (vec!["one".to_owned(); 2], String::new()));
        assert_eq!(heard(&format!("{exit}{one}")), (vec!["exit".to_owned()], String::new()));
    }

    #[test]
    fn what_is_no_frame_is_refused_with_a_sentence() {
        let long = "x".repeat(5_000);
        let cases = [
            ("Content-Length: 1099511627776\r\n\r\n", "a message of 1099511627776 bytes"),
            ("Content-Length: 99999999999999999999\r\n\r\n", "write a number of bytes"),
            ("Content-Length: -1\r\n\r\n", "write a number of bytes"),
            ("Content-Length: 9\r\n\r\n{}", "it ends after 2"),
            ("Content-Length: 2\r\n\r\n{}", "as the protocol has it"),
            ("Content-Length: 2\n\n{}", "ends with CR and LF"),
            ("\r\n{}", "without `Content-Length"),
            ("nonsense\r\n", "write `NAME: VALUE`"),
            (long.as_str(), "ends with CR and LF"),
        ];
        for (text, words) in cases {
            let (messages, fault) = heard(&(frame("one") + text));
            assert_eq!(messages, ["one"], "{text}");
            assert!(fault.contains(words), "{text}: {fault}");
        }
    }
}
