//! Where log lines go and how they look.
//!
//! Values hold what people and events wrote, so each is made safe for a terminal, and each log line stays one line.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::engine::config::LogFormat;
use crate::engine::diagnostic::{Lines, printable};

/// What is logged where `RUST_LOG` does not say. The library writes a line for each attempt to connect; the sidecar says
/// itself what became of them.
const LEVELS_DEFAULT: &str = "info,async_nats=warn,async_nats::connector=off";

/// The format of log lines, which a reload may change.
#[derive(Clone, Debug)]
pub(super) struct FormatSwitch(Arc<AtomicBool>);

impl FormatSwitch {
    fn new(format: LogFormat) -> Self {
        Self(Arc::new(AtomicBool::new(format == LogFormat::Json)))
    }

    /// Writes lines in this format from now on.
    pub(super) fn put(&self, format: LogFormat) {
        self.0.store(format == LogFormat::Json, Ordering::Relaxed);
    }

    /// Lets a layer write while its format is the one in force.
    fn while_in_force<S: Subscriber>(&self, format: LogFormat) -> impl Filter<S> + use<S> {
        let (is_json, wanted) = (Arc::clone(&self.0), format == LogFormat::Json);
        dynamic_filter_fn(move |_, _| is_json.load(Ordering::Relaxed) == wanted)
    }
}

/// Sends log lines to stderr from now on.
pub(super) fn start(format: LogFormat) -> FormatSwitch {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS_DEFAULT));
    let switch = FormatSwitch::new(format);
    let text = tracing_subscriber::fmt::layer()
        .fmt_fields(format::debug_fn(write_field).delimited(" "))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_filter(switch.while_in_force(LogFormat::Text));
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(|| SafeLines(io::stderr()))
        .with_filter(switch.while_in_force(LogFormat::Json));
    // A second start keeps the first one's lines.
    let _ = tracing_subscriber::registry().with(levels).with(text).with(json).try_init();
    switch
}

/// Writes the message as it is and every other field with its name.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let written = format!("{value:?}");
    let safe = printable(&written, Lines::One);
    match field.name() {
        "message" => write!(writer, "{safe}"),
        name if writer.has_ansi_escapes() => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{safe}"),
        name => write!(writer, "{name}={safe}"),
    }
}

/// Whole lines of JSON on their way out: JSON itself leaves the second set of control characters as they are.
struct SafeLines<W>(W);

impl<W: Write> Write for SafeLines<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.write_all(printable(&String::from_utf8_lossy(lines), Lines::Many).as_bytes())?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn log_hostile_values() {
        let hostile = "\u{1b}[2J\u{9b}31m\u{202e}\rline\nforged";
        tracing::warn!(shown = %hostile, debugged = ?hostile, hostile, "beside {hostile}");
    }

    #[test]
    fn no_value_commands_a_terminal_or_forges_a_line_of_text() {
        let sink = Sink::default();
        let out = sink.clone();
        let log = tracing_subscriber::fmt()
            .fmt_fields(format::debug_fn(write_field).delimited(" "))
            .with_ansi(false)
            .with_writer(move || out.clone())
            .finish();
        tracing::subscriber::with_default(log, log_hostile_values);
        let text = sink.text();
        let line = text.strip_suffix('\n').unwrap();
        assert_eq!(printable(line, Lines::One), line);
        for part in ["beside \\u001b[2J\\u009b31m", " shown=\\u001b[2J", " debugged=\"", " hostile=\""] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn lines_of_json_stay_json_and_command_no_terminal() {
        let sink = Sink::default();
        let out = sink.clone();
        let log =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || SafeLines(out.clone()));
        tracing::subscriber::with_default(log.finish(), log_hostile_values);
        let text = sink.text();
        let line = text.strip_suffix('\n').unwrap();
        assert_eq!(printable(line, Lines::One), line);
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["shown"], "\u{1b}[2J\u{9b}31m\u{202e}\rline\nforged");
    }
}
