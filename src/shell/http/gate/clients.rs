//! Clients' certificates: whether one must be shown, by whom it must be signed, and for whom it must be.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::EndEntityCert;

use super::names::mail_and_uris;

/// Who is let through.
#[derive(Debug)]
pub(super) struct ClientDoor {
    /// By whom certificates must be signed.
    pub(super) proof: Proof,
    /// Whether one must be shown.
    pub(super) is_mandatory: bool,
    /// DNS names, addresses, mail addresses and URIs of which it must be for one; all where there is no list.
    pub(super) names: Option<Vec<String>>,
    /// How signatures are verified.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// By whom clients' certificates must be signed.
#[derive(Debug)]
pub(super) enum Proof {
    /// By anybody.
    Any,
    /// By an authority that is trusted.
    Verified(Arc<dyn ClientCertVerifier>),
}

impl ClientDoor {
    fn is_for_one_of(certificate: &CertificateDer<'_>, names: &[String]) -> Result<bool, Error> {
        let broken = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
        let texts = mail_and_uris(certificate);
        let certificate = EndEntityCert::try_from(certificate).map_err(broken)?;
        let dns: Vec<&str> = certificate.valid_dns_names().collect();
        let is_for = |name: &String| {
            let address = ServerName::try_from(name.as_str()).ok();
            let address = address.filter(|name| matches!(name, ServerName::IpAddress(_)));
            dns.contains(&name.as_str())
                || texts.contains(&name.as_str())
                || address.is_some_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        };
        Ok(names.iter().any(is_for))
    }
}

impl ClientCertVerifier for ClientDoor {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.proof {
            Proof::Any => &[],
            Proof::Verified(verifier) => verifier.root_hint_subjects(),
        }
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Proof::Verified(verifier) = &self.proof {
            verifier.verify_client_cert(end_entity, intermediates, now)?;
        }
        if let Some(names) = &self.names
            && !Self::is_for_one_of(end_entity, names)?
        {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(ClientCertVerified::assertion())
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
