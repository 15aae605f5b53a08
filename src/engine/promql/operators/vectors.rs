//! Arithmetic, comparisons and trims between two vectors.

use std::ops::Range;

use hashbrown::HashMap;

use super::super::ast::{Binary, Cardinality, ComparisonMode, Grouping, Matching};
use super::super::eval::{Evaluator, Matrix, Note, Novelty, Numbering, Row, fail, is_metadata};
use super::super::storage::Value;
use super::super::{EvalError, NameRemoval};
use super::matching::{MatchGroups, matched_labels};
use super::{OperatorKind, Verdict, element};
use crate::engine::labels::{Label, Labels};

/// One side of a match at one step: the series, or a fill value for a group none of that side is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Series(usize),
    Fill(usize),
}

/// Two samples that match at a step, the "many" side first.
struct Pair<'a> {
    group: usize,
    sides: (Side, Side),
    values: (&'a Value, &'a Value),
}

/// How far one step is.
struct Progress {
    step: usize,
    /// Which groups have matched.
    matched: Vec<bool>,
    /// The last note.
    note: Option<Note>,
}

/// An operation under way; the "one" side is the right one unless `group_right` makes it the left one.
struct Operation<'a> {
    binary: &'a Binary,
    span: &'a Range<usize>,
    many: &'a Matrix,
    one: &'a Matrix,
    groups: MatchGroups,
    swapped: bool,
    as_bool: bool,
    result: Matrix,
    numbering: Numbering,
    /// The step after the one each of the result's series was last met at.
    visited: Vec<usize>,
    /// The result's series for each pair of sides.
    known: HashMap<(Side, Side), usize, foldhash::fast::FixedState>,
    removal: NameRemoval,
}

impl Evaluator<'_> {
    /// An operation between the series of two vectors that match.
    pub(super) fn with_vectors(
        &mut self,
        binary: &Binary,
        span: &Range<usize>,
        left: &Matrix,
        right: &Matrix,
    ) -> Result<Matrix, EvalError> {
        let steps = left.steps();
        if left.len() == 0 && right.len() == 0
            || (left.len() == 0 || right.len() == 0) && !binary.matching.fills()
        {
            return Ok(Matrix::new(steps));
        }
        let swapped = binary.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut operation = Operation {
            binary,
            span,
            many,
            one,
            groups: MatchGroups::new(&binary.matching, many, one),
            swapped,
            as_bool: binary.op.kind() == OperatorKind::Comparison
                && binary.comparison == ComparisonMode::Bool,
            result: Matrix::with_capacity(steps, many.len()),
            numbering: Numbering::default(),
            visited: Vec::new(),
            known: HashMap::default(),
            removal: self.settings.name_removal,
        };
        for step in 0..steps {
            if let Some(note) = operation.step(step)? {
                self.notes.add(note, span.start);
            }
        }
        let mut result = operation.result;
        result.drop_empty();
        Ok(result)
    }
}

impl Operation<'_> {
    fn fail(&self, message: String) -> EvalError {
        fail(self.span, message)
    }

    /// Adds the results of one step; the last note of the step, as Prometheus keeps it.
    fn step(&mut self, step: usize) -> Result<Option<Note>, EvalError> {
        let empty = |matrix: &Matrix| matrix.column(step).next().is_none();
        if !self.binary.matching.fills() && (empty(self.many) || empty(self.one)) {
            return Ok(None);
        }
        let ones = self.one_side(step)?;
        let mut progress = Progress { step, matched: vec![false; self.groups.count], note: None };
        let (many, one) = (self.many, self.one);
        for (index, value) in many.column(step) {
            let Some(group) = self.groups.left.get(index).copied() else { continue };
            let other = match ones.get(group).copied().flatten() {
                Some(other) => one.get(other, step).map(|value| (Side::Series(other), value.clone())),
                None => self.binary.matching.fill_right.map(|fill| (Side::Fill(group), Value::Float(fill))),
            };
            let Some((other, other_value)) = other else { continue };
            let sides = (Side::Series(index), other);
            self.apply(&mut progress, &Pair { group, sides, values: (value, &other_value) })?;
        }
        if let Some(fill) = self.binary.matching.fill_left {
            for (index, value) in one.column(step) {
                let Some(group) = self.groups.right.get(index).copied() else { continue };
                if !progress.matched.get(group).copied().unwrap_or(true) {
                    let sides = (Side::Fill(group), Side::Series(index));
                    let values = (&Value::Float(fill), value);
                    self.apply(&mut progress, &Pair { group, sides, values })?;
                }
            }
        }
        Ok(progress.note)
    }

    /// The series of the "one" side in each group at a step.
    fn one_side(&self, step: usize) -> Result<Vec<Option<usize>>, EvalError> {
        let mut ones: Vec<Option<usize>> = vec![None; self.groups.count];
        for (index, _) in self.one.column(step) {
            let Some(slot) = self.groups.right.get(index).and_then(|group| ones.get_mut(*group)) else {
                continue;
            };
            if let Some(first) = slot.replace(index) {
                let labels =
                    |index: usize| self.one.rows().get(index).map(Row::to_labels).unwrap_or_default();
                let side = if self.swapped { "left" } else { "right" };
                let group =
                    self.one.rows().get(index).map(|row| matched_labels(row, &self.binary.matching.on));
                return Err(self.fail(format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the operation: \
                     [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    Shown(&group.unwrap_or_default()),
                    Shown(&labels(index)),
                    Shown(&labels(first)),
                )));
            }
        }
        Ok(ones)
    }

    fn apply(&mut self, progress: &mut Progress, pair: &Pair<'_>) -> Result<(), EvalError> {
        let op = self.binary.op;
        let (many, one) = pair.values;
        let (left, right) = if self.swapped { (one, many) } else { (many, one) };
        let (verdict, found) = element::values(op, left, right);
        if let Some(found) = found {
            progress.note = Some(found);
        }
        let value = match verdict {
            Verdict::Refuse(refusal) => {
                progress.note = Some(refusal.note(op));
                return Ok(());
            }
            Verdict::Keep(_) if self.as_bool => Some(Value::Float(1.0)),
            Verdict::Discard if self.as_bool => Some(Value::Float(0.0)),
            Verdict::Keep(value) => Some(value),
            Verdict::Discard => None,
        };
        let one_to_one = self.binary.matching.cardinality == Cardinality::OneToOne;
        let matched = progress.matched.get_mut(pair.group);
        let was_matched = matched.is_some_and(|matched| std::mem::replace(matched, true));
        if one_to_one && was_matched {
            return Err(self.fail(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                    .to_owned(),
            ));
        }
        let index = self.result_row(pair.sides);
        // A result that a comparison discards takes its place all the same.
        let visit = progress.step.saturating_add(1);
        if self.visited.get_mut(index).is_some_and(|visited| std::mem::replace(visited, visit) == visit) {
            return Err(self.fail(if one_to_one {
                "vector cannot contain metrics with the same labelset".to_owned()
            } else {
                "multiple matches for labels: grouping labels must ensure unique matches".to_owned()
            }));
        }
        if let Some(value) = value {
            self.result.set(index, progress.step, value);
        }
        Ok(())
    }

    /// The result's series for two sides, made where it is not there yet.
    fn result_row(&mut self, sides: (Side, Side)) -> usize {
        if let Some(index) = self.known.get(&sides) {
            return *index;
        }
        let row = self.combined_row(sides);
        let same =
            |number: usize| self.result.rows().get(number).is_some_and(|known| known.same_labels(&row));
        let (number, novelty) = self.numbering.number(row.hash(), same);
        let index = if novelty == Novelty::New {
            self.visited.push(0);
            self.result.push_empty(row)
        } else {
            number
        };
        self.known.insert(sides, index);
        index
    }

    fn combined_row(&self, (many, one): (Side, Side)) -> Row {
        let series = |matrix: &Matrix, index: usize| matrix.rows().get(index).cloned().unwrap_or_default();
        let matching = &self.binary.matching;
        // A side that is filled in has the labels that matched.
        let filled = |row: &Row| Row::new(matched_labels(row, &matching.on));
        let (many, one) = match (many, one) {
            (Side::Series(many), Side::Series(one)) => (series(self.many, many), series(self.one, one)),
            (Side::Series(many), Side::Fill(_)) => {
                let many = series(self.many, many);
                let one = filled(&many);
                (many, one)
            }
            (Side::Fill(_), Side::Series(one)) => {
                let one = series(self.one, one);
                (filled(&one), one)
            }
            (Side::Fill(_), Side::Fill(_)) => (Row::default(), Row::default()),
        };
        joined_row(self.binary, (&many, &one), self.removal)
    }
}

/// The series of a result of two that match, the one of the "many" side first.
pub(in crate::engine::promql) fn joined_row(
    binary: &Binary,
    (many, one): (&Row, &Row),
    removal: NameRemoval,
) -> Row {
    let matching = &binary.matching;
    let arithmetic = binary.op.kind() == OperatorKind::Arithmetic;
    let kept = |label: &&Label| !(arithmetic && is_metadata(&label.0)) && survives(matching, &label.0);
    let included = matching.include.iter().map(|name| (name.clone(), one.get(name).into()));
    let labels = many.iter().filter(kept).cloned().chain(included);
    let mut row = Row::new(Labels::collect(labels));
    row.inherit_name_state(many);
    if binary.op.kind() == OperatorKind::Comparison && binary.comparison == ComparisonMode::Bool {
        row.drop_name(removal);
    }
    row
}

/// Whether a label of the "many" side is in the result; one-to-one results keep what matched alone.
fn survives(matching: &Matching, label: &str) -> bool {
    if matching.cardinality != Cardinality::OneToOne {
        return true;
    }
    let named = |names: &[std::sync::Arc<str>]| names.iter().any(|name| name.as_ref() == label);
    match &matching.on {
        Grouping::By(names) => named(names),
        Grouping::Without(names) => !named(names),
    }
}

/// Labels as Prometheus' errors write them: the metric name among the others.
struct Shown<'a>(&'a Labels);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("{")?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(out, "{separator}{name}={}", super::super::eval::quoted(value))?;
        }
        out.write_str("}")
    }
}
