//! Labels that tokens of an event's subject become, where the configuration says so.

use std::sync::Arc;

use super::row::{CatalogueRow, Source};
use crate::engine::config::Config;
use crate::engine::metric::MetricType;
use crate::engine::wire::subjects::tokens_after_type;

/// The labels, and what they are for the subject that was noted last.
#[derive(Debug, Default)]
pub(super) struct SubjectLabels {
    labels: Vec<TokenLabel>,
    subject: String,
}

/// A label, which token it is, and its present value; empty where the subject has no such token.
#[derive(Debug)]
struct TokenLabel {
    name: Arc<str>,
    place: usize,
    value: String,
}

impl SubjectLabels {
    /// The labels of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        let tokens = config.subjects.tokens.iter().enumerate();
        let labels = tokens.filter_map(|(place, token)| {
            let name = Arc::from(token.label.as_deref()?);
            Some(TokenLabel { name, place, value: String::new() })
        });
        Self { labels: labels.collect(), subject: String::new() }
    }

    /// Notes the subject of the events that follow.
    #[inline]
    pub(super) fn note(&mut self, subject: &str) {
        if !self.labels.is_empty() && self.subject != subject {
            self.read(subject);
        }
    }

    fn read(&mut self, subject: &str) {
        subject.clone_into(&mut self.subject);
        for label in &mut self.labels {
            tokens_after_type(subject).nth(label.place).unwrap_or_default().clone_into(&mut label.value);
        }
    }

    /// Names and values.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.labels.iter().map(|label| (label.name.as_ref(), label.value.as_str()))
    }
}

impl CatalogueRow {
    /// Whether its series have the labels that tokens of the subject become: where a single event moves one series for
    /// good. What a tracker holds moves between series by events of other subjects.
    pub(crate) fn takes_subject_labels(&self) -> bool {
        match self.source {
            Source::Event(_) => true,
            Source::Tracker(_) => self.metric_type != MetricType::Gauge,
            Source::Sidecar | Source::Process => false,
        }
    }
}
