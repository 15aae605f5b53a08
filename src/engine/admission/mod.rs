//! Whether an event may count: the window of ids that were seen, and majors whose successor has long been there.

mod buckets;
pub(crate) mod duplicates;
pub(crate) mod majors;
