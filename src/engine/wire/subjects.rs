//! The subjects that events are published to: `events.<context>.<EventType>`, and behind it as many tokens as the
//! configuration allows.

use std::fmt::Write;
use std::sync::Arc;

use super::payload::EventType;

/// The same for subjects that are one, and another for most that are not: of their length and their last bytes. The
/// upper bits are the better ones.
#[inline]
pub(crate) fn looks(subject: &[u8]) -> u64 {
    let end = subject.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
    (end ^ subject.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Builds and reads the subjects of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    prefix: Arc<str>,
    /// How many tokens may follow the type.
    tokens: usize,
    part: Option<SubjectPart>,
}

/// The part of the keys that is read, where a server parts them: what has a key comes below `<prefix>.<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SubjectPart {
    index: usize,
    /// Which token behind the type is the key.
    key: usize,
}

impl Default for Subjects {
    /// The subjects that begin with `events`.
    fn default() -> Self {
        Self { prefix: Arc::from("events"), tokens: 0, part: None }
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
        prefix.split('.').all(is_token).then(|| Self { prefix: Arc::from(prefix), tokens: 0, part: None })
    }

    /// The same with up to so many tokens behind the type.
    #[must_use]
    pub(crate) fn followed_by(self, tokens: usize) -> Self {
        Self { tokens, ..self }
    }

    /// The same as they are read by the part of this number, where the token `key` behind the type is what they are
    /// parted by. What has no key is the first part's.
    #[must_use]
    pub(crate) fn of_part(self, index: usize, key: usize) -> Self {
        Self { part: Some(SubjectPart { index, key }), ..self }
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
        let pattern = |tokens: usize| {
            let stars = ".*".repeat(tokens);
            match self.part {
                Some(SubjectPart { index, key }) if tokens > key => {
                    let (prefix, context, name) = (&self.prefix, event_type.context(), event_type.name());
                    Some(format!("{prefix}.{index}.{context}.{name}{stars}"))
                }
                Some(SubjectPart { index: 1.., .. }) => None,
                Some(SubjectPart { index: 0, .. }) | None => Some(format!("{subject}{stars}")),
            }
        };
        (0..=self.tokens).filter_map(pattern).collect()
    }

    /// What a server has to map to what, so that what has a key in a context comes to one of `count` parts: the same key
    /// to the same part, whatever the type. No two sources match one subject.
    pub(crate) fn mappings(&self, context: &str, count: usize) -> Vec<(String, String)> {
        let Some(SubjectPart { key, .. }) = self.part else { return Vec::new() };
        let prefix = &self.prefix;
        let mapping = |tokens: usize| {
            let wildcards: Vec<String> =
                (1..=tokens + 1).map(|place| format!(".{{{{wildcard({place})}}}}")).collect();
            let wildcards = wildcards.concat();
            let part = format!("{{{{partition({count},{})}}}}", key + 2);
            (
                format!("{prefix}.{context}.*{}", ".*".repeat(tokens)),
                format!("{prefix}.{part}.{context}{wildcards}"),
            )
        };
        (key + 1..=self.tokens).map(mapping).collect()
    }

    /// The type whose subject this is, as it is published or as a server has mapped it for this part.
    pub(crate) fn type_of(&self, subject: &str) -> Option<EventType> {
        let rest = subject.strip_prefix(&*self.prefix)?.strip_prefix('.')?;
        let is_own = |token: &str| self.part.is_some_and(|part| token.parse() == Ok(part.index));
        let mapped = rest.split_once('.').filter(|(token, _)| is_own(token)).map(|(_, rest)| rest);
        let mut tokens = mapped.unwrap_or(rest).split('.');
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
        assert_eq!(subjects.mappings("queue", 4), []);
        let after = |subject| tokens_after_type(subject).collect::<Vec<_>>();
        assert_eq!(after("events.queue.JobQueued.a.JobQueued"), ["a", "JobQueued"]);
        assert!(after("events.queue.JobQueued").is_empty() && after("events.queue.What.a").is_empty());
    }

    #[test]
    fn a_part_reads_its_keys_and_the_first_what_has_none() {
        let patterns = |index, key| {
            let subjects = Subjects::default().followed_by(2).of_part(index, key);
            subjects.patterns(EventType::JobQueued)
        };
        assert_eq!(
            patterns(0, 1),
            ["events.queue.JobQueued", "events.queue.JobQueued.*", "events.0.queue.JobQueued.*.*"]
        );
        assert_eq!(patterns(3, 0), ["events.3.queue.JobQueued.*", "events.3.queue.JobQueued.*.*"]);
        let subjects = Subjects::default().followed_by(2).of_part(3, 0);
        for (subject, is_one) in [
            ("events.queue.JobQueued.a", true),
            ("events.3.queue.JobQueued.a.b", true),
            ("events.2.queue.JobQueued.a", false),
            ("events.3.queue.JobQueued.a.b.c", false),
        ] {
            assert_eq!(subjects.type_of(subject), is_one.then_some(EventType::JobQueued), "{subject}");
        }
        assert_eq!(tokens_after_type("events.3.queue.JobQueued.a").collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_server_maps_by_the_key_alone() {
        let of_key = |key| Subjects::default().followed_by(2).of_part(0, key).mappings("queue", 4);
        let mapping = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let whole = "events.{{partition(4,3)}}.queue.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}";
        assert_eq!(of_key(1), [mapping("events.queue.*.*.*", whole)]);
        let short = "events.{{partition(4,2)}}.queue.{{wildcard(1)}}.{{wildcard(2)}}";
        let long = format!("{short}.{{{{wildcard(3)}}}}");
        assert_eq!(of_key(0), [mapping("events.queue.*.*", short), mapping("events.queue.*.*.*", &long)]);
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
