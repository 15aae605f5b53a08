//! Credentials in files: what was read of them last, so that a change is noticed.

use std::fmt;

use super::login::Login;
use crate::shell::plain::plain;
use crate::shell::settings::Auth;

/// What was read of the credentials last.
pub(crate) struct Credentials {
    known: Option<Login>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No secret reaches a log.
        out.write_str("Credentials")
    }
}

impl Credentials {
    /// Reads the credentials for the first time.
    pub(crate) fn new(auth: &Auth) -> Self {
        Self { known: read(auth) }
    }

    /// Reads the credentials again; whether they are others now.
    pub(crate) fn changed(&mut self, auth: &Auth) -> bool {
        let Some(login) = read(auth) else { return false };
        let is_other = self.known.as_ref() != Some(&login);
        self.known = Some(login);
        is_other
    }
}

/// The credentials, to be compared; none where they cannot be read now.
fn read(auth: &Auth) -> Option<Login> {
    match Login::new(auth, None, "") {
        Ok(login) => Some(login),
        Err(error) => {
            tracing::warn!(error = plain(&error), "the NATS credentials cannot be read");
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
        let mut credentials = Credentials::new(&auth);
        let mut changes = Vec::new();
        for text in [Some("one"), Some("two"), Some("two"), None, Some("two"), Some("three")] {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            changes.push(credentials.changed(&auth));
        }
        assert_eq!(changes, [false, true, false, false, false, true]);
    }
}
