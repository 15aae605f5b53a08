//! What goes out to NATS: alert events, and copies of rejected events.

mod alert_stream;
pub(crate) mod alerts;
pub(crate) mod client;
pub(crate) mod rejected;
