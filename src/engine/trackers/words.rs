//! Label values that tracker entries hold, each text once.

mod saved;

pub(in crate::engine::trackers) use saved::Books;

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::pages::Pages;

/// The value of a label whose field is missing, null or empty.
pub(crate) const UNKNOWN: &str = "unknown";

/// A text in a [`Words`]; valid while something holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WordId(u32);

#[derive(Clone, Debug)]
struct Word {
    text: Arc<str>,
    holders: u32,
}

/// Texts with the number of their holders. A text nobody holds leaves, so entries bound the words too.
#[derive(Debug)]
pub(crate) struct Words {
    texts: Pages<Word>,
    index: HashTable<u32>,
    free: Vec<u32>,
    hasher: RandomState,
}

impl Default for Words {
    fn default() -> Self {
        let mut words = Self {
            texts: Pages::default(),
            index: HashTable::new(),
            free: Vec::new(),
            hasher: RandomState::default(),
        };
        // The default id is `unknown` and is held for ever.
        words.hold(UNKNOWN);
        words
    }
}

impl Words {
    /// The id of a text, held once more.
    pub(crate) fn hold(&mut self, text: &str) -> WordId {
        if let Some(id) = self.find(text) {
            if let Some(word) = self.texts.get_mut(id.0 as usize) {
                word.holders = word.holders.saturating_add(1);
            }
            return id;
        }
        let Self { texts, index, free, hasher } = self;
        let new = Word { text: text.into(), holders: 1 };
        let id = free.pop().unwrap_or(texts.len() as u32);
        match texts.get_mut(id as usize) {
            Some(place) => *place = new,
            None => texts.push(new),
        }
        index.insert_unique(hasher.hash_one(text), id, |id| {
            hasher.hash_one(word(texts, *id).map_or("", |word| &word.text))
        });
        WordId(id)
    }

    /// The id of a text that something holds.
    pub(crate) fn find(&self, text: &str) -> Option<WordId> {
        let hash = self.hasher.hash_one(text);
        let same = |id: &u32| word(&self.texts, *id).is_some_and(|word| word.text.as_ref() == text);
        self.index.find(hash, same).map(|id| WordId(*id))
    }

    /// Lets go of a text.
    pub(crate) fn release(&mut self, id: WordId) {
        if id == WordId::default() {
            return;
        }
        let Some(word) = self.texts.get_mut(id.0 as usize) else { return };
        word.holders = word.holders.saturating_sub(1);
        if word.holders > 0 {
            return;
        }
        let hash = self.hasher.hash_one(word.text.as_ref());
        if let Ok(entry) = self.index.find_entry(hash, |known| *known == id.0) {
            entry.remove();
            self.free.push(id.0);
        }
    }

    /// Makes `place` hold `text` instead of what it holds.
    pub(crate) fn replace(&mut self, place: &mut WordId, text: &str) {
        if self.text(*place) != text {
            let new = self.hold(text);
            self.release(std::mem::replace(place, new));
        }
    }

    /// The text of an id.
    pub(crate) fn text(&self, id: WordId) -> &str {
        word(&self.texts, id.0).map_or(UNKNOWN, |word| &word.text)
    }
}

fn word(texts: &Pages<Word>, id: u32) -> Option<&Word> {
    texts.get(id as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_leaves_with_its_last_holder_and_unknown_stays() {
        let mut words = Words::default();
        let mut place = WordId::default();
        assert_eq!(words.text(place), UNKNOWN);
        words.replace(&mut place, "mail");
        let other = words.hold("mail");
        assert_eq!(place, other);
        words.release(other);
        assert_eq!(words.text(place), "mail");
        words.replace(&mut place, UNKNOWN);
        assert_eq!(words.index.len(), 1);
        assert_eq!(words.hold("bulk"), other, "the freed place serves the next text");
    }
}
