//! `signalbox run`: the sidecar.

use std::path::PathBuf;

use clap::Args;

use super::logs::{self, FormatSwitch};
use super::settings::{DEFAULT_RULES, Flags, resolve};
use super::terminal::{Statement, Terminal};
use super::{CommandOutcome, config_file};
use crate::engine::config::Config;
use crate::shell::{self, ConfigSource, Launch, Reread};

/// How to run.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

/// Runs until a signal ends it.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let resolved = resolve(&arguments.flags, terminal)?;
    let format = logs::start(resolved.config.log_format);
    shell::run(Launch {
        settings: resolved.shell,
        config: resolved.config,
        on_listening: None,
        stop: None,
        source: Some(source(arguments.flags.clone(), format)),
    })
    .map_err(|error| Statement::of(&error))?;
    Ok(CommandOutcome::Fine)
}

/// Where the configuration comes from, for reloads: the file under the flags of this run. Where there was none at the
/// start, the default one may still appear.
fn source(flags: Flags, format: FormatSwitch) -> ConfigSource {
    let path = flags.config.clone().unwrap_or_else(|| PathBuf::from(config_file::DEFAULT_CONFIG));
    let is_needed = flags.config.is_some() || path.exists();
    let file = path.clone();
    let reread = move || {
        if !is_needed && !file.exists() {
            return Reread { config: Some(flags.over(Config::default())), diagnostics: Vec::new() };
        }
        let (config, diagnostics) = config_file::reread(&file);
        Reread { config: config.map(|config| flags.over(config)), diagnostics }
    };
    ConfigSource {
        path,
        default_rules: PathBuf::from(DEFAULT_RULES),
        reread: Box::new(reread),
        applied: Box::new(move |config| format.put(config.log_format)),
    }
}
