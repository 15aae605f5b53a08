//! Who asks: what a connection tells of its other end, and the name that the gate knows it by.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

use super::names::mail_and_uris;

/// Who the gate let in: a user, or whom a verified certificate is for. Only the gate says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shell::http) struct Caller(pub(super) String);

impl Caller {
    /// The user's name, or a name of the certificate.
    pub(in crate::shell::http) fn name(&self) -> &str {
        &self.0
    }
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shell::http) struct Peer {
    /// Its address.
    pub(in crate::shell::http) address: SocketAddr,
    /// Whether it speaks TLS.
    pub(in crate::shell::http) transport: Transport,
    /// Whom the certificate is for that it showed; none where it was let in without a proof of that.
    pub(super) certified: Option<String>,
}

/// What a connection is greeted with.
#[derive(Clone, Debug)]
pub(in crate::shell::http) struct Greeting {
    /// What it speaks TLS with.
    pub(in crate::shell::http) tls: Arc<ServerConfig>,
    /// What it proves by being made.
    pub(in crate::shell::http) proof: CertificateProof,
}

/// Whether who was greeted is whom the certificate is for. It is so for the connection's life, whatever the web
/// configuration asks of later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shell::http) enum CertificateProof {
    /// Each client showed one of an authority that is trusted.
    Verified,
    /// Nobody looked.
    None,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shell::http) enum Transport {
    /// Not at all.
    Clear,
    /// By TLS.
    Tls,
}

impl Peer {
    /// One that speaks in the clear.
    pub(in crate::shell::http) const fn clear(address: SocketAddr) -> Self {
        Self { address, transport: Transport::Clear, certified: None }
    }

    /// One that was greeted by TLS.
    pub(in crate::shell::http) fn of_tls(
        address: SocketAddr,
        stream: &TlsStream<TcpStream>,
        proof: CertificateProof,
    ) -> Self {
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certified = match proof {
            CertificateProof::Verified => shown.map(named),
            CertificateProof::None => None,
        };
        Self { address, transport: Transport::Tls, certified }
    }
}

/// A name of a certificate: the first of its mail addresses, URIs and DNS names.
fn named(certificate: &CertificateDer<'_>) -> String {
    let texts = mail_and_uris(certificate);
    let dns = EndEntityCert::try_from(certificate).ok();
    let dns = dns.as_ref().and_then(|certificate| certificate.valid_dns_names().next());
    texts.first().copied().or(dns).unwrap_or("a certificate without a name").to_owned()
}

#[cfg(test)]
impl Caller {
    /// One of this name.
    pub(in crate::shell::http) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}
