//! Where batches are from, how far a stream was applied, and how its stored past is caught up with.

pub mod catch_up;
pub mod origin;
pub mod position;
mod receive;

pub use catch_up::{CatchUp, Standing, StreamNews};
pub use origin::{Epoch, Order, Origin, Stored, StreamBatch};
pub use position::{Applied, Position};
