//! Whom a certificate is for: the names of its extension `subjectAltName` (RFC 5280, 4.2.1.6).
//!
//! rustls-webpki compares DNS names and addresses and knows neither mail addresses nor URIs, which exporter-toolkit lets
//! be listed; so the few layers of DER above the names are walked here.

use rustls::pki_types::CertificateDer;

/// `2.5.29.17`.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// `extensions` of a `TBSCertificate`.
const EXTENSIONS: u8 = 0xa3;
/// `rfc822Name` and `uniformResourceIdentifier` of a `GeneralName`.
const TEXTS: [u8; 2] = [0x81, 0x86];

/// The mail addresses and URIs a certificate is for.
pub(super) fn mail_and_uris<'a>(certificate: &'a CertificateDer<'_>) -> Vec<&'a str> {
    let names = general_names(certificate.as_ref()).unwrap_or_default();
    let texts = Elements(names).filter(|(tag, _)| TEXTS.contains(tag));
    texts.filter_map(|(_, name)| std::str::from_utf8(name).ok()).collect()
}

fn general_names(certificate: &[u8]) -> Option<&[u8]> {
    let whole = only(certificate, SEQUENCE)?;
    let signed = Elements(whole).next().filter(|(tag, _)| *tag == SEQUENCE)?.1;
    let extensions = Elements(signed).find(|(tag, _)| *tag == EXTENSIONS)?.1;
    Elements(only(extensions, SEQUENCE)?).find_map(|(_, extension)| {
        let mut parts = Elements(extension);
        let is_names = parts.next()? == (OBJECT_IDENTIFIER, SUBJECT_ALT_NAME);
        let value = parts.find(|(tag, _)| *tag == OCTET_STRING)?.1;
        is_names.then(|| only(value, SEQUENCE))?
    })
}

/// The content of the one element there is.
fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    Elements(bytes).next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// Elements that follow each other: tags and contents.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (digits, rest) =
                rest.split_at_checked(usize::from(*first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element of DER.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = if length < 0x80 {
            vec![tag, length as u8]
        } else {
            vec![tag, 0x82, (length >> 8) as u8, length as u8]
        };
        [head, content.to_vec()].concat()
    }

    fn certificate(names: &[(u8, &[u8])]) -> CertificateDer<'static> {
        let names: Vec<u8> = names.iter().flat_map(|(tag, name)| element(*tag, name)).collect();
        let value = element(OCTET_STRING, &element(SEQUENCE, &names));
        let other = element(
            SEQUENCE,
            &[element(OBJECT_IDENTIFIER, &[0x55, 0x1d, 0x0f]), element(OCTET_STRING, b"x")].concat(),
        );
        let critical = element(0x01, &[0xff]);
        let wanted =
            element(SEQUENCE, &[element(OBJECT_IDENTIFIER, SUBJECT_ALT_NAME), critical, value].concat());
        let extensions = element(EXTENSIONS, &element(SEQUENCE, &[other, wanted].concat()));
        let signed = element(SEQUENCE, &[element(0x02, &[1]), extensions].concat());
        CertificateDer::from(element(SEQUENCE, &[signed, element(SEQUENCE, b"")].concat()))
    }

    #[test]
    fn mail_addresses_and_uris_are_found_among_other_names() {
        let long = format!("spiffe://example.org/{}", "x".repeat(300));
        let names: [(u8, &[u8]); 4] =
            [(0x82, b"box"), (0x81, b"ops@example.org"), (0x87, &[127, 0, 0, 1]), (0x86, long.as_bytes())];
        assert_eq!(mail_and_uris(&certificate(&names)), ["ops@example.org", long.as_str()]);
        assert!(mail_and_uris(&certificate(&[(0x82, b"box")])).is_empty());
    }

    #[test]
    fn what_is_cut_short_has_no_names() {
        let whole = certificate(&[(0x81, b"ops@example.org")]);
        for end in 0..whole.len() {
            let cut = CertificateDer::from(whole[..end].to_vec());
            assert!(mail_and_uris(&cut).len() <= 1);
        }
    }
}
