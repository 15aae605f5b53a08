//! The subjects that events are published to: `events.<context>.<EventType>`.

use std::fmt::Write;
use std::sync::Arc;

use super::payload::EventType;

/// Builds and reads the subjects of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    prefix: Arc<str>,
}

impl Default for Subjects {
    /// The subjects that begin with `events`.
    fn default() -> Self {
        Self { prefix: Arc::from("events") }
    }
}

impl Subjects {
    /// The subject of a type.
    pub fn of(&self, event_type: EventType) -> String {
        let mut subject = String::from(&*self.prefix);
        // Writing to a string cannot fail.
        let _ = write!(subject, ".{}.{}", event_type.context(), event_type.name());
        subject
    }

    /// What stands before every event's context.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Whether a subject matches a pattern with `*` for one token and `>` for all that follow.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let (mut patterns, mut tokens) = (pattern.split('.'), subject.split('.'));
    loop {
        match (patterns.next(), tokens.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some(wanted), Some(token)) if wanted == "*" || wanted == token => {}
            _ => return false,
        }
    }
}

/// The last token of a subject, which names the type.
pub(super) fn last_token(subject: &str) -> &str {
    subject.rsplit('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_types_subject_names_context_and_type() {
        assert_eq!(Subjects::default().of(EventType::JobQueued), "events.queue.JobQueued");
        assert_eq!(last_token("events.queue.JobQueued"), "JobQueued");
    }

    #[test]
    fn subjects_match_patterns_as_the_server_has_it() {
        let cases = [
            ("events.>", "events.queue.JobQueued", true),
            ("events.*.JobQueued", "events.queue.JobQueued", true),
            ("events.queue.JobQueued", "events.queue.JobQueued", true),
            ("events.*", "events.queue.JobQueued", false),
            ("events.>", "events", false),
            ("other.>", "events.queue.JobQueued", false),
        ];
        for (pattern, subject, expected) in cases {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }
}
