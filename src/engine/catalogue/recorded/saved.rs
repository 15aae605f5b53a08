//! The metrics that events brought as their twins, and from them.

use std::sync::Arc;

use super::{Recorded, RecordedFamily, choose, spec_of};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::head::{RecordedFamilyTwin, RecordedTwin};
use crate::engine::config::{Config, NameScheme};
use crate::engine::fact::Kept;
use crate::engine::series::{FamilyId, SeriesId, Store};
use crate::engine::time::Timestamp;

impl Recorded {
    /// The names as they are now.
    pub(in crate::engine::catalogue) fn save(&self) -> RecordedTwin {
        let mut names: Vec<&Arc<str>> = self.families.keys().collect();
        names.sort();
        let twin = |name: &Arc<str>| {
            let family = self.families.get(name)?;
            Some(RecordedFamilyTwin {
                name: Arc::clone(name),
                family: family.id.0,
                written: Arc::clone(&family.written),
                dropped: family.dropped.to_vec(),
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

    /// Takes over the names that were saved. A metric that has other labels or buckets in this configuration begins
    /// anew; which ones do is returned.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::catalogue) fn restore(
        &mut self,
        store: &mut Store,
        twin: RecordedTwin,
        config: &Config,
        now: Timestamp,
    ) -> Result<Vec<Kept>, Damage> {
        self.config.names = if twin.utf8 == 0 { NameScheme::Underscores } else { NameScheme::Utf8 };
        self.named_before = twin.named_before.into_iter().collect();
        let mut anew = Vec::new();
        for saved in twin.families {
            let id = FamilyId(saved.family);
            if !store.is_recorded_family(id) {
                return Err(Damage("a name that an event brought has no metric"));
            }
            let known = store.family(id);
            let metric_type = known.metric_type;
            let name: Arc<str> = Arc::from(known.exposed_name());
            let wanted = choose(config, &[&saved.name], metric_type).drop_labels;
            let key = if wanted != saved.dropped {
                Some("metrics.drop_labels")
            } else if known.buckets != spec_of(config, &saved.name, metric_type).buckets {
                Some("metrics.buckets")
            } else {
                None
            };
            if let Some(key) = key {
                anew.push(Kept { key, metric: name.to_string() });
                let series: Vec<SeriesId> = store.series_of(id).collect();
                for series in series {
                    store.remove(series, now);
                }
            }
            let family = RecordedFamily {
                id,
                metric_type,
                name,
                written: saved.written,
                dropped: saved.dropped.into(),
            };
            self.families.insert(saved.name, family);
        }
        // Everything that does not fit has no series by now, so nothing is kept back.
        self.configure(store, config);
        Ok(anew)
    }
}
