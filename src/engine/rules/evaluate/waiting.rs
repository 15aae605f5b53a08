//! Alerts whose past is known from elsewhere, in an evaluation.

use super::{Evaluation, Seen};
use crate::engine::rules::alert::Reading;
use crate::engine::rules::event::fingerprint;
use crate::engine::rules::resumed::{Sight, Standing};

impl Evaluation<'_, '_> {
    /// Whether nothing is to be decided of this alert now.
    pub(super) fn waits(&mut self, seen: &Seen) -> bool {
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
