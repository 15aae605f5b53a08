//! What a plan does at an instant, step by step.

use std::sync::Arc;

use super::super::aggregate::Group;
use super::super::ast::{AggregateOp, BinaryOp, RangeMode};
use super::super::eval::{Annotations, FloatPoint, Row};
use super::super::functions::{RangeFunction, Window};
use super::super::histogram::{ClassicBucket, ClassicBuckets};
use super::super::operators::kept_float;
use super::super::steady::{SteadySelection, SteadyStorage, WindowSpan, WindowStarts};
use super::super::storage::{STALE_BITS, Value};
use super::number::Number;

/// The samples of a step, each with its row, in the order in which the evaluator has them.
pub(super) type Column = Vec<RowSample>;

/// A sample with its row.
type RowSample = (u32, f64);

/// An instant at which a plan is evaluated.
pub(super) struct Instant<'a> {
    pub(super) storage: &'a dyn SteadyStorage,
    pub(super) selections: &'a [SteadySelection],
    pub(super) at_ms: i64,
    pub(super) lookback_ms: i64,
}

/// One step; `input`, `left`, `right` are the places of steps before it.
#[derive(Clone, Debug)]
pub(super) enum PlanStep {
    /// The present values of a selection.
    Present { selection: usize },
    /// A function of the two ends of a window over each series of a selection.
    Growth(Growth),
    /// One sample.
    Lone(Number),
    /// A number from each sample.
    Each { input: usize, change: fn(f64) -> f64 },
    /// A number from each sample and some numbers, or nothing.
    EachWith { input: usize, change: fn(f64, &[f64]) -> Option<f64>, numbers: Vec<Number> },
    /// An operator between each sample and a number.
    WithNumber { input: usize, op: BinaryOp, number: Side<Number>, yields: Yields },
    /// An aggregation: by row of the input its group, and how many groups there are.
    Accumulate { input: usize, op: AggregateOp, quantile: Number, groups: Vec<u32>, count: usize },
    /// An operator between samples that match.
    Matched(Matched),
    /// `and`, `or`, `unless`.
    Set { op: BinaryOp, left: Grouped, right: Grouped, count: usize },
    /// `histogram_quantile`: by row of the input its histogram and bound, and how many histograms there are.
    Quantile { input: usize, quantile: Number, parts: Vec<(u32, f64)>, count: usize },
}

/// On which side of an operator a number stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<T> {
    Left(T),
    Right(T),
}

/// What an operator yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Yields {
    /// A new number.
    Number,
    /// The vector's own where the comparison holds.
    Own,
    /// 1 or 0.
    Bool,
}

/// A function over windows that are told by their two ends.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    pub(super) selection: usize,
    pub(super) body: RangeFunction,
    pub(super) range_ms: i64,
    pub(super) mode: RangeMode,
    pub(super) metric: Arc<str>,
    pub(super) starts: WindowStarts,
}

/// The samples of a step with the match group of each row.
#[derive(Clone, Debug)]
pub(super) struct Grouped {
    pub(super) input: usize,
    pub(super) groups: Vec<u32>,
}

/// An operator between the samples of two steps, those of the "many" side each with one of the other.
#[derive(Clone, Debug)]
pub(super) struct Matched {
    pub(super) op: BinaryOp,
    pub(super) yields: Yields,
    pub(super) many: Grouped,
    pub(super) one: Grouped,
    /// How many match groups there are.
    pub(super) count: usize,
    /// Which side of the operator the "many" side is.
    pub(super) many_side: Side<()>,
    /// Whether a group may have one sample of the "many" side alone.
    pub(super) one_to_one: OneToOne,
    /// By row of the "many" side: the rows of the other side it may meet, with the row of the result.
    pub(super) pairs: Vec<Vec<(u32, u32)>>,
    /// By row of the result a number that rows of the same labels share; none where all differ.
    pub(super) alike: Option<Vec<u32>>,
}

/// Whether matching is one to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OneToOne {
    Yes,
    No,
}

impl PlanStep {
    /// Adds its samples to `out`; none where the evaluator has to say what they are.
    pub(super) fn run(&mut self, instant: &Instant<'_>, before: &[Column], out: &mut Column) -> Option<()> {
        let column = |step: usize| before.get(step).map(Vec::as_slice);
        match self {
            Self::Present { selection } => {
                for (row, series) in (0..).zip(&instant.selections.get(*selection)?.series) {
                    let value = instant.storage.present(series);
                    if value.to_bits() != STALE_BITS {
                        out.push((row, value));
                    }
                }
            }
            Self::Growth(growth) => growth.run(instant, out)?,
            Self::Lone(number) => out.push((0, number.at(instant.at_ms))),
            Self::Each { input, change } => {
                out.extend(column(*input)?.iter().map(|(row, value)| (*row, change(*value))));
            }
            Self::EachWith { input, change, numbers } => {
                let numbers: Vec<f64> = numbers.iter().map(|number| number.at(instant.at_ms)).collect();
                let changed =
                    column(*input)?.iter().map(|(row, value)| Some((*row, change(*value, &numbers)?)));
                out.extend(changed.flatten());
            }
            Self::WithNumber { input, op, number, yields } => {
                let (Side::Left(at) | Side::Right(at)) = &*number;
                let other = at.at(instant.at_ms);
                for (row, value) in column(*input)? {
                    let kept = match number {
                        Side::Left(_) => kept_float(*op, other, *value),
                        Side::Right(_) => kept_float(*op, *value, other),
                    };
                    out.extend(yields.of(kept, *value).map(|value| (*row, value)));
                }
            }
            Self::Accumulate { input, op, quantile, groups, count } => {
                let quantile = quantile.at(instant.at_ms);
                accumulate((*op, quantile), column(*input)?, (groups.as_slice(), *count), out)?;
            }
            Self::Matched(matched) => {
                matched.run((column(matched.many.input)?, column(matched.one.input)?), out)?;
            }
            Self::Set { op, left, right, count } => {
                combine(*op, (column(left.input)?, left), (column(right.input)?, right), *count, out)?;
            }
            Self::Quantile { input, quantile, parts, count } => {
                quantiles(quantile.at(instant.at_ms), column(*input)?, (parts.as_slice(), *count), out)?;
            }
        }
        Some(())
    }
}

impl Yields {
    /// The result where `kept` is what the operator keeps and `own` the value of the vector.
    fn of(self, kept: Option<f64>, own: f64) -> Option<f64> {
        match self {
            Self::Number => kept,
            Self::Own => kept.map(|_| own),
            Self::Bool => Some(if kept.is_some() { 1.0 } else { 0.0 }),
        }
    }
}

impl Growth {
    fn run(&mut self, instant: &Instant<'_>, out: &mut Column) -> Option<()> {
        let selection = instant.selections.get(self.selection)?;
        let end_ms = instant.at_ms;
        let start_ms = end_ms.saturating_sub(self.range_ms);
        let span = match self.mode {
            RangeMode::Extrapolated => {
                let first = start_ms.saturating_add(1);
                WindowSpan { start_ms: first, since_ms: first }
            }
            RangeMode::Anchored => {
                let first = start_ms.saturating_sub(instant.lookback_ms).saturating_add(1);
                WindowSpan { start_ms: first, since_ms: start_ms }
            }
            RangeMode::Smoothed => return None,
        };
        instant.storage.begin_windows(selection, span, &mut self.starts)?;
        let begins = self.starts.instant.is_some().then_some(self.starts.time_ms);
        // Anchored windows do not ask how many samples there are.
        let counts = self.mode == RangeMode::Extrapolated;
        let sampled_since =
            |from_ms| if counts { instant.storage.sampled_since(selection, from_ms) } else { 0 };
        let between = begins.map_or(0, |time_ms| sampled_since(time_ms.saturating_add(1)));
        let mut notes = Annotations::default();
        for (row, series) in selection.series.iter().enumerate() {
            let mut points = Points::default();
            let birth = series.born_ms.saturating_sub(1);
            if (span.start_ms..=end_ms).contains(&birth) {
                points.push(birth, 0.0);
            }
            let mut left_out = 0;
            if let Some(time_ms) = begins {
                if time_ms >= series.born_ms {
                    points.push(time_ms, *self.starts.values.get(row)?);
                    left_out = between;
                } else {
                    left_out = sampled_since(series.born_ms);
                }
            }
            points.push(end_ms, instant.storage.present(series));
            let mut window = Window {
                floats: points.all(),
                histograms: &[],
                left_out,
                metric: &self.metric,
                scalars: &[],
                evaluated_ms: end_ms,
                start_ms,
                end_ms,
                mode: self.mode,
                position: 0,
                notes: &mut notes,
                failure: None,
            };
            let value = (self.body)(&mut window);
            match (window.failure, value) {
                (None, Some(Value::Float(value))) => out.push((row as u32, value)),
                (None, None) => {}
                (Some(_), _) | (_, Some(Value::Histogram(_))) => return None,
            }
        }
        Some(())
    }
}

/// A counter's birth, where its window begins, and its present.
#[derive(Clone, Copy)]
struct Points {
    points: [FloatPoint; 3],
    count: usize,
}

impl Default for Points {
    fn default() -> Self {
        Self { points: [FloatPoint { time_ms: 0, start_ms: 0, value: 0.0 }; 3], count: 0 }
    }
}

impl Points {
    fn push(&mut self, time_ms: i64, value: f64) {
        if let Some(point) = self.points.get_mut(self.count) {
            *point = FloatPoint { time_ms, start_ms: 0, value };
            self.count += 1;
        }
    }

    fn all(&self) -> &[FloatPoint] {
        self.points.get(..self.count).unwrap_or_default()
    }
}

/// One value of each group, in the order in which the groups appear.
fn accumulate(
    (op, quantile): (AggregateOp, f64),
    column: &[RowSample],
    (groups, count): (&[u32], usize),
    out: &mut Column,
) -> Option<()> {
    let row = Row::default();
    let mut states: Vec<Group> = Vec::new();
    states.resize_with(count, || Group::Empty);
    let mut appeared: Vec<u32> = Vec::with_capacity(count);
    for (input, value) in column {
        let group = *groups.get(*input as usize)?;
        let state = states.get_mut(group as usize)?;
        if matches!(state, Group::Empty) {
            appeared.push(group);
        }
        state.add(op, &Value::Float(*value), &row);
    }
    for group in appeared {
        let state = std::mem::replace(states.get_mut(group as usize)?, Group::Empty);
        if let (Some(Value::Float(value)), _) = state.finish(op, quantile) {
            out.push((group, value));
        }
    }
    Some(())
}

impl Matched {
    fn run(&self, (many, one): (&[RowSample], &[RowSample]), out: &mut Column) -> Option<()> {
        if many.is_empty() || one.is_empty() {
            return Some(());
        }
        let mut ones: Vec<Option<(u32, f64)>> = vec![None; self.count];
        for sample in one {
            let group = *self.one.groups.get(sample.0 as usize)?;
            // Two of one side in a group are an error, which the evaluator words.
            if ones.get_mut(group as usize)?.replace(*sample).is_some() {
                return None;
            }
        }
        let mut matched = vec![false; self.count];
        let mut met = self.alike.as_ref().map(|alike| vec![false; alike.len()]);
        for (row, value) in many {
            let group = *self.many.groups.get(*row as usize)? as usize;
            let Some((other, other_value)) = *ones.get(group)? else { continue };
            if std::mem::replace(matched.get_mut(group)?, true) && self.one_to_one == OneToOne::Yes {
                return None;
            }
            let pairs = self.pairs.get(*row as usize)?;
            let (_, result) = *pairs.iter().find(|(one, _)| *one == other)?;
            if let (Some(met), Some(alike)) = (&mut met, &self.alike) {
                let number = *alike.get(result as usize)? as usize;
                if std::mem::replace(met.get_mut(number)?, true) {
                    return None;
                }
            }
            let (left, right) = match self.many_side {
                Side::Left(()) => (*value, other_value),
                Side::Right(()) => (other_value, *value),
            };
            out.extend(self.yields.of(kept_float(self.op, left, right), left).map(|value| (result, value)));
        }
        Some(())
    }
}

/// The samples that a set operator keeps.
fn combine(
    op: BinaryOp,
    (left, left_groups): (&[RowSample], &Grouped),
    (right, right_groups): (&[RowSample], &Grouped),
    count: usize,
    out: &mut Column,
) -> Option<()> {
    let (asked, groups) = if op == BinaryOp::Or { (left, left_groups) } else { (right, right_groups) };
    let mut present = vec![false; count];
    for (row, _) in asked {
        *present.get_mut(*groups.groups.get(*row as usize)? as usize)? = true;
    }
    let is_present = |groups: &Grouped, row: u32| {
        let group = *groups.groups.get(row as usize)?;
        present.get(group as usize).copied()
    };
    if op == BinaryOp::Or {
        out.extend_from_slice(left);
        let shift = left_groups.groups.len() as u32;
        for (row, value) in right {
            if !is_present(right_groups, *row)? {
                out.push((shift + row, *value));
            }
        }
    } else {
        let wanted = op == BinaryOp::And;
        for (row, value) in left {
            if is_present(left_groups, *row)? == wanted {
                out.push((*row, *value));
            }
        }
    }
    Some(())
}

/// The quantile of each histogram, in the order in which they appear.
fn quantiles(
    quantile: f64,
    column: &[RowSample],
    (parts, count): (&[(u32, f64)], usize),
    out: &mut Column,
) -> Option<()> {
    let mut buckets: Vec<Vec<ClassicBucket>> = vec![Vec::new(); count];
    let mut appeared: Vec<u32> = Vec::with_capacity(count);
    for (row, cumulative) in column {
        let (histogram, upper) = *parts.get(*row as usize)?;
        let buckets = buckets.get_mut(histogram as usize)?;
        if buckets.is_empty() {
            appeared.push(histogram);
        }
        buckets.push(ClassicBucket { upper, cumulative: *cumulative });
    }
    for histogram in appeared {
        let buckets = std::mem::take(buckets.get_mut(histogram as usize)?);
        let (value, _) = ClassicBuckets::new(buckets).quantile(quantile);
        out.push((histogram, value));
    }
    Some(())
}
