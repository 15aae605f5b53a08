//! The subjects that events are published to: `events.<context>.<EventType>`, and behind it as many tokens as the
//! configuration allows.

use std::fmt::Write;
use std::sync::Arc;

use super::payload::EventType;

/// Builds and reads the subjects of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    prefix: Arc<str>,
    /// How many tokens may follow the type.
    tokens: usize,
}

impl Default for Subjects {
    /// The subjects that begin with `events`.
    fn default() -> Self {
        Self { prefix: Arc::from("events"), tokens: 0 }
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
        prefix.split('.').all(is_token).then(|| Self { prefix: Arc::from(prefix), tokens: 0 })
    }

    /// The same with up to so many tokens behind the type.
    #[must_use]
    pub(crate) fn followed_by(self, tokens: usize) -> Self {
        Self { tokens, ..self }
    }

    /// The subject of a type, which nothing follows.
    pub fn of(&self, event_type: EventType) -> String {
        let mut subject = String::from(&*self.prefix);
        // Writing to a string cannot fail.
        let _ = write!(subject, ".{}.{}", event_type.context(), event_type.name());
        subject
    }

    /// What is asked of a server to be given the events of a type: patterns, no two of which match one subject.
    pub(crate) fn patterns(&self, event_type: EventType) -> Vec<String> {
        let subject = self.of(event_type);
        (0..=self.tokens).map(|tokens| format!("{subject}{}", ".*".repeat(tokens))).collect()
    }

    /// The type whose subject this is.
    pub(crate) fn type_of(&self, subject: &str) -> Option<EventType> {
        let mut tokens = subject.strip_prefix(&*self.prefix)?.strip_prefix('.')?.split('.');
        let (context, name) = (tokens.next()?, tokens.next()?);
        let event_type = EventType::from_name(name).filter(|known| known.context() == context)?;
        (tokens.count() <= self.tokens).then_some(event_type)
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

/// The token of a subject that names the type: the first that does, else the last.
pub(super) fn type_token(subject: &str) -> &str {
    let named = subject.split('.').find(|token| EventType::from_name(token).is_some());
    named.or_else(|| subject.rsplit('.').next()).unwrap_or_default()
}

/// The tokens of a subject behind the one that names the type.
pub(crate) fn tokens_after_type(subject: &str) -> impl Iterator<Item = &str> {
    subject.split('.').skip_while(|token| EventType::from_name(token).is_none()).skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_types_subject_names_context_and_type() {
        assert_eq!(Subjects::default().of(EventType::JobQueued), "events.queue.JobQueued");
        for (subject, token) in [
            ("events.queue.JobQueued", "JobQueued"),
            ("events.queue.JobQueued.tenant-7.JobStarted", "JobQueued"),
            ("events.queue.Unknown", "Unknown"),
            ("", ""),
        ] {
            assert_eq!(type_token(subject), token);
        }
    }

    #[test]
    fn as_many_tokens_follow_the_type_as_are_allowed() {
        let subjects = Subjects::default().followed_by(2);
        let patterns = ["events.queue.JobQueued", "events.queue.JobQueued.*", "events.queue.JobQueued.*.*"];
        assert_eq!(subjects.patterns(EventType::JobQueued), patterns);
        let cases = [
            ("events.queue.JobQueued", true),
            ("events.queue.JobQueued.a", true),
            ("events.queue.JobQueued.a.b", true),
            ("events.queue.JobQueued.a.b.c", false),
            ("events.caching.JobQueued", false),
            ("events.queue", false),
            ("eventsqueue.JobQueued", false),
            ("other.queue.JobQueued", false),
        ];
        for (subject, is_one) in cases {
            assert_eq!(subjects.type_of(subject), is_one.then_some(EventType::JobQueued), "{subject}");
            let is_asked_for = patterns.iter().any(|pattern| matches(pattern, subject));
            assert_eq!(is_asked_for, is_one, "{subject}");
        }
        let after = |subject| tokens_after_type(subject).collect::<Vec<_>>();
        assert_eq!(after("events.queue.JobQueued.a.JobQueued"), ["a", "JobQueued"]);
        assert!(after("events.queue.JobQueued").is_empty() && after("events.queue.What.a").is_empty());
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
