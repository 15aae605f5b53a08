//! Alerts whose past is known from elsewhere, in an evaluation.

use super::{Evaluation, Seen};
use crate::engine::rules::alert::Reading;
use crate::engine::rules::event::fingerprint;
use crate::engine::rules::resumed::{Era, Sight, Standing};

impl Evaluation<'_, '_> {
    /// Whether the alert began later than now: its beginning was seen before the past was lived through.
    fn began_later(&self, seen: &Seen) -> bool {
        let episode = self.book.alerts.get(&seen.identity).and_then(|active| active.episode.as_ref());
        episode.is_some_and(|episode| episode.started_at > self.env.at)
    }

    /// Whether nothing is to be decided of this alert now.
    pub(super) fn waits(&mut self, seen: &Seen) -> bool {
        if self.env.resumed.era() == Era::Past && self.began_later(seen) {
            return true;
        }
        let open = self.book.alerts.get(&seen.identity);
        let base = match (open, &seen.base) {
            (Some(active), _) => active.base.clone(),
            (None, Some(base)) => base.clone(),
            (None, None) => self.alert_labels(&seen.sample, seen.value),
        };
        let sight = if seen.reading == Reading::Gone { Sight::Gone } else { Sight::There };
        let print = fingerprint(&self.rule.id, &base);
        match self.env.resumed.standing(print, &seen.identity, sight, self.env.at) {
            Standing::Usual => false,
            Standing::Waits => true,
            Standing::Moves(identity) => {
                if let Some(active) = self.book.alerts.remove(&identity) {
                    self.book.alerts.insert(seen.identity.clone(), active);
                }
                false
            }
        }
    }
}
