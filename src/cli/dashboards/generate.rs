//! `signalbox dashboards`: the shipped dashboards, written from their source.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use uuid::Uuid;

use crate::cli::terminal::Terminal;
use crate::cli::{CommandOutcome, config_file, rule_files, settings};
use crate::engine::config::Config;
use crate::engine::dashboards::{Dashboard, dashboards, shipped_rules};
use crate::engine::diagnostic::counted;
use crate::engine::time::Timestamp;
use crate::engine::wire::payload::{DashboardGenerated, EventType, Payload, Quantity};
use crate::engine::wire::{Event, EventId, Version};
use crate::shell::clock::Clock;
use crate::shell::nats::stored::{self, Outgoing};

/// What ids of the events are made from.
const EVENTS: Uuid = Uuid::from_u128(0x0b7d_5c1e_83f4_5a0b_9a55_2f6d_c1a0_41e7);

/// Where to, and for what.
#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The folder they are written to.
    #[arg(value_name = "FOLDER", default_value = "dashboards")]
    folder: PathBuf,
    /// Says whether the files in the folder are current, and writes nothing; exit 1 where one is not.
    #[arg(long)]
    check: bool,
    /// The configuration, whose namespace and `external_url` they get [default: signalbox.yaml if present].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rules whose thresholds they show [default: the shipped ones].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Publishes a DashboardGenerated for each that is written.
    #[arg(long, value_name = "URL[,URL…]", conflicts_with = "check", hide_env_values = true)]
    nats_url: Option<String>,
}

/// Writes or compares them.
pub(in crate::cli) fn run(arguments: &Arguments, terminal: &mut Terminal) -> anyhow::Result<CommandOutcome> {
    let config = config_file::read_or_say(arguments.config.as_deref(), terminal)?;
    let rules = if arguments.rules.is_empty() {
        shipped_rules(&config)
    } else {
        rule_files::load_or_say(&arguments.rules, &config, terminal)?
    };
    let made = dashboards(&config, &rules).map_err(|found| {
        terminal.say_diagnostics(&found);
        anyhow::anyhow!("draw the dashboards from their source; this is a mistake of signalbox itself")
    })?;
    if arguments.check {
        return compare(arguments, &made, terminal);
    }
    fs::create_dir_all(&arguments.folder)
        .with_context(|| format!("make the folder {}", arguments.folder.display()))?;
    for dashboard in &made {
        let path = arguments.folder.join(&dashboard.file);
        fs::write(&path, dashboard.text()).with_context(|| format!("write {}", path.display()))?;
        terminal.line(format_args!("{} ({})", path.display(), counted(dashboard.panels, "panel")));
    }
    match &arguments.nats_url {
        Some(urls) => publish(urls, &config, &made, terminal),
        None => Ok(CommandOutcome::Fine),
    }
}

fn compare(
    arguments: &Arguments,
    made: &[Dashboard],
    terminal: &mut Terminal,
) -> anyhow::Result<CommandOutcome> {
    let mut outdated = 0;
    for dashboard in made {
        let path = arguments.folder.join(&dashboard.file);
        let what = match fs::read(&path) {
            Ok(text) if text == dashboard.text().as_bytes() => continue,
            Ok(_) => "is not current",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is missing",
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        outdated += 1;
        terminal.line(format_args!("{} {what}", path.display()));
    }
    if outdated == 0 {
        terminal.line(format_args!("{} are current", counted(made.len(), "dashboard")));
        return Ok(CommandOutcome::Fine);
    }
    terminal.line(format_args!("write them with: signalbox dashboards {}", arguments.folder.display()));
    Ok(CommandOutcome::Findings)
}

/// Tells of each dashboard on the bus.
fn publish(
    urls: &str,
    config: &Config,
    made: &[Dashboard],
    terminal: &mut Terminal,
) -> anyhow::Result<CommandOutcome> {
    let settings = settings::nats_at(urls, config)?;
    let subject = config.event_subjects().of(EventType::DashboardGenerated);
    let now = Clock::start().now();
    let message = |dashboard| Outgoing {
        subject: subject.clone(),
        headers: Vec::new(),
        payload: event(dashboard, now).into_bytes(),
    };
    let messages: Vec<Outgoing> = made.iter().map(message).collect();
    let answers = stored::publish(&settings, config.jetstream.domain.as_deref(), &messages)?;
    let mut failed = 0;
    for (dashboard, answer) in made.iter().zip(answers) {
        if let Err(error) = answer {
            failed += 1;
            terminal.line(format_args!("{}: the event was not taken: {error}", dashboard.id));
        }
    }
    terminal.line(format_args!("{} published to {subject}", counted(made.len() - failed, "event")));
    Ok(if failed == 0 { CommandOutcome::Fine } else { CommandOutcome::Findings })
}

fn event(dashboard: &Dashboard, now: Timestamp) -> String {
    let id = Uuid::new_v5(&EVENTS, format!("{} {now}", dashboard.id).as_bytes());
    let payload = Payload::DashboardGenerated(DashboardGenerated {
        dashboard_id: Some(dashboard.id.as_str().into()),
        dashboard_name: Some(dashboard.title.as_str().into()),
        panel_count: Some(Quantity::Whole(dashboard.panels as u64)),
    });
    let version = Version { major: 1, minor: 0, patch: 0 };
    Event { id: EventId(id.as_u128()), timestamp: now, version, trace: None, payload }.to_json()
}
