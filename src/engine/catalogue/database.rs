//! What the events of the database context move.

use super::Catalogue;
use super::families::Group;
use super::processing::Flag;
use super::rows::Metric;
use crate::engine::trackers::gauges::Board;
use crate::engine::wire::payload::{
    ConnectionAcquired, ConnectionReleased, IndexCreated, Quantity, QueryExecuted,
};

const ACQUIRED: Group<2, 1> =
    Group { metrics: [Metric::ConnectionsAcquired, Metric::ConnectionCheckout], labels: ["pool"] };
const RELEASED: Group<1, 1> = Group { metrics: [Metric::ConnectionsReleased], labels: ["pool"] };
const HELD: Group<1, 1> = Group { metrics: [Metric::ConnectionHeld], labels: ["pool"] };
const POOL_SIZE: Group<1, 1> = Group { metrics: [Metric::PoolSize], labels: ["pool"] };
const POOL_AVAILABLE: Group<1, 1> = Group { metrics: [Metric::PoolAvailable], labels: ["pool"] };
const POOL_IN_USE: Group<1, 1> = Group { metrics: [Metric::PoolInUse], labels: ["pool"] };
const QUERY: Group<4, 3> = Group {
    metrics: [Metric::Queries, Metric::QueryDuration, Metric::QueryRows, Metric::SlowQueries],
    labels: ["query_type", "table", "indexed"],
};
const INDEX: Group<1, 1> = Group { metrics: [Metric::IndexesCreated], labels: ["table"] };
const INDEX_BUILD: Group<1, 1> = Group { metrics: [Metric::IndexBuild], labels: ["table"] };

impl Catalogue {
    pub(super) fn connection_acquired(&mut self, board: &mut Board<'_>, event: &ConnectionAcquired<'_>) {
        let [acquired, checkout] = self.families.series(board, &ACQUIRED, [&event.pool_id]);
        board.add(acquired, 1.0);
        board.observe(checkout, event.checkout_duration_ms.value() / 1e3);
        self.pool(board, &event.pool_id, Some(event.pool_size), Some(event.pool_available));
    }

    pub(super) fn connection_released(&mut self, board: &mut Board<'_>, event: &ConnectionReleased<'_>) {
        let pool = event.pool_id.as_deref().unwrap_or_default();
        let [released] = self.families.series(board, &RELEASED, [pool]);
        board.add(released, 1.0);
        if let Some(held) = event.held_duration_ms {
            let [duration] = self.families.series(board, &HELD, [pool]);
            board.observe(duration, held.value() / 1e3);
        }
        self.pool(board, pool, event.pool_size, event.pool_available);
    }

    pub(super) fn query_executed(&mut self, board: &mut Board<'_>, event: &QueryExecuted<'_>) {
        // An index without a name is none.
        let indexed = Flag(event.used_index.as_deref().is_some_and(|index| !index.is_empty())).label();
        let values = [event.query_type.as_ref(), &event.table_name, indexed];
        let [queries, duration, rows, slow] = self.families.series(board, &QUERY, values);
        let seconds = event.duration_ms.value() / 1e3;
        board.add(queries, 1.0);
        board.observe(duration, seconds);
        board.observe(rows, event.row_count.value());
        if event.duration_ms.value() >= self.slow_query_ms {
            board.add(slow, 1.0);
            let hash = self.families.value(&event.query_hash);
            let table = self.families.value(&event.table_name);
            self.slow_queries.executed(board, hash, table, seconds);
        }
    }

    pub(super) fn index_created(&mut self, board: &mut Board<'_>, event: &IndexCreated<'_>) {
        let table = event.table_name.as_deref().unwrap_or_default();
        let [created] = self.families.series(board, &INDEX, [table]);
        board.add(created, 1.0);
        if let Some(duration) = event.duration_ms {
            let [build] = self.families.series(board, &INDEX_BUILD, [table]);
            board.observe(build, duration.value() / 1e3);
        }
    }

    /// Sets the gauges of a pool for which the event has the fields.
    fn pool(
        &mut self,
        board: &mut Board<'_>,
        pool: &str,
        size: Option<Quantity>,
        available: Option<Quantity>,
    ) {
        if let Some(size) = size {
            let [gauge] = self.families.series(board, &POOL_SIZE, [pool]);
            board.set(gauge, size.value());
        }
        if let Some(available) = available {
            let [gauge] = self.families.series(board, &POOL_AVAILABLE, [pool]);
            board.set(gauge, available.value());
        }
        if let (Some(size), Some(available)) = (size, available) {
            let [gauge] = self.families.series(board, &POOL_IN_USE, [pool]);
            board.set(gauge, in_use(size, available));
        }
    }
}

/// `size` minus `available`, not below 0.
fn in_use(size: Quantity, available: Quantity) -> f64 {
    match (size, available) {
        (Quantity::Whole(size), Quantity::Whole(available)) => size.saturating_sub(available) as f64,
        _ => (size.value() - available.value()).max(0.0),
    }
}
