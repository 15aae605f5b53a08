//! MetricRecorded: metrics whose names, types and labels come with the events.
//!
//! An event whose name, type and tags came before finds its series with one probe and is never taken
//! apart. Any other is checked in full before the first change to the store, so that a refused one leaves no trace.

mod saved;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::buckets::{BYTES, LATENCY_SECONDS};
use super::families::{Families, cut};
use super::settings::{choose, unit_of};
use crate::engine::config::{Config, NameScheme};
use crate::engine::metric::MetricType;
use crate::engine::metric::bound::NUMBER_LABELS;
use crate::engine::series::known::Known;
use crate::engine::series::print::KeyPrint;
use crate::engine::series::{
    FamilyId, FamilySpec, Redeclared, SeriesId, Store, underscored_label, underscored_metric,
};
use crate::engine::time::Timestamp;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::payload::MetricRecorded;
use crate::engine::wire::{Reason, Refusal, Text};

/// Units that a metric has without being told, where its name ends in one.
const UNITS: [&str; 5] = ["seconds", "bytes", "ratio", "chars", "rows"];

/// Buckets of histograms whose name tells no unit.
const PLAIN: &[f64] =
    &[0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 10_000.0];

/// The metrics that events brought.
#[derive(Debug)]
pub(super) struct Recorded {
    known: Known<SeriesId>,
    /// By the name of the family, without `_total`.
    families: HashMap<Arc<str>, RecordedFamily, RandomState>,
    config: Config,
    /// By the name of the family as events have it: the one it was registered under before another scheme of names.
    named_before: BTreeMap<String, Arc<str>>,
}

#[derive(Clone, Debug)]
struct RecordedFamily {
    id: FamilyId,
    metric_type: MetricType,
    /// The name as it is exposed.
    name: Arc<str>,
    /// The name of the first event's metric, as it came.
    written: Arc<str>,
}

/// The labels of an event, valid: names distinct, values neither empty nor too long.
struct ValidTags<'a> {
    labels: Vec<(Text<'a>, Text<'a>)>,
    /// How many values were cut.
    cut: usize,
}

impl<'a> ValidTags<'a> {
    /// Adds labels of the subject. They go before tags of the same name: who may publish where, a server decides.
    fn add_subject(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>, bytes_max: usize) {
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            let kept = cut(value, bytes_max);
            self.cut += usize::from(kept.len() < value.len());
            self.labels.retain(|(known, _)| known.as_ref() != name);
            self.labels.push((Cow::Borrowed(name), Cow::Borrowed(kept)));
        }
    }
}

impl Recorded {
    pub(super) fn new(config: &Config) -> Self {
        let config = config.clone();
        Self { known: Known::new(), families: HashMap::default(), config, named_before: BTreeMap::new() }
    }

    /// Goes on under another configuration; a metric that is there keeps its name. Those that begin anew are returned.
    pub(super) fn configure(&mut self, store: &mut Store, config: &Config, now: Timestamp) -> Vec<String> {
        let renames = config.names != self.config.names;
        self.config = config.clone();
        self.known = Known::new();
        let mut anew = Vec::new();
        let mut names: Vec<Arc<str>> = self.families.keys().cloned().collect();
        names.sort();
        for name in &names {
            let Some(family) = self.families.get(name) else { continue };
            let spec = spec_of(config, name, family.metric_type);
            store.leave_out(family.id, &choose(config, &[name], family.metric_type).drop_labels, now);
            if store.redeclare(family.id, &spec, now) == Redeclared::BeginsAnew {
                anew.push(family.name.to_string());
            }
            if renames {
                self.named_before.insert(family.written.to_string(), Arc::clone(name));
            }
        }
        anew
    }

    /// Applies an event whole or not at all.
    pub(super) fn apply(
        &mut self,
        board: &mut Board<'_>,
        catalogue: &Families,
        event: &MetricRecorded<'_>,
    ) -> Result<(), Refusal> {
        check_value(event.metric_type, event.metric_value)?;
        let mut printer = self.known.begin(event.metric_type as u8);
        printer.add(event.metric_name.as_bytes());
        printer.add(event.tags.raw().as_bytes());
        catalogue.subject.pairs().for_each(|(_, value)| printer.add(value.as_bytes()));
        let print = printer.end();
        let known = self.known.get(print).filter(|series| board.store.is_live(*series));
        let series = match known {
            Some(series) => series,
            None => self.look_up(board, catalogue, (print, event))?,
        };
        match event.metric_type {
            MetricType::Counter => board.add(series, event.metric_value),
            MetricType::Gauge => board.set(series, event.metric_value),
            MetricType::Histogram => board.observe(series, event.metric_value),
        }
        Ok(())
    }

    fn look_up(
        &mut self,
        board: &mut Board<'_>,
        catalogue: &Families,
        (print, event): (KeyPrint, &MetricRecorded<'_>),
    ) -> Result<SeriesId, Refusal> {
        let name = self.family_name(event)?;
        let mut tags = self.tags(event)?;
        tags.add_subject(catalogue.subject.pairs(), self.config.limits.label_value_bytes);
        let family = self.family(board, &name, event)?;
        let left_out = board.store.left_out(family.id);
        let is_kept = |name: &str| !left_out.iter().any(|left| left.as_ref() == name);
        let kept = tags.labels.iter().filter(|(name, _)| is_kept(name));
        let labels: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        let series = board.store.resolve(family.id, &labels, board.cause.now);
        for _ in 0..tags.cut {
            catalogue.count_cut(board, &family.name);
        }
        // A cut is counted each time, and what overflows may find room later.
        if tags.cut == 0 && !board.store.is_overflow(series) {
            self.known.insert(print, series);
        }
        Ok(series)
    }

    /// The valid name of the family, without a counter's `_total`.
    fn family_name<'e>(&self, event: &'e MetricRecorded<'_>) -> Result<Cow<'e, str>, Refusal> {
        let name = event.metric_name.as_ref();
        if name.is_empty() {
            return Err(invalid("metric_name is empty"));
        }
        let bytes_max = self.config.limits.metric_name_bytes;
        if name.len() > bytes_max {
            return Err(invalid(format!(
                "metric_name has {} bytes, at most {bytes_max} are allowed",
                name.len()
            )));
        }
        if let Some(before) = self.named_before.get(name) {
            return Ok(Cow::Owned(before.to_string()));
        }
        let name = match self.config.names {
            NameScheme::Underscores => underscored_metric(name),
            NameScheme::Utf8 => Cow::Borrowed(name),
        };
        Ok(match name {
            Cow::Borrowed(name) => Cow::Borrowed(event.metric_type.family_name(name)),
            Cow::Owned(mut name) => {
                name.truncate(event.metric_type.family_name(&name).len());
                Cow::Owned(name)
            }
        })
    }

    fn tags<'e>(&self, event: &'e MetricRecorded<'_>) -> Result<ValidTags<'e>, Refusal> {
        let limits = &self.config.limits;
        let mut valid = ValidTags { labels: Vec::new(), cut: 0 };
        let mut names: Vec<String> = Vec::new();
        for (name, value) in event.tags.pairs() {
            if names.len() >= limits.tags {
                return Err(invalid(format!("tags has more than {} members", limits.tags)));
            }
            if name.is_empty() {
                return Err(invalid("tags has an empty name"));
            }
            if name.len() > limits.label_name_bytes {
                let bytes_max = limits.label_name_bytes;
                return Err(invalid(format!("tags has a name of more than {bytes_max} bytes")));
            }
            // Scrapers without UTF-8 see every name so, whether or not others see the original.
            let plain = underscored_label(&name).into_owned();
            if NUMBER_LABELS.contains(&plain.as_str()) || plain.starts_with("__") {
                return Err(invalid(format!("tags has the reserved name {plain:?}")));
            }
            if names.contains(&plain) {
                return Err(invalid(format!("two tags become the label {plain:?}")));
            }
            if !value.is_empty() {
                let kept = cut(&value, limits.label_value_bytes).len();
                valid.cut += usize::from(kept < value.len());
                let name = match self.config.names {
                    NameScheme::Underscores => Cow::Owned(plain.clone()),
                    NameScheme::Utf8 => name,
                };
                valid.labels.push((name, shortened(value, kept)));
            }
            names.push(plain);
        }
        Ok(valid)
    }

    /// The family of this name, registered if it is new.
    fn family(
        &mut self,
        board: &mut Board<'_>,
        name: &str,
        event: &MetricRecorded<'_>,
    ) -> Result<RecordedFamily, Refusal> {
        let metric_type = event.metric_type;
        if let Some(family) = self.families.get(name).filter(|family| family.metric_type == metric_type) {
            return Ok(family.clone());
        }
        let spec = spec_of(&self.config, name, metric_type);
        let registered = board.store.register_recorded(spec);
        let id = registered.map_err(|conflict| Refusal {
            reason: Reason::Conflict,
            detail: Cow::Owned(format!("metric_name {conflict}")),
        })?;
        let dropped = choose(&self.config, &[name], metric_type).drop_labels;
        board.store.leave_out(id, &dropped, board.cause.now);
        let exposed = metric_type.exposed_name(name);
        let family = RecordedFamily {
            id,
            metric_type,
            name: Arc::from(exposed),
            written: Arc::from(event.metric_name.as_ref()),
        };
        self.families.insert(Arc::from(name), family.clone());
        Ok(family)
    }
}

fn check_value(metric_type: MetricType, value: f64) -> Result<(), Refusal> {
    match metric_type {
        MetricType::Counter if !value.is_finite() || value < 0.0 => {
            Err(invalid("metric_value of a counter is a finite number not below 0"))
        }
        MetricType::Histogram if !value.is_finite() => {
            Err(invalid("metric_value of a histogram is a finite number"))
        }
        MetricType::Counter | MetricType::Gauge | MetricType::Histogram => Ok(()),
    }
}

/// What a metric of this name is registered with.
pub(super) fn spec_of(config: &Config, name: &str, metric_type: MetricType) -> FamilySpec {
    let chosen = choose(config, &[name], metric_type);
    let own = || UNITS.iter().find_map(|unit| unit_of(name, unit));
    let unit = chosen.unit.as_ref().and_then(|unit| unit_of(name, unit)).or_else(own);
    let buckets = match metric_type {
        MetricType::Histogram => chosen.buckets.unwrap_or_else(|| default_buckets(unit.as_deref()).into()),
        MetricType::Counter | MetricType::Gauge => Arc::from([]),
    };
    FamilySpec {
        name: Arc::from(name),
        metric_type,
        help: Cow::Owned(chosen.help.unwrap_or_else(|| "Recorded by MetricRecorded events.".to_owned())),
        unit,
        buckets,
        stale_after: match metric_type {
            MetricType::Gauge => Some(chosen.stale_after),
            MetricType::Counter | MetricType::Histogram => None,
        },
    }
}

fn default_buckets(unit: Option<&str>) -> &'static [f64] {
    match unit {
        Some("seconds") => LATENCY_SECONDS,
        Some("bytes") => BYTES,
        _ => PLAIN,
    }
}

fn shortened(value: Text<'_>, bytes: usize) -> Text<'_> {
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text, bytes)),
        Cow::Owned(mut text) => {
            text.truncate(bytes);
            Cow::Owned(text)
        }
    }
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { reason: Reason::InvalidField, detail: detail.into() }
}
