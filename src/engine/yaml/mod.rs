//! What people write in YAML, as one tree whose every node knows its bytes, and one reader of its keys.
//!
//! Rule files, rule tests and the configuration are read here, so that a mistake in any of them is shown at its place
//! and all of them at once. Anchors, aliases and merge keys work as in Go's YAML library, which Prometheus reads its
//! files with; how deep a text may nest, how many nodes it may have and how much aliases may repeat is bounded. Only
//! the first document is read, as Prometheus does.

mod findings;
pub(crate) mod keys;
mod notes;
mod offsets;
mod parse;
mod pieces;
mod reader;
pub(crate) mod schema;
mod tree;
pub(crate) mod units;
mod values;

pub(crate) use findings::{Fields, Findings};
pub(crate) use notes::Text;
pub(crate) use pieces::KeptPieces;
pub(crate) use tree::{Node, Notation, Scalar, Value, name_of};
pub(crate) use values::{Read, ReadValue, Values};
