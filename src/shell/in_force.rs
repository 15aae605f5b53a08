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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_hears_of_every_other_configuration_and_who_asks_gets_the_last() {
        let in_force = ConfigInForce::new(Config::with_defaults("one"));
        let mut follower = in_force.follow();
        assert!(!follower.has_changed().unwrap());
        let before = in_force.get();
        in_force.put(Arc::new(Config::with_defaults("two")));
        assert!(follower.has_changed().unwrap());
        assert_eq!(follower.borrow_and_update().instance, "two");
        assert_eq!((before.instance.as_str(), in_force.get().instance.as_str()), ("one", "two"));
    }
}
