//! The lanes: messages from NATS, in batches, to the driver's mailbox.
//!
//! Each lane has a connection and a thread of its own and speaks the NATS protocol itself ([`super::protocol`],
//! [`super::frames`]). A client library would drop messages its reader has no room for, would end the connection
//! over a header block it cannot read, and would cost more for each message than all that follows. What a lane does
//! is a [`machine`]; the [`runner`] has its sockets.

pub(crate) mod core;
mod durable;
mod filters;
mod gaps;
mod looking;
pub(crate) mod machine;
mod overlap;
mod owing;
mod pace;
pub(crate) mod pull;
mod pulling;
pub(crate) mod runner;
#[cfg(test)]
mod script_tests;
#[cfg(test)]
mod simulation_tests;
pub(crate) mod stream;
mod subscriptions;
mod words;
