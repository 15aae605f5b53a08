//! The keys of the connection and its lanes.

use std::collections::BTreeMap;
use std::fmt;

use super::changes::{Change, Changes};
use super::declare::{KeyValue, event_type, lane, section, words};
use crate::engine::wire::{EventType, Lane};
use crate::engine::yaml::keys::KeyDefault::{Nothing, Required, Value, Words};
use crate::engine::yaml::keys::{Effect, Key, KeyKind};
use crate::engine::yaml::{Read, Values};

section! {
    /// The subjects of events.
    SubjectsConfig {
        /// What stands before context and type in every event's subject, in both directions; one token or several.
        prefix: String = KeyKind::Text, Value("events"), Restart;
        /// The tokens that may follow the event type, in their order; a subject may lack the last ones, and one with more is not read.
        tokens: Vec<SubjectToken> = KeyKind::List(&KeyKind::Section(SubjectToken::KEYS)), Nothing, Restart;
    }
}

section! {
    /// A token that may follow the event type in a subject.
    SubjectToken {
        /// What it is called here.
        name: String = KeyKind::Text, Required, Restart;
        /// The label it becomes; without it none. On every metric that single events feed; tracked gauges have none.
        label: Option<String> = KeyKind::Text, Words("none"), Restart;
    }
}

section! {
    /// Which part of the keys this instance reads.
    PartitionConfig {
        /// How many parts there are; with 1 there is nothing to part.
        count: usize = KeyKind::Count(1), Value("1"), Restart;
        /// Which of them this instance reads, from 0; the first also reads what has no key.
        index: usize = KeyKind::Count(0), Value("0"), Restart;
        /// The token of `subjects.tokens` that is the key; where there are none, the one token that follows the type.
        token: String = KeyKind::Text, Value("key"), Restart;
    }
}

section! {
    /// How the broker is reached.
    NatsConfig {
        /// Server URLs (`nats://` or `tls://`), separated by commas or as a list.
        url: Vec<String> = KeyKind::OneOrMany(&KeyKind::Text), Value("nats://127.0.0.1:4222"), Restart;
        /// The user name; with `password`.
        user: Option<String> = KeyKind::Text, Nothing, Restart;
        /// The password.
        password: Option<Secret> = KeyKind::Secret, Nothing, Restart;
        /// The file that holds the password.
        password_file: Option<String> = KeyKind::Text, Nothing, Restart;
        /// The token.
        token: Option<Secret> = KeyKind::Secret, Nothing, Restart;
        /// The file that holds the token.
        token_file: Option<String> = KeyKind::Text, Nothing, Restart;
        /// The path of a credentials file.
        creds: Option<String> = KeyKind::Text, Nothing, Restart;
        /// The nkey seed.
        nkey: Option<Secret> = KeyKind::Secret, Nothing, Restart;
        /// The file that holds the nkey seed.
        nkey_file: Option<String> = KeyKind::Text, Nothing, Restart;
        /// What the subjects below which the server's answers come begin with, for accounts that may subscribe only there.
        inbox_prefix: String = KeyKind::Text, Value("_INBOX"), Restart;
        /// Files of a TLS connection.
        tls: TlsConfig = KeyKind::Section(TlsConfig::KEYS), Nothing, Restart;
    }
}

section! {
    /// Files of a TLS connection.
    TlsConfig {
        /// Certificates of authorities to trust, PEM.
        ca: Option<String> = KeyKind::Text, Words("the system's"), Restart;
        /// The client certificate, PEM; with `key`.
        cert: Option<String> = KeyKind::Text, Nothing, Restart;
        /// The client key, PEM; with `cert`.
        key: Option<String> = KeyKind::Text, Nothing, Restart;
        /// Where the server asks for TLS or the URL begins with `tls://`; always; always, before the server says a word.
        mode: TlsMode = TlsMode::WORDS, Value("auto"), Restart;
    }
}

words! {
    /// When the connection uses TLS.
    TlsMode {
        AsServerAsks = "auto": "Where the server asks for it or the URL begins with `tls://`.",
        Required = "required": "Always.",
        First = "first": "Always, before the server says a word (servers with `handshake_first`).",
    }
}

section! {
    /// The lane that loses nothing.
    JetStreamConfig {
        /// `false` takes every event type from core NATS.
        enabled: bool = KeyKind::Flag, Value("true"), Restart;
        /// The stream that is read.
        stream: String = KeyKind::Text, Value("EVENTS"), Restart;
        /// Makes the stream, with exactly the lane's subjects, where it is missing (`signalbox demo` always does).
        create_stream: bool = KeyKind::Flag, Value("false"), Restart;
        /// Where reading begins without a state: the first stored message, new ones only, or where a durable consumer stopped.
        start: StreamStart = StreamStart::WORDS, Value("all"), Restart;
        /// The name of the durable consumer, where one is needed.
        durable: String = KeyKind::Text, Value("signalbox"), Restart;
        /// The JetStream domain.
        domain: Option<String> = KeyKind::Text, Words("the connection's own"), Restart;
        /// From how many waiting messages on the sidecar is not ready.
        ready_pending_max: u64 = KeyKind::Count(1), Value("100000"), Live;
    }
}

words! {
    /// Where reading a stream begins without a state.
    StreamStart {
        All = "all": "At its first stored message.",
        New = "new": "After what is stored now.",
        Resume = "resume": "Where a durable consumer, acknowledged after applying, stopped.",
    }
}

/// A text that is never shown: `Debug` and `Display` write `[hidden]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[hidden]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[hidden]")
    }
}

impl KeyValue for Secret {
    fn of_read(read: &Read) -> Option<Self> {
        read.written().map(|text| Self::new(text.content.as_str()))
    }

    fn absent() -> Self {
        Self::new("")
    }
}

/// The lane of each event type; a type that is not in it is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lanes(BTreeMap<EventType, Lane>);

impl Lanes {
    /// Every type that is read, with its lane.
    pub(crate) fn by_type(&self) -> &BTreeMap<EventType, Lane> {
        &self.0
    }

    /// The same lanes with nothing off: what would ride its default lane is back on it.
    pub(crate) fn with_all(&self) -> Self {
        let Self(mut all) = Self::absent();
        all.extend(self.0.iter().map(|(event_type, lane)| (*event_type, *lane)));
        Self(all)
    }

    /// The types that are off.
    pub(crate) fn off(&self) -> Vec<EventType> {
        EventType::ALL.iter().copied().filter(|event_type| !self.0.contains_key(event_type)).collect()
    }

    /// What is off in as few words as can be: contexts, and types of contexts that are on.
    pub(crate) fn off_words(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        for event_type in self.off() {
            let context = event_type.context();
            let is_whole = !self.0.keys().any(|on| on.context() == context);
            let word = if is_whole { context } else { event_type.name() };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}

impl KeyValue for Lanes {
    fn of_read(read: &Read) -> Option<Self> {
        let mut lanes = Self::absent();
        let written = Values::of(read).text_map();
        // What is said of a type goes before what is said of its context, wherever it stands.
        let (of_types, of_contexts): (Vec<_>, Vec<_>) =
            written.iter().partition(|(name, _)| event_type(name).is_some());
        for (name, word) in of_contexts.into_iter().chain(of_types) {
            for known in EventType::ALL.iter().filter(|it| [it.name(), it.context()].contains(&name.as_str()))
            {
                match lane(word) {
                    Some(lane) => lanes.0.insert(*known, lane),
                    None => lanes.0.remove(known),
                };
            }
        }
        Some(lanes)
    }

    fn absent() -> Self {
        Self(EventType::ALL.iter().map(|event_type| (*event_type, event_type.default_lane())).collect())
    }
}
