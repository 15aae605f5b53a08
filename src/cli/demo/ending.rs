//! The end of the demo: a signal, or a part of it that ended.

use std::future::pending;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the end has begun; all clones are one.
#[derive(Clone, Debug)]
pub(super) struct DemoEnding(watch::Sender<bool>);

impl DemoEnding {
    /// An end that begins with SIGINT, SIGTERM or a closed terminal. From here on these do not end the process by
    /// themselves, so that nothing the demo started outlives it.
    ///
    /// # Errors
    /// The system refuses a thread or a signal handler.
    pub(super) fn on_signals() -> Result<Self> {
        let ending = Self(watch::Sender::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start a runtime")?;
        let mut signals = {
            let _entered = runtime.enter();
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
                .into_iter()
                .map(signal)
                .collect::<std::io::Result<Vec<_>>>()
                .context("cannot listen for signals")?
        };
        let begun = ending.clone();
        let listen = move || {
            runtime.block_on(async {
                let [interrupt, terminate, hangup] = signals.as_mut_slice() else { return pending().await };
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            });
            begun.begin();
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(listen)
            .context("cannot start a thread")?;
        Ok(ending)
    }

    /// Begins the end.
    pub(super) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the end has begun.
    pub(super) async fn begun(&self) {
        // The sender is `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }
}
