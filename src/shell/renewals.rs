//! Credentials that changed: every connection hears that it is to sign in anew.

use tokio::sync::watch;

/// How often credentials changed, and who waits to hear of it.
#[derive(Debug)]
pub(crate) struct Renewals {
    generation: watch::Sender<u64>,
}

impl Default for Renewals {
    fn default() -> Self {
        Self { generation: watch::Sender::new(0) }
    }
}

impl Renewals {
    /// Has every connection sign in anew.
    pub(crate) fn renew(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// How often they changed.
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Hears of changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}
