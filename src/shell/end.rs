//! Ending: waits until somebody says so, and ends in order.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Engine, RunEnding};

use super::alertmanager;
use super::clock::Clock;
use super::context::ShellContext;
use super::driver::command::Command;
use super::driver::notifications::NotificationQueues;
use super::reload::ReloadWish;
use super::state::Keeper;

/// How long lanes may take to notice that the process stops.
const LANES_WAIT: Duration = Duration::from_secs(3);

/// How long who publishes may take to end once nothing more is to be published.
const PUBLISHER_WAIT: Duration = Duration::from_secs(2);

/// What runs, and by what it is brought to its end.
#[derive(Debug)]
pub(super) struct Running {
    /// What the parts share.
    pub(super) context: ShellContext,
    /// The one clock.
    pub(super) clock: Clock,
    /// Where a reload is wished for.
    pub(super) reload: mpsc::Sender<ReloadWish>,
    /// The threads of the lanes.
    pub(super) lanes: Vec<JoinHandle<()>>,
    /// Who keeps the state, where there is one.
    pub(super) keeper: Option<JoinHandle<Keeper>>,
    /// By what the engine comes back when the driver has ended.
    pub(super) driver_end: oneshot::Receiver<Box<Engine>>,
    /// Who publishes alert events.
    pub(super) publisher: tokio::task::JoinHandle<()>,
    /// What waits to be told to Alertmanagers.
    pub(super) notifications: Arc<NotificationQueues>,
}

impl Running {
    /// Waits for SIGTERM, SIGINT or the caller; SIGHUP reloads meanwhile.
    ///
    /// # Errors
    /// Where signals cannot be listened for, and where the engine ended by itself.
    pub(super) async fn until_told(&mut self, told: Option<oneshot::Receiver<()>>) -> anyhow::Result<()> {
        tokio::select! {
            told = wait(told, &self.reload) => told,
            // It ends by itself only where it panicked; another process can do better than one without an engine.
            _ = &mut self.driver_end => {
                anyhow::bail!("cannot go on: the engine ended, which is a bug; see the log above")
            }
        }
    }

    /// Ends in order: no more events in, what is queued applied, the state saved, what is pending published, within the
    /// grace.
    pub(super) async fn finish(self) {
        let Self { context, clock, lanes, keeper, driver_end, publisher, notifications, reload: _ } = self;
        tracing::info!("stopping");
        context.service_manager.stopping();
        context.stop.stop();
        // Who waits for the next checkpoint looks whether the process stops.
        context.saves.wish();
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
        let keeper = match keeper {
            Some(keeper) => in_background(move || last_of(keeper)).await.flatten(),
            None => None,
        };
        if keeper.is_none() {
            context.mailbox.command(Command::Finish(None));
        }
        let grace = context.config.get().shutdown_grace;
        let Ok(engine) = tokio::time::timeout(grace, driver_end).await else {
            tracing::warn!(
                ?grace,
                "stopped with alert events unpublished: the broker did not take them in time"
            );
            return;
        };
        if let (Ok(mut engine), Some(mut keeper)) = (engine, keeper) {
            // What was acknowledged meanwhile need not be sent again.
            in_background(move || keeper.store(&engine.save(clock.now()), RunEnding::Clean)).await;
        }
        // It lets the lease of a pair go.
        if tokio::time::timeout(PUBLISHER_WAIT, publisher).await.is_err() {
            tracing::warn!("who publishes does not end; going on without it");
        }
        alertmanager::settle(&notifications, grace).await;
        tracing::info!("stopped");
    }
}

/// Has everything saved that was queued, while alert events are still under way.
fn last_of(keeper: JoinHandle<Keeper>) -> Option<Box<Keeper>> {
    let mut keeper = Box::new(keeper.join().ok()?);
    keeper.finish();
    Some(keeper)
}

/// Does what waits for the disk where nobody else waits for it.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

async fn wait(told: Option<oneshot::Receiver<()>>, reload: &mpsc::Sender<ReloadWish>) -> anyhow::Result<()> {
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
