//! The last rejected events by reason, cut and without secrets, for whoever looks for what is wrong with them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use regex::Regex;

use crate::engine::fact::Rejected;
use crate::engine::time::Timestamp;
use crate::engine::wire::{Lane, Message, Reason};

/// Examples kept of each reason.
const KEPT_MAX: usize = 5;

/// Bytes of a payload that are kept.
const PAYLOAD_BYTES_MAX: usize = 512;

/// Bytes of a subject that are kept.
const SUBJECT_BYTES_MAX: usize = 200;

/// The shortest time between two examples of a reason, so that a flood costs nothing.
const NOT_BEFORE: Duration = Duration::from_millis(500);

/// One rejected event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// When it was rejected.
    pub(crate) at: Timestamp,
    /// The lane it came on.
    pub(crate) lane: Lane,
    /// The subject it came on.
    pub(crate) subject: String,
    /// What is wrong with it.
    pub(crate) detail: String,
    /// The beginning of the message.
    pub(crate) payload: String,
    /// Bytes of the whole message.
    pub(crate) payload_bytes: usize,
}

/// The last examples of each reason, shared by the driver and the page.
#[derive(Debug, Default)]
pub(crate) struct RejectedExamples(Mutex<BTreeMap<&'static str, OfReason>>);

#[derive(Debug, Default)]
struct OfReason {
    last: Option<Instant>,
    kept: VecDeque<Example>,
}

impl RejectedExamples {
    /// Keeps an event, unless one of the same reason was kept just now or somebody reads.
    pub(crate) fn notice(&self, (lane, message): (Lane, &Message<'_>), rejected: &Rejected, at: Timestamp) {
        let Ok(mut reasons) = self.0.try_lock() else { return };
        let of_reason = reasons.entry(rejected.refusal.reason.name()).or_default();
        let now = Instant::now();
        if of_reason.last.is_some_and(|last| now.duration_since(last) < NOT_BEFORE) {
            return;
        }
        of_reason.last = Some(now);
        if of_reason.kept.len() >= KEPT_MAX {
            of_reason.kept.pop_back();
        }
        of_reason.kept.push_front(Example {
            at,
            lane,
            subject: cut(message.subject, SUBJECT_BYTES_MAX).to_owned(),
            detail: masked(&rejected.refusal.detail),
            payload: shown(message.payload),
            payload_bytes: message.payload.len(),
        });
    }

    /// The examples of a reason, the last one first.
    pub(crate) fn of(&self, reason: Reason) -> Vec<Example> {
        let reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.get(reason.name()).map(|of| of.kept.iter().cloned().collect()).unwrap_or_default()
    }
}

/// The beginning of a payload. Secrets are painted over before it is cut, so that no half of one is left.
fn shown(payload: &[u8]) -> String {
    let beginning = payload.get(..payload.len().min(4 * PAYLOAD_BYTES_MAX)).unwrap_or_default();
    let text = masked(&String::from_utf8_lossy(beginning));
    cut(&text, PAYLOAD_BYTES_MAX).to_owned()
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// Values of fields that are called like secrets, and user parts of URLs.
static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?P<key>[\w-]*(?:passw|secret|token|authorization|api[_-]?key|private[_-]?key|nkey|credential|cookie|"#,
        r#"bearer)[\w-]*\\?["']?\s*[:=]\s*)"#,
        r#"(?:\\?"(?:[^"\\]|\\.)*\\?"?|[^,}\s]+(?:\s+[\w.~+/=-]{8,})?)|(?P<scheme>://)[^/\s"@]*@"#
    ))
    .ok()
});

fn masked(text: &str) -> String {
    match &*SECRETS {
        Some(secrets) => secrets.replace_all(text, "${key}${scheme}***").into_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
