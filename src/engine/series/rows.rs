//! The series of a family in pages of 512 rows, which a frozen view shares.
//!
//! A row names its labels by numbers; their texts stand once a page ([`Pieces`]), so that what its series have in common
//! costs two bytes each. So does the time of a birth that many have. A removed series leaves a hole that the next birth
//! fills; what nobody names any more goes once half a page was removed, or all of it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Timestamp;
use super::label_text::{Pairs, labels, pairs};
use super::pieces::{Pieces, make_room};

/// Rows of a page.
pub(super) const PAGE_ROWS: u32 = 512;

/// Removals after which what nobody names any more is dropped.
const REMOVED_MAX: u32 = PAGE_ROWS / 2;

/// Pieces of one series; further labels are one piece together, so that a page never has more than it has numbers.
const PIECES_MAX: usize = 64;

/// Births that are looked at for one of the same time.
const BIRTHS_LOOKED_AT: usize = 4;

/// What a scrape needs of a series.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Row {
    slot: u32,
    /// Its first cell.
    pub(in crate::engine) cell: u32,
    /// Where the numbers of its labels begin.
    labels_start: u32,
    labels_len: u16,
    /// The place of its birth among those of the page.
    birth: u16,
}

/// A series that is given a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) slot: u32,
    pub(super) cell: u32,
    pub(super) born: Timestamp,
}

/// The slot of a row whose series was removed.
const HOLE: u32 = u32::MAX;

/// A row that no series has.
const NOBODY: Row = Row { slot: HOLE, cell: 0, labels_start: 0, labels_len: 0, birth: 0 };

impl Row {
    /// Its slot; none in a hole.
    pub(in crate::engine) fn slot(&self) -> Option<u32> {
        (self.slot != HOLE).then_some(self.slot)
    }

    /// Whether it has no labels.
    #[inline]
    pub(in crate::engine) fn is_bare(&self) -> bool {
        self.labels_len == 0
    }
}

/// A page of rows.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Rows {
    all: Vec<Row>,
    /// The numbers of the labels of each row, one row after the other.
    labels: Vec<u16>,
    pieces: Pieces,
    births: Vec<Timestamp>,
    /// Rows that are no holes.
    taken: u32,
    /// Removals since nobody's texts were dropped last.
    removed: u32,
    /// Births and removals so far.
    epoch: u64,
    is_unusual: bool,
    /// The places of parked series.
    parked: BTreeSet<u32>,
}

impl Rows {
    /// The rows that are no holes.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Row> + '_ {
        self.all.iter().filter(|row| row.slot != HOLE)
    }

    /// The rows that are no holes, each with its place in the page.
    pub(in crate::engine) fn placed(&self) -> impl Iterator<Item = (u32, &Row)> + '_ {
        (0..).zip(&self.all).filter(|(_, row)| row.slot != HOLE)
    }

    /// The rows that a scrape shows, with their places, from this place on: neither holes nor parked series.
    pub(in crate::engine) fn shown(&self, from: usize) -> impl Iterator<Item = (usize, &Row)> + '_ {
        let rows = self.all.iter().enumerate().skip(from);
        rows.filter(|(place, row)| {
            row.slot != HOLE && (self.parked.is_empty() || !self.parked.contains(&(*place as u32)))
        })
    }

    /// Grows with every birth and removal in the page.
    pub(in crate::engine) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a label name of the page may be one that not every scraper reads.
    pub(in crate::engine) fn is_unusual(&self) -> bool {
        self.is_unusual
    }

    /// When the series of a row of this page was born.
    #[inline]
    pub(in crate::engine) fn born(&self, row: &Row) -> Timestamp {
        self.births.get(usize::from(row.birth)).copied().unwrap_or(Timestamp::EPOCH)
    }

    /// The labels of a row of this page.
    pub(in crate::engine) fn pairs(&self, row: &Row) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.pieces_of(row).flat_map(|piece| -> Pairs<'_> { pairs(piece.get(1..).unwrap_or("")) })
    }

    /// The label text of a row of this page (`a="x",b="y"`).
    pub(in crate::engine) fn text(&self, row: &Row) -> String {
        let mut text = RowText::default();
        text.read(self, row);
        text.text
    }

    /// Whether this is the label text of a row of this page.
    pub(super) fn is_text(&self, row: &Row, text: &str) -> bool {
        let mut rest = text;
        for (number, piece) in self.pieces_of(row).enumerate() {
            let piece = if number == 0 { piece.get(1..).unwrap_or("") } else { piece };
            let Some(after) = rest.strip_prefix(piece) else { return false };
            rest = after;
        }
        rest.is_empty()
    }

    pub(super) fn row(&self, place: u32) -> Option<&Row> {
        self.all.get(place as usize)
    }

    #[inline]
    fn labels_of(&self, row: &Row) -> &[u16] {
        let start = row.labels_start as usize;
        self.labels.get(start..start + usize::from(row.labels_len)).unwrap_or_default()
    }

    /// The texts of a row's labels, each after a comma.
    fn pieces_of(&self, row: &Row) -> impl Iterator<Item = &str> {
        self.labels_of(row).iter().map(|number| self.pieces.get(*number))
    }

    /// Puts a series at a place that is a hole, or behind the last one.
    pub(super) fn put(&mut self, place: u32, text: &str, newcomer: Newcomer) {
        if self.removed >= REMOVED_MAX {
            self.drop_unnamed();
        }
        self.epoch += 1;
        self.is_unusual |= text.starts_with('"') || text.contains(",\"");
        let labels_start = self.labels.len() as u32;
        for label in labels(text, PIECES_MAX) {
            let number = self.pieces.number(label);
            make_room(&mut self.labels);
            self.labels.push(number);
        }
        let labels_len = (self.labels.len() as u32 - labels_start) as u16;
        let Newcomer { slot, cell, born } = newcomer;
        let row = Row { slot, cell, labels_start, labels_len, birth: self.birth(born) };
        self.taken += 1;
        if let Some(hole) = self.all.get_mut(place as usize) {
            *hole = row;
        } else {
            self.all.reserve_exact(usize::from(self.all.is_empty()));
            self.all.push(row);
        }
    }

    /// Makes places without a row.
    pub(super) fn put_hole(&mut self) {
        self.all.push(NOBODY);
    }

    /// Whether a place is there, and a hole.
    pub(super) fn is_hole(&self, place: u32) -> bool {
        self.row(place).is_some_and(|row| row.slot == HOLE)
    }

    fn birth(&mut self, born: Timestamp) -> u16 {
        let looked_at = self.births.len().saturating_sub(BIRTHS_LOOKED_AT);
        let recent = self.births.get(looked_at..).unwrap_or_default();
        if let Some(place) = recent.iter().rposition(|known| *known == born) {
            return (looked_at + place) as u16;
        }
        make_room(&mut self.births);
        self.births.push(born);
        (self.births.len() - 1) as u16
    }

    /// Takes a series away.
    pub(super) fn clear(&mut self, place: u32) {
        self.epoch += 1;
        self.parked.remove(&place);
        let Some(row) = self.all.get_mut(place as usize).filter(|row| row.slot != HOLE) else { return };
        *row = NOBODY;
        self.taken -= 1;
        self.removed += 1;
        if self.taken == 0 {
            self.drop_unnamed();
        }
    }

    /// Sets when the series of a row was born.
    pub(super) fn set_born(&mut self, place: u32, born: Timestamp) {
        if self.births.len() >= usize::from(u16::MAX) {
            self.drop_unnamed();
        }
        let birth = self.birth(born);
        if let Some(row) = self.all.get_mut(place as usize) {
            row.birth = birth;
            self.epoch += 1;
        }
    }

    pub(super) fn park(&mut self, place: u32) {
        self.parked.insert(place);
    }

    pub(super) fn unpark(&mut self, place: u32) {
        self.parked.remove(&place);
    }

    /// Drops the texts and times that no row names any more.
    fn drop_unnamed(&mut self) {
        let mut kept = Self::default();
        for row in &mut self.all {
            if row.slot == HOLE {
                continue;
            }
            let start = row.labels_start as usize;
            let numbers = self.labels.get(start..start + usize::from(row.labels_len)).unwrap_or_default();
            row.labels_start = kept.labels.len() as u32;
            for number in numbers {
                let number = kept.pieces.number(self.pieces.get(*number).get(1..).unwrap_or(""));
                kept.labels.push(number);
            }
            let born = self.births.get(usize::from(row.birth)).copied();
            row.birth = kept.birth(born.unwrap_or(Timestamp::EPOCH));
        }
        kept.labels.shrink_to_fit();
        (self.labels, self.pieces, self.births) = (kept.labels, kept.pieces, kept.births);
        self.removed = 0;
    }
}

/// The label text of one row after another behind the same opening; what a row has in common with the one before it is
/// left standing.
#[derive(Debug, Default)]
pub(in crate::engine) struct RowText {
    text: String,
    opening_len: usize,
    /// The numbers of its labels, and where each ends.
    labels: Vec<(u16, u32)>,
}

impl RowText {
    /// Texts behind an opening.
    pub(in crate::engine) fn behind(opening: &str) -> Self {
        Self { text: opening.to_owned(), opening_len: opening.len(), labels: Vec::new() }
    }

    /// The opening.
    pub(in crate::engine) fn opening(&self) -> &str {
        self.text.get(..self.opening_len).unwrap_or("")
    }

    /// Forgets the last row: what follows is of another page.
    pub(in crate::engine) fn begin_page(&mut self) {
        self.text.truncate(self.opening_len);
        self.labels.clear();
    }

    /// The opening and the label text of a row of the page.
    #[inline]
    pub(in crate::engine) fn read(&mut self, rows: &Rows, row: &Row) -> &str {
        let numbers = rows.labels_of(row);
        let known = self.labels.iter().zip(numbers);
        let common = known.take_while(|((known, _), number)| known == *number).count();
        if common < self.labels.len() {
            self.labels.truncate(common);
            self.text.truncate(self.labels.last().map_or(self.opening_len, |(_, end)| *end as usize));
        }
        for number in numbers.iter().skip(common) {
            let piece = rows.pieces.get(*number);
            self.text.push_str(if self.labels.is_empty() { piece.get(1..).unwrap_or("") } else { piece });
            self.labels.push((*number, self.text.len() as u32));
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn newcomer(slot: u32) -> Newcomer {
        Newcomer { slot, cell: slot + 1, born: Timestamp::from_millis(slot as i64 / 3) }
    }

    fn text_of(slot: u32) -> String {
        format!("a=\"{}\",b=\"\\\"{}\",c=\"same\"", slot % 5, slot * 3)
    }

    fn shown(rows: &Rows) -> Vec<(u32, String, Timestamp)> {
        let mut text = RowText::behind("x{");
        let mut text_of =
            |row| text.read(rows, row).strip_prefix("x{").map(str::to_owned).unwrap_or_default();
        rows.iter().map(|row| (row.slot, text_of(row), rows.born(row))).collect()
    }

    #[test]
    fn rows_keep_their_labels_and_births_while_others_come_and_go() {
        let mut rows = Rows::default();
        for place in 0..PAGE_ROWS {
            rows.put(place, &text_of(place), newcomer(place));
        }
        for round in 1..20 {
            for place in (0..PAGE_ROWS).filter(|place| place % 3 == round % 3) {
                let slot = round * 1_000 + place;
                rows.clear(place);
                assert!(rows.is_hole(place));
                rows.put(place, &text_of(slot), newcomer(slot));
                assert!(rows.row(place).is_some_and(|row| rows.is_text(row, &text_of(slot))));
            }
            let expected =
                |(slot, ..): &(u32, String, Timestamp)| (*slot, text_of(*slot), newcomer(*slot).born);
            let found = shown(&rows);
            assert_eq!(found.iter().map(expected).collect::<Vec<_>>(), found);
            assert!(rows.pieces.len() < 4 * PAGE_ROWS as usize, "what left takes no room");
        }
        (0..PAGE_ROWS).for_each(|place| rows.clear(place));
        assert_eq!((rows.pieces.len(), rows.births.len(), rows.labels.len()), (0, 0, 0));
    }

    #[test]
    fn a_text_is_told_from_one_that_begins_alike() {
        let mut rows = Rows::default();
        for (place, text) in ["", "a=\"1\"", "a=\"1\",b=\"2\""].into_iter().enumerate() {
            rows.put(place as u32, text, newcomer(place as u32));
        }
        let texts = ["", "a=\"1\"", "a=\"1\",b=\"2\"", "a=\"1\",", "b=\"2\""];
        let found: Vec<Vec<bool>> =
            rows.iter().map(|row| texts.iter().map(|text| rows.is_text(row, text)).collect()).collect();
        assert_eq!(found, [0, 1, 2].map(|own| (0..5).map(|place| place == own).collect::<Vec<_>>()));
    }

    #[test]
    fn more_labels_than_pieces_are_read_back() {
        let text: Vec<String> = (0..200).map(|label| format!("l{label}=\"x\"")).collect();
        let text = text.join(",");
        let mut rows = Rows::default();
        rows.put(0, &text, newcomer(0));
        assert_eq!(rows.pieces.len(), PIECES_MAX);
        let row = rows.row(0).copied().unwrap();
        assert_eq!((rows.text(&row), rows.pairs(&row).count()), (text, 200));
    }
}
