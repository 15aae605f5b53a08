//! Server addresses as they are written in a URL list, and what of them may be shown.

use crate::shell::nats::percent::decoded;
use crate::shell::settings::Secret;

/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 4222;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or address of the host, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// Whether the URL asks for TLS.
    pub(crate) encryption: Encryption,
    /// What stands before the `@`.
    pub(crate) userinfo: Option<UserInfo>,
}

/// Whether a URL asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// `tls://`
    Asked,
    /// `nats://` or nothing
    NotAsked,
}

/// User and password, or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserInfo {
    /// The user; the token where there is no password.
    pub(crate) user: Secret,
    /// The password.
    pub(crate) password: Option<Secret>,
}

/// What is wrong with a URL; none of its text is in here, as it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// A scheme that is not NATS over TCP.
    #[error("a NATS URL begins with nats:// or tls://")]
    Scheme,
    /// No host.
    #[error("a NATS URL needs a host, as in nats://127.0.0.1:4222")]
    Host,
    /// A port that is none.
    #[error("the port of a NATS URL is a number from 1 to 65535")]
    Port,
}

impl Address {
    /// Reads one URL or `host:port`.
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let url = url.trim();
        let (encryption, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("nats") => (Encryption::NotAsked, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tls") => (Encryption::Asked, rest),
            Some(_) => return Err(AddressError::Scheme),
            None => (Encryption::NotAsked, url),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        // A slash in a password would have cut it: then the last @ of the whole decides.
        let authority = if rest.contains('@') && !authority.contains('@') { rest } else { authority };
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(read_userinfo(userinfo)), place),
            None => (None, authority),
        };
        let place = place.trim_end_matches('/');
        let (host, port) = split_port(place)?;
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::Host);
        }
        let port = match port {
            Some(text) => match text.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(AddressError::Port),
            },
            None => DEFAULT_PORT,
        };
        Ok(Self { host: host.to_owned(), port, encryption, userinfo })
    }

    /// The address without its userinfo, for people.
    pub(crate) fn shown(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URL without its userinfo.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.encryption {
            Encryption::Asked => "tls",
            Encryption::NotAsked => "nats",
        };
        format!("{scheme}://{}", self.shown())
    }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(AddressError::Host)?;
        return Ok((host, after.strip_prefix(':').filter(|port| !port.is_empty())));
    }
    match place.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Ok((place, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

fn read_userinfo(text: &str) -> UserInfo {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    UserInfo {
        user: Secret::new(decoded(user.as_bytes())),
        password: password.map(|it| Secret::new(decoded(it.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_their_defaults() {
        let cases = [
            ("nats://127.0.0.1:4222", "127.0.0.1", 4222),
            ("localhost", "localhost", 4222),
            ("nats://user:pa%2Fss@host:1", "host", 1),
            ("tls://[::1]:5", "::1", 5),
            ("::1", "::1", 4222),
            ("nats://token@host/", "host", 4222),
        ];
        for (url, host, port) in cases {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{url}");
        }
    }

    #[test]
    fn userinfo_is_decoded_and_never_shown() {
        let address = Address::parse("nats://me:open%20sesame@host").unwrap();
        let userinfo = address.userinfo.clone().unwrap();
        assert_eq!(userinfo.password.as_ref().map(Secret::reveal), Some("open sesame"));
        assert!(!format!("{address:?} {}", address.url()).contains("sesame"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let cases = [
            ("http://x", AddressError::Scheme),
            ("nats://", AddressError::Host),
            ("nats://x:70000", AddressError::Port),
            ("nats://x:0", AddressError::Port),
            ("nats://a b", AddressError::Host),
        ];
        for (url, error) in cases {
            assert_eq!(Address::parse(url), Err(error), "{url}");
        }
    }
}
