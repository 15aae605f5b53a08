//! The stream that takes alert events: which it is, and whether its acknowledgement means that they are kept.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::engine::config::AlertDelivery;
use crate::engine::wire::EventType;
use crate::shell::context::ShellContext;
use crate::shell::settings::Settings;
use crate::shell::status::Topic;

/// How often the stream is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How often a missing connection is looked for.
const LOOK_FOR_CONNECTION: Duration = Duration::from_millis(50);

/// How an alert event goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Acknowledged by a stream.
    Acknowledged,
    /// Sent and flushed.
    Core,
}

/// What is known of the streams that take alert events. It is found out beside the publishing, as some servers leave
/// the question without an answer: those of a cluster without JetStream, up to 2.9.
#[derive(Debug, Default)]
pub(super) struct Ways {
    known: watch::Sender<Known>,
    doubted: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    triggered: Option<Way>,
    cleared: Option<Way>,
}

impl Known {
    const fn of(self, kind: AlertKind) -> Option<Way> {
        match kind {
            AlertKind::Triggered => self.triggered,
            AlertKind::Cleared => self.cleared,
        }
    }
}

/// The two kinds of alert events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AlertKind {
    /// `AlertTriggered`
    Triggered,
    /// `AlertCleared`
    Cleared,
}

impl Ways {
    /// How events of this kind go out, waiting up to `patience` to know; by core NATS where that is not known then.
    pub(super) async fn of(&self, kind: AlertKind, patience: Duration) -> Way {
        let mut known = self.known.subscribe();
        let told = timeout(patience, known.wait_for(|known| known.of(kind).is_some())).await;
        told.ok().and_then(Result::ok).and_then(|known| known.of(kind)).unwrap_or(Way::Core)
    }

    /// Has the streams looked at again now; until then what is known holds.
    pub(super) fn look_again(&self) {
        self.doubted.notify_one();
    }

    /// What is known did not hold: the streams are looked at again, and nothing goes out before.
    pub(super) fn doubt(&self) {
        self.known.send_replace(Known::default());
        self.look_again();
    }
}

/// Which stream takes a subject.
enum Covering {
    Stream(String),
    /// None does, there is no JetStream, or nobody says.
    None,
}

impl Covering {
    const fn way(&self) -> Way {
        match self {
            Self::Stream(_) => Way::Acknowledged,
            Self::None => Way::Core,
        }
    }
}

/// Looks, now and then, which streams take alert events, and says where one may not keep what it acknowledges: a
/// stream with interest retention and without consumers acknowledges and stores nothing.
pub(super) async fn check(client: Client, context: ShellContext, ways: Arc<Ways>) {
    while !context.stop.is_stopping() {
        while client.connection_state() != State::Connected {
            tokio::time::sleep(LOOK_FOR_CONNECTION).await;
        }
        if context.config.get().alerts.delivery == AlertDelivery::Core {
            context.status.clear(Topic::AlertStream);
        } else {
            look(&client, &context, &ways).await;
        }
        // Its end is the time to look again, whichever comes first.
        drop(timeout(LOOK_EVERY, ways.doubted.notified()).await);
    }
}

async fn look(client: &Client, context: &ShellContext, ways: &Ways) {
    let (triggered, cleared) = tokio::join!(
        covering(client, &context.settings, EventType::AlertTriggered),
        covering(client, &context.settings, EventType::AlertCleared),
    );
    if client.connection_state() != State::Connected {
        // What nobody answered says nothing then.
        ways.look_again();
        return;
    }
    ways.known.send_replace(Known { triggered: Some(triggered.way()), cleared: Some(cleared.way()) });
    if let Covering::Stream(stream) = triggered {
        look_at_stream(client, context, &stream).await;
    }
}

/// Asks which stream takes the events of a type.
async fn covering(client: &Client, settings: &Settings, event_type: EventType) -> Covering {
    #[derive(Deserialize)]
    struct Names {
        streams: Option<Vec<String>>,
    }
    let body = json!({ "subject": settings.subjects.of(event_type) }).to_string();
    match request::<Names>(client, settings, "STREAM.NAMES", &body).await {
        Some(Names { streams: Some(streams) }) => {
            streams.into_iter().next().map_or(Covering::None, Covering::Stream)
        }
        Some(Names { streams: None }) | None => Covering::None,
    }
}

async fn look_at_stream(client: &Client, context: &ShellContext, stream: &str) {
    #[derive(Deserialize)]
    struct Info {
        config: Config,
    }
    #[derive(Deserialize)]
    struct Config {
        retention: String,
    }
    let what = format!("STREAM.INFO.{stream}");
    let Some(info) = request::<Info>(client, &context.settings, &what, "").await else { return };
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

/// Asks the JetStream API; none where there is none, or no answer that can be read.
async fn request<T: DeserializeOwned>(
    client: &Client,
    settings: &Settings,
    what: &str,
    body: &str,
) -> Option<T> {
    let prefix = match &settings.jetstream.domain {
        Some(domain) => format!("$JS.{domain}.API"),
        None => "$JS.API".to_owned(),
    };
    let asked = client.request(format!("{prefix}.{what}"), body.to_owned().into());
    let answer = timeout(settings.nats.request_timeout, asked).await.ok()?.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn way(ways: &Ways, kind: AlertKind) -> Way {
        ways.of(kind, Duration::ZERO).await
    }

    #[tokio::test]
    async fn what_is_known_holds_until_it_is_doubted() {
        let ways = Ways::default();
        assert_eq!(way(&ways, AlertKind::Triggered).await, Way::Core);
        ways.known.send_replace(Known { triggered: Some(Way::Acknowledged), cleared: Some(Way::Core) });
        ways.look_again();
        assert_eq!(way(&ways, AlertKind::Triggered).await, Way::Acknowledged);
        assert_eq!(way(&ways, AlertKind::Cleared).await, Way::Core);
        ways.doubt();
        assert_eq!(way(&ways, AlertKind::Triggered).await, Way::Core);
    }
}
