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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_hears_of_each_change_and_one_that_comes_late_of_none() {
        let renewals = Renewals::default();
        let mut early = renewals.subscribe();
        assert_eq!((renewals.generation(), early.has_changed().unwrap()), (0, false));
        renewals.renew();
        renewals.renew();
        assert_eq!(renewals.generation(), 2);
        assert!(early.has_changed().unwrap());
        assert_eq!(*early.borrow_and_update(), 2, "two changes at once are one reason to sign in");
        assert!(!early.has_changed().unwrap() && !renewals.subscribe().has_changed().unwrap());
    }
}
