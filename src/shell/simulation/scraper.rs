//! Scrapes: each is held against the model, and against the scrapes before it.

use std::collections::BTreeMap;

use super::model::{Exact, Model, Tally};
use crate::engine::arrival::Standing;
use crate::engine::exposition::{Scrape, negotiate};
use crate::shell::driver::Driver;

/// The families that are read.
const FAMILIES: [&str; 8] = [
    "clicks_total",
    "clicks_created",
    "level",
    "queue_jobs_queued_total",
    "signalbox_events_received_total",
    "signalbox_events_applied_total",
    "signalbox_events_duplicate_total",
    "signalbox_events_rejected_total",
];

/// Samples by name and labels, as they are written.
type Samples = BTreeMap<String, f64>;

/// What scrapes showed.
#[derive(Debug, Default)]
pub(super) struct Scraper {
    /// The last value of each counter of the stream, and when it says it began.
    last: BTreeMap<String, (f64, f64)>,
    pub(super) scrapes: u64,
    begun_anew: u64,
}

/// What is told from a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// To everybody.
    ToAll,
    /// To nobody: it still catches up.
    ToNobody,
}

impl Scraper {
    /// Looks at what a scrape shows now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn scrape(&mut self, driver: &mut Driver, model: &Model) -> Result<(), String> {
        let shown = if driver.status.scrape_refusal().is_none() { Shown::ToAll } else { Shown::ToNobody };
        let samples = samples(driver);
        self.scrapes += 1;
        check_values(&samples, model)?;
        check_tallies(&samples, model, driver.engine.standing())?;
        if std::mem::replace(&mut self.begun_anew, model.begun_anew) != model.begun_anew {
            // What was applied after the checkpoint has left the stream: series that it bore are gone.
            self.forget();
        }
        if shown == Shown::ToAll {
            self.compare(&samples)?;
        }
        Ok(())
    }

    /// No counter of the stream falls or goes without saying that it began anew.
    fn compare(&mut self, samples: &Samples) -> Result<(), String> {
        for (key, (value, created)) in &mut self.last {
            let now = samples.get(key).copied();
            let created_now =
                samples.get(&key.replace("clicks_total", "clicks_created")).copied().unwrap_or(0.0);
            match now {
                Some(now) if now >= *value || created_now != *created => {
                    (*value, *created) = (now, created_now);
                }
                Some(now) => {
                    return Err(format!(
                        "{key} fell from {value} to {now}, created {created} and {created_now}"
                    ));
                }
                None => return Err(format!("{key} was {value} and is gone")),
            }
        }
        for (key, value) in samples.iter().filter(|(key, _)| key.starts_with("clicks_total")) {
            let created = samples.get(&key.replace("clicks_total", "clicks_created")).copied().unwrap_or(0.0);
            self.last.entry(key.clone()).or_insert((*value, created));
        }
        Ok(())
    }

    /// The state is gone, and with it what was counted: counters may begin anew without having been there before.
    pub(super) fn forget(&mut self) {
        self.last.clear();
    }
}

fn samples(driver: &mut Driver) -> Samples {
    let names = FAMILIES.iter().map(|name| (*name).to_owned()).collect();
    let scrape = Scrape { format: negotiate("application/openmetrics-text"), names };
    let bytes = driver.engine.freeze(driver.clock.now()).to_bytes(scrape);
    let text = String::from_utf8_lossy(&bytes);
    let sample = |line: &str| {
        let end = line.rfind('}').map_or_else(|| line.find(' '), |end| Some(end + 1))?;
        let (key, rest) = line.split_at_checked(end)?;
        Some((key.to_owned(), rest.split_whitespace().next()?.parse().ok()?))
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" # ").next().unwrap_or(line))
        .filter_map(sample)
        .collect()
}

fn check_values(samples: &Samples, model: &Model) -> Result<(), String> {
    let mut expected: Samples = Samples::new();
    expected.extend(
        model.counts.iter().map(|(shop, count)| (format!("clicks_total{{shop=\"{shop}\"}}"), *count)),
    );
    expected.extend(model.levels.iter().map(|(tank, level)| (format!("level{{tank=\"{tank}\"}}"), *level)));
    for (key, value) in &expected {
        let shown = samples.get(key).copied();
        if shown != Some(*value) {
            return Err(format!("{key} is {shown:?}, and should be {value}"));
        }
    }
    let ours = |key: &&String| key.starts_with("clicks_total") || key.starts_with("level");
    match samples.keys().filter(ours).find(|key| !expected.contains_key(*key)) {
        Some(key) => Err(format!("{key} should not be there")),
        None => Ok(()),
    }
}

/// received = applied + duplicate + rejected, and each as reckoned.
fn check_tallies(samples: &Samples, model: &Model, standing: Standing) -> Result<(), String> {
    for (lane, reckoned) in [("jetstream", model.stream), ("core", model.core)] {
        let sum = |name: &str| {
            let of_lane = format!("lane=\"{lane}\"");
            let prefix = format!("signalbox_events_{name}_total");
            let ours = samples.iter().filter(|(key, _)| key.starts_with(&prefix) && key.contains(&of_lane));
            ours.map(|(_, value)| *value).sum::<f64>() as u64
        };
        let shown = Tally {
            received: sum("received"),
            applied: sum("applied"),
            duplicate: sum("duplicate"),
            rejected: sum("rejected"),
        };
        if shown.received != shown.applied + shown.duplicate + shown.rejected {
            return Err(format!("the books of {lane} do not balance: {shown:?}"));
        }
        let is_reckoned = match lane {
            "core" => standing == Standing::Present && model.core_exact == Exact::Yes,
            _ => model.exact == Exact::Yes,
        };
        if is_reckoned && shown != reckoned {
            return Err(format!("{lane} counts {shown:?}, and should {reckoned:?}"));
        }
    }
    Ok(())
}
