//! What a command writes: results to stdout, everything else to stderr. Whatever people or events wrote is made safe
//! for a terminal here and in the diagnostics, nowhere else.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::process::ExitCode;

use super::CommandOutcome;
use crate::engine::diagnostic::{self, Diagnostic, Lines, Severity, Style, counted, printable};
use crate::shell::plain::plain;

/// An error whose text is a whole statement, where others only fit after "cannot".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Statement(String);

impl Statement {
    /// The error with its causes.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        Self(plain(error))
    }
}

/// The two streams, and whether the reader of stdout went away.
pub(super) struct Terminal {
    out: BufWriter<Stdout>,
    failure: Option<io::Error>,
}

impl Terminal {
    /// The process' own streams.
    pub(super) fn new() -> Self {
        Self { out: BufWriter::new(io::stdout()), failure: None }
    }

    /// Writes one line of a result.
    pub(super) fn line(&mut self, text: impl Display) {
        let text = text.to_string();
        let written = writeln!(self.out, "{}", printable(&text, Lines::One));
        self.note(written);
    }

    /// Writes whole lines of a result.
    pub(super) fn text(&mut self, text: &str) {
        let written = self.out.write_all(printable(text, Lines::Many).as_bytes());
        self.note(written);
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
    }

    /// Whether nobody reads results any more, so that a long command can stop.
    pub(super) fn is_closed(&self) -> bool {
        self.failure.is_some()
    }

    /// Says one line beside the result.
    pub(super) fn say(&mut self, text: impl Display) {
        let text = text.to_string();
        self.say_safe(&printable(&text, Lines::One));
    }

    /// Says what holds nothing of anybody's that a terminal would obey.
    fn say_safe(&mut self, text: &str) {
        // What went to stdout before comes first also where both are one terminal.
        let flushed = self.out.flush();
        self.note(flushed);
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Says diagnostics with their source lines, and how many there were, beside the result.
    pub(super) fn say_diagnostics(&mut self, diagnostics: &[Diagnostic]) {
        if !diagnostics.is_empty() {
            self.say_safe(&rendered(&diagnostic::sorted(diagnostics), style(&io::stderr())));
        }
    }

    /// Writes diagnostics with their source lines, and how many there were, as a result.
    pub(super) fn diagnostics(&mut self, diagnostics: &[&Diagnostic]) {
        if !diagnostics.is_empty() {
            let written = writeln!(self.out, "{}", rendered(diagnostics, style(&io::stdout())));
            self.note(written);
        }
    }

    /// Ends the process' work: the exit code, and a line on stderr where the command could not work.
    pub(super) fn exit(mut self, result: anyhow::Result<CommandOutcome>) -> ExitCode {
        let flushed = self.out.flush();
        self.note(flushed);
        match (result, &self.failure) {
            (Ok(_), Some(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                let _ = writeln!(io::stderr(), "signalbox: cannot write the result: {}", plain(error));
                ExitCode::from(2)
            }
            (Ok(CommandOutcome::Fine), _) => ExitCode::SUCCESS,
            (Ok(CommandOutcome::Findings), _) => ExitCode::from(1),
            (Err(error), _) => {
                let cannot = if error.is::<Statement>() { "" } else { "cannot " };
                let text = format!("{cannot}{}", plain(error));
                let _ = writeln!(io::stderr(), "signalbox: {}", printable(&text, Lines::Many));
                ExitCode::from(2)
            }
        }
    }
}

fn style(stream: &impl IsTerminal) -> Style {
    if stream.is_terminal() { Style::Coloured } else { Style::Plain }
}

fn rendered(diagnostics: &[&Diagnostic], style: Style) -> String {
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let counts = [counted(errors, "error"), counted(diagnostics.len() - errors, "warning")];
    format!("{}\n{}", diagnostic::render_all(diagnostics, style), counts.join(", "))
}
