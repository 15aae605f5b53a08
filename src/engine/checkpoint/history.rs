//! The past.

use super::bytes::{choice, twin};
use crate::engine::labels::Labels;
use crate::engine::time::Timestamp;

twin! {
    /// The past of every series.
    struct HistoryTwin {
        /// The place of the oldest instant of the grid.
        first: i64,
        grid: Vec<i64>,
        finished: Vec<StepTwin>,
        arriving: StepTwin,
        pages: Vec<PastPageTwin>,
        gone: Vec<GoneTwin>,
        left_out: Vec<u32>,
        written: Vec<WrittenTwin>,
    }
}

impl HistoryTwin {
    /// No past at all.
    pub(in crate::engine) fn nothing() -> Self {
        Self { first: 1, ..Self::default() }
    }
}

twin! {
    /// The arrivals between two instants of the grid.
    struct StepTwin {
        after: i64,
        times: Vec<i64>,
        /// By family, the numbers of the arrivals that sampled it.
        numbers: Vec<(u32, Vec<u32>)>,
    }
}

twin! {
    /// The past of a page of cells.
    struct PastPageTwin {
        blocks: Vec<BlockTwin>,
        base: Vec<f64>,
        columns: Vec<ColumnTwin>,
        finished: Vec<StepColumnsTwin>,
        arriving: Vec<ColumnTwin>,
        packed_extremes: Vec<BlockTwin>,
        open_extremes: Vec<Vec<PointTwin>>,
    }
}

twin! {
    /// Packed changes.
    struct BlockTwin {
        before: i64,
        end: i64,
        cells: Vec<u16>,
        bases: Vec<f64>,
        ends: Vec<u32>,
        bytes: Vec<u8>,
    }
}

twin! {
    /// What changed at one instant.
    struct ColumnTwin {
        at: i64,
        cells: Vec<u16>,
        values: Vec<f64>,
    }
}

twin! {
    /// What arrivals changed in one step.
    struct StepColumnsTwin {
        after: i64,
        columns: Vec<ColumnTwin>,
    }
}

twin! {
    /// A sample between two instants of the grid.
    struct PointTwin {
        cell: u16,
        time_ms: i64,
        value: f64,
    }
}

twin! {
    /// A series that left.
    struct GoneTwin {
        family: u32,
        labels: Labels,
        born: Timestamp,
        at: Timestamp,
        cells: (u32, u32),
    }
}

twin! {
    /// A series that a rule writes.
    struct WrittenTwin {
        labels: Labels,
        samples: Vec<WrittenSampleTwin>,
        /// How many of the first ones are never written again.
        full: u32,
        /// How many of those behind them are thinned.
        thinned: u32,
    }
}

twin! {
    /// A sample that a rule wrote.
    struct WrittenSampleTwin {
        time_ms: i64,
        occasion: OccasionTwin,
        value: f64,
    }
}

choice! {
    /// Why the rule was evaluated.
    #[derive(Default)]
    enum OccasionTwin {
        #[default]
        Interval = 0,
        Arrival = 1,
    }
}
