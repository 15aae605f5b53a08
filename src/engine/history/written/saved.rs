//! What rules wrote as its twins, and from them.

use std::sync::Arc;

use super::{CHUNK_SAMPLES, Kept, METRIC_NAME, Occasion, Samples, Value, Written};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::history::{OccasionTwin, WrittenSampleTwin, WrittenTwin};
use crate::engine::history::saved::place;
use crate::engine::labels::Labels;

impl Written {
    /// What rules wrote; native histograms, which only rule tests bring, are left out.
    pub(in crate::engine::history) fn save(&self) -> impl Iterator<Item = WrittenTwin> + '_ {
        self.iter().map(|(labels, samples)| samples.twin(labels))
    }

    /// What was saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::history) fn restored(twins: Vec<WrittenTwin>) -> Result<Self, Damage> {
        let mut written = Self::default();
        let names = Arc::make_mut(&mut written.names);
        for twin in twins {
            let name = twin.labels.shared(METRIC_NAME).map_or_else(|| Arc::from(""), Arc::clone);
            let (labels, samples) = Samples::of_twin(twin)?;
            (written.series, written.samples) = (written.series + 1, written.samples + samples.len());
            Arc::make_mut(names.entry(name).or_default()).insert(labels, Arc::new(samples));
        }
        Ok(written)
    }
}

impl Samples {
    fn twin(&self, labels: &Labels) -> WrittenTwin {
        let numbers =
            |samples: &[Kept]| -> Vec<WrittenSampleTwin> { samples.iter().filter_map(Kept::twin).collect() };
        let mut samples: Vec<WrittenSampleTwin> = self.full.iter().flat_map(|chunk| numbers(chunk)).collect();
        let full = samples.len() as u32;
        samples.extend(numbers(&self.open));
        WrittenTwin { labels: labels.clone(), samples, full, thinned: self.thinned as u32 }
    }

    fn of_twin(twin: WrittenTwin) -> Result<(Labels, Self), Damage> {
        let mut all = twin.samples.iter().map(Kept::of_twin).collect::<Result<Vec<Kept>, Damage>>()?;
        if twin.full as usize > all.len() {
            return Err(Damage("a series that a rule writes has more samples than it has"));
        }
        let open = all.split_off(twin.full as usize);
        let thinned = (twin.thinned as usize).min(open.len());
        let full = all.chunks(CHUNK_SAMPLES).map(Arc::from).collect();
        Ok((twin.labels, Self { full, open, thinned }))
    }
}

impl Kept {
    fn twin(&self) -> Option<WrittenSampleTwin> {
        let Value::Float(value) = self.value else { return None };
        let occasion = if self.is_of_arrival() { OccasionTwin::Arrival } else { OccasionTwin::Interval };
        Some(WrittenSampleTwin { time_ms: self.time_ms(), occasion, value })
    }

    fn of_twin(twin: &WrittenSampleTwin) -> Result<Self, Damage> {
        let occasion = match twin.occasion {
            OccasionTwin::Interval => Occasion::Interval,
            OccasionTwin::Arrival => Occasion::Arrival,
        };
        Ok(Self::new(place(twin.time_ms)?, Value::Float(twin.value), occasion))
    }
}
