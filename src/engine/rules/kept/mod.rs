//! What lets an arrival evaluate the outputs of the series that moved, and nothing else.
//!
//! [`Partition`] says by which labels an expression falls apart into parts that have nothing to do with each other;
//! [`Narrow`] picks the parts that the moved series are in. The evaluator stays the definition: a part is what it
//! yields where only the series of that part are there to be selected.

mod keeping;
mod narrow;
mod partition;
mod plans;

pub(crate) use keeping::{Keeping, WholeReason};
pub(super) use narrow::{Moved, Narrow, part_of_result};
pub(super) use partition::Partition;
pub(super) use plans::{Asked, Parts, Plans};

#[cfg(test)]
mod tests;
