//! The worst duration of the query hashes that are slow, of the worst few.
//!
//! Only what shows is kept: the least of the shown durations never falls, so a hash that was displaced can come back
//! only with a duration worse than all it had.

mod saved;

use super::gauges::{Board, Family, SeriesEnding, ShownGauge};

#[derive(Debug)]
struct SlowQuery {
    hash: Box<str>,
    table: Box<str>,
    seconds: f64,
}

/// The tracker of slow queries.
#[derive(Debug)]
pub(crate) struct SlowQueries {
    most: usize,
    /// From the worst; of equal ones the older query first.
    worst: Vec<SlowQuery>,
    shown: ShownGauge,
}

impl SlowQueries {
    /// A tracker that shows at most `most` hashes in `db_slow_query_seconds`.
    pub(crate) fn new(most: usize, family: Family) -> Self {
        Self { most, worst: Vec::new(), shown: ShownGauge::new(family, SeriesEnding::Leave) }
    }

    /// A slow query.
    pub(crate) fn executed(&mut self, board: &mut Board<'_>, hash: &str, table: &str, seconds: f64) {
        let full = self.worst.len() >= self.most;
        if full && self.worst.last().is_none_or(|least| seconds <= least.seconds) {
            return;
        }
        if let Some(place) = self.worst.iter().position(|query| query.hash.as_ref() == hash) {
            if self.worst.get(place).is_some_and(|known| seconds <= known.seconds) {
                return;
            }
            self.worst.remove(place);
        }
        let place = self.worst.partition_point(|query| query.seconds >= seconds);
        self.worst.insert(place, SlowQuery { hash: hash.into(), table: table.into(), seconds });
        self.show(board);
    }

    /// Shows at most `most` hashes from now on.
    pub(crate) fn show_at_most(&mut self, board: &mut Board<'_>, most: usize) {
        self.most = most;
        if self.worst.len() > most {
            self.show(board);
        }
    }

    fn show(&mut self, board: &mut Board<'_>) {
        self.worst.truncate(self.most);
        let mut values = Vec::with_capacity(self.worst.len());
        for query in &self.worst {
            values.push((self.shown.place(board, &[&query.hash, &query.table]), query.seconds));
        }
        self.shown.replace(board, values);
    }
}
