//! The lanes: messages from NATS, in batches, to the driver's mailbox.
//!
//! Each lane has a connection and a thread of its own and speaks the NATS protocol itself ([`super::link`],
//! [`super::frames`]). A client library would drop messages its reader has no room for, would end the connection
//! over a header block it cannot read, and would cost more for each message than all that follows.

pub(crate) mod batch;
pub(crate) mod core;
pub(crate) mod pace;
pub(crate) mod stream_durable;
mod stream_gaps;
pub(crate) mod stream_lane;
pub(crate) mod stream_pull;
pub(crate) mod stream_reader;
