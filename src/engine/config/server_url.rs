//! The URL of a NATS server as it is written: one reader for the file, the flags, the lanes and the demo.

/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 4222;

/// One server, without what its URL says of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// Name or address of the host, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// Whether the URL asks for TLS.
    pub(crate) encryption: Encryption,
}

/// Whether a URL asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// `tls://`
    Asked,
    /// `nats://` or nothing
    NotAsked,
}

/// What is wrong with a URL, as what follows "the server URL"; none of its text is in here, as it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServerUrlError {
    /// A scheme that is not NATS over TCP.
    #[error("has a scheme other than nats:// and tls://")]
    Scheme,
    /// NATS over `WebSocket`.
    #[error("is one of NATS over WebSocket, which signalbox does not speak; use nats:// or tls://")]
    WebSocket,
    /// No host.
    #[error("names no host")]
    Host,
    /// A port that is none.
    #[error("has a port that is no number from 1 to 65535")]
    Port,
}

impl ServerUrl {
    /// Reads one URL or `host:port`; what stands before the `@`, still encoded, comes apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(url: &str) -> Result<(Self, Option<&str>), ServerUrlError> {
        let url = url.trim();
        let (encryption, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (encryption(scheme)?, rest),
            None => (Encryption::NotAsked, url),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        // A slash in a password would have cut it: then the last @ of the whole decides.
        let authority = if rest.contains('@') && !authority.contains('@') { rest } else { authority };
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place.trim_end_matches('/'))?;
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ServerUrlError::Host);
        }
        let port = match port {
            Some(text) => match text.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(ServerUrlError::Port),
            },
            None => DEFAULT_PORT,
        };
        Ok((Self { host: host.to_owned(), port, encryption }, userinfo))
    }

    /// Host and port, for people.
    pub(crate) fn shown(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URL.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.encryption {
            Encryption::Asked => "tls",
            Encryption::NotAsked => "nats",
        };
        format!("{scheme}://{}", self.shown())
    }
}

/// The URLs of a text in which they are separated by commas.
pub(crate) fn split_urls(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|url| !url.is_empty())
}

fn encryption(scheme: &str) -> Result<Encryption, ServerUrlError> {
    match scheme.to_ascii_lowercase().as_str() {
        "nats" => Ok(Encryption::NotAsked),
        "tls" => Ok(Encryption::Asked),
        "ws" | "wss" => Err(ServerUrlError::WebSocket),
        _ => Err(ServerUrlError::Scheme),
    }
}

pub(super) fn split_port(place: &str) -> Result<(&str, Option<&str>), ServerUrlError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(ServerUrlError::Host)?;
        return Ok((host, after.strip_prefix(':').filter(|port| !port.is_empty())));
    }
    match place.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Ok((place, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_their_defaults() {
        let cases = [
            ("nats://127.0.0.1:4222", "127.0.0.1", 4222, None),
            ("localhost", "localhost", 4222, None),
            ("nats://user:pa%2Fss@host:1", "host", 1, Some("user:pa%2Fss")),
            ("nats://user:pa/ss@host:1", "host", 1, Some("user:pa/ss")),
            ("TLS://[::1]:5", "::1", 5, None),
            ("::1", "::1", 4222, None),
            ("nats://token@host/", "host", 4222, Some("token")),
        ];
        for (url, host, port, userinfo) in cases {
            let (read, before) = ServerUrl::parse(url).unwrap();
            assert_eq!((read.host.as_str(), read.port, before), (host, port, userinfo), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let cases = [
            ("http://x", ServerUrlError::Scheme),
            ("ws://x", ServerUrlError::WebSocket),
            ("wss://x:443", ServerUrlError::WebSocket),
            ("nats://", ServerUrlError::Host),
            ("", ServerUrlError::Host),
            ("nats://x:70000", ServerUrlError::Port),
            ("nats://x:0", ServerUrlError::Port),
            ("nats://a b", ServerUrlError::Host),
        ];
        for (url, error) in cases {
            assert_eq!(ServerUrl::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn a_list_is_cut_at_its_commas() {
        assert_eq!(split_urls(" a, ,nats://b ,").collect::<Vec<_>>(), ["a", "nats://b"]);
    }
}
