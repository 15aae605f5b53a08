//! How threads that only answer questions stand behind those that apply events and decide alerts.

use crate::shell::plain::plain;

/// How much nicer than the rest a thread is: with both at work on one core it gets about a tenth of it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lets every other thread of the process go before this one, where the system tells threads apart.
pub(super) fn yield_to_the_engine() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(error = plain(error), "queries run at the priority of everything else");
    }
}
