//! Cache entries as their twins, and from them.

use super::{CacheEntries, CacheEntry, CountedEntry, Table};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::{
    CacheBooksTwin, CacheEntryTwin, CountedEntryTwin, KeyTwin, TrackerTwin,
};
use crate::engine::series::SeriesId;
use crate::engine::trackers::gauges::{quantity_of, quantity_twin};
use crate::engine::trackers::key::IdKey;
use crate::engine::trackers::oldest::{Ticket, Tickets};
use crate::engine::trackers::table::SavedTracker;
use crate::engine::trackers::words::{Books, WordId, Words};

type CacheTwin = TrackerTwin<(u32, KeyTwin), CacheEntryTwin, CacheBooksTwin>;

impl CacheEntries {
    /// The entries as they are now.
    pub(in crate::engine) fn save(&mut self) -> impl Part + use<> {
        let key: fn((WordId, IdKey)) -> (u32, KeyTwin) = |(level, key)| (level.twin(), key.twin());
        let entry: fn(&CacheEntry) -> CacheEntryTwin = entry_twin;
        let own = &mut self.own;
        let books = Books(own.levels.save(), (own.tickets.save(), (own.count.save(), own.size.save())));
        SavedTracker { table: self.table.save(), key, entry, books }
    }

    /// Takes over the entries that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine) fn restore(&mut self, twin: CacheTwin) -> Result<(), Damage> {
        let key = |(level, key)| (WordId::of_twin(level), IdKey::of_twin(key));
        self.table = Table::restored(twin.table, key, entry_of, (WordId::default(), IdKey::new("")))?;
        let own = &mut self.own;
        own.levels = Words::restored(twin.books.levels)?;
        own.tickets = Tickets::restored(twin.books.tickets);
        own.count.restore(twin.books.count);
        own.size.restore(twin.books.size);
        for (place, entry) in self.table.entries() {
            if let Some((expires, ticket)) = entry.expires {
                own.expiries.enter(expires, ticket, place);
            }
        }
        Ok(())
    }
}

fn entry_twin(entry: &CacheEntry) -> CacheEntryTwin {
    CacheEntryTwin {
        level: entry.level.twin(),
        counted: entry.counted.map(|counted| CountedEntryTwin {
            count: counted.count.twin(),
            size: counted.size.twin(),
            bytes: quantity_twin(counted.bytes),
        }),
        expires: entry.expires.map(|(expires, ticket)| (expires, ticket.twin())),
    }
}

fn entry_of(twin: CacheEntryTwin) -> CacheEntry {
    CacheEntry {
        level: WordId::of_twin(twin.level),
        counted: twin.counted.map(|counted| CountedEntry {
            count: SeriesId::of_twin(counted.count),
            size: SeriesId::of_twin(counted.size),
            bytes: quantity_of(&counted.bytes),
        }),
        expires: twin.expires.map(|(expires, ticket)| (expires, Ticket::of_twin(ticket))),
    }
}
