//! The web configuration file (`--web-config`): TLS, basic authentication and headers of the HTTP server, in the format
//! of Prometheus' exporter-toolkit.

#![expect(
    unreachable_pub,
    reason = "what declares keys declares public types, and these are the crate's own"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use super::broker::Secret;
use super::changes::{Change, Changes};
use super::declare::{KeyValue, section, words};
use super::secrets;
use crate::engine::diagnostic::{Diagnostic, Source};
use crate::engine::yaml::keys::KeyDefault::{Nothing, Value};
use crate::engine::yaml::keys::{Effect, Key, KeyKind, Zero};
use crate::engine::yaml::{Findings, Read, Values};

/// The headers that may be set, with the values that have a fixed choice.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// Characters of a bcrypt hash.
const BCRYPT_CHARACTERS: usize = 60;

section! {
    /// The web configuration.
    WebConfig {
        /// TLS; without it HTTP is served in the clear.
        tls_server_config: TlsServerConfig = KeyKind::Section(TlsServerConfig::KEYS), Nothing, Live;
        /// HTTP itself.
        http_server_config: HttpServerConfig = KeyKind::Section(HttpServerConfig::KEYS), Nothing, Live;
        /// Users with the bcrypt hashes of their passwords.
        basic_auth_users: Users = KeyKind::Map(&KeyKind::Secret), Nothing, Live;
        /// How many requests are answered.
        rate_limit: RateLimit = KeyKind::Section(RateLimit::KEYS), Nothing, Live;
    }
}

section! {
    /// How many requests are answered: others get 429.
    RateLimit {
        /// Requests that may come at once.
        burst: u64 = KeyKind::Count(0), Value("0"), Live;
        /// The time after which there is room for one more; without it there is no limit.
        interval: Duration = KeyKind::Duration(Zero::Allowed), Value("0s"), Live;
    }
}

section! {
    /// TLS of the HTTP server.
    TlsServerConfig {
        /// The certificate, PEM; beside the file where it is relative, as every file here.
        cert_file: Option<String> = KeyKind::Text, Nothing, Live;
        /// The private key of the certificate, PEM.
        key_file: Option<String> = KeyKind::Text, Nothing, Live;
        /// The certificate itself, PEM.
        cert: Option<String> = KeyKind::Text, Nothing, Live;
        /// The private key itself, PEM.
        key: Option<Secret> = KeyKind::Secret, Nothing, Live;
        /// Whether clients show certificates.
        client_auth_type: ClientAuth = ClientAuth::WORDS, Value("NoClientCert"), Live;
        /// The authorities of clients' certificates, PEM.
        client_ca_file: Option<String> = KeyKind::Text, Nothing, Live;
        /// These authorities themselves, PEM.
        client_ca: Option<String> = KeyKind::Text, Nothing, Live;
        /// DNS names, IP addresses, mail addresses and URIs of which a client's certificate must be for one.
        client_allowed_sans: Option<Vec<String>> = KeyKind::List(&KeyKind::Text), Nothing, Live;
        /// The lowest version; below TLS 1.2 none is spoken.
        min_version: TlsVersion = TlsVersion::WORDS, Value("TLS12"), Live;
        /// The highest version.
        max_version: TlsVersion = TlsVersion::WORDS, Value("TLS13"), Live;
        /// The cipher suites of TLS 1.2.
        cipher_suites: Vec<String> = KeyKind::List(&KeyKind::Text), Nothing, Live;
        /// The curves, best first.
        curve_preferences: Vec<Curve> = KeyKind::List(&Curve::WORDS), Nothing, Live;
        /// The server's order of cipher suites goes before the client's.
        prefer_server_cipher_suites: bool = KeyKind::Flag, Value("true"), Live;
    }
}

section! {
    /// HTTP itself.
    HttpServerConfig {
        /// Read and without effect: HTTP/1.1 is served.
        http2: bool = KeyKind::Flag, Value("true"), Live;
        /// Headers of every answer.
        headers: Headers = KeyKind::Map(&KeyKind::Text), Nothing, Live;
    }
}

words! {
    /// Whether clients show certificates.
    ClientAuth {
        None = "NoClientCert": "They are not asked.",
        Request = "RequestClientCert": "They are asked, and need not; nothing is verified.",
        RequireAny = "RequireAnyClientCert": "They must; nothing is verified.",
        Require = "RequireClientCert": "The same, by its old name.",
        VerifyIfGiven = "VerifyClientCertIfGiven": "They need not, and what they show is verified.",
        RequireAndVerify = "RequireAndVerifyClientCert": "They must, and it is verified.",
    }
}

words! {
    /// A version of TLS.
    TlsVersion {
        Tls12 = "TLS12": "TLS 1.2.",
        Tls13 = "TLS13": "TLS 1.3.",
        Tls11 = "TLS11": "TLS 1.1, which is not spoken.",
        Tls10 = "TLS10": "TLS 1.0, which is not spoken.",
    }
}

words! {
    /// A curve.
    Curve {
        P256 = "CurveP256": "NIST P-256.",
        P384 = "CurveP384": "NIST P-384.",
        X25519 = "X25519": "Curve25519.",
        P521 = "CurveP521": "NIST P-521, which is not spoken.",
        Hybrid = "X25519MLKEM768": "Curve25519 with ML-KEM-768, which is not spoken.",
    }
}

impl Curve {
    /// Whether no key exchange here knows it.
    pub(crate) const fn is_unspoken(self) -> bool {
        match self {
            Self::P521 | Self::Hybrid => true,
            Self::P256 | Self::P384 | Self::X25519 => false,
        }
    }

    /// Its name in the file.
    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "CurveP256",
            Self::P384 => "CurveP384",
            Self::X25519 => "X25519",
            Self::P521 => "CurveP521",
            Self::Hybrid => "X25519MLKEM768",
        }
    }
}

/// Users with the bcrypt hashes of their passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Users(pub(crate) BTreeMap<String, Secret>);

impl KeyValue for Users {
    fn of_read(read: &Read) -> Option<Self> {
        let users = Values::of(read).text_map().into_iter();
        Some(Self(users.map(|(name, hash)| (name, Secret::new(hash))).collect()))
    }

    fn absent() -> Self {
        Self::default()
    }
}

/// Headers with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) BTreeMap<String, String>);

impl KeyValue for Headers {
    fn of_read(read: &Read) -> Option<Self> {
        Some(Self(Values::of(read).text_map()))
    }

    fn absent() -> Self {
        Self::default()
    }
}

impl WebConfig {
    /// Reads a web configuration file. It is there unless one of the diagnostics is an error; no diagnostic holds a
    /// secret.
    pub(crate) fn parse(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        let mut findings = Findings::new(source);
        let root = findings.document();
        let values = root.as_ref().map(|root| findings.section(root, Self::KEYS, "")).unwrap_or_default();
        let values = Values(values);
        let config = Self::of_values(&values);
        tls(&config.tls_server_config, &values, &mut findings);
        users(&values, &mut findings);
        headers(&values.section("http_server_config"), &mut findings);
        findings.tell_of_more();
        let refused = findings.refuse();
        let diagnostics = secrets::masked(source, root.as_ref(), findings.list);
        ((!refused).then_some(config), diagnostics)
    }
}

impl TlsServerConfig {
    /// Whether TLS is asked for at all.
    pub(crate) fn is_asked(&self) -> bool {
        self.has_certificate()
            || self.has_key()
            || self.has_authorities()
            || self.client_auth_type != ClientAuth::None
    }

    /// Whether every client must show a certificate, and it is verified.
    pub(crate) fn verifies_everybody(&self) -> bool {
        self.client_auth_type == ClientAuth::RequireAndVerify
    }

    fn has_certificate(&self) -> bool {
        self.cert_file.is_some() || self.cert.is_some()
    }

    fn has_key(&self) -> bool {
        self.key_file.is_some() || self.key.is_some()
    }

    fn has_authorities(&self) -> bool {
        self.client_ca_file.is_some() || self.client_ca.is_some()
    }

    /// What is given twice: in the file and as the name of another.
    fn twice(&self) -> Option<&'static str> {
        let pairs = [
            (self.cert_file.is_some() && self.cert.is_some(), "cert"),
            (self.key_file.is_some() && self.key.is_some(), "key"),
            (self.client_ca_file.is_some() && self.client_ca.is_some(), "client_ca"),
        ];
        pairs.into_iter().find(|(is_twice, _)| *is_twice).map(|(_, name)| name)
    }
}

fn tls(config: &TlsServerConfig, top: &Values, findings: &mut Findings<'_>) {
    let Some(read) = top.find("tls_server_config") else { return };
    let span = &read.span;
    if let Some(name) = config.twice() {
        findings
            .error("contradiction", span, format!("`{name}` and `{name}_file` are both given"))
            .advise("Leave one of them out.");
    }
    if let Some(curve) = config.curve_preferences.iter().find(|curve| curve.is_unspoken()) {
        findings
            .error("out-of-range", span, format!("the curve {} is not spoken here", curve.name()))
            .advise("Leave it out; CurveP256, CurveP384 and X25519 are.");
    }
    if config.is_asked() && !(config.has_certificate() && config.has_key()) {
        let message = "`tls_server_config` has no `cert_file` or no `key_file`";
        findings.error("incomplete", span, message).advise("Name both, or leave `tls_server_config` out.");
    }
    let verifies =
        matches!(config.client_auth_type, ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify);
    if config.has_authorities() && config.client_auth_type == ClientAuth::None {
        findings
            .error(
                "contradiction",
                span,
                "`client_ca_file` is given, and clients are not asked for certificates",
            )
            .advise("Set `client_auth_type: RequireAndVerifyClientCert`.");
    }
    if verifies && !config.has_authorities() {
        findings
            .error("incomplete", span, "clients' certificates are to be verified without a `client_ca_file`")
            .advise("Name the authorities that sign them.");
    }
    let requires = matches!(
        config.client_auth_type,
        ClientAuth::RequireAny | ClientAuth::Require | ClientAuth::RequireAndVerify
    );
    if config.client_allowed_sans.is_some() && !requires {
        findings
            .error(
                "contradiction",
                span,
                "`client_allowed_sans` is given, and clients need not show certificates",
            )
            .advise("Set `client_auth_type: RequireAndVerifyClientCert`.");
    }
    if config.min_version == TlsVersion::Tls13 && config.max_version != TlsVersion::Tls13
        || matches!(config.max_version, TlsVersion::Tls10 | TlsVersion::Tls11)
    {
        findings
            .error("out-of-range", span, "no version of TLS is left between `min_version` and `max_version`")
            .advise("signalbox speaks TLS12 and TLS13.");
    }
}

fn users(top: &Values, findings: &mut Findings<'_>) {
    for (name, read) in &top.section("basic_auth_users").0 {
        if read.written().is_some_and(|hash| !is_bcrypt(&hash.content)) {
            findings
                .error("bad-hash", &read.span, format!("the password of `{name}` is no bcrypt hash"))
                .advise("Write what `htpasswd -nBC 10 \"\" | tr -d ':\\n'` prints.");
        }
    }
}

/// Whether a text has the shape of a bcrypt hash: `$2y$10$` and 53 characters.
fn is_bcrypt(hash: &str) -> bool {
    let mut parts = hash.split('$');
    let (before, version, cost, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
    let cost_is_known =
        cost.and_then(|cost| cost.parse::<u32>().ok()).is_some_and(|cost| (4..=31).contains(&cost));
    before == Some("")
        && version.is_some_and(|version| ["2", "2a", "2b", "2x", "2y"].contains(&version))
        && cost_is_known
        && rest.is_some()
        && parts.next().is_none()
        && hash.len() == BCRYPT_CHARACTERS
}

fn headers(section: &Values, findings: &mut Findings<'_>) {
    for (name, read) in &section.section("headers").0 {
        let Some((_, choice)) = HEADERS.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = HEADERS.iter().map(|(known, _)| *known).collect();
            findings
                .error("unknown-word", &read.span, format!("the header `{name}` cannot be set"))
                .advise(format!("Those that can are {}.", known.join(", ")));
            continue;
        };
        let value = read.written().map(|value| value.content.as_str()).unwrap_or_default();
        let is_odd = value.chars().any(|symbol| !matches!(symbol, ' '..='~'));
        if is_odd || !choice.is_empty() && !choice.contains(&value) {
            findings.error("unknown-word", &read.span, format!("`{name}` cannot be `{value}`")).advise(
                format!(
                    "Write {}.",
                    if choice.is_empty() { "plain text".to_owned() } else { choice.join(" or ") }
                ),
            );
        }
    }
}
