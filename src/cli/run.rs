//! `signalbox run`: the sidecar.

use clap::Args;

use super::settings::{Flags, StreamDefault, resolve};
use super::terminal::{Statement, Terminal};
use super::{Outcome, logs};
use crate::engine::config::file::FileConfig;
use crate::engine::diagnostic::{Style, render};
use crate::shell::{self, Launch};

/// How to run.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

/// Runs until a signal ends it.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<Outcome> {
    let resolved = resolve(&arguments.flags, StreamDefault::Wait, terminal)?;
    logs::start(resolved.log_format);
    let path = resolved.config_path;
    let in_force = path.as_deref().and_then(|path| reread(path).ok());
    shell::run(Launch {
        settings: resolved.shell,
        config: resolved.engine,
        rule_paths: resolved.rules,
        on_listening: None,
        stop: None,
        reread_config: Some(Box::new(move || {
            let Some(path) = &path else { return Ok(()) };
            let read = reread(path)?;
            if in_force.as_ref() != Some(&read) {
                tracing::warn!(file = %path.display(), "the configuration changed: restart to put it in force");
            }
            Ok(())
        })),
    })
    .map_err(|error| Statement::of(&error))?;
    Ok(Outcome::Fine)
}

/// The configuration file as it is now; an error is the whole text to show.
fn reread(path: &std::path::Path) -> Result<FileConfig, String> {
    let source = super::sources::read(path).map_err(|error| format!("cannot {error:#}"))?;
    match FileConfig::parse(&source) {
        (Some(config), _) => Ok(config),
        (None, diagnostics) => Err(render(&diagnostics, Style::Plain)),
    }
}
