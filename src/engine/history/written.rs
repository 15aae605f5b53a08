//! Series that rules write themselves: recording rules, `ALERTS` and `ALERTS_FOR_STATE`.

mod saved;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::extremes::thinned;
use crate::engine::labels::{Labels, METRIC_NAME};
use crate::engine::promql::storage::{STALE_BITS, Value};

/// Series rules may write at the most.
const SERIES_MAX: usize = 200_000;

/// Samples of a chunk; a chunk that is full is never written again.
const CHUNK_SAMPLES: usize = 64;

/// Why a rule was evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Its group's interval had come.
    #[default]
    Interval,
    /// An event moved what it reads.
    Arrival,
}

/// What rules wrote, by metric name and labels. A clone shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    names: Arc<BTreeMap<Arc<str>, Arc<Named>>>,
    series: usize,
    samples: usize,
    refused: u64,
    /// Grows where a name comes or goes.
    names_epoch: u64,
}

type Named = BTreeMap<Labels, Arc<Samples>>;

/// Samples of one series in rising time.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    full: VecDeque<Arc<[Kept]>>,
    open: Vec<Kept>,
    /// How many of `open` are of steps that were thinned already.
    thinned: usize,
}

/// One sample.
#[derive(Clone, Debug)]
struct Kept {
    /// Twice the milliseconds since the Unix epoch, and one more where an arrival had the rule evaluated.
    stamp: i64,
    value: Value,
}

impl Kept {
    fn new(time_ms: i64, value: Value, occasion: Occasion) -> Self {
        Self { stamp: time_ms << 1 | i64::from(occasion == Occasion::Arrival), value }
    }

    const fn time_ms(&self) -> i64 {
        self.stamp >> 1
    }

    const fn is_of_arrival(&self) -> bool {
        self.stamp & 1 == 1
    }

    const fn number(&self) -> f64 {
        match &self.value {
            Value::Float(number) => *number,
            Value::Histogram(_) => f64::NAN,
        }
    }
}

impl Samples {
    /// Adds a sample, or puts it in the place of the last one where that is not older; says how many more are held.
    fn push(&mut self, sample: Kept) -> usize {
        match self.open.last_mut() {
            Some(last) if last.time_ms() >= sample.time_ms() => {
                last.value = sample.value;
                0
            }
            _ => {
                self.open.push(sample);
                1
            }
        }
    }

    /// Leaves of what arrivals wrote up to `time_ms`, the end of a step, the lowest, the highest and the last.
    fn thin(&mut self, time_ms: i64) {
        let end = self.open.partition_point(|sample| sample.time_ms() <= time_ms);
        let step = self.open.get(self.thinned..end).unwrap_or_default();
        let arrivals = || step.iter().filter(|sample| sample.is_of_arrival());
        if arrivals().nth(1).is_some() {
            let numbers: Vec<(i64, f64)> =
                arrivals().map(|sample| (sample.time_ms(), sample.number())).collect();
            let kept = thinned(&numbers, None);
            let keeps = |sample: &Kept| {
                !sample.is_of_arrival()
                    || kept.binary_search_by_key(&sample.time_ms(), |(time, _)| *time).is_ok()
            };
            let left: Vec<Kept> = step.iter().filter(|sample| keeps(sample)).cloned().collect();
            let count = left.len();
            self.open.splice(self.thinned..end, left);
            self.thinned += count;
        } else {
            self.thinned = end;
        }
        if self.thinned >= CHUNK_SAMPLES {
            let rest = self.open.split_off(self.thinned);
            self.full.push_back(std::mem::replace(&mut self.open, rest).into());
            self.thinned = 0;
        }
    }

    /// Whether [`Samples::thin`] or [`Samples::forget_before`] has something to do.
    fn is_due(&self, thin_ms: i64, oldest_ms: i64) -> bool {
        self.open.get(self.thinned).is_some_and(|sample| sample.time_ms() <= thin_ms)
            || self.full.front().is_some_and(|chunk| ends_before(chunk, oldest_ms))
            || self.open.first().is_some_and(|sample| sample.time_ms() < oldest_ms)
    }

    fn forget_before(&mut self, time_ms: i64) {
        while self.full.front().is_some_and(|chunk| ends_before(chunk, time_ms)) {
            self.full.pop_front();
        }
        if self.full.is_empty() {
            let old = self.open.partition_point(|sample| sample.time_ms() < time_ms);
            self.open.drain(..old);
            self.thinned = self.thinned.saturating_sub(old);
        }
    }

    fn is_empty(&self) -> bool {
        self.full.is_empty() && self.open.is_empty()
    }

    fn len(&self) -> usize {
        self.full.iter().map(|chunk| chunk.len()).sum::<usize>() + self.open.len()
    }

    /// The samples from `start_ms` to `end_ms`, both inclusive.
    pub(super) fn between(&self, start_ms: i64, end_ms: i64) -> impl Iterator<Item = (i64, &Value)> {
        let from = self.full.partition_point(|chunk| ends_before(chunk, start_ms));
        let chunks = self.full.iter().skip(from).map(|chunk| &**chunk).chain([self.open.as_slice()]);
        let inside = chunks.flat_map(move |chunk| {
            let from = chunk.partition_point(|sample| sample.time_ms() < start_ms);
            chunk.iter().skip(from).take_while(move |sample| sample.time_ms() <= end_ms)
        });
        inside.map(|sample| (sample.time_ms(), &sample.value))
    }
}

fn ends_before(chunk: &[Kept], time_ms: i64) -> bool {
    chunk.last().is_none_or(|last| last.time_ms() < time_ms)
}

impl Written {
    /// Adds a sample; none ends the series with a stale marker. Of two samples at one time the later call holds.
    /// A sample of one series too many is refused and counted.
    pub(crate) fn append(&mut self, labels: &Labels, time_ms: i64, value: Option<Value>, occasion: Occasion) {
        let value = value.unwrap_or(Value::Float(f64::from_bits(STALE_BITS)));
        let name = labels.shared(METRIC_NAME).map_or_else(|| Arc::from(""), Arc::clone);
        let known = self.names.get(&name).is_some_and(|named| named.contains_key(labels));
        if !known && self.series >= SERIES_MAX {
            self.refused += 1;
            return;
        }
        self.series += usize::from(!known);
        self.names_epoch += u64::from(!known && !self.names.contains_key(&name));
        let named = Arc::make_mut(Arc::make_mut(&mut self.names).entry(name).or_default());
        let samples = Arc::make_mut(named.entry(labels.clone()).or_default());
        self.samples += samples.push(Kept::new(time_ms, value, occasion));
    }

    /// Forgets the series that are meant.
    pub(super) fn forget(&mut self, is_meant: impl Fn(&Labels) -> bool) {
        let meant = |named: &Arc<Named>| named.keys().any(&is_meant);
        if !self.names.values().any(meant) {
            return;
        }
        for named in Arc::make_mut(&mut self.names).values_mut().filter(|named| meant(named)) {
            Arc::make_mut(named).retain(|labels, _| !is_meant(labels));
        }
        self.drop_empty();
    }

    /// How many samples were refused since the last call because there were too many series.
    pub(crate) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Thins what arrivals wrote up to `thin_ms`, the end of a step, and forgets what is older than `oldest_ms`.
    pub(super) fn age(&mut self, thin_ms: i64, oldest_ms: i64) {
        let due = |named: &Arc<Named>| named.values().any(|samples| samples.is_due(thin_ms, oldest_ms));
        if !self.names.values().any(due) {
            return;
        }
        for named in Arc::make_mut(&mut self.names).values_mut().filter(|named| due(named)) {
            let named = Arc::make_mut(named);
            for samples in named.values_mut().filter(|samples| samples.is_due(thin_ms, oldest_ms)) {
                let samples = Arc::make_mut(samples);
                samples.thin(thin_ms);
                samples.forget_before(oldest_ms);
            }
            named.retain(|_, samples| !samples.is_empty());
        }
        self.drop_empty();
    }

    /// Drops names without series, and counts anew.
    fn drop_empty(&mut self) {
        let names = self.names.len();
        Arc::make_mut(&mut self.names).retain(|_, named| !named.is_empty());
        self.names_epoch += (names - self.names.len()) as u64;
        self.series = self.names.values().map(|named| named.len()).sum();
        self.samples =
            self.names.values().flat_map(|named| named.values()).map(|samples| samples.len()).sum();
    }

    /// Another number wherever a name came or went.
    pub(super) const fn names_epoch(&self) -> u64 {
        self.names_epoch
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Labels, &Samples)> {
        self.names.values().flat_map(|named| named.iter()).map(|(labels, samples)| (labels, &**samples))
    }

    /// The series whose metric name is `name`.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = (&Labels, &Samples)> {
        let named = self.names.get(name).into_iter().flat_map(|named| named.iter());
        named.map(|(labels, samples)| (labels, &**samples))
    }

    pub(super) const fn bytes(&self) -> usize {
        self.samples * size_of::<Kept>()
            + self.series * (size_of::<(Labels, Samples)>() + 4 * size_of::<usize>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrivals_wrote_is_thinned_and_what_intervals_wrote_stays() {
        let mut written = Written::default();
        let labels = Labels::collect([(METRIC_NAME, "m")]);
        let mut append = |time, value, occasion| {
            written.append(&labels, time, Some(Value::Float(value)), occasion);
        };
        append(1, 5.0, Occasion::Interval);
        for (time, value) in [(2, 4.0), (3, 9.0), (4, 1.0), (5, 6.0), (6, 7.0)] {
            append(time, value, Occasion::Arrival);
        }
        append(7, 7.0, Occasion::Interval);
        written.age(6, 0);
        written.age(6, 0);
        let times: Vec<i64> = written
            .named("m")
            .flat_map(|(_, samples)| samples.between(0, 10).map(|(time, _)| time).collect::<Vec<_>>())
            .collect();
        assert_eq!(times, [1, 3, 4, 6, 7]);
    }
}
