//! The keys of a hot pair: two instances over the same events, of which one publishes.

use std::time::Duration;

use super::changes::{Change, Changes};
use super::declare::{KeyValue, section};
use super::keys::SPAN;
use super::{AlertDelivery, Config, StreamStart};
use crate::engine::yaml::keys::KeyDefault::{Nothing, Value};
use crate::engine::yaml::keys::{Effect, Key, KeyKind};
use crate::engine::yaml::{Findings, Read, Values};

section! {
    /// A hot pair: two instances apply everything, one of them publishes the alert events.
    PairConfig {
        /// The NATS key-value bucket that holds the lease of who publishes; it is made where it is missing. Without it there is no pair.
        bucket: String = KeyKind::Text, Nothing, Restart;
        /// The pair's name, the same in both instances: the key of the lease, and the `source` of alert events in the place of `instance`.
        name: String = KeyKind::Text, Value("signalbox"), Restart;
        /// How long the lease holds without being renewed; after that, and at the most 3 s more, the other instance publishes. 1 s at the least.
        lease: Duration = SPAN, Value("5s"), Restart;
        /// Which of `external_labels` tells the two instances apart. Alertmanagers do not get it, so that they take the alerts of both for one.
        replica_label: String = KeyKind::Text, Value("replica"), Restart;
    }
}

/// The shortest lease: a busy machine does not miss it by chance.
const LEASE_MIN: Duration = Duration::from_secs(1);

/// The longest lease.
const LEASE_MAX: Duration = Duration::from_mins(10);

impl Config {
    /// The `source` of alert events: the pair's name where there is one, else the instance's.
    pub(crate) fn alert_source(&self) -> &str {
        if self.pair.is_on() { &self.pair.name } else { &self.instance }
    }
}

impl PairConfig {
    /// Whether there is a pair.
    pub(crate) const fn is_on(&self) -> bool {
        !self.bucket.is_empty()
    }
}

/// Notes what is wrong with the section though each value is of its kind.
pub(super) fn check(config: &Config, top: &Values, findings: &mut Findings<'_>) {
    let Some(read) = top.find("pair") else { return };
    let section = top.section("pair");
    let Some(bucket) = section.written("bucket").filter(|bucket| !bucket.content.is_empty()) else {
        findings.error("incomplete", &read.span, "`pair` has no `bucket`".to_owned()).advise(
            "Name the key-value bucket that holds the lease, for example `pair: {bucket: signalbox}`.",
        );
        return;
    };
    if !bucket.content.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        let message = format!("`pair.bucket` is `{}`, which no bucket can be called", bucket.content);
        findings.error("bad-name", &bucket.span, message).advise("Use letters, digits, `_` and `-`.");
    }
    if let Some(name) = section.written("name").filter(|name| !is_key(&name.content)) {
        let message = format!("`pair.name` is `{}`, which no key of a bucket can be called", name.content);
        findings
            .error("bad-name", &name.span, message)
            .advise("Use letters, digits, `_`, `-`, `=` and `/`, and `.` between them.");
    }
    if let Some(lease) =
        section.find("lease").filter(|_| !(LEASE_MIN..=LEASE_MAX).contains(&config.pair.lease))
    {
        let message = "`pair.lease` is shorter than a second, or longer than ten minutes".to_owned();
        findings.error("out-of-range", &lease.span, message).advise("`5s` suits most.");
    }
    if !config.jetstream.enabled {
        let message = "a pair reads its events from a stream, and `jetstream.enabled` is false".to_owned();
        findings
            .error("contradiction", &read.span, message)
            .advise("Let the JetStream lane be, or leave `pair` out: from core NATS two instances do not get the same.");
    }
    if config.jetstream.start == StreamStart::Resume {
        let message =
            "a pair reads the stream twice, and `jetstream.start: resume` shares one place in it".to_owned();
        findings
            .error("contradiction", &read.span, message)
            .advise("Let `jetstream.start` be: with a state folder each instance goes on where it stopped.");
    }
    if config.alerts.delivery == AlertDelivery::Core {
        let message =
            "a pair publishes its alert events to a stream, and `alerts.delivery` is core".to_owned();
        findings
            .error("contradiction", &read.span, message)
            .advise("Write `alerts: {delivery: jetstream}`, or leave `pair` out.");
    }
}

fn is_key(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'=' | b'/');
    name.split('.').all(|token| !token.is_empty() && token.bytes().all(is_good))
}
