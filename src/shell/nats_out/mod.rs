//! What goes out to NATS: alert events, and copies of rejected events.

pub(crate) mod alerts;
pub(crate) mod client;
pub(crate) mod rejected;
