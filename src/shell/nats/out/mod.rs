//! What leaves: alert events, by a [`machine`] with its runner ([`alerts`]), and copies of rejected events.

pub(crate) mod alerts;
pub(crate) mod client;
mod exchange;
mod fold;
mod machine;
mod reading;
pub(crate) mod rejected;
#[cfg(test)]
mod script_tests;
mod streams;
mod words;
