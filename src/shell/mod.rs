//! The thin shell: NATS, HTTP, clock and disk around the engine.
//!
//! Threads: one owns the engine (`driver`), each lane has one (`nats`), and a small tokio runtime serves
//! HTTP, publishes and reloads. They meet in the driver's `mailbox` and in `status`, nowhere else.

#![expect(clippy::disallowed_methods, reason = "the shell is where clocks and files are read")]

pub(crate) mod clock;
mod context;
mod driver;
mod http;
mod in_force;
mod limited_log;
mod nats;
mod process;
pub(crate) mod prometheus_json;
mod reload;
mod reminder;
mod renewals;
pub(crate) mod rule_files;
pub mod settings;
mod status;
mod stop;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::engine::Engine;
use crate::engine::catalogue::known_metrics;
use crate::engine::config::Config;
use crate::engine::fact::{Fact, ReloadResult};
use crate::engine::wire::{EventType, Lane};

use clock::Clock;
use context::ShellContext;
use driver::Driver;
use driver::command::Command;
use driver::mailbox::Mailbox;
use driver::rejections;
use http::queries::Queries;
use http::{Routes, Web};
use in_force::ConfigInForce;
use nats::lanes::core::CoreMachine;
use nats::lanes::runner::Runner;
use nats::lanes::stream::StreamMachine;
use nats::out::alerts::AlertPublisher;
use nats::out::rejected;
use nats::servers::Servers;
use reload::{ReloadWish, Reloader};
use renewals::Renewals;
use rule_files::{Load, RuleFiles};
use status::{Status, Topic};
use stop::Stop;

pub(crate) use reload::{ConfigSource, Reread};
pub use settings::Settings;

/// Pages that may be open and live at a time.
const PAGES_MAX: usize = 32;

/// How long lanes may take to notice that the process stops.
const LANES_WAIT: Duration = Duration::from_secs(3);

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
    let outcome = runtime.block_on(run_async(launch));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run_async(mut launch: Launch) -> anyhow::Result<()> {
    let clock = Clock::start();
    let on_listening = launch.on_listening.take();
    let told_to_stop = launch.stop.take();
    let settings = Arc::new(std::mem::take(&mut launch.settings));
    let servers = Servers::new(&settings.nats)?;
    nats::tls::check(&settings.nats.tls)?;
    let mut files = RuleFiles::new(rule_paths(&launch.config), known_metrics(&launch.config));
    let load = first_load(&mut files)?;
    let listener = TcpListener::from_std(http::bind(settings.http.listen)?)?;
    let admin = match settings.http.admin_listen {
        Some(address) => Some(TcpListener::from_std(http::bind(address)?)?),
        None => None,
    };
    let context = ShellContext {
        mailbox: Arc::new(Mailbox::new(settings.flow.queue_bytes_max)),
        status: Arc::new(Status::default()),
        stop: Arc::new(Stop::default()),
        settings: Arc::clone(&settings),
        renewals: Arc::new(Renewals::default()),
        config: Arc::new(ConfigInForce::new(launch.config.clone())),
    };
    let types = Types::of(&launch.config);
    mark_unready(&context, &types);
    let (client, connections) = nats::out::client::connect(&context, &servers).await?;
    let (alerts, alert_events) = mpsc::unbounded_channel();
    let (rejections, copies) = rejections::queue(&settings.rejected, Arc::clone(&context.config));
    announce(&context, &load);
    // What the stream stored lately is applied in its own time, so the engine begins there.
    let past = (!types.stream.is_empty()).then(|| clock.now().before(launch.config.history.window));
    let begin = past.unwrap_or_else(|| clock.now());
    let mut engine = Engine::new(&launch.config, load.rules, begin);
    engine.time_with(Arc::new(clock));
    engine.name_build(env!("CARGO_PKG_VERSION"), REVISION, begin);
    engine.observe(Fact::Disconnected, begin);
    if past.is_some() {
        engine.await_stream(&settings.jetstream.stream, clock.now());
    }
    let driver = Driver {
        standing: engine.standing(),
        engine,
        mailbox: Arc::clone(&context.mailbox),
        status: Arc::clone(&context.status),
        clock,
        alerts,
        rejections,
        in_flight: 0,
    };
    let (driver_ended, driver_end) = oneshot::channel();
    spawn("signalbox-engine", move || {
        driver.run();
        // The receiver leaves only with the process.
        let _ = driver_ended.send(());
    })?;
    let lanes = spawn_lanes(&context, &servers, &types)?;
    tokio::spawn(nats::out::client::renew(client.clone(), context.clone()));
    let publisher = AlertPublisher::new(client.clone(), connections, context.clone());
    tokio::spawn(publisher.publish(alert_events));
    tokio::spawn(rejected::publish(copies, client, context.clone()));
    tokio::spawn(process::watch(context.clone()));
    let (reload, wishes) = mpsc::channel(4);
    let reloader = Reloader::new(files, launch.source, context.clone());
    tokio::spawn(reloader.run(wishes));
    serve(&context, clock, &reload, Listeners { listener, admin, on_listening })?;
    let mut driver_end = driver_end;
    tokio::select! {
        told = wait_for_the_end(told_to_stop, &reload) => told?,
        // It ends by itself only where it panicked; another process can do better than one without an engine.
        _ = &mut driver_end => anyhow::bail!("cannot go on: the engine ended, which is a bug; see the log above"),
    }
    finish(&context, lanes, driver_end).await;
    Ok(())
}

/// Which types ride which lane in this run.
struct Types {
    core: Vec<EventType>,
    stream: Vec<EventType>,
}

impl Types {
    fn of(config: &Config) -> Self {
        let lanes = config.wire().lanes;
        let rides_core = |event_type: &EventType| lanes.get(event_type) != Some(&Lane::JetStream);
        let (core, stream) = EventType::ALL.iter().copied().partition(rides_core);
        Self { core, stream }
    }
}

/// Rule files and folders, as they are given.
fn rule_paths(config: &Config) -> Vec<PathBuf> {
    config.rules.iter().flatten().map(PathBuf::from).collect()
}

/// Everything that must be seen once before the sidecar is ready.
fn mark_unready(context: &ShellContext, types: &Types) {
    if !types.core.is_empty() {
        context.status.expect(&[Topic::CoreLink]);
    }
    if !types.stream.is_empty() {
        context.status.expect(&[Topic::StreamLink, Topic::Stream, Topic::CatchUp]);
    }
    context.status.expect(&[Topic::PublishLink]);
}

fn first_load(files: &mut RuleFiles) -> anyhow::Result<Load> {
    let load = files.load();
    if !load.is_good && load.rules.groups.is_empty() {
        for finding in &load.lines {
            tracing::error!(finding, "rules");
        }
        anyhow::bail!(
            "no rule file is good ({}); signalbox check shows every place: mend them and start again",
            load.lines.first().map_or("", String::as_str)
        );
    }
    Ok(load)
}

fn announce(context: &ShellContext, load: &Load) {
    if context.settings.state_dir.is_none() {
        tracing::info!("no state folder: the state is kept in memory and starts anew with the process");
    } else {
        tracing::warn!("this release keeps no state on disk yet; the state starts anew with the process");
    }
    reload::tell(context, load);
    context.status.note_diagnostics(&load.text);
    let result = if load.is_good { ReloadResult::Success } else { ReloadResult::Failure };
    context.fact(Fact::Reloaded(result));
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).context("cannot start a thread")
}

fn spawn_lanes(
    context: &ShellContext,
    servers: &Servers,
    types: &Types,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut lanes = Vec::new();
    if !types.core.is_empty() {
        let machine = CoreMachine::new(&context.settings, &types.core);
        let lane = Runner::new(machine, context.clone(), servers.clone());
        lanes.push(spawn("signalbox-core", move || lane.run())?);
    }
    if !types.stream.is_empty() {
        let machine = StreamMachine::new(&context.settings, &types.stream);
        let lane = Runner::new(machine, context.clone(), servers.clone());
        lanes.push(spawn("signalbox-stream", move || lane.run())?);
    }
    Ok(lanes)
}

/// Where HTTP is served.
struct Listeners {
    listener: TcpListener,
    admin: Option<TcpListener>,
    on_listening: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
}

fn serve(
    context: &ShellContext,
    clock: Clock,
    reload: &mpsc::Sender<ReloadWish>,
    listeners: Listeners,
) -> anyhow::Result<()> {
    let settings = Arc::new(context.settings.http.clone());
    let posts = (settings.requests_max / 4).max(1);
    let web = Web {
        mailbox: Arc::clone(&context.mailbox),
        status: Arc::clone(&context.status),
        clock,
        queries: Queries::new(Arc::clone(&context.mailbox), Arc::clone(&context.config)),
        reload: reload.clone(),
        requests: Arc::new(Semaphore::new(settings.requests_max.saturating_sub(posts).max(1))),
        posts: Arc::new(Semaphore::new(posts)),
        config: Arc::clone(&context.config),
        live: Arc::default(),
        pages: Arc::new(Semaphore::new(PAGES_MAX)),
        body_bytes_max: settings.body_bytes_max,
    };
    let address = listeners.listener.local_addr()?;
    tracing::info!(%address, "listening for HTTP");
    let routes = if listeners.admin.is_some() { Routes::Public } else { Routes::All };
    tokio::spawn(http::serve(listeners.listener, http::router(web.clone(), routes), Arc::clone(&settings)));
    if let Some(admin) = listeners.admin {
        tracing::info!(address = %admin.local_addr()?, "listening for HTTP: page, API and reload");
        tokio::spawn(http::serve(admin, http::router(web, Routes::Admin), settings));
    }
    if let Some(tell) = listeners.on_listening {
        tell(address);
    }
    Ok(())
}

/// Waits for SIGTERM, SIGINT or the caller; SIGHUP reloads.
async fn wait_for_the_end(
    told: Option<oneshot::Receiver<()>>,
    reload: &mpsc::Sender<ReloadWish>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let told = async {
        let is_told = match told {
            Some(told) => told.await.is_ok(),
            None => false,
        };
        if !is_told {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(told);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = &mut told => return Ok(()),
            _ = hang_up.recv() => {
                tracing::info!("SIGHUP: reloading");
                let (wish, _outcome) = oneshot::channel();
                // The log tells what came of it.
                drop(reload.send(wish).await);
            }
        }
    }
}

/// Ends in order: no more events in, what is queued applied, what is pending published, within the grace.
async fn finish(context: &ShellContext, lanes: Vec<JoinHandle<()>>, driver_end: oneshot::Receiver<()>) {
    tracing::info!("stopping");
    context.stop.stop();
    let joined = tokio::task::spawn_blocking(move || {
        for lane in lanes {
            // A lane that panicked has nothing more to hand over.
            drop(lane.join());
        }
    });
    if tokio::time::timeout(LANES_WAIT, joined).await.is_err() {
        tracing::warn!("a lane does not end; going on without it");
    }
    context.mailbox.close();
    context.mailbox.command(Command::Finish);
    let grace = context.config.get().shutdown_grace;
    if tokio::time::timeout(grace, driver_end).await.is_ok() {
        tracing::info!("stopped");
    } else {
        tracing::warn!(?grace, "stopped with alert events unpublished: the broker did not take them in time");
    }
}
