//! The connection to NATS, from the words of the configuration to the shell's.

use std::path::PathBuf;

use crate::engine::config::server_url::split_urls;
use crate::engine::config::{NatsConfig, Secret};
use crate::shell::settings as shell;

/// The connection as the configuration has it.
pub(super) fn connection(config: &NatsConfig) -> shell::NatsSettings {
    let path = |path: &Option<String>| path.as_ref().map(PathBuf::from);
    shell::NatsSettings {
        inbox_prefix: config.inbox_prefix.clone(),
        urls: config.url.iter().flat_map(|urls| split_urls(urls)).map(Secret::new).collect(),
        auth: auth(config),
        tls: shell::TlsSettings {
            mode: config.tls.mode,
            ca: path(&config.tls.ca),
            cert: path(&config.tls.cert),
            key: path(&config.tls.key),
        },
        ..Default::default()
    }
}

/// The one way to sign in; that there is one at most is checked with the file.
fn auth(config: &NatsConfig) -> shell::Auth {
    let secret = |given: &Option<Secret>, path: &Option<String>| {
        let given = given.clone().map(shell::SecretSource::Given);
        given.or_else(|| path.as_ref().map(|path| shell::SecretSource::File(path.into())))
    };
    if let (Some(user), Some(password)) = (&config.user, secret(&config.password, &config.password_file)) {
        return shell::Auth::User { user: user.clone(), password };
    }
    if let Some(token) = secret(&config.token, &config.token_file) {
        return shell::Auth::Token(token);
    }
    match (&config.creds, secret(&config.nkey, &config.nkey_file)) {
        (Some(path), _) => shell::Auth::CredentialsFile(path.into()),
        (None, Some(seed)) => shell::Auth::Nkey(seed),
        (None, None) => shell::Auth::None,
    }
}
