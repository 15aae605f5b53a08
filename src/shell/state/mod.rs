//! The state on disk: a folder with the last checkpoint and the one before it, written by a thread of its own.
//!
//! [`folder`] knows files, on a [`disk`]; [`keeper`] decides when to save and says how it went. A folder that fails stops neither
//! metrics nor alerts.

mod begin;
pub(crate) mod disk;
mod folder;
mod keeper;
mod log;
mod scribe;

pub(crate) use begin::{open, restore};
pub(crate) use keeper::Keeper;
#[cfg(any(test, feature = "simulation"))]
pub(crate) use keeper::SaveOutcome;
pub(crate) use log::TransitionLog;
pub(crate) use scribe::Scribe;
