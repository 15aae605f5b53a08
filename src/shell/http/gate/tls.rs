//! From `tls_server_config` to what rustls serves with.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    NamedGroup, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version,
};

use crate::engine::config::web::{ClientAuth, Curve, TlsServerConfig, TlsVersion};
use crate::shell::tls::{certificates, certificates_in, private_key, private_key_in};

use super::clients::{ClientDoor, Proof};

/// The TLS of a server; none where it is not asked for.
///
/// # Errors
/// Files that cannot be read or do not fit each other, and cipher suites that are not known.
pub(super) fn server_config(
    config: &TlsServerConfig,
    folder: &Path,
) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let Some((chain, key)) = identity(config, folder)? else { return Ok(None) };
    let provider = Arc::new(provider(config)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(config))?;
    let builder = match door(config, folder, &provider)? {
        Some(door) => builder.with_client_cert_verifier(Arc::new(door)),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_single_cert(chain, key).context("use the certificate with the key")?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    server.ignore_client_order = config.prefer_server_cipher_suites;
    Ok(Some(Arc::new(server)))
}

/// A certificate with those that lead to its authority, and its key.
type ServerIdentity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What the server shows, from files or from the text itself; none where there is none.
fn identity(config: &TlsServerConfig, folder: &Path) -> anyhow::Result<Option<ServerIdentity>> {
    let chain = match (&config.cert_file, &config.cert) {
        (Some(file), _) => certificates(&folder.join(file))?,
        (None, Some(text)) => certificates_in(text, "cert")?,
        (None, None) => return Ok(None),
    };
    let key = match (&config.key_file, &config.key) {
        (Some(file), _) => private_key(&folder.join(file))?,
        (None, Some(text)) => private_key_in(text.reveal(), "key")?,
        (None, None) => return Ok(None),
    };
    Ok(Some((chain, key)))
}

fn versions(config: &TlsServerConfig) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if config.max_version == TlsVersion::Tls13 {
        versions.push(&version::TLS13);
    }
    if config.min_version != TlsVersion::Tls13 {
        versions.push(&version::TLS12);
    }
    versions
}

fn provider(config: &TlsServerConfig) -> anyhow::Result<CryptoProvider> {
    let mut provider = ring::default_provider();
    let name = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite());
    // As in Go, those of TLS 1.3 may be named and are always there.
    let is_of_tls13 = |wanted: &str| {
        provider
            .cipher_suites
            .iter()
            .any(|suite| suite.tls13().is_some() && name(suite).replacen("TLS13_", "TLS_", 1) == wanted)
    };
    let is_known = |wanted: &str| provider.cipher_suites.iter().any(|suite| name(suite) == wanted);
    if let Some(other) = config.cipher_suites.iter().find(|wanted| !is_known(wanted) && !is_of_tls13(wanted))
    {
        let known: Vec<String> =
            provider.cipher_suites.iter().filter(|suite| suite.tls13().is_none()).map(name).collect();
        let is_weak = ["_CBC_", "TLS_RSA_", "RC4", "3DES"].iter().any(|part| other.contains(part));
        let why = if is_weak { "is not spoken here: it is too weak" } else { "is not known" };
        bail!("the cipher suite {other} {why}; those of TLS 1.2 are {}", known.join(", "));
    }
    let has_tls12 = config.cipher_suites.iter().any(|wanted| is_known(wanted));
    if has_tls12 {
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some() || config.cipher_suites.contains(&name(suite)));
    }
    if !config.curve_preferences.is_empty() {
        let groups = config.curve_preferences.iter().map(|curve| match curve {
            Curve::P256 => NamedGroup::secp256r1,
            Curve::P384 => NamedGroup::secp384r1,
            Curve::X25519 => NamedGroup::X25519,
            // Refused with the file.
            Curve::P521 => NamedGroup::secp521r1,
            Curve::Hybrid => NamedGroup::X25519MLKEM768,
        });
        let all = std::mem::take(&mut provider.kx_groups);
        provider.kx_groups =
            groups.filter_map(|wanted| all.iter().copied().find(|group| group.name() == wanted)).collect();
    }
    Ok(provider)
}

/// What clients must show; none where they are not asked.
fn door(
    config: &TlsServerConfig,
    folder: &Path,
    provider: &Arc<CryptoProvider>,
) -> anyhow::Result<Option<ClientDoor>> {
    let verified = || -> anyhow::Result<Proof> {
        let mut roots = RootCertStore::empty();
        let named =
            config.client_ca_file.as_ref().map(|path| certificates(&folder.join(path))).transpose()?;
        let written = config.client_ca.as_ref().map(|text| certificates_in(text, "client_ca")).transpose()?;
        for certificate in named.into_iter().chain(written).flatten() {
            roots.add(certificate)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Ok(Proof::Verified(verifier.build().context("use client_ca_file")?))
    };
    let (proof, is_mandatory) = match config.client_auth_type {
        ClientAuth::None => return Ok(None),
        ClientAuth::Request => (Proof::Any, false),
        ClientAuth::RequireAny | ClientAuth::Require => (Proof::Any, true),
        ClientAuth::VerifyIfGiven => (verified()?, false),
        ClientAuth::RequireAndVerify => (verified()?, true),
    };
    Ok(Some(ClientDoor {
        proof,
        is_mandatory,
        names: config.client_allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    }))
}
