//! Who may edit: somebody the gate knows, or whoever sits at this machine; and only from a form of this very page.
//!
//! A browser sends passwords and certificates with every request, whoever made it. So what changes something must come
//! by POST with a token that only a page of ours can know: a code over a cookie of the browser and the caller's name,
//! under a key of this process. What a browser says of where a request comes from (`Sec-Fetch-Site`, else `Origin`)
//! must agree. Where anybody on this machine may edit, the name the browser asked for must be one of this machine, so
//! that a name that is made to point here (DNS rebinding) is no way in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use crate::shell::http::gate::{Caller, Peer, Transport};
use crate::shell::rule_files::edits::hexadecimal;

/// The cookie that a form's token belongs to.
const COOKIE_NAME: &str = "signalbox-edit";

/// Bytes of it.
const SESSION_BYTES: usize = 16;

/// What editing works with.
#[derive(Debug)]
pub(crate) struct Edits {
    key: hmac::Key,
    random: SystemRandom,
    on: Reach,
    /// One check, and one save, at a time.
    pub(super) turn: Arc<Semaphore>,
}

/// Who reaches the listener that serves the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine alone.
    Loopback,
    /// Others too.
    Network,
}

impl Reach {
    /// Of a listener at this address.
    pub(crate) fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Network }
    }
}

/// Why somebody may not edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The gate knows nobody, and others than this machine reach the page.
    #[error(
        "Rules are edited only by users or by clients with verified certificates; give them in --web-config."
    )]
    Unknown,
    /// The browser asked for a name that is none of this machine.
    #[error(
        "Rules are edited without a password only under an address of this machine, such as 127.0.0.1; give \
         basic_auth_users in --web-config, or set external_url to the address you use."
    )]
    OtherHost,
    /// Another site made the request.
    #[error("This request came from another site than this page; nothing was done.")]
    OtherSite,
    /// The form is not ours, or of another process.
    #[error(
        "This form is not of this page, or signalbox was started again since it was opened; nothing was done. Open \
         the page in another tab and try again from there; what you typed is still in this one."
    )]
    NoToken,
    /// No random bytes.
    #[error("The system has no random numbers; nothing was done.")]
    NoRandom,
}

/// What a request tells of who made it.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    /// Its headers.
    pub(super) headers: &'a HeaderMap,
    /// Who the gate knows it is of.
    pub(super) caller: Option<&'a Caller>,
    /// Where it is from.
    pub(super) peer: Option<&'a Peer>,
    /// `external_url` of the configuration.
    pub(super) external_url: &'a str,
}

/// Somebody who may edit, with the browser's cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Editor {
    /// For the log.
    pub(super) name: String,
    /// What a form must carry.
    pub(super) token: String,
    /// The cookie to set, where the browser has none.
    pub(super) cookie: Option<String>,
}

impl Edits {
    /// With a key of its own; a page's forms are good for as long as the process lives.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn new(on: Reach) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(|_| {
            anyhow::anyhow!("cannot make a key for --web-edit: the system has no random numbers")
        })?;
        Ok(Self { key, random, on, turn: Arc::new(Semaphore::new(1)) })
    }

    /// Whether somebody may open the editor; they get a token.
    pub(super) fn open(&self, asked: &Asked<'_>) -> Result<Editor, Refused> {
        let name = self.admit(asked)?;
        let (session, cookie) = if let Some(known) = session(asked.headers) {
            (known, None)
        } else {
            let session = self.random_text()?;
            let is_tls = asked.peer.is_some_and(|peer| peer.transport == Transport::Tls);
            let secure = if is_tls { "; Secure" } else { "" };
            let cookie = format!("{COOKIE_NAME}={session}; HttpOnly; SameSite=Strict{secure}");
            (session, Some(cookie))
        };
        let token = hexadecimal(hmac::sign(&self.key, &signed(&session, &name)).as_ref());
        Ok(Editor { name, token, cookie })
    }

    /// Whether a form that was sent is of a page that this browser opened.
    pub(super) fn submit(&self, asked: &Asked<'_>, token: &str) -> Result<Editor, Refused> {
        let name = self.admit(asked)?;
        if !is_same_site(asked) {
            return Err(Refused::OtherSite);
        }
        let session = session(asked.headers).ok_or(Refused::NoToken)?;
        let code = bytes_of(token).ok_or(Refused::NoToken)?;
        hmac::verify(&self.key, &signed(&session, &name), &code).map_err(|_| Refused::NoToken)?;
        Ok(Editor { name, token: token.to_owned(), cookie: None })
    }

    /// The name of somebody who may edit.
    fn admit(&self, asked: &Asked<'_>) -> Result<String, Refused> {
        match (asked.caller, self.on) {
            (Some(caller), _) => Ok(caller.name().to_owned()),
            (None, Reach::Network) => Err(Refused::Unknown),
            (None, Reach::Loopback) if is_of_this_machine(asked) => Ok("somebody on this machine".to_owned()),
            (None, Reach::Loopback) => Err(Refused::OtherHost),
        }
    }

    /// Something nobody can guess.
    pub(super) fn random_text(&self) -> Result<String, Refused> {
        let mut bytes = [0_u8; SESSION_BYTES];
        self.random.fill(&mut bytes).map_err(|_| Refused::NoRandom)?;
        Ok(hexadecimal(&bytes))
    }
}

/// What a token is a code of.
fn signed(session: &str, name: &str) -> Vec<u8> {
    [session.as_bytes(), b"\0", name.as_bytes()].concat()
}

/// The browser's cookie, where it has one of the right shape.
fn session(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(name, _)| *name == COOKIE_NAME)?.1;
    bytes_of(value).filter(|bytes| bytes.len() == SESSION_BYTES).map(|_| value.to_owned())
}

/// Whether a browser that says where a request comes from says that it is this page.
fn is_same_site(asked: &Asked<'_>) -> bool {
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = asked.headers.get(ORIGIN).map(|value| value.to_str().unwrap_or_default()) else {
        // No browser: the token alone tells.
        return true;
    };
    let Some(from) = authority(origin) else { return false };
    let host = asked.headers.get(HOST).and_then(|value| value.to_str().ok());
    host.is_some_and(|host| host.eq_ignore_ascii_case(&from))
        || authority(asked.external_url).is_some_and(|own| own.eq_ignore_ascii_case(&from))
}

/// Whether the name that was asked for is one of this machine, or the one it is known by.
fn is_of_this_machine(asked: &Asked<'_>) -> bool {
    let Some(host) = asked.headers.get(HOST).and_then(|value| value.to_str().ok()) else { return false };
    let Ok(uri) = format!("http://{host}/").parse::<Uri>() else { return false };
    let Some(name) = uri.host() else { return false };
    let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
    address.is_some_and(|address| address.to_canonical().is_loopback())
        || name.eq_ignore_ascii_case("localhost")
        || authority(asked.external_url).is_some_and(|own| own.eq_ignore_ascii_case(host))
}

/// The host and port of a URL.
fn authority(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.scheme().and(uri.authority()).map(ToString::to_string)
}

/// The bytes of hexadecimal digits; none where it is something else.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 128 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests;
