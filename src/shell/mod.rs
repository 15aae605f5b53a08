//! The thin shell: NATS, HTTP, clock and disk around the engine.
//!
//! Threads: one owns the engine (`driver`), each lane has one (`nats`), and a small tokio runtime serves
//! HTTP, publishes and reloads. They meet in the driver's `mailbox` and in `status`, nowhere else. `start` wires them,
//! `end` waits for the end and brings them there in order.

#![expect(clippy::disallowed_methods, reason = "the shell is where clocks and files are read")]

mod alertmanager;
mod backoff;
pub(crate) mod clock;
mod context;
mod driver;
mod end;
mod file_changes;
#[cfg(test)]
pub(crate) mod for_tests;
#[cfg(test)]
mod fuzz;
mod http;
mod in_force;
mod limited_log;
pub(crate) mod nats;
mod percent;
pub(crate) mod plain;
mod process;
pub(crate) mod prometheus_json;
mod reload;
mod reminder;
mod renewals;
pub(crate) mod rule_files;
mod saves;
mod serve;
mod service_manager;
pub mod settings;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod start;
mod state;
mod status;
mod stop;
pub(crate) mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::oneshot;

use crate::engine::config::Config;

pub(crate) use http::gate::{Gate, check as check_web_config};
pub(crate) use nats::login::check as check_login;
pub(crate) use reload::{ConfigSource, Reread};
pub(crate) use serve::{EDIT_ADVICE, strangers_edit};
pub use settings::Settings;
pub(crate) use tls::check as check_tls;

/// The revision it was built from; `unknown` where neither the build was told nor a clone says.
pub(crate) const REVISION: &str = env!("SIGNALBOX_REVISION");

/// What a run begins with.
pub struct Launch {
    /// The shell's settings.
    pub settings: Settings,
    /// The configuration.
    pub config: Config,
    /// Called once with the address the HTTP server listens on.
    pub on_listening: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
    /// Ends the run as SIGTERM does; a dropped sender does not.
    pub stop: Option<oneshot::Receiver<()>>,
    /// Where the configuration comes from, for reloads; none where it is fixed.
    pub source: Option<ConfigSource>,
}

/// Runs the sidecar until it is told to stop; an error is for exit code 2.
///
/// # Errors
/// What only an edit can mend: a URL that is none, an address in use, TLS or credentials files that cannot be read,
/// rule files of which none is good.
pub fn run(launch: Launch) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .thread_name("signalbox-io")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(run_to_the_end(launch));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run_to_the_end(mut launch: Launch) -> anyhow::Result<()> {
    let told_to_stop = launch.stop.take();
    let mut running = start::start(launch).await?;
    running.until_told(told_to_stop).await?;
    running.finish().await;
    Ok(())
}
