//! Credentials that changed in their files: every connection signs in anew.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::login::Login;
use crate::shell::settings::Auth;

/// What was read of the credentials last, and who is to sign in anew when they change.
pub(crate) struct Renewals {
    known: Mutex<Option<Login>>,
    generation: watch::Sender<u64>,
}

impl fmt::Debug for Renewals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Renewals({})", *self.generation.borrow())
    }
}

impl Renewals {
    /// Reads the credentials for the first time.
    pub(crate) fn new(auth: &Auth) -> Self {
        Self { known: Mutex::new(read(auth)), generation: watch::Sender::new(0) }
    }

    /// Reads the credentials again, and has every connection sign in anew where they are others.
    pub(crate) fn look(&self, auth: &Auth) {
        let Some(login) = read(auth) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != Some(&login) {
            tracing::info!("the NATS credentials changed: signing in anew");
            *known = Some(login);
            self.generation.send_modify(|generation| *generation += 1);
        }
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

/// The credentials, to be compared; none where they cannot be read now.
fn read(auth: &Auth) -> Option<Login> {
    match Login::new(auth, None, "") {
        Ok(login) => Some(login),
        Err(error) => {
            tracing::warn!(%error, "the NATS credentials cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::settings::SecretSource;

    #[test]
    fn only_other_credentials_are_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let auth = Auth::Token(SecretSource::File(path.clone()));
        std::fs::write(&path, "one").unwrap();
        let renewals = Renewals::new(&auth);
        let mut generations = Vec::new();
        for text in [Some("one"), Some("two"), Some("two"), None, Some("two"), Some("three")] {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            renewals.look(&auth);
            generations.push(renewals.generation());
        }
        assert_eq!(generations, [0, 1, 1, 1, 1, 2]);
    }
}
