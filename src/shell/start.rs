//! Starting: what only an edit can mend is found before the first thread, then everything is wired.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::engine::Engine;
use crate::engine::arrival::Position;
use crate::engine::catalogue::known_metrics;
use crate::engine::checkpoint::CheckpointAge;
use crate::engine::config::Config;
use crate::engine::fact::{Fact, ReloadResult};
use crate::engine::rules::{LogRecord, RuleSet};
use crate::engine::wire::{EventType, Lane};
use crate::shell::plain::plain;

use super::clock::Clock;
use super::context::ShellContext;
use super::driver::command::Dispatch;
use super::driver::notifications::NotificationQueues;
use super::driver::shared::SharedDriver;
use super::driver::{Driver, IN_FLIGHT_MAX, Outputs};
use super::end::Running;
use super::nats::lanes::core::CoreMachine;
use super::nats::lanes::runner::Runner;
use super::nats::lanes::stream::StreamMachine;
use super::nats::out::alerts::AlertPublisher;
use super::nats::out::{client, rejected};
use super::nats::servers::Servers;
use super::reload::{self, Reloader};
use super::rule_files::{Load, RuleFiles, paths_of};
use super::serve::{self, Listeners};
use super::state::disk::{Disk, RealDisk};
use super::state::{Keeper, Scribe, TransitionLog};
use super::status::Topic;
use super::tls;
use super::{Launch, REVISION, alertmanager, process, state};

/// Starts everything.
///
/// # Errors
/// What only an edit can mend; nothing runs then.
pub(super) async fn start(launch: Launch) -> anyhow::Result<Running> {
    let Launch { settings, config, on_listening, stop: _, source } = launch;
    let clock = Clock::start();
    let servers = Servers::new(&settings.nats)?;
    tls::check(&settings.nats.tls)?;
    let mut files = RuleFiles::new(paths_of(&config), known_metrics(&config));
    let load = first_load(&mut files)?;
    let listeners = Listeners::bind(&settings.http)?;
    let types = Types::of(&config);
    let context = ShellContext::new(settings, config);
    mark_unready(&context, &types);
    let (client, connections) = client::connect(&context, &servers).await?;
    announce(&context, &load);
    let (alerts, alert_events) = mpsc::unbounded_channel();
    let (rejections, copies) = context.rejections();
    let notifications = alertmanager::start(&context);
    survive_file_limits();
    let (engine, clock, kept) = begin(&context, &types, load.rules, (clock, RealDisk))?;
    let (keeper, alerts, told_at_once) = match kept {
        Some((keeper, log)) => {
            let alerts = log_first(&context, log, alerts, &notifications)?;
            (Some(keeper), alerts, None)
        }
        None => (None, alerts, Some(Arc::clone(&notifications))),
    };
    let noting = keeper.as_ref().map(|_| alerts.downgrade());
    let position = engine.position().cloned();
    let driver = Arc::new(SharedDriver::new(Driver::new(
        (engine, clock.clone()),
        (Arc::clone(&context.mailbox), Arc::clone(&context.status)),
        Outputs { alerts, rejections, notifications: told_at_once, in_flight_max: IN_FLIGHT_MAX },
    )));
    let driver_end = spawn_driver(Arc::clone(&driver))?;
    let keeper = keeper.map(|keeper| spawn("signalbox-state", move || keeper.run())).transpose()?;
    let lanes = spawn_lanes((&context, &driver), &servers, &types, position)?;
    tokio::spawn(client::renew(client.clone(), context.clone()));
    let publisher = AlertPublisher::new(client.clone(), connections, context.clone());
    let publisher = tokio::spawn(publisher.publish(alert_events));
    tokio::spawn(rejected::publish((copies, noting), client, context.clone()));
    tokio::spawn(process::watch(context.clone()));
    let (reload, wishes) = mpsc::channel(4);
    tokio::spawn(Reloader::new(files, source, context.clone()).run(wishes));
    let address = serve::serve(&context, clock.clone(), &reload, listeners)?;
    if let Some(tell) = on_listening {
        tell(address);
    }
    tell_service_manager(&context);
    Ok(Running { context, clock, reload, lanes, keeper, driver_end, publisher, notifications })
}

/// Says that it runs, and from then on whether it is ready.
fn tell_service_manager(context: &ShellContext) {
    context.service_manager.ready();
    if context.service_manager.is_there() {
        let (manager, status) = (Arc::clone(&context.service_manager), Arc::clone(&context.status));
        tokio::spawn(async move { manager.show_condition(&status).await });
    }
}

/// Has a file that may grow no more refuse to, as a full disk does, instead of ending the process (`SIGXFSZ`, which has
/// this number wherever this runs).
fn survive_file_limits() {
    const SIGXFSZ: i32 = 25;
    if let Err(error) = signal(SignalKind::from_raw(SIGXFSZ)) {
        tracing::debug!(error = plain(&error), "a limit of file sizes may end the process");
    }
}

/// Puts the log between who decides and who publishes, or tells Alertmanagers.
fn log_first(
    context: &ShellContext,
    log: TransitionLog,
    alerts: mpsc::UnboundedSender<Dispatch>,
    notifications: &Arc<NotificationQueues>,
) -> anyhow::Result<mpsc::UnboundedSender<Dispatch>> {
    let (before, dispatches) = mpsc::unbounded_channel();
    let scribe = Scribe::new(log, context.clone(), Arc::clone(notifications));
    spawn("signalbox-log", move || scribe.run(dispatches, &alerts))?;
    Ok(before)
}

/// Which types ride which lane in this run.
pub(super) struct Types {
    pub(super) core: Vec<EventType>,
    pub(super) stream: Vec<EventType>,
}

impl Types {
    pub(super) fn of(config: &Config) -> Self {
        let lanes = config.wire().lanes;
        let (core, stream) = lanes.keys().copied().partition(|it| lanes.get(it) == Some(&Lane::Core));
        Self { core, stream }
    }
}

/// Everything that must be seen once before the sidecar is ready.
pub(super) fn mark_unready(context: &ShellContext, types: &Types) {
    if !types.core.is_empty() {
        context.status.expect(&[Topic::CoreLink]);
    }
    if !types.stream.is_empty() {
        context.status.expect(&[Topic::StreamLink, Topic::Stream, Topic::CatchUp]);
    }
    context.status.expect(&[Topic::PublishLink]);
    if context.config.get().pair.is_on() {
        context.status.expect(&[Topic::Pair]);
    }
}

fn first_load(files: &mut RuleFiles) -> anyhow::Result<Load> {
    let texts = files.read();
    let load = files.load(texts, &BTreeSet::new());
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
    }
    reload::tell(context, load);
    context.status.note_diagnostics(&load.text);
    let result = if load.is_good { ReloadResult::Success } else { ReloadResult::Failure };
    context.fact(Fact::Reloaded(result));
}

/// Who keeps the state, and the log.
type Kept<D> = (Keeper<D>, TransitionLog<D>);

/// The engine to begin with, from the state where there is one, the clock that goes on from it, and who keeps the state
/// from now on.
pub(super) fn begin<D: Disk + Clone>(
    context: &ShellContext,
    types: &Types,
    rules: RuleSet,
    (clock, disk): (Clock, D),
) -> anyhow::Result<(Engine, Clock, Option<Kept<D>>)> {
    let config = context.config.get();
    let (kept, restored, told) = match &context.settings.state_dir {
        Some(path) => {
            let kept = state::open(disk.clone(), path)?;
            let (mut log, mut told) = TransitionLog::open(disk.clone(), path);
            let records = told.len();
            let (folder, restored) = state::restore((kept, &mut told), &config, &rules, clock.now());
            if let Some(engine) = &restored {
                // What comes behind here is in no checkpoint. What this start takes of the log the next one needs too.
                let age = if told.len() < records { CheckpointAge::Present } else { CheckpointAge::Past };
                log.go_on_from(&LogRecord::Marked { at: engine.now(), age });
            }
            (Some((Keeper::new((disk, path.clone()), folder, context.clone()), log)), restored, told)
        }
        None => (None, None, Vec::new()),
    };
    let reads_stream = !types.stream.is_empty();
    // What the stream stored lately is applied in its own time, so an engine without a state begins there.
    let past = if reads_stream { clock.now().before(config.history.window) } else { clock.now() };
    let is_restored = restored.is_some();
    // The system's clock may be behind what was seen already: time would stand still until it is there again, and what is
    // decided at an instant a second time would have the id of what the log tells.
    let decided = told.iter().filter_map(LogRecord::decided).map(|event| event.timestamp).max();
    let seen = restored.as_ref().map(Engine::now).max(decided);
    let clock = match seen {
        Some(seen) => clock.not_before(seen),
        None => clock,
    };
    let mut engine = restored.unwrap_or_else(|| Engine::new(&config, rules, past));
    engine.time_with(Arc::new(clock.clone()));
    engine.name_build(env!("CARGO_PKG_VERSION"), REVISION, past);
    engine.recall(&told);
    if reads_stream {
        engine.await_stream(&context.settings.jetstream.stream, clock.now());
    } else if is_restored {
        engine.go_on(clock.now());
    }
    // Rules are silent by now where a past is to be read: none may hold since then because of it.
    engine.observe(Fact::Disconnected, past);
    Ok((engine, clock, kept))
}

/// Runs the driver on a thread of its own; by what the engine comes back when it has ended.
fn spawn_driver(driver: Arc<SharedDriver>) -> anyhow::Result<oneshot::Receiver<Box<Engine>>> {
    let (ended, end) = oneshot::channel();
    spawn("signalbox-engine", move || {
        if let Some(engine) = driver.run() {
            // The receiver leaves only with the process.
            let _ = ended.send(Box::new(engine));
        }
    })?;
    Ok(end)
}

fn spawn_lanes(
    (context, driver): (&ShellContext, &Arc<SharedDriver>),
    servers: &Servers,
    types: &Types,
    position: Option<Position>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut lanes = Vec::new();
    if !types.core.is_empty() {
        let machine = CoreMachine::new(&context.settings, &types.core);
        let lane = Runner::new(machine, (context.clone(), Arc::clone(driver)), servers.clone());
        lanes.push(spawn("signalbox-core", move || lane.run())?);
    }
    if !types.stream.is_empty() {
        let machine = StreamMachine::new(&context.settings, &types.stream, position);
        let lane = Runner::new(machine, (context.clone(), Arc::clone(driver)), servers.clone());
        lanes.push(spawn("signalbox-stream", move || lane.run())?);
    }
    Ok(lanes)
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).context("cannot start a thread")
}
