//! The engine: events in, metrics and alert events out, time as an argument.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod config;
pub mod diagnostic;
pub mod labels;
pub mod promql;
pub mod recent;
pub mod rules;
pub mod series;
pub mod time;
pub mod wire;
