//! Where batches are from, how far a stream was applied, and how its stored past is caught up with.

mod adopted;
mod answer;
pub(crate) mod applied_set;
pub(crate) mod catch_up;
mod moment;
pub(crate) mod origin;
mod owed;
pub(crate) mod position;
mod receive;
mod share;

pub(crate) use catch_up::{CatchUp, Standing, StreamNews};
pub(in crate::engine) use moment::Moment;
pub(crate) use origin::{Epoch, Order, Origin, Stored, StreamBatch};
pub(in crate::engine) use owed::Owed;
pub use owed::RunEnding;
pub(crate) use position::Position;
pub(in crate::engine) use share::Share;
