//! Server addresses, with what their URLs say of us.

use crate::engine::config::server_url::{ServerUrl, ServerUrlError};
use crate::shell::percent::decoded;
use crate::shell::settings::Secret;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Where it is.
    pub(crate) server: ServerUrl,
    /// What stands before the `@`.
    pub(crate) userinfo: Option<UserInfo>,
}

/// User and password, or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserInfo {
    /// The user; the token where there is no password.
    pub(crate) user: Secret,
    /// The password.
    pub(crate) password: Option<Secret>,
}

impl Address {
    /// Reads one URL or `host:port`.
    pub(crate) fn parse(url: &str) -> Result<Self, ServerUrlError> {
        let (server, userinfo) = ServerUrl::parse(url)?;
        Ok(Self { server, userinfo: userinfo.map(read_userinfo) })
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
mod tests;
