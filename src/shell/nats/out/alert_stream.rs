//! The stream that takes alert events: which it is, and whether its acknowledgement means that they are kept.

use std::time::Duration;

use async_nats::{Client, RequestErrorKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

use crate::engine::config::AlertDelivery;
use crate::engine::wire::{EventType, Subjects};
use crate::shell::context::ShellContext;
use crate::shell::settings::Settings;
use crate::shell::status::Topic;

/// How often the stream is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Whether a stream takes a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Covering {
    /// This one does.
    Stream(String),
    /// None does, or there is no JetStream.
    None,
    /// Nobody said.
    Unknown,
}

/// Asks which stream takes `subject`.
pub(super) async fn covering(client: &Client, settings: &Settings, subject: &str) -> Covering {
    #[derive(Deserialize)]
    struct Names {
        streams: Option<Vec<String>>,
    }
    match request::<Names>(client, settings, "STREAM.NAMES", &json!({ "subject": subject }).to_string()).await
    {
        Answer::Here(names) => match names.streams.unwrap_or_default().into_iter().next() {
            Some(stream) => Covering::Stream(stream),
            None => Covering::None,
        },
        Answer::NoJetStream => Covering::None,
        Answer::Nothing => Covering::Unknown,
    }
}

/// Looks, now and then, whether the stream keeps what it acknowledges, and says so where it may not: a stream with
/// interest retention and without consumers acknowledges and stores nothing.
pub(super) async fn check(client: Client, context: ShellContext) {
    while !context.stop.is_stopping() {
        if context.config.get().alerts.delivery == AlertDelivery::Core {
            context.status.clear(Topic::AlertStream);
        } else {
            look(&client, &context).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(client: &Client, context: &ShellContext) {
    #[derive(Deserialize)]
    struct Info {
        config: Config,
    }
    #[derive(Deserialize)]
    struct Config {
        retention: String,
    }
    let subject = Subjects::default().of(EventType::AlertTriggered);
    let Covering::Stream(stream) = covering(client, &context.settings, &subject).await else { return };
    let Answer::Here(info) =
        request::<Info>(client, &context.settings, &format!("STREAM.INFO.{stream}"), "").await
    else {
        return;
    };
    if info.config.retention == "limits" {
        context.status.clear(Topic::AlertStream);
    } else {
        let reason = format!(
            "the stream {stream} has {} retention and may acknowledge alert events without keeping them; \
             give them a stream with limits retention",
            info.config.retention
        );
        context.status.set(Topic::AlertStream, reason);
    }
}

enum Answer<T> {
    Here(T),
    NoJetStream,
    Nothing,
}

async fn request<T: DeserializeOwned>(
    client: &Client,
    settings: &Settings,
    what: &str,
    body: &str,
) -> Answer<T> {
    let prefix = match &settings.jetstream.domain {
        Some(domain) => format!("$JS.{domain}.API"),
        None => "$JS.API".to_owned(),
    };
    let asked = client.request(format!("{prefix}.{what}"), body.to_owned().into());
    match timeout(settings.nats.request_timeout, asked).await {
        Ok(Ok(answer)) => serde_json::from_slice(&answer.payload).map_or(Answer::Nothing, Answer::Here),
        Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Answer::NoJetStream,
        Ok(Err(_)) | Err(_) => Answer::Nothing,
    }
}
