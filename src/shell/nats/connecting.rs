//! How async-nats connects for us: who we say we are, encryption and patience.

use async_nats::{Auth, AuthError, ConnectOptions};

use super::login::Login;
use super::servers::Servers;
use crate::shell::settings::{NatsSettings, TlsMode};

/// The options of a connection of this name.
///
/// # Errors
/// Credentials that cannot be read.
pub(crate) fn options(
    settings: &NatsSettings,
    servers: &Servers,
    name: &str,
) -> anyhow::Result<ConnectOptions> {
    let userinfo = servers.userinfo().cloned();
    // What cannot be read now is for a person to mend; what cannot be read later may come back.
    Login::new(&settings.auth, userinfo.as_ref(), "")?;
    let auth = settings.auth.clone();
    let mut options = ConnectOptions::with_auth_callback(move |nonce| {
        let login = Login::new(&auth, userinfo.as_ref(), &String::from_utf8_lossy(&nonce));
        std::future::ready(login.map(as_auth).map_err(AuthError::new))
    })
    .name(name)
    .custom_inbox_prefix(&settings.inbox_prefix)
    .connection_timeout(settings.connect_timeout)
    .ping_interval(settings.ping_interval)
    .request_timeout(Some(settings.request_timeout));
    if let Some(ca) = &settings.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&settings.tls.cert, &settings.tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(match settings.tls.mode {
        TlsMode::AsServerAsks => options,
        TlsMode::Required => options.require_tls(true),
        TlsMode::First => options.require_tls(true).tls_first(),
    })
}

/// Who we are, as the client wants it said.
fn as_auth(login: Login) -> Auth {
    let mut auth = Auth::new();
    auth.username = login.user;
    auth.password = login.pass;
    auth.token = login.auth_token;
    auth.jwt = login.jwt;
    auth.nkey = login.nkey;
    auth.signature = login.sig.map(|signature| signature.0);
    auth
}
