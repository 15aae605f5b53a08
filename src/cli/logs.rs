//! Where log lines go and how they look.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::engine::config::file::LogFormat;

/// What is logged where `RUST_LOG` does not say.
const LEVELS_DEFAULT: &str = "info,async_nats=warn";

/// Sends log lines to stderr from now on.
pub(super) fn start(format: LogFormat) {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS_DEFAULT));
    let builder = tracing_subscriber::fmt().with_env_filter(levels).with_writer(io::stderr);
    // A second start keeps the first one's lines.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
