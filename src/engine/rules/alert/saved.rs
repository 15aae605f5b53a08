//! The state of an alert as its twin, and from it.

use super::{AlertState, Clocks, Held, LEVELS_MAX, ShownState};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::rules::{AlertStateTwin, FiringTwin};

impl AlertState {
    /// As it is written.
    pub(in crate::engine::rules) fn twin(self) -> AlertStateTwin {
        let held = |held: &Option<Held>| held.map(|held| (held.since, u8::from(held.served)));
        let begun = |held: &Option<Held>| held.and_then(|held| held.begun).map(|begun| (begun, 0));
        let clocks = || self.held.0.iter();
        AlertStateTwin {
            active_at: self.active_at,
            firing: match self.shown {
                ShownState::Pending => None,
                ShownState::Firing { level, since, quiet_since } => {
                    Some(FiringTwin { level: level as u32, since, quiet_since })
                }
            },
            held: clocks().map(held).chain(clocks().map(begun)).collect(),
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
        for (level, (clock, known)) in held.0.iter_mut().zip(&twin.held).enumerate() {
            let begun = twin.held.get(LEVELS_MAX + level).copied().flatten().map(|(begun, _)| begun);
            *clock = known.map(|(since, served)| Held { since, served: served != 0, begun });
        }
        Ok(Self { active_at: twin.active_at, shown, held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::alert::{AlertState, ShownState};
    use crate::engine::time::Timestamp;

    #[test]
    fn a_wait_goes_on_as_it_was_and_one_of_an_older_version_from_what_that_knew() {
        let at = Timestamp::from_millis;
        let waits = Held { since: at(7), served: false, begun: Some(at(5)) };
        let holds = Held { since: at(6), served: true, begun: None };
        let held = Clocks([Some(holds), Some(waits), None]);
        let state = AlertState { active_at: at(6), shown: ShownState::Pending, held };
        assert_eq!(AlertState::of_twin(&state.twin()).unwrap(), state);
        let mut older = state.twin();
        older.held.truncate(LEVELS_MAX);
        let held = Clocks([Some(holds), Some(Held { begun: None, ..waits }), None]);
        assert_eq!(AlertState::of_twin(&older).unwrap(), AlertState { held, ..state });
    }
}
