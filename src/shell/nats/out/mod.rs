//! What leaves: alert events, by a [`machine`] with its runner ([`alerts`]), and copies of rejected events.

pub(crate) mod alerts;
pub(crate) mod client;
pub(crate) mod exchange;
pub(crate) mod fold;
pub(crate) mod following;
pub(crate) mod lease;
pub(crate) mod machine;
pub(crate) mod publishing;
mod reading;
pub(crate) mod rejected;
#[cfg(test)]
mod script_tests;
#[cfg(test)]
mod simulation_tests;
mod streams;
mod tailing;
pub(crate) mod words;
