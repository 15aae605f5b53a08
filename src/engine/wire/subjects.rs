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
    /// The subjects that begin with `prefix`, of one token or several; none where no subject can.
    pub fn below(prefix: &str) -> Option<Self> {
        let is_token = |token: &str| {
            !token.is_empty()
                && !token.contains(|letter: char| {
                    letter.is_whitespace() || letter.is_control() || "*>".contains(letter)
                })
        };
        prefix.split('.').all(is_token).then(|| Self { prefix: Arc::from(prefix) })
    }

    /// The subject of a type.
    pub fn of(&self, event_type: EventType) -> String {
        let mut subject = String::from(&*self.prefix);
        // Writing to a string cannot fail.
        let _ = write!(subject, ".{}.{}", event_type.context(), event_type.name());
        subject
    }
}

/// Whether a subject matches a pattern with `*` for one token and `>` for all that follow.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
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
    fn a_prefix_has_whole_tokens_without_wildcards() {
        let subject = |prefix| Subjects::below(prefix).map(|subjects| subjects.of(EventType::JobQueued));
        assert_eq!(subject("acme.live").as_deref(), Some("acme.live.queue.JobQueued"));
        for wrong in ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "a\tb"] {
            assert_eq!(subject(wrong), None, "{wrong:?}");
        }
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
