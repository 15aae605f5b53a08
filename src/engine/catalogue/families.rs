//! The catalogue's families in the store, and the way from label values to series.

use std::borrow::Cow;
use std::sync::Arc;

use super::registered::Registered;
use super::row::{CatalogueRow, Source};
use super::rows::Metric;
use super::settings::{Chosen, choose, unit_of};
use super::subject_labels::SubjectLabels;
use crate::engine::config::Config;
use crate::engine::series::known::Known;
use crate::engine::series::print::KeyPrint;
use crate::engine::series::{Cause, FamilySpec, SeriesId, Store};
use crate::engine::time::Timestamp;
use crate::engine::trackers::gauges::{Board, Family};
use crate::engine::trackers::words::UNKNOWN;
use crate::engine::wire::EventType;

/// The most metrics one group moves.
const GROUP_MAX: usize = 6;

/// Metrics that events of one type move together, with all labels any of them has. No two groups begin with the same
/// metric.
#[derive(Debug)]
pub(super) struct Group<const METRICS: usize, const LABELS: usize> {
    pub(super) metrics: [Metric; METRICS],
    pub(super) labels: [&'static str; LABELS],
}

/// The families of the catalogue, with the series that were looked up before.
#[derive(Debug)]
pub(super) struct Families {
    registered: Registered,
    known: Known<[Option<SeriesId>; GROUP_MAX]>,
    label_value_bytes_max: usize,
    /// The types that are left to other instances.
    off: Vec<EventType>,
    /// What the subject of the event adds.
    pub(super) subject: SubjectLabels,
}

impl Families {
    pub(super) fn new(registered: Registered, config: &Config) -> Self {
        let label_value_bytes_max = config.limits.label_value_bytes;
        let (off, subject) = (config.lanes.off(), SubjectLabels::of(config));
        Self { registered, known: Known::new(), label_value_bytes_max, off, subject }
    }

    /// Goes on under another configuration; the metrics that begin anew for it are returned.
    pub(super) fn configure(&mut self, store: &mut Store, config: &Config, now: Timestamp) -> Vec<String> {
        self.label_value_bytes_max = config.limits.label_value_bytes;
        self.known = Known::new();
        self.registered.configure(store, config, now)
    }

    /// Gives birth to the label sets of events that are there from the start: zeros of what others read would be a claim.
    pub(super) fn declare(&self, board: &mut Board<'_>) {
        let has_more = self.subject.pairs().next().is_some();
        self.registered.declare(board, |row| {
            // With labels of the subject no label set is closed.
            let is_closed = !(has_more && row.takes_subject_labels());
            is_closed && row.event().is_some_and(|event_type| !self.off.contains(&event_type))
        });
    }

    /// A family, to feed by itself.
    pub(super) fn family(&self, metric: Metric) -> &Family {
        self.registered.family(metric)
    }

    /// The series of a group for these label values, in the order of its metrics. What was looked up before costs one
    /// probe, and neither formats nor allocates.
    pub(super) fn series<const METRICS: usize, const LABELS: usize>(
        &mut self,
        board: &mut Board<'_>,
        group: &Group<METRICS, LABELS>,
        values: [&str; LABELS],
    ) -> [SeriesId; METRICS] {
        let mut printer = self.known.begin(group.metrics.first().map_or(u8::MAX, |metric| *metric as u8));
        for value in values {
            printer.add(value.as_bytes());
        }
        self.subject.pairs().for_each(|(_, value)| printer.add(value.as_bytes()));
        let print = printer.end();
        let found = match self.known.recent(print) {
            Some(ids) => live(ids, board.store),
            None => self.known.renew(print).and_then(|ids| live(&ids, board.store)),
        };
        found.unwrap_or_else(|| self.look_up(board, group, (print, values)))
    }

    /// A label value as it is exposed: `unknown` for an empty one, and no longer than allowed.
    pub(super) fn value<'t>(&self, text: &'t str) -> &'t str {
        match text {
            "" => UNKNOWN,
            _ => cut(text, self.label_value_bytes_max),
        }
    }

    /// Counts a label value of a metric that was cut.
    pub(super) fn count_cut(&self, board: &mut Board<'_>, metric: &str) {
        let series = self.family(Metric::LabelValuesCut).resolve(board, &[metric]);
        board.add(series, 1.0);
    }

    fn look_up<const METRICS: usize, const LABELS: usize>(
        &mut self,
        board: &mut Board<'_>,
        group: &Group<METRICS, LABELS>,
        (print, values): (KeyPrint, [&str; LABELS]),
    ) -> [SeriesId; METRICS] {
        let mut lasting = true;
        let ids = group.metrics.map(|metric| {
            let mut own = Vec::with_capacity(LABELS);
            for wanted in metric.row().labels {
                let at = group.labels.iter().position(|label| label == wanted);
                let raw = at.and_then(|at| values.get(at)).copied().unwrap_or_default();
                let value = self.value(raw);
                if value.len() < raw.len() {
                    lasting = false;
                    let name = board.store.family(self.family(metric).id()).exposed_name().into_owned();
                    self.count_cut(board, &name);
                }
                own.push(value);
            }
            let mut more = Vec::new();
            for (name, raw) in self.subject.pairs() {
                let value = self.value(raw);
                if value.len() < raw.len() {
                    lasting = false;
                    let metric = board.store.family(self.family(metric).id()).exposed_name().into_owned();
                    self.count_cut(board, &metric);
                }
                more.push((name, value));
            }
            let series = self.family(metric).resolve_with(board, &own, &more);
            lasting &= !board.store.is_overflow(series);
            series
        });
        // A cut is counted each time, and what overflows may find room later.
        if lasting {
            self.known.insert(print, std::array::from_fn(|place| ids.get(place).copied()));
        }
        ids
    }
}

/// The first ids, where there are as many and all are still there.
#[inline]
fn live<const METRICS: usize>(
    ids: &[Option<SeriesId>; GROUP_MAX],
    store: &Store,
) -> Option<[SeriesId; METRICS]> {
    const { assert!(METRICS <= GROUP_MAX, "a group has more metrics than are remembered together") };
    let ids: &[Option<SeriesId>; METRICS] = ids.first_chunk()?;
    let mut found = [(*ids.first()?)?; METRICS];
    for (place, id) in found.iter_mut().zip(ids) {
        *place = id.filter(|id| store.is_live(*id))?;
    }
    Some(found)
}

/// A row as a configuration exposes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExposedMetric {
    /// The row it comes from.
    pub(crate) row: &'static CatalogueRow,
    /// The name of its samples, a histogram's without suffix.
    pub(crate) name: String,
    /// The label names that were not dropped.
    pub(crate) labels: Vec<&'static str>,
    /// Those of the subject that were not dropped.
    pub(crate) of_subject: Vec<String>,
    /// All that were dropped.
    pub(crate) dropped: Vec<String>,
    /// What it is registered with.
    pub(crate) spec: FamilySpec,
}

/// A row as `config` exposes it: what is registered, what rules are checked against and what metadata tells. The
/// sidecar's own metrics keep their labels.
pub(crate) fn exposed(row: &'static CatalogueRow, config: &Config) -> ExposedMetric {
    let family = row.namespaced(row.family(), &config.namespace);
    let chosen = choose(config, &[&family, row.family()], row.metric_type);
    let drops = |label: &str| row.event().is_some() && chosen.drops(label);
    let labels = row.labels.iter().copied().filter(|label| !drops(label)).collect();
    let tokens = config.subjects.tokens.iter().filter(|_| row.takes_subject_labels());
    let (mut dropped, of_subject): (Vec<String>, Vec<String>) =
        tokens.filter_map(|token| token.label.clone()).partition(|label| drops(label));
    dropped.extend(row.labels.iter().filter(|label| drops(label)).map(|label| (*label).to_owned()));
    let name = row.namespaced(row.name, &config.namespace);
    ExposedMetric { row, name, labels, of_subject, dropped, spec: spec_of(row, family, chosen) }
}

fn spec_of(row: &CatalogueRow, name: String, chosen: Chosen) -> FamilySpec {
    let unit = chosen.unit.and_then(|unit| unit_of(&name, &unit)).or_else(|| row.unit.map(Arc::from));
    let buckets = match chosen.buckets {
        Some(buckets) if !row.buckets.is_empty() && !row.buckets_fixed => buckets,
        _ => row.buckets.into(),
    };
    FamilySpec {
        name: name.into(),
        metric_type: row.metric_type,
        help: chosen.help.map_or(Cow::Borrowed(row.help), Cow::Owned),
        unit,
        buckets,
        stale_after: match row.source {
            Source::Event(_) | Source::Tracker(_) => Some(chosen.stale_after),
            Source::Sidecar | Source::Process => None,
        },
    }
}

/// The longest start of `text` of at most `bytes_max` bytes.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What happens at no event's doing.
pub(super) fn no_event(now: Timestamp) -> Cause {
    Cause { now, event: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_at_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("é", 0), "");
    }
}
