//! The configuration as a reload last left it, for the parts of the shell that follow it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::config::Config;

/// The configuration in force, which a reload replaces as a whole.
#[derive(Debug)]
pub(crate) struct ConfigInForce(watch::Sender<Arc<Config>>);

impl ConfigInForce {
    /// In force from the start.
    pub(crate) fn new(config: Config) -> Self {
        Self(watch::Sender::new(Arc::new(config)))
    }

    /// The configuration as it is now.
    pub(crate) fn get(&self) -> Arc<Config> {
        Arc::clone(&self.0.borrow())
    }

    /// Tells of every other one from now on.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Config>> {
        self.0.subscribe()
    }

    /// Puts another one in force.
    pub(crate) fn put(&self, config: Arc<Config>) {
        self.0.send_replace(config);
    }
}
