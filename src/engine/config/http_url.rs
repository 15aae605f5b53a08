//! The URL of an HTTP server as it is written, such as an Alertmanager's.

use std::fmt;

use super::declare::KeyValue;
use super::server_url::split_port;
use crate::engine::yaml::Read;

/// A base URL without anything secret in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpUrl {
    /// Whether it is spoken over TLS.
    pub scheme: HttpScheme,
    /// Name or address of the host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path in front of every request's, without a slash at its end.
    pub path: String,
}

/// How a URL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpScheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl HttpScheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// What is wrong with a URL, as what follows "the URL"; none of its text is in here, as it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpUrlError {
    /// Neither of the two schemes.
    #[error("does not begin with http:// or https://")]
    Scheme,
    /// A user or password in it.
    #[error("holds a user or a password, which would be shown wherever the URL is")]
    Userinfo,
    /// No host.
    #[error("names no host")]
    Host,
    /// A port that is none.
    #[error("has a port that is no number from 1 to 65535")]
    Port,
    /// What a base URL cannot have.
    #[error("has a query or a fragment, which no base URL has")]
    Query,
}

impl HttpUrl {
    /// Reads one URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, HttpUrlError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(HttpUrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => HttpScheme::Http,
            "https" => HttpScheme::Https,
            _ => return Err(HttpUrlError::Scheme),
        };
        if rest.contains('@') {
            return Err(HttpUrlError::Userinfo);
        }
        if rest.contains(['?', '#']) {
            return Err(HttpUrlError::Query);
        }
        let (place, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = split_port(place).map_err(|_| HttpUrlError::Host)?;
        let is_odd = |text: &str| text.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii());
        if host.is_empty() || is_odd(host) || is_odd(path) {
            return Err(HttpUrlError::Host);
        }
        let port = match port {
            Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or(HttpUrlError::Port)?,
            None => scheme.default_port(),
        };
        Ok(Self { scheme, host: host.to_owned(), port, path: path.trim_end_matches('/').to_owned() })
    }

    /// Host and port as a `Host` header has them: the port where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }
}

impl KeyValue for HttpUrl {
    fn of_read(read: &Read) -> Option<Self> {
        // What is no URL is found with the file.
        Self::parse(&read.written()?.content).ok()
    }

    fn absent() -> Self {
        Self { scheme: HttpScheme::Http, host: "localhost".to_owned(), port: 80, path: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_shown_with_what_is_not_the_default() {
        let cases = [
            ("http://alerts:9093", "http://alerts:9093", "alerts:9093"),
            ("HTTPS://alerts.example/am/", "https://alerts.example/am", "alerts.example"),
            ("http://[::1]:9093/", "http://[::1]:9093", "[::1]:9093"),
            (" http://alerts:80 ", "http://alerts", "alerts"),
        ];
        for (url, shown, authority) in cases {
            let read = HttpUrl::parse(url).unwrap();
            assert_eq!((read.to_string().as_str(), read.authority().as_str()), (shown, authority), "{url}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        let cases = [
            ("alerts:9093", HttpUrlError::Scheme),
            ("nats://alerts", HttpUrlError::Scheme),
            ("http://user:secret@alerts", HttpUrlError::Userinfo),
            ("http://", HttpUrlError::Host),
            ("http:///path", HttpUrlError::Host),
            ("http://a b", HttpUrlError::Host),
            ("http://a:0", HttpUrlError::Port),
            ("http://a:x", HttpUrlError::Port),
            ("http://a/?b=c", HttpUrlError::Query),
        ];
        for (url, error) in cases {
            assert_eq!(HttpUrl::parse(url), Err(error), "{url}");
        }
    }
}
