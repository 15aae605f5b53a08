//! Alerts whose past is known from elsewhere, in an evaluation.

use super::{Evaluation, Seen};
use crate::engine::rules::alert::Reading;
use crate::engine::rules::book::Episode;
use crate::engine::rules::event::fingerprint;
use crate::engine::rules::resumed::{Era, Sight, Standing};
use crate::engine::rules::runtime::Beginnings;

impl Evaluation<'_, '_> {
    /// Whether an episode began later than now: its beginning was seen before the past was lived through. In a pair how much
    /// of the stream is applied tells that: clocks may differ from the server's.
    pub(super) fn began_later(&self, episode: Option<&Episode>) -> bool {
        self.env.resumed.era() == Era::Past
            && self.env.settings.beginnings == Beginnings::AsDecided
            && episode.is_some_and(|episode| episode.started_at > self.env.at)
    }

    /// Forgets that everything is decided up to an instant, where more of the stream is applied than led there.
    pub(super) fn pass_settled(&mut self, fingerprint: u64) {
        if self.env.settings.beginnings == Beginnings::AsStored {
            self.env.resumed.pass_settled(fingerprint);
        }
    }

    /// Whether nothing is to be decided of this alert now.
    pub(super) fn waits(&mut self, seen: &Seen) -> bool {
        let open = self.book.alerts.get(&seen.identity);
        if self.began_later(open.and_then(|active| active.episode.as_ref())) {
            return true;
        }
        let base = match (open, &seen.base) {
            (Some(active), _) => active.base.clone(),
            (None, Some(base)) => base.clone(),
            (None, None) => self.alert_labels(&seen.sample, seen.value),
        };
        let sight = if seen.reading == Reading::Gone { Sight::Gone } else { Sight::There };
        let print = fingerprint(&self.rule.id, &base);
        self.pass_settled(print);
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
