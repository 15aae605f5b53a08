//! Which series of two vectors belong together.

use super::super::ast::{Grouping, Matching};
use super::super::eval::{Matrix, Numbering, Row, hash_labels};
use crate::engine::labels::Labels;

/// The match group of each series of both sides; the same labels make the same group.
pub(in crate::engine::promql) struct MatchGroups {
    pub(in crate::engine::promql) left: Vec<usize>,
    pub(in crate::engine::promql) right: Vec<usize>,
    /// How many groups there are.
    pub(in crate::engine::promql) count: usize,
}

impl MatchGroups {
    /// Of the series of two vectors.
    pub(in crate::engine::promql) fn new(matching: &Matching, left: &Matrix, right: &Matrix) -> Self {
        let mut numbering = Numbering::default();
        let mut firsts: Vec<&Row> = Vec::new();
        let mut group = |row| {
            let row: &Row = row;
            let hash = hash_labels(row.grouped(&matching.on));
            let same = |number: usize| {
                let first: Option<&&Row> = firsts.get(number);
                first.is_some_and(|first| first.grouped(&matching.on).eq(row.grouped(&matching.on)))
            };
            let (number, _) = numbering.number(hash, same);
            if number == firsts.len() {
                firsts.push(row);
            }
            number
        };
        let left = left.rows().iter().map(&mut group).collect();
        let right = right.rows().iter().map(&mut group).collect();
        Self { left, right, count: numbering.len() }
    }
}

/// The labels of a match group.
pub(super) fn matched_labels(row: &Row, on: &Grouping) -> Labels {
    Labels::collect(row.grouped(on).cloned())
}
