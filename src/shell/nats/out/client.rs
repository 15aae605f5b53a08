//! The connection everything is published by, through async-nats: it comes up when NATS does and stays for ever.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};

use crate::shell::context::ShellContext;
use crate::shell::nats::address::UserInfo;
use crate::shell::nats::login::{read_credentials, read_seed};
use crate::shell::nats::servers::{Servers, backoff};
use crate::shell::nats::world::random;
use crate::shell::settings::{Auth, NatsSettings, TlsMode};
use crate::shell::status::Topic;

/// Connects in the background.
///
/// # Errors
/// Credentials that cannot be read and URLs that are none.
pub(crate) async fn connect(context: &ShellContext, servers: &Servers) -> anyhow::Result<Client> {
    let settings = &context.settings.nats;
    let options = authenticated(ConnectOptions::new(), settings, servers.userinfo())?;
    let told = context.clone();
    let mut options = options
        .name(format!("{}-out", settings.name))
        .retry_on_initial_connect()
        .connection_timeout(settings.connect_timeout)
        .ping_interval(settings.ping_interval)
        .request_timeout(Some(settings.request_timeout))
        .reconnect_delay_callback(|attempts| {
            let failures = u32::try_from(attempts).unwrap_or(u32::MAX);
            backoff(failures, Duration::from_millis(50), Duration::from_secs(2), random())
        })
        .event_callback(move |event| {
            let told = told.clone();
            async move { hear(&told, &event) }
        });
    if let Some(ca) = &settings.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&settings.tls.cert, &settings.tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    options = match settings.tls.mode {
        TlsMode::AsServerAsks => options,
        TlsMode::Required => options.require_tls(true),
        TlsMode::First => options.require_tls(true).tls_first(),
    };
    Ok(options.connect(servers.urls()).await?)
}

fn authenticated(
    options: ConnectOptions,
    settings: &NatsSettings,
    userinfo: Option<&UserInfo>,
) -> anyhow::Result<ConnectOptions> {
    Ok(match &settings.auth {
        Auth::None => match userinfo {
            None => options,
            Some(UserInfo { user, password: Some(password) }) => {
                options.user_and_password(user.reveal().to_owned(), password.reveal().to_owned())
            }
            Some(UserInfo { user, password: None }) => options.token(user.reveal().to_owned()),
        },
        Auth::User { user, password } => {
            options.user_and_password(user.clone(), password.reveal().to_owned())
        }
        Auth::Token(token) => options.token(token.reveal().to_owned()),
        Auth::CredentialsFile(path) => {
            let (jwt, seed) = read_credentials(path)?;
            let text = format!(
                "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\
                 -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
                jwt.reveal(),
                seed.reveal()
            );
            options
                .credentials(&text)
                .map_err(|_| anyhow::anyhow!("{} is no NATS credentials file", path.display()))?
        }
        Auth::NkeySeed(seed) => options.nkey(seed.reveal().to_owned()),
        Auth::NkeyFile(path) => options.nkey(read_seed(path)?.reveal().to_owned()),
    })
}

fn hear(context: &ShellContext, event: &Event) {
    match event {
        Event::Connected => context.link_is_up(Topic::PublishLink),
        Event::Disconnected | Event::Closed => context.link_is_down(Topic::PublishLink, "disconnected"),
        Event::ServerError(error) => {
            let text = error.to_string();
            // Sent without being asked for, and all that tells that an alert event did not go out.
            if text.to_lowercase().contains("permissions violation") && text.contains("events.monitoring.") {
                context.status.set(Topic::Publishing, format!("the server says: {text}"));
            } else {
                tracing::warn!(error = text, "the server complains");
            }
        }
        Event::ClientError(error) => {
            if context.status.has(Topic::PublishLink) {
                context.link_is_down(Topic::PublishLink, error.to_string());
            } else {
                tracing::warn!(%error, "publishing connection");
            }
        }
        Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => {
            tracing::info!(event = %event, "publishing connection");
        }
    }
}
