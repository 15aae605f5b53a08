//! Leaving out of a failing plan whatever it fails without.

use super::Shrunk;
use super::plan::Plan;

/// Worlds that are run to shrink one.
const TRIES_MAX: usize = 600;

/// The smallest part of a plan that was found to fail in the same way; none where the whole does not fail.
pub(super) fn shrink(plan: &Plan, fails: &dyn Fn(Plan) -> Option<String>) -> Option<Shrunk> {
    let mut failure = fails(plan.clone())?;
    let mut kept: Vec<usize> = (0..plan.steps.len()).collect();
    let mut tries = 0;
    let mut length = kept.len().div_ceil(2);
    while length > 0 {
        let mut start = 0;
        while start < kept.len() && tries < TRIES_MAX {
            let end = (start + length).min(kept.len());
            let without: Vec<usize> = kept
                .iter()
                .enumerate()
                .filter(|(place, _)| *place < start || *place >= end)
                .map(|(_, it)| *it)
                .collect();
            tries += 1;
            match fails(plan.keeping(&without)).filter(|still| kind_of(still) == kind_of(&failure)) {
                Some(still) => (kept, failure) = (without, still),
                None => start = end,
            }
        }
        length = if length == 1 { 0 } else { length.div_ceil(2) };
    }
    let steps = kept.iter().filter_map(|place| plan.steps.get(*place));
    let steps = steps.map(|step| format!("after {} µs {:?}", step.after, step.action)).collect();
    Some(Shrunk { kept, steps, failure })
}

/// What a failure is about: its text behind the time, up to the first value.
fn kind_of(failure: &str) -> &str {
    let what = failure.split_once(" µs: ").map_or(failure, |(_, what)| what);
    let is_value = |letter: char| letter.is_ascii_digit() || [':', '{', '['].contains(&letter);
    what.split(is_value).next().unwrap_or(what)
}
