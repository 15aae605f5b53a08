//! Which subjects of the stream are ours: what the server is asked to leave out, and what the stream does not take.

use serde_json::{Value, json};

use crate::engine::fact::Fact;
use crate::engine::wire::{EventType, subjects};
use crate::shell::nats::api::{ConsumerInfo, StreamInfo};

use super::machine::Output;
use super::stream::{StreamMachine, Wanted};
use super::words::{Remark, Trouble};

/// Whether the server was asked to leave other types out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterAsked {
    Yes,
    No,
}

impl StreamMachine {
    /// Asks the server to leave other types out, where the stream takes any.
    pub(super) fn put_filter(&self, config: &mut Value, info: &StreamInfo) -> FilterAsked {
        let Some(fields) = config.as_object_mut().filter(|_| !self.covers_stream(info)) else {
            return FilterAsked::No;
        };
        let subjects: Vec<&str> = self.wanted.iter().map(|it| it.pattern.as_str()).collect();
        match subjects.as_slice() {
            [only] => fields.insert("filter_subject".to_owned(), json!(only)),
            several => fields.insert("filter_subjects".to_owned(), json!(several)),
        };
        FilterAsked::Yes
    }

    /// Whether the consumer as the server made it delivers our types alone.
    pub(super) fn is_filtered(&self, made: &ConsumerInfo, info: &StreamInfo) -> bool {
        let several = &made.config.filter_subjects;
        self.covers_stream(info)
            || self.asks_for(&made.config.filter_subject)
            || (!several.is_empty() && several.iter().all(|it| self.asks_for(it)))
    }

    /// Whether the stream takes nothing but our types.
    pub(super) fn covers_stream(&self, info: &StreamInfo) -> bool {
        info.config.subjects_held().is_some_and(|held| held.iter().all(|it| self.asks_for(it)))
    }

    /// Whether a pattern is one of ours.
    fn asks_for(&self, pattern: &str) -> bool {
        self.wanted.iter().any(|it| it.pattern == pattern)
    }

    /// Whether a subject is that of one of our types.
    pub(super) fn wants(&self, subject: &[u8]) -> bool {
        let wants = |subject| self.wanted.iter().any(|it| subjects::matches(&it.pattern, subject));
        std::str::from_utf8(subject).is_ok_and(wants)
    }

    /// Looks which of the lane's subjects the stream does not take.
    ///
    /// # Errors
    /// It takes none.
    pub(super) fn check_subjects(&mut self, info: &StreamInfo) -> Result<(), Trouble> {
        // What other streams bring is not said.
        let held = info.config.subjects_held();
        let takes = |subject: &str| {
            held.is_none_or(|held| held.iter().any(|pattern| subjects::matches(pattern, subject)))
        };
        let lacks = |it: &&Wanted| !takes(&it.pattern);
        let (missing_subjects, mut missing): (Vec<String>, Vec<EventType>) =
            self.wanted.iter().filter(lacks).map(|it| (it.pattern.clone(), it.event_type)).unzip();
        let takes_none = missing.len() == self.wanted.len();
        missing.dedup();
        if self.missing.as_ref() != Some(&missing) {
            let mut held_types: Vec<EventType> = self.wanted.iter().map(|it| it.event_type).collect();
            held_types.dedup();
            held_types.retain(|it| !missing.contains(it));
            let fact = Fact::StreamSubjects { held: held_types, missing: missing.clone() };
            self.outputs.push_back(Output::Fact(fact));
            if missing.is_empty() {
                let were_missing = self.missing.as_ref().is_some_and(|before| !before.is_empty());
                if were_missing {
                    self.say(Remark::SubjectsComplete);
                }
            } else if !takes_none {
                let all = held.into_iter().flatten().chain(&missing_subjects).cloned().collect();
                self.say(Remark::SubjectsMissing { missing: missing_subjects.clone(), all });
            }
            self.missing = Some(missing);
        }
        if takes_none {
            let (stream, held) = (self.stream(), held.unwrap_or_default().to_vec());
            return Err(Trouble::NoSubject { stream, held, missing: missing_subjects });
        }
        Ok(())
    }
}

/// Takes the filter out again.
pub(super) fn take_filter(config: &mut Value) {
    if let Some(fields) = config.as_object_mut() {
        fields.remove("filter_subject");
        fields.remove("filter_subjects");
    }
}
