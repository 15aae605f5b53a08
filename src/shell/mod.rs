//! The thin shell: NATS, HTTP, clock and disk around the engine.

pub mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::engine::config::Config;

pub use settings::Settings;

/// What a run begins with.
pub struct Launch {
    /// The shell's settings.
    pub settings: Settings,
    /// The engine's configuration.
    pub config: Config,
    /// Rule files and folders, as they were given.
    pub rule_paths: Vec<PathBuf>,
    /// Called once with the address the HTTP server listens on.
    pub on_listening: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
    /// Ends the run as SIGTERM does; a dropped sender does not.
    pub stop: Option<tokio::sync::oneshot::Receiver<()>>,
    /// Reads the configuration again at a reload; an error is the whole text to show.
    pub reread_config: Option<Box<dyn Fn() -> Result<(), String> + Send>>,
}

/// Runs the sidecar until it is told to stop; an error is for exit code 2.
///
/// # Errors
/// What only an edit can mend: an address in use, TLS files that cannot be read, no rule file that loads.
pub fn run(launch: Launch) -> anyhow::Result<()> {
    drop(launch);
    anyhow::bail!("running is not built yet")
}
