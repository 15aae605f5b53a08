//! The subjects, lanes and payloads of events as an `AsyncAPI` 3 document: what signalbox receives, and what it sends.

use serde_json::{Map, Value, json};

use crate::engine::config::Config;
use crate::engine::wire::{EventType, Lane, Subjects, schema};

/// The document for a configuration.
pub(super) fn document(config: &Config) -> Value {
    let subjects = config.event_subjects();
    let lanes = config.wire().lanes;
    let mut channels = Map::new();
    let mut operations = Map::new();
    let mut messages = Map::new();
    let sent = [EventType::AlertTriggered, EventType::AlertCleared];
    for event_type in EventType::ALL {
        let (name, lane) = (event_type.name(), lanes.get(event_type).copied());
        if lane.is_none() && !sent.contains(event_type) {
            continue;
        }
        let lane_of = lane.unwrap_or_else(|| event_type.default_lane());
        channels.insert(name.to_owned(), channel(*event_type, &subjects, lane_of));
        messages.insert(name.to_owned(), message(*event_type));
        if lane.is_some() {
            operations.insert(format!("receive{name}"), operation("receive", name));
        }
    }
    for alert in sent {
        operations.insert(format!("send{}", alert.name()), operation("send", alert.name()));
    }
    channels.insert("Rejected".to_owned(), rejected_channel(&config.rejected.subject));
    operations.insert("sendRejected".to_owned(), operation("send", "Rejected"));
    messages.insert("Rejected".to_owned(), rejected_message());
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "signalbox",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Domain events that signalbox turns into metrics and alerts, and the alerts it sends.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schema::definitions()},
    })
}

fn channel(event_type: EventType, subjects: &Subjects, lane: Lane) -> Value {
    let name = event_type.name();
    let how = match lane {
        Lane::Core => "Core NATS, at most once.",
        Lane::JetStream => "A JetStream stream, at least once and counted once by event_id.",
    };
    json!({
        "address": subjects.of(event_type),
        "title": name,
        "description": how,
        "messages": {name: {"$ref": format!("#/components/messages/{name}")}},
        "x-signalbox-lane": lane.name(),
    })
}

fn operation(action: &str, channel: &str) -> Value {
    json!({
        "action": action,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "messages": [{"$ref": format!("#/channels/{channel}/messages/{channel}")}],
    })
}

fn message(event_type: EventType) -> Value {
    let name = event_type.name();
    json!({
        "name": name,
        "title": name,
        "summary": event_type.sentence(),
        "contentType": "application/json",
        "payload": {"$ref": format!("#/components/schemas/{name}")},
    })
}

fn rejected_channel(subject: &str) -> Value {
    json!({
        "address": subject,
        "title": "Rejected",
        "description": "Copies of refused events, by default of those from the stream.",
        "messages": {"Rejected": {"$ref": "#/components/messages/Rejected"}},
    })
}

fn rejected_message() -> Value {
    json!({
        "name": "Rejected",
        "title": "Rejected",
        "summary": "The message as it came.",
        "headers": {
            "type": "object",
            "properties": {
                "Signalbox-Reason": {"type": "string", "description": "Why it was refused."},
                "Signalbox-Subject": {"type": "string", "description": "The subject it came on."},
            },
            "required": ["Signalbox-Reason", "Signalbox-Subject"],
        },
        "payload": {"description": "Any bytes."},
    })
}
