//! The configuration as a reload last left it, for the parts of the shell that follow it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::engine::config::Config;

/// The configuration in force, which a reload replaces as a whole.
#[derive(Debug)]
pub(crate) struct ConfigInForce(RwLock<Arc<Config>>);

impl ConfigInForce {
    /// In force from the start.
    pub(crate) fn new(config: Config) -> Self {
        Self(RwLock::new(Arc::new(config)))
    }

    /// The configuration as it is now.
    pub(crate) fn get(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in force.
    pub(crate) fn put(&self, config: Arc<Config>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}
