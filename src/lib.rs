//! signalbox turns an application's domain events into Prometheus metrics and alerts.
//!
//! [`engine`] is deterministic: it does no I/O, reads no clock and yields the same bytes for the same inputs.
//! `shell` connects it to NATS, HTTP and the disk; `cli` holds the commands. Imports run from `cli` to `shell`
//! to `engine`, never back.

// What the whole crate sees carries its documentation, as what is public does (`clippy.toml` narrows the lint to that).
#![warn(clippy::missing_docs_in_private_items)]
#![cfg_attr(
    not(feature = "shell"),
    expect(dead_code, unused_imports, reason = "what only shell and cli use")
)]

pub mod engine;

#[cfg(feature = "shell")]
pub mod cli;
#[cfg(feature = "shell")]
pub mod shell;
