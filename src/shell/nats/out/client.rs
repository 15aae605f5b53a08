//! The connection everything is published by, through async-nats: it comes up when NATS does and stays for ever.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Event};
use tokio::sync::watch;

use crate::engine::wire::{EventType, Subjects};
use crate::shell::backoff::backoff;
use crate::shell::context::ShellContext;
use crate::shell::nats::connecting;
use crate::shell::nats::servers::Servers;
use crate::shell::nats::world::random;
use crate::shell::plain::plain;
use crate::shell::status::Topic;

/// How the connection stands, counted so that one that broke and came back in a moment is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    /// It does not, after so many that did.
    Broken {
        /// How many.
        before: u32,
    },
    /// It does, as the so-manieth.
    Standing {
        /// Which.
        number: u32,
    },
}

/// Connects in the background; how the connection stands comes back too.
///
/// # Errors
/// Credentials that cannot be read and URLs that are none.
pub(crate) async fn connect(
    context: &ShellContext,
    servers: &Servers,
) -> anyhow::Result<(Client, watch::Receiver<Connections>)> {
    let settings = &context.settings.nats;
    let told = context.clone();
    let (tell, connections) = watch::channel(Connections::Broken { before: 0 });
    let tell = Arc::new(tell);
    let options = connecting::options(settings, servers, &format!("{}-out", settings.name))?
        .retry_on_initial_connect()
        .reconnect_delay_callback(|attempts| {
            let failures = u32::try_from(attempts).unwrap_or(u32::MAX);
            backoff(failures, Duration::from_millis(50), Duration::from_secs(2), random())
        })
        .event_callback(move |event| {
            let (told, tell) = (told.clone(), Arc::clone(&tell));
            async move {
                note(&tell, &event);
                hear(&told, &event);
            }
        });
    Ok((options.connect(servers.urls()).await?, connections))
}

/// Notes how the connection stands.
fn note(connections: &watch::Sender<Connections>, event: &Event) {
    let so_many = |connections: &Connections| match connections {
        Connections::Broken { before: count } | Connections::Standing { number: count } => *count,
    };
    match event {
        Event::Connected => connections.send_modify(|it| {
            *it = Connections::Standing { number: so_many(it).wrapping_add(1) };
        }),
        Event::Disconnected | Event::Closed => connections.send_modify(|it| {
            *it = Connections::Broken { before: so_many(it) };
        }),
        Event::LameDuckMode
        | Event::Draining
        | Event::SlowConsumer(_)
        | Event::ServerError(_)
        | Event::ClientError(_) => {}
    }
}

/// Signs in anew where the credentials change.
pub(crate) async fn renew(client: Client, context: ShellContext) {
    let mut renewals = context.renewals.subscribe();
    while renewals.changed().await.is_ok() {
        // A client that is gone needs no connection.
        drop(client.force_reconnect().await);
    }
}

/// Whether the server's words are that alert events may not be published: sent without being asked for, and all that
/// tells that one did not go out.
fn forbids_alert_events(text: &str, subjects: &Subjects) -> bool {
    let names = |event_type| text.contains(&subjects.of(event_type));
    text.to_lowercase().contains("permissions violation")
        && (names(EventType::AlertTriggered) || names(EventType::AlertCleared))
}

fn hear(context: &ShellContext, event: &Event) {
    match event {
        Event::Connected => context.link_is_up(Topic::PublishLink),
        Event::Disconnected | Event::Closed => context.link_is_down(Topic::PublishLink, "disconnected"),
        Event::ServerError(error) => {
            let text = error.to_string();
            if forbids_alert_events(&text, &context.settings.subjects) {
                context.status.set(Topic::Publishing, format!("the server says: {text}"));
            } else {
                tracing::warn!(error = text, "the server complains");
            }
        }
        Event::ClientError(error) => {
            if context.status.has(Topic::PublishLink) {
                context.link_is_down(Topic::PublishLink, in_words(&plain(error)));
            } else {
                tracing::warn!(error = in_words(&plain(error)), "publishing connection");
            }
        }
        Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => {
            tracing::info!(event = %event, "publishing connection");
        }
    }
}

/// What the client says of its connection, without its own name before it; of a server that it does not reach it knows no
/// more than that.
fn in_words(said: &str) -> &str {
    match said.strip_prefix("nats: ").unwrap_or(said) {
        "IO error" => "the server cannot be reached",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_says_is_said_without_its_name() {
        let cases = [
            ("nats: IO error", "the server cannot be reached"),
            ("nats: authorization violation", "authorization violation"),
            ("too many subscriptions", "too many subscriptions"),
        ];
        for (said, expected) in cases {
            assert_eq!(in_words(said), expected);
        }
    }

    #[test]
    fn only_a_violation_about_alert_events_speaks_of_them() {
        let (triggered, cleared) = ("events.monitoring.AlertTriggered", "events.monitoring.AlertCleared");
        let cases = [
            (format!("Permissions Violation for Publish to \"{triggered}\""), true),
            (format!("permissions violation for publish to \"{cleared}\""), true),
            (format!("Invalid Subject \"{triggered}\""), false),
            (format!("Invalid Subject \"{cleared}\""), false),
            ("Permissions Violation for Publish to \"events.rejected\"".to_owned(), false),
            ("Stale Connection".to_owned(), false),
            (String::new(), false),
        ];
        for (text, expected) in cases {
            assert_eq!(forbids_alert_events(&text, &Subjects::default()), expected, "{text}");
        }
    }

    #[test]
    fn a_connection_that_comes_back_is_another() {
        let connections = watch::Sender::new(Connections::Broken { before: 0 });
        let events = [
            (Event::Connected, Connections::Standing { number: 1 }),
            (Event::LameDuckMode, Connections::Standing { number: 1 }),
            (Event::Disconnected, Connections::Broken { before: 1 }),
            (Event::Connected, Connections::Standing { number: 2 }),
            // It broke and came back before anybody looked.
            (Event::Connected, Connections::Standing { number: 3 }),
            (Event::Closed, Connections::Broken { before: 3 }),
        ];
        for (event, expected) in events {
            note(&connections, &event);
            assert_eq!(*connections.borrow(), expected, "{event}");
        }
    }
}
