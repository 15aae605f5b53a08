//! From `tls_server_config` to what rustls serves with.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    NamedGroup, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version,
};

use crate::engine::config::web::{ClientAuth, Curve, TlsServerConfig, TlsVersion};
use crate::shell::tls::{certificates, private_key};

use super::clients::{ClientDoor, Proof};

/// The TLS of a server; none where it is not asked for.
///
/// # Errors
/// Files that cannot be read or do not fit each other, and cipher suites that are not known.
pub(super) fn server_config(
    config: &TlsServerConfig,
    folder: &Path,
) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let (Some(cert), Some(key)) = (&config.cert_file, &config.key_file) else { return Ok(None) };
    let provider = Arc::new(provider(config)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(config))?;
    let builder = match door(config, folder, &provider)? {
        Some(door) => builder.with_client_cert_verifier(Arc::new(door)),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates(&folder.join(cert))?;
    let mut server = builder
        .with_single_cert(chain, private_key(&folder.join(key))?)
        .context("use cert_file with key_file")?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    server.ignore_client_order = config.prefer_server_cipher_suites;
    Ok(Some(Arc::new(server)))
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
    if let Some(unknown) = config
        .cipher_suites
        .iter()
        .find(|wanted| !provider.cipher_suites.iter().any(|suite| name(suite) == **wanted))
    {
        let known: Vec<String> =
            provider.cipher_suites.iter().filter(|suite| suite.tls13().is_none()).map(name).collect();
        bail!("the cipher suite {unknown} is not known; those of TLS 1.2 are {}", known.join(", "));
    }
    if !config.cipher_suites.is_empty() {
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some() || config.cipher_suites.contains(&name(suite)));
    }
    if !config.curve_preferences.is_empty() {
        let groups = config.curve_preferences.iter().map(|curve| match curve {
            Curve::P256 => NamedGroup::secp256r1,
            Curve::P384 => NamedGroup::secp384r1,
            Curve::X25519 => NamedGroup::X25519,
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
        if let Some(path) = &config.client_ca_file {
            for certificate in certificates(&folder.join(path))? {
                roots.add(certificate)?;
            }
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
