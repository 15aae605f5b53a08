//! `and`, `or` and `unless`.

use super::super::ast::{Binary, BinaryOp};
use super::super::eval::{DuplicateLabels, Matrix};
use super::matching::MatchGroups;

/// The series of both sides that the operator keeps, at each step.
pub(super) fn combined(
    binary: &Binary,
    mut left: Matrix,
    mut right: Matrix,
) -> Result<Matrix, DuplicateLabels> {
    let groups = MatchGroups::new(&binary.matching, &left, &right);
    if binary.op == BinaryOp::Or {
        let present = Presence::of(&left, &groups.left, groups.count);
        retain(&mut right, &groups.right, |group, step| !present.at(group, step));
        for (row, cells) in right.into_series() {
            left.push(row, cells);
        }
        left.merge_duplicates()?;
    } else {
        let wanted = binary.op == BinaryOp::And;
        let present = Presence::of(&right, &groups.right, groups.count);
        retain(&mut left, &groups.left, |group, step| present.at(group, step) == wanted);
    }
    left.drop_empty();
    Ok(left)
}

fn retain(matrix: &mut Matrix, groups: &[usize], keeps: impl Fn(usize, usize) -> bool) {
    for (index, group) in groups.iter().enumerate() {
        for (step, cell) in matrix.values_mut(index).iter_mut().enumerate() {
            if !keeps(*group, step) {
                *cell = None;
            }
        }
    }
}

/// Which match groups have a value at which step.
struct Presence {
    steps: usize,
    present: Vec<bool>,
}

impl Presence {
    fn of(matrix: &Matrix, groups: &[usize], count: usize) -> Self {
        let steps = matrix.steps();
        let mut present = vec![false; count.saturating_mul(steps)];
        for ((_, cells), group) in matrix.iter().zip(groups) {
            let start = group.saturating_mul(steps);
            let flags = present.get_mut(start..start.saturating_add(steps)).unwrap_or_default();
            for (flag, cell) in flags.iter_mut().zip(cells) {
                *flag |= cell.is_some();
            }
        }
        Self { steps, present }
    }

    fn at(&self, group: usize, step: usize) -> bool {
        self.present.get(group.saturating_mul(self.steps).saturating_add(step)).copied().unwrap_or(false)
    }
}
