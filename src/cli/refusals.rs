//! Events that were refused, said one by one up to a limit.

use super::CommandOutcome;
use super::recording::RecordedPlace;
use super::terminal::Terminal;
use crate::engine::fact::Rejected;

/// Refused events that are named one by one.
const SHOWN_MAX: u64 = 10;

/// How many were refused so far.
#[derive(Debug, Default)]
pub(super) struct Refusals(u64);

impl Refusals {
    /// Says what was refused of what stands at a place.
    pub(super) fn say(&mut self, place: RecordedPlace, refused: &[Rejected], terminal: &mut Terminal) {
        for rejected in refused {
            self.0 += 1;
            if self.0 <= SHOWN_MAX {
                let (reason, detail) = (rejected.refusal.reason.name(), &rejected.refusal.detail);
                terminal.say(format_args!("{place}: refused as {reason}: {detail}"));
            }
        }
    }

    /// Says how many were not named.
    pub(super) fn say_rest(&self, terminal: &mut Terminal) {
        if self.0 > SHOWN_MAX {
            terminal.say(format_args!("… and {} more refused", self.0 - SHOWN_MAX));
        }
    }

    /// What they make of the command's end.
    pub(super) const fn outcome(&self) -> CommandOutcome {
        if self.0 == 0 { CommandOutcome::Fine } else { CommandOutcome::Findings }
    }
}
