//! `/metrics`: one instant of the store as text 0.0.4, OpenMetrics or protobuf, in chunks.
//!
//! A [`FrozenMetrics`] shares its pages with the store and may be written by any thread. Chunks of about 160 KiB are made
//! as they are asked for, so that a scrape of a million series needs no more memory than one of ten.

mod chunks;
mod escape;
mod exemplar;
mod format;
mod number;
mod plan;
mod protobuf;
mod text;

use std::sync::Arc;

pub(crate) use chunks::Chunks;
pub use chunks::Filled;
pub use format::{Escaping, ScrapeFormat, Syntax, negotiate};
pub(crate) use number::{push_decimal, push_seconds};

use crate::engine::labels::Labels;
use crate::engine::series::recent::{FrozenEvents, RecentEvents};
use crate::engine::series::{Exemplar, Frozen, Row, Rows};
use crate::engine::time::Timestamp;

/// Everything a scrape shows, at one instant. A clone is cheap and shows the same.
#[derive(Clone, Debug)]
pub struct FrozenMetrics {
    frozen: Arc<Frozen>,
    events: FrozenEvents,
}

/// An exemplar as readers see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShownExemplar {
    /// `event_id`, and what else is known of the event.
    pub(crate) labels: Labels,
    /// What the event added or observed.
    pub(crate) value: f64,
    /// The event's own timestamp.
    pub(crate) timestamp: Timestamp,
}

/// What a scraper asked for.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// How to write it.
    pub format: ScrapeFormat,
    /// Names of the families or samples to keep (`name[]`); all where there is none.
    pub names: Vec<String>,
}

impl FrozenMetrics {
    /// What the store and the ring of recent events held at one instant.
    pub fn new(frozen: Frozen, events: FrozenEvents) -> Self {
        Self { frozen: Arc::new(frozen), events }
    }

    /// The store they came from.
    pub(in crate::engine) fn store(&self) -> &Frozen {
        &self.frozen
    }

    /// What is known of an exemplar's event, while it is among the last ones.
    pub(in crate::engine) fn shown(&self, exemplar: Exemplar) -> Option<ShownExemplar> {
        let shown = exemplar::ExemplarText::of(exemplar, &self.events)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(ShownExemplar {
            labels: Labels::collect(shown.labels().map(|(name, value)| (name, text(value)))),
            value: shown.value,
            timestamp: shown.timestamp,
        })
    }

    /// The whole answer to a scrape in one piece.
    pub(crate) fn into_bytes(self, scrape: Scrape) -> Vec<u8> {
        self.write(scrape).flatten().collect()
    }
}

/// A series to write.
#[derive(Clone, Copy, Debug)]
struct Written<'a> {
    page: &'a Rows,
    row: &'a Row,
    /// Its labels in the scraper's spelling, where that is another.
    spelled: Option<&'a str>,
}

impl Written<'_> {
    fn born(&self) -> Timestamp {
        self.page.born(self.row)
    }
}

/// Where the values of a series are read.
#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    frozen: &'a Frozen,
    events: &'a RecentEvents,
}

#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod tests;
