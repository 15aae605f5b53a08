//! The metrics that events brought as their twins, and from them.

use std::sync::Arc;

use super::{Recorded, RecordedFamily};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::head::{RecordedFamilyTwin, RecordedTwin};
use crate::engine::config::{Config, NameScheme};
use crate::engine::series::{FamilyId, Store};
use crate::engine::time::Timestamp;

impl Recorded {
    /// The names as they are now.
    pub(in crate::engine::catalogue) fn save(&self, store: &Store) -> RecordedTwin {
        let mut names: Vec<&Arc<str>> = self.families.keys().collect();
        names.sort();
        let twin = |name: &Arc<str>| {
            let family = self.families.get(name)?;
            Some(RecordedFamilyTwin {
                name: Arc::clone(name),
                family: family.id.0,
                written: Arc::clone(&family.written),
                dropped: store.left_out(family.id).iter().map(ToString::to_string).collect(),
            })
        };
        RecordedTwin {
            utf8: match self.config.names {
                NameScheme::Underscores => 0,
                NameScheme::Utf8 => 1,
            },
            families: names.into_iter().filter_map(twin).collect(),
            named_before: self.named_before.iter().map(|(from, to)| (from.clone(), Arc::clone(to))).collect(),
        }
    }

    /// Takes over the names that were saved, as this configuration has them; the metrics that begin anew for it are
    /// returned.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::catalogue) fn restore(
        &mut self,
        store: &mut Store,
        twin: RecordedTwin,
        config: &Config,
        now: Timestamp,
    ) -> Result<Vec<String>, Damage> {
        self.config.names = if twin.utf8 == 0 { NameScheme::Underscores } else { NameScheme::Utf8 };
        self.named_before = twin.named_before.into_iter().collect();
        for saved in twin.families {
            let id = FamilyId(saved.family);
            if !store.is_recorded_family(id) {
                return Err(Damage("a name that an event brought has no metric"));
            }
            store.leave_out(id, &saved.dropped, now);
            let known = store.family(id);
            let (metric_type, name) = (known.metric_type, Arc::from(known.exposed_name()));
            let family = RecordedFamily { id, metric_type, name, written: saved.written };
            self.families.insert(saved.name, family);
        }
        Ok(self.configure(store, config, now))
    }
}
