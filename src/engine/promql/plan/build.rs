//! From an expression to steps: everything that depends on labels alone is found here.

use super::super::aggregate::Groups;
use super::super::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Cardinality, ComparisonMode, Expr, Grouping, Node, RangeMode,
    Shift, Sign,
};
use super::super::eval::{
    Matrix, Novelty, Numbering, QueryTimes, Row, hash_labels, positive_milliseconds, unwrapped,
};
use super::super::functions::{Body, Function, Special, ValueType, WindowNeeds, parse_bound};
use super::super::inspect::value_type;
use super::super::operators::{MatchGroups, OperatorKind, joined_row};
use super::super::steady::{GrowthKind, SteadySelection, SteadyStorage, WindowStarts};
use super::super::storage::Matcher;
use super::super::{EvalSettings, NameRemoval, StartTimestamps};
use super::number::Number;
use super::steps::{Grouped, Growth, Matched, OneToOne, PlanStep, Side, Yields};
use crate::engine::labels::{Label, Labels};
use crate::engine::metric::bound::BUCKET_BOUND;

/// How many more pairs than rows there may be: more is an error that the evaluator words.
const PAIRS_SPARE: usize = 64;

/// Steps found so far.
pub(super) struct Builder<'a> {
    storage: &'a dyn SteadyStorage,
    settings: &'a EvalSettings,
    times: QueryTimes,
    selections: Vec<SteadySelection>,
    steps: Vec<PlanStep>,
    /// By step, what its samples may be called.
    rows: Vec<Vec<Row>>,
    /// Sub-expressions that stand in the expression more than once, with their steps.
    twins: Vec<(u16, usize)>,
}

impl<'a> Builder<'a> {
    /// Nothing yet; none where the settings ask for what plans do not know.
    pub(super) fn new(storage: &'a dyn SteadyStorage, settings: &'a EvalSettings) -> Option<Self> {
        let known = settings.name_removal == NameRemoval::Immediate
            && settings.start_timestamps == StartTimestamps::Ignored;
        let now_ms = storage.now_ms();
        known.then(|| Self {
            storage,
            settings,
            times: QueryTimes { start_ms: now_ms, end_ms: now_ms, step_ms: 0 },
            selections: Vec::new(),
            steps: Vec::new(),
            rows: Vec::new(),
            twins: Vec::new(),
        })
    }

    /// What was found; none where it may hold more samples than an evaluation may.
    pub(super) fn finish(self) -> Option<(Vec<SteadySelection>, Vec<PlanStep>)> {
        let series: usize = self.selections.iter().map(|selection| selection.series.len()).sum();
        let held = series.saturating_mul(self.steps.len().max(1)).saturating_mul(4);
        (held <= self.settings.samples_max).then_some((self.selections, self.steps))
    }

    /// The labels of a step's samples, by row.
    pub(super) fn labels(&self, step: usize) -> Option<Vec<Labels>> {
        Some(self.rows.get(step)?.iter().map(|row| row.clone().into_labels()).collect())
    }

    /// The step that yields a vector.
    pub(super) fn vector(&mut self, expr: &Expr) -> Option<usize> {
        let known = expr.twin.and_then(|twin| self.twins.iter().find(|(known, _)| *known == twin));
        if let Some((_, step)) = known {
            return Some(*step);
        }
        let step = match &expr.node {
            Node::Vector(selector) => {
                let plain = selector.range_mode == RangeMode::Extrapolated && is_unshifted(&selector.shift);
                let selection = plain.then(|| self.select(&selector.matchers))??;
                let rows = self.series_rows(selection)?;
                self.add(PlanStep::Present { selection }, rows)
            }
            Node::Paren(inner) | Node::Unary { sign: Sign::Plus, expr: inner } => self.vector(inner)?,
            Node::Unary { sign: Sign::Minus, expr } => {
                let input = self.vector(expr)?;
                let rows = self.unnamed(input)?;
                self.add(PlanStep::Each { input, change: |value| -value }, rows)
            }
            Node::Binary(binary) => self.binary(binary)?,
            Node::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Node::Call { function, args } => self.call(function, args)?,
            Node::Number(_) | Node::String(_) | Node::Matrix { .. } | Node::Subquery { .. } => return None,
        };
        self.twins.extend(expr.twin.map(|twin| (twin, step)));
        Some(step)
    }

    fn add(&mut self, step: PlanStep, rows: Vec<Row>) -> usize {
        self.steps.push(step);
        self.rows.push(rows);
        self.steps.len() - 1
    }

    fn select(&mut self, matchers: &[Matcher]) -> Option<usize> {
        self.selections.push(self.storage.steady(matchers)?);
        Some(self.selections.len() - 1)
    }

    fn series_rows(&self, selection: usize) -> Option<Vec<Row>> {
        let selection = self.selections.get(selection)?;
        Some(selection.series.iter().map(|series| Row::new(series.labels.clone())).collect())
    }

    /// The rows of a step without their metric names; none where that makes two of them alike.
    fn unnamed(&self, step: usize) -> Option<Vec<Row>> {
        without_names(self.rows.get(step)?.clone())
    }

    fn binary(&mut self, binary: &Binary) -> Option<usize> {
        let kind = binary.op.kind();
        if kind == OperatorKind::Trim {
            return None;
        }
        let is_number = |expr| value_type(expr) == ValueType::Scalar;
        let (number, vector) = match (is_number(&binary.left), is_number(&binary.right)) {
            (false, false) if kind == OperatorKind::Set => return self.set(binary),
            (false, false) => return self.matched(binary),
            (true, false) => (Side::Left(Number::of(&binary.left)?), &binary.right),
            (false, true) => (Side::Right(Number::of(&binary.right)?), &binary.left),
            (true, true) => return None,
        };
        let input = self.vector(vector)?;
        let yields = yields(binary);
        let rows = match yields {
            Yields::Own => self.rows.get(input)?.clone(),
            Yields::Number | Yields::Bool => self.unnamed(input)?,
        };
        Some(self.add(PlanStep::WithNumber { input, op: binary.op, number, yields }, rows))
    }

    fn set(&mut self, binary: &Binary) -> Option<usize> {
        let (left, right) = (self.vector(&binary.left)?, self.vector(&binary.right)?);
        let (left_rows, right_rows) = (self.rows.get(left)?, self.rows.get(right)?);
        let found = MatchGroups::new(&binary.matching, &blank(left_rows), &blank(right_rows));
        let mut rows = left_rows.clone();
        if binary.op == BinaryOp::Or {
            rows.extend_from_slice(right_rows);
        }
        let count = found.count;
        let left = Grouped { input: left, groups: narrowed(found.left) };
        let right = Grouped { input: right, groups: narrowed(found.right) };
        Some(self.add(PlanStep::Set { op: binary.op, left, right, count }, rows))
    }

    fn matched(&mut self, binary: &Binary) -> Option<usize> {
        let matching = &binary.matching;
        if matching.fills() {
            return None;
        }
        let (left, right) = (self.vector(&binary.left)?, self.vector(&binary.right)?);
        let (many, one, many_side) = match matching.cardinality {
            Cardinality::OneToOne | Cardinality::ManyToOne => (left, right, Side::Left(())),
            Cardinality::OneToMany => (right, left, Side::Right(())),
        };
        let one_to_one =
            if matching.cardinality == Cardinality::OneToOne { OneToOne::Yes } else { OneToOne::No };
        let (many_rows, one_rows) = (self.rows.get(many)?, self.rows.get(one)?);
        let found = MatchGroups::new(matching, &blank(many_rows), &blank(one_rows));
        let mut ones: Vec<Vec<usize>> = vec![Vec::new(); found.count];
        for (row, group) in found.right.iter().enumerate() {
            ones.get_mut(*group)?.push(row);
        }
        let pairs_max = many_rows.len() + one_rows.len() + PAIRS_SPARE;
        let mut rows: Vec<Row> = Vec::new();
        let mut pairs = Vec::with_capacity(many_rows.len());
        for (many, group) in many_rows.iter().zip(&found.left) {
            let mut of_row = Vec::new();
            for one in ones.get(*group)? {
                of_row.push((*one as u32, rows.len() as u32));
                rows.push(joined_row(binary, (many, one_rows.get(*one)?), self.settings.name_removal));
            }
            pairs.push(of_row);
            if rows.len() > pairs_max {
                return None;
            }
        }
        let matched = Matched {
            op: binary.op,
            yields: yields(binary),
            many: Grouped { input: many, groups: narrowed(found.left) },
            one: Grouped { input: one, groups: narrowed(found.right) },
            count: found.count,
            many_side,
            one_to_one,
            pairs,
            alike: alike(&rows),
        };
        Some(self.add(PlanStep::Matched(matched), rows))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Option<usize> {
        let quantile = match aggregate.op {
            AggregateOp::Quantile => Number::of(aggregate.param.as_ref()?)?,
            AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Count
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar => Number::Constant(f64::NAN),
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::CountValues
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => return None,
        };
        let input = self.vector(unwrapped(&aggregate.expr))?;
        let grouping: &Grouping = &aggregate.grouping;
        let found = Groups::new(self.rows.get(input)?, grouping);
        let (groups, count) = (narrowed(found.of_series), found.rows.len());
        Some(self.add(PlanStep::Accumulate { input, op: aggregate.op, quantile, groups, count }, found.rows))
    }

    fn call(&mut self, function: &'static Function, args: &[Expr]) -> Option<usize> {
        match function.body {
            Body::Range(_) => self.growth(function, args),
            Body::Number(change) => {
                let input = self.vector(args.first()?)?;
                let rows = self.unnamed(input)?;
                Some(self.add(PlanStep::Each { input, change }, rows))
            }
            Body::NumberWith(change) => {
                let numbers = args.iter().skip(1).map(Number::of).collect::<Option<Vec<_>>>()?;
                let input = self.vector(args.first()?)?;
                let rows = self.unnamed(input)?;
                Some(self.add(PlanStep::EachWith { input, change, numbers }, rows))
            }
            Body::Special(Special::Vector) => {
                let number = Number::of(args.first()?)?;
                Some(self.add(PlanStep::Lone(number), vec![Row::default()]))
            }
            Body::Special(Special::HistogramQuantile) => self.quantile(args),
            Body::Histogram(_) | Body::Date(_) | Body::Numbers(_) | Body::Special(_) => None,
        }
    }

    fn growth(&mut self, function: &'static Function, args: &[Expr]) -> Option<usize> {
        let (Body::Range(body), WindowNeeds::Growth, [arg]) = (function.body, function.window_needs(), args)
        else {
            return None;
        };
        let Node::Matrix { selector, range } = &unwrapped(arg).node else { return None };
        if selector.range_mode == RangeMode::Smoothed || !is_unshifted(&selector.shift) {
            return None;
        }
        let range_ms = positive_milliseconds(range, self.times).ok()?;
        let selection = self.select(&selector.matchers)?;
        if self.selections.get(selection)?.growth == GrowthKind::MayFall {
            return None;
        }
        let rows = self.series_rows(selection)?;
        let metric = rows.first().map(Row::metric).unwrap_or_default();
        let rows = without_names(rows)?;
        let (mode, starts) = (selector.range_mode, WindowStarts::default());
        Some(self.add(PlanStep::Growth(Growth { selection, body, range_ms, mode, metric, starts }), rows))
    }

    fn quantile(&mut self, args: &[Expr]) -> Option<usize> {
        let [quantile, vector] = args else { return None };
        let quantile = Number::of(quantile)?;
        let input = self.vector(vector)?;
        let kept = |label: &&Label| label.0.as_ref() != BUCKET_BOUND;
        let mut numbering = Numbering::default();
        let mut rows: Vec<Row> = Vec::new();
        let mut parts = Vec::new();
        for row in self.rows.get(input)? {
            let bound = parse_bound(row.get(BUCKET_BOUND))?;
            let same = |number: usize| {
                rows.get(number).is_some_and(|known: &Row| known.iter().eq(row.iter().filter(kept)))
            };
            let (histogram, novelty) = numbering.number(hash_labels(row.iter().filter(kept)), same);
            if novelty == Novelty::New {
                let mut bare = Row::new(Labels::collect(row.iter().filter(kept).cloned()));
                bare.name = row.name;
                rows.push(bare);
            }
            parts.push((histogram as u32, bound));
        }
        let count = rows.len();
        let rows = without_names(rows)?;
        Some(self.add(PlanStep::Quantile { input, quantile, parts, count }, rows))
    }
}

const fn is_unshifted(shift: &Shift) -> bool {
    shift.offset.is_none() && shift.at.is_none()
}

fn yields(binary: &Binary) -> Yields {
    match (binary.op.kind(), binary.comparison) {
        (OperatorKind::Comparison, ComparisonMode::Bool) => Yields::Bool,
        (OperatorKind::Comparison, ComparisonMode::Filter) => Yields::Own,
        (OperatorKind::Arithmetic | OperatorKind::Set | OperatorKind::Trim, _) => Yields::Number,
    }
}

/// A matrix of these rows without values.
fn blank(rows: &[Row]) -> Matrix {
    let mut matrix = Matrix::with_capacity(1, rows.len());
    for row in rows {
        matrix.push_empty(row.clone());
    }
    matrix
}

/// The rows without their metric names; none where that may make two of them alike.
fn without_names(mut rows: Vec<Row>) -> Option<Vec<Row>> {
    for row in &mut rows {
        row.drop_name(NameRemoval::Immediate);
    }
    blank(&rows).duplicates_after_name_removal().ok()?;
    Some(rows)
}

fn narrowed(numbers: Vec<usize>) -> Vec<u32> {
    numbers.into_iter().map(|number| number as u32).collect()
}

/// A number for each row that rows of the same labels share; none where all differ.
fn alike(rows: &[Row]) -> Option<Vec<u32>> {
    let mut numbering = Numbering::default();
    let mut firsts: Vec<&Row> = Vec::new();
    let mut numbers = Vec::with_capacity(rows.len());
    for row in rows {
        let same = |number: usize| firsts.get(number).is_some_and(|first| first.same_labels(row));
        let (number, novelty) = numbering.number(row.hash(), same);
        if novelty == Novelty::New {
            firsts.push(row);
        }
        numbers.push(number as u32);
    }
    (firsts.len() < rows.len()).then_some(numbers)
}
