//! Whether an event may count: the window of ids that were seen, and majors whose successor has long been there.

pub mod duplicates;
pub mod majors;
