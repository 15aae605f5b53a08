//! Which names families may have (`METRICS.md`: two names conflict if any sample name or OpenMetrics family name of
//! theirs would coincide, in either order).
//!
//! Names are compared as a scraper without UTF-8 sees them, so that no scraper ever reads two families as one.

use std::borrow::Cow;
use std::sync::Arc;

use super::family::{Family, Owner};
use super::label_text::underscored_metric;
use super::{Conflict, FamilyId, FamilySpec, Store};
use crate::engine::metric::{SampleName, sample_names};

/// Families are never refused below this many, however low the limit of series is.
const FAMILIES_MIN: usize = 1_000;

impl Store {
    /// Registers a family of the catalogue or of the sidecar itself; the same name and type again is the same
    /// family (the first help, unit, buckets hold). Reserved prefixes and limits do not bind it.
    ///
    /// # Errors
    /// The name is empty or taken.
    pub fn register(&mut self, spec: FamilySpec) -> Result<FamilyId, Conflict> {
        self.register_for(spec, Owner::Own)
    }

    /// Registers a family whose name came with an event. Families registered with [`Store::register`] are taken
    /// for it, also under the same name and type; another of its own kind with the same name and type is the same.
    ///
    /// # Errors
    /// The name is empty, taken or reserved, or there are as many families as series may be.
    pub fn register_recorded(&mut self, spec: FamilySpec) -> Result<FamilyId, Conflict> {
        self.register_for(spec, Owner::Recorded)
    }

    /// Refuses names that begin with `prefix` to [`Store::register_recorded`] from now on.
    pub(crate) fn reserve(&mut self, prefix: &str) {
        self.reserved.push(Arc::from(prefix));
    }

    /// The family of this name (OpenMetrics family name, no `_total`).
    pub(crate) fn find(&self, name: &str) -> Option<FamilyId> {
        let id = self.find_alike(name)?;
        (self.family(id).name.as_ref() == name).then_some(id)
    }

    fn find_alike(&self, name: &str) -> Option<FamilyId> {
        self.by_name.get(underscored_metric(name).as_ref()).copied()
    }

    fn register_for(&mut self, spec: FamilySpec, owner: Owner) -> Result<FamilyId, Conflict> {
        if spec.name.is_empty() {
            return Err(Conflict::Empty);
        }
        if let Some(known) = self.find(&spec.name)
            && self.family(known).metric_type == spec.metric_type
            && self.families.get(known.0 as usize).is_some_and(|family| family.owner == owner)
        {
            return Ok(known);
        }
        if let Some(taken) = self.taken(&spec) {
            let taken = self.family(taken);
            return Err(Conflict::Taken {
                name: spec.name,
                taken_by: Arc::clone(&taken.name),
                taken_type: taken.metric_type,
            });
        }
        if owner == Owner::Recorded {
            self.refuse_recorded(&spec)?;
        }
        Ok(self.add_family(spec, owner))
    }

    fn refuse_recorded(&self, spec: &FamilySpec) -> Result<(), Conflict> {
        let claims = claims(spec);
        let begins = |prefix: &&Arc<str>| claims.iter().any(|claim| claim.starts_with(prefix.as_ref()));
        if let Some(prefix) = self.reserved.iter().find(begins) {
            return Err(Conflict::Reserved { name: Arc::clone(&spec.name), prefix: Arc::clone(prefix) });
        }
        let limit = self.limits.series.max(FAMILIES_MIN);
        if self.families.len() >= limit {
            return Err(Conflict::Exhausted { name: Arc::clone(&spec.name), limit });
        }
        Ok(())
    }

    /// The family that has one of the names `spec` would take.
    fn taken(&self, spec: &FamilySpec) -> Option<FamilyId> {
        claims(spec).iter().find_map(|claim| {
            let of_sample = |sample: SampleName<'_>| {
                let id = self.find_alike(sample.family)?;
                (self.family(id).metric_type == sample.metric_type).then_some(id)
            };
            self.find_alike(claim).or_else(|| sample_names(claim).find_map(of_sample))
        })
    }

    fn add_family(&mut self, spec: FamilySpec, owner: Owner) -> FamilyId {
        let id = FamilyId(self.families.len() as u32);
        let seen = match underscored_metric(&spec.name) {
            Cow::Borrowed(_) => Arc::clone(&spec.name),
            Cow::Owned(name) => Arc::from(name),
        };
        self.by_name.insert(seen, id);
        self.families.push(Family::new(spec, owner));
        self.frozen_families = None;
        id
    }
}

/// Every name a family takes, as a scraper without UTF-8 sees it.
fn claims(spec: &FamilySpec) -> Vec<String> {
    let name = underscored_metric(&spec.name);
    let parts = spec.metric_type.exposed_parts().iter();
    let samples = parts.map(|part| part.sample_name(spec.metric_type, &name));
    std::iter::once(name.to_string()).chain(samples).collect()
}
