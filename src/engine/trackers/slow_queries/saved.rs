//! Slow queries as their twins, and from them.

use super::{SlowQueries, SlowQuery};
use crate::engine::checkpoint::head::SlowQueryTwin;
use crate::engine::checkpoint::trackers::ShownTwin;

impl SlowQueries {
    /// The worst queries, and what shows of them.
    pub(in crate::engine) fn save(&self) -> (Vec<SlowQueryTwin>, ShownTwin) {
        let twin = |query: &SlowQuery| SlowQueryTwin {
            hash: query.hash.to_string(),
            table: query.table.to_string(),
            seconds: query.seconds,
        };
        (self.worst.iter().map(twin).collect(), self.shown.save())
    }

    /// Takes over the queries that were saved.
    pub(in crate::engine) fn restore(&mut self, worst: Vec<SlowQueryTwin>, shown: ShownTwin) {
        let query = |twin: SlowQueryTwin| SlowQuery {
            hash: twin.hash.into(),
            table: twin.table.into(),
            seconds: twin.seconds,
        };
        self.worst = worst.into_iter().map(query).collect();
        self.shown.restore(shown);
    }
}
