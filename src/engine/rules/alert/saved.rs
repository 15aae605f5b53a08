//! The state of an alert as its twin, and from it.

use super::{AlertState, Clocks, Held, LEVELS_MAX, ShownState};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::rules::{AlertStateTwin, FiringTwin};

impl AlertState {
    /// As it is written.
    pub(in crate::engine::rules) fn twin(self) -> AlertStateTwin {
        let held = |held: &Option<Held>| held.map(|held| (held.since, u8::from(held.served)));
        AlertStateTwin {
            active_at: self.active_at,
            firing: match self.shown {
                ShownState::Pending => None,
                ShownState::Firing { level, since, quiet_since } => {
                    Some(FiringTwin { level: level as u32, since, quiet_since })
                }
            },
            held: self.held.0.iter().map(held).collect(),
        }
    }

    /// As it was written.
    ///
    /// # Errors
    /// A level that there is not.
    pub(in crate::engine::rules) fn of_twin(twin: &AlertStateTwin) -> Result<Self, Damage> {
        let shown = match &twin.firing {
            None => ShownState::Pending,
            Some(FiringTwin { level, since, quiet_since }) if (*level as usize) < LEVELS_MAX => {
                ShownState::Firing { level: *level as usize, since: *since, quiet_since: *quiet_since }
            }
            Some(_) => return Err(Damage("an alert fires at a level there is not")),
        };
        let mut held = Clocks::default();
        for (clock, twin) in held.0.iter_mut().zip(&twin.held) {
            *clock = twin.map(|(since, served)| Held { since, served: served != 0 });
        }
        Ok(Self { active_at: twin.active_at, shown, held })
    }
}
