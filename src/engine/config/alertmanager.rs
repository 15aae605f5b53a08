//! The keys of the Alertmanagers that get the alerts, spelt as Prometheus has them.

use std::time::Duration;

use super::broker::Secret;
use super::changes::{Change, Changes};
use super::declare::{KeyValue, section};
use super::http_url::HttpUrl;
use super::keys::SPAN;
use crate::engine::yaml::keys::KeyDefault::{Nothing, Value, Words};
use crate::engine::yaml::keys::{Effect, Key, KeyKind};
use crate::engine::yaml::{Read, Values};

section! {
    /// Alertmanagers that get the same alerts.
    AlertmanagerConfig {
        /// Base URLs of Alertmanagers (API version 2), each of which gets every alert.
        urls: Vec<HttpUrl> = KeyKind::OneOrMany(&KeyKind::Text), Nothing, Live;
        /// How long one request to an Alertmanager may take.
        timeout: Duration = SPAN, Value("10s"), Live;
        /// A firing alert is sent again after this long, at its group's next evaluation; a resolved one too, for 15 minutes.
        resend_delay: Duration = SPAN, Value("1m"), Live;
        /// Alerts that may wait for each Alertmanager; of one alert only the newest word waits, and where there are more the oldest is dropped, counted.
        queue: usize = KeyKind::Count(1), Value("10000"), Live;
        /// HTTP basic authentication.
        basic_auth: BasicAuthConfig = KeyKind::Section(BasicAuthConfig::KEYS), Nothing, Live;
        /// An `Authorization` header.
        authorization: AuthorizationConfig = KeyKind::Section(AuthorizationConfig::KEYS), Nothing, Live;
        /// TLS, where a URL begins with `https://`.
        tls_config: HttpTlsConfig = KeyKind::Section(HttpTlsConfig::KEYS), Nothing, Live;
    }
}

section! {
    /// HTTP basic authentication.
    BasicAuthConfig {
        /// The user name.
        username: Option<String> = KeyKind::Text, Nothing, Live;
        /// The password.
        password: Option<Secret> = KeyKind::Secret, Nothing, Live;
        /// The file that holds the password; it is read for each request.
        password_file: Option<String> = KeyKind::Text, Nothing, Live;
    }
}

section! {
    /// An `Authorization` header.
    AuthorizationConfig {
        /// What stands in front of the credentials.
        kind ("type"): String = KeyKind::Text, Value("Bearer"), Live;
        /// The credentials.
        credentials: Option<Secret> = KeyKind::Secret, Nothing, Live;
        /// The file that holds the credentials; it is read for each request.
        credentials_file: Option<String> = KeyKind::Text, Nothing, Live;
    }
}

section! {
    /// TLS of an HTTP client.
    HttpTlsConfig {
        /// Certificates of authorities to trust, PEM.
        ca_file: Option<String> = KeyKind::Text, Words("the system's"), Live;
        /// The client certificate, PEM; with `key_file`.
        cert_file: Option<String> = KeyKind::Text, Nothing, Live;
        /// The client key, PEM; with `cert_file`.
        key_file: Option<String> = KeyKind::Text, Nothing, Live;
        /// The name the server's certificate must be for.
        server_name: Option<String> = KeyKind::Text, Words("the URL's host"), Live;
    }
}
