//! TLS: which certificates are trusted, which one we show, and what is read of PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::shell::plain::plain;
use crate::shell::settings::TlsSettings;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file that cannot be read as PEM.
    #[error("cannot read {what} from {path}: {reason}")]
    File {
        /// Certificates or a key.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// One of the two without the other.
    #[error("a TLS certificate and its key belong together: set both tls cert and tls key")]
    Half,
    /// No certificate to trust.
    #[error("no certificate to trust: install the system's (ca-certificates) or set a tls ca file")]
    NoRoots,
    /// What rustls refuses.
    #[error("TLS: {}", plain(.0))]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// The file that cannot be read, where it is one.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Half | Self::NoRoots | Self::Rustls(_) => None,
        }
    }
}

/// The authorities to trust: those of a PEM file, else the system's.
///
/// # Errors
/// A file that cannot be read, or nobody to trust.
pub(crate) fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

/// The TLS configuration of these settings.
pub(crate) fn client_config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities(settings.ca.as_deref())?);
    let config = match (&settings.cert, &settings.key) {
        (Some(cert), Some(key)) => builder.with_client_auth_cert(certificates(cert)?, private_key(key)?)?,
        (None, None) => builder.with_no_client_auth(),
        _ => return Err(TlsError::Half),
    };
    Ok(Arc::new(config))
}

/// Reads what the settings name, so that a file that cannot be read is found at the start.
///
/// # Errors
/// What cannot be read.
pub(crate) fn check(settings: &TlsSettings) -> Result<(), TlsError> {
    if settings.ca.is_some() || settings.cert.is_some() || settings.key.is_some() {
        client_config(settings)?;
    }
    Ok(())
}

/// The certificates of a PEM file, of which there is one at least.
///
/// # Errors
/// A file that cannot be read, or holds none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable =
        |reason: String| TlsError::File { what: "certificates", path: path.display().to_string(), reason };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(error.to_string()))?;
    if found.is_empty() { Err(unreadable("there is none in it".to_owned())) } else { Ok(found) }
}

/// The certificates of a PEM text, of which there is one at least.
///
/// # Errors
/// A text that holds none, or something else; `what` names it.
pub(crate) fn certificates_in(text: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable =
        |reason: String| TlsError::File { what: "certificates", path: format!("`{what}`"), reason };
    let found = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(error.to_string()))?;
    if found.is_empty() { Err(unreadable("there is none in it".to_owned())) } else { Ok(found) }
}

/// The private key of a PEM text; no error shows any of it.
///
/// # Errors
/// A text that holds none; `what` names it.
pub(crate) fn private_key_in(text: &str, what: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| TlsError::File {
        what: "a private key",
        path: format!("`{what}`"),
        reason: "it is no PEM text of one".to_owned(),
    })
}

/// The private key of a PEM file.
///
/// # Errors
/// A file that cannot be read, or holds none.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        what: "a private key",
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;

    use crate::shell::settings::TlsMode;

    /// A file of the tests' own certificates.
    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
    }

    fn settings(ca: Option<&str>, cert: Option<&str>, key: Option<&str>) -> TlsSettings {
        let path = |name: Option<&str>| name.map(file);
        TlsSettings { mode: TlsMode::AsServerAsks, ca: path(ca), cert: path(cert), key: path(key) }
    }

    #[test]
    fn what_the_settings_name_is_read_and_a_half_is_refused() {
        let good = [
            settings(Some("ca.pem"), None, None),
            settings(Some("ca.pem"), Some("client.pem"), Some("client.key")),
        ];
        for settings in good {
            assert!(check(&settings).is_ok(), "{settings:?}");
        }
        assert!(check(&TlsSettings::default()).is_ok(), "what nobody asks for needs no certificates");
        let bad = [
            (settings(Some("ca.pem"), Some("client.pem"), None), "belong together"),
            (settings(Some("ca.pem"), None, Some("client.key")), "belong together"),
            (settings(Some("missing.pem"), None, None), "cannot read certificates from"),
            (settings(Some("ca.pem"), Some("client.key"), Some("client.key")), "there is none in it"),
            (
                settings(Some("ca.pem"), Some("client.pem"), Some("client.pem")),
                "cannot read a private key from",
            ),
            (settings(Some("ca.pem"), Some("client.pem"), Some("server.key")), "TLS: "),
        ];
        for (settings, words) in bad {
            let error = check(&settings).unwrap_err().to_string();
            assert!(error.contains(words), "{settings:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_torn_or_no_pem_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        let whole = std::fs::read_to_string(file("ca.pem")).unwrap();
        for text in [String::new(), "no pem".to_owned(), whole[..whole.len() / 2].to_owned()] {
            std::fs::write(&path, &text).unwrap();
            let error = certificates(&path).unwrap_err().to_string();
            assert!(error.contains("x.pem"), "{text}: {error}");
            assert!(private_key(&path).is_err(), "{text}");
        }
        std::fs::write(&path, format!("{whole}{whole}")).unwrap();
        assert_eq!(certificates(&path).unwrap().len(), 2);
    }
}
