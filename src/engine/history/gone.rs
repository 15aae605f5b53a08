//! Series that left the store while their past is in the window. Their values stay where they were, in the past of
//! their cells, which others may use by now.

mod saved;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::engine::labels::Labels;
use crate::engine::series::{FamilyId, Removed};
use crate::engine::time::Timestamp;

/// Series of a chunk; a chunk is copied where a frozen view shares it, and leaves whole.
const CHUNK_SERIES: usize = 64;

/// A series that left.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) labels: Labels,
    pub(super) born: Timestamp,
    pub(super) at: Timestamp,
    pub(super) cells: Range<u32>,
}

/// The series that left, by family, in the order in which they did. A clone shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct GoneSeries {
    families: Arc<BTreeMap<FamilyId, Chunks>>,
    bytes: usize,
}

type Chunks = Arc<VecDeque<Arc<Vec<Gone>>>>;

impl GoneSeries {
    /// Adds a series that just left.
    pub(super) fn push(&mut self, removed: Removed) {
        let Removed { family, labels, cells, born, at, .. } = removed;
        let gone = Gone { labels, born, at, cells };
        self.bytes += bytes_of(&gone);
        let chunks = Arc::make_mut(Arc::make_mut(&mut self.families).entry(family).or_default());
        match chunks.back_mut().filter(|chunk| chunk.len() < CHUNK_SERIES) {
            Some(chunk) => Arc::make_mut(chunk).push(gone),
            None => chunks.push_back(Arc::new(vec![gone])),
        }
    }

    /// The series of a family that left at `since_ms` or later.
    pub(super) fn of(&self, family: FamilyId, since_ms: i64) -> impl Iterator<Item = &Gone> {
        self.families.get(&family).into_iter().flat_map(move |chunks| {
            let ended = |chunk: &Arc<Vec<Gone>>| chunk.last().is_none_or(|last| last.at.millis() < since_ms);
            let from = chunks.partition_point(ended);
            chunks.iter().skip(from).flat_map(|chunk| chunk.iter())
        })
    }

    /// Forgets those that left before `oldest`.
    pub(super) fn forget_before(&mut self, oldest: Timestamp) {
        let is_old = |chunk: &Arc<Vec<Gone>>| chunk.last().is_none_or(|last| last.at < oldest);
        if !self.families.values().any(|chunks| chunks.front().is_some_and(is_old)) {
            return;
        }
        let bytes = &mut self.bytes;
        Arc::make_mut(&mut self.families).retain(|_, chunks| {
            while chunks.front().is_some_and(is_old) {
                let old = Arc::make_mut(chunks).pop_front();
                let freed: usize = old.iter().flat_map(|chunk| chunk.iter()).map(bytes_of).sum();
                *bytes = bytes.saturating_sub(freed);
            }
            !chunks.is_empty()
        });
    }

    /// Forgets those of the families that are not `kept`.
    pub(super) fn keep(&mut self, kept: impl Fn(FamilyId) -> bool) {
        let families = Arc::make_mut(&mut self.families);
        families.retain(|family, _| kept(*family));
        let left = families.values().flat_map(|chunks| chunks.iter()).flat_map(|chunk| chunk.iter());
        self.bytes = left.map(bytes_of).sum();
    }

    /// Bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a series takes: its labels are its own.
fn bytes_of(gone: &Gone) -> usize {
    let text = |text: &Arc<str>| 2 * size_of::<usize>() + text.len().next_multiple_of(size_of::<usize>());
    let labels: usize =
        gone.labels.iter().map(|label| size_of_val(label) + text(&label.0) + text(&label.1)).sum();
    size_of::<Gone>() + 2 * size_of::<usize>() + labels
}
