//! TLS to a running sidecar: the certificate that its web configuration names is expected, or authorities are trusted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned, WantsVerifier,
};

use crate::shell::tls::{authorities, certificates, certificates_in, private_key};

/// Whom to believe.
pub(super) enum Trust {
    /// Who shows the first certificate of this file.
    Certificate(PathBuf),
    /// Who shows the first certificate of this text.
    Text(String),
    /// Who shows a certificate that one of these authorities signed; the system's where none is named.
    Authorities(Option<PathBuf>),
}

/// A certificate to show, and its key.
pub(super) struct Identity<'a> {
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
}

/// Speaks TLS over a connection; the host is what a certificate must be for.
///
/// # Errors
/// Files that cannot be read; the handshake itself is part of the first question.
pub(super) fn secured(
    stream: TcpStream,
    host: &str,
    trust: &Trust,
    identity: Option<&Identity<'_>>,
) -> anyhow::Result<impl Read + Write> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match trust {
        Trust::Certificate(path) => expecting(builder, certificates(path)?, algorithms)?,
        Trust::Text(text) => expecting(builder, certificates_in(text, "cert")?, algorithms)?,
        Trust::Authorities(path) => builder.with_root_certificates(authorities(path.as_deref())?),
    };
    let config = match identity {
        Some(shown) => {
            builder.with_client_auth_cert(certificates(shown.certificate)?, private_key(shown.key)?)?
        }
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .with_context(|| format!("ask `{host}`: it is no name of a host"))?;
    Ok(StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, stream))
}

fn expecting(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    chain: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
) -> anyhow::Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let expected = chain.into_iter().next().context("find a certificate")?;
    let verifier = Arc::new(Expected { expected, algorithms });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

/// Believes who shows one certificate and has its key, whomever it is for: the process beside names it itself.
#[derive(Debug)]
struct Expected {
    expected: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Expected {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
