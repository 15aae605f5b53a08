//! Words as their twin, and from it.

use std::hash::BuildHasher;

use super::{Pages, Word, WordId, Words};
use crate::engine::checkpoint::Part;
use crate::engine::checkpoint::bytes::{Damage, Twin, Writer};
use crate::engine::checkpoint::trackers::WordsTwin;
use crate::engine::trackers::pages::SharedPages;

impl WordId {
    /// As it is written.
    pub(in crate::engine::trackers) const fn twin(self) -> u32 {
        self.0
    }

    /// As it was written.
    pub(in crate::engine::trackers) const fn of_twin(twin: u32) -> Self {
        Self(twin)
    }
}

/// Texts at one instant, to be written elsewhere.
#[derive(Debug)]
pub(in crate::engine::trackers) struct SavedWords {
    texts: SharedPages<Word>,
    free: Vec<u32>,
}

impl Part for SavedWords {
    /// As [`WordsTwin`] is read.
    fn append(&self, out: &mut Writer) {
        out.len(self.texts.len());
        for word in self.texts.iter() {
            out.bytes(word.text.as_bytes());
            word.holders.write(out);
        }
        self.free.write(out);
    }
}

/// Texts and what a tracker keeps beside them.
#[derive(Debug)]
pub(in crate::engine::trackers) struct Books<T>(
    pub(in crate::engine::trackers) SavedWords,
    pub(in crate::engine::trackers) T,
);

impl<T: Twin + Send + Sync> Part for Books<T> {
    fn append(&self, out: &mut Writer) {
        self.0.append(out);
        self.1.write(out);
    }
}

impl Words {
    /// The texts with the number of their holders, to be written elsewhere.
    pub(in crate::engine::trackers) fn save(&mut self) -> SavedWords {
        SavedWords { texts: self.texts.share(), free: self.free.clone() }
    }

    /// The texts that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::trackers) fn restored(twin: WordsTwin) -> Result<Self, Damage> {
        let mut words = Self { texts: Pages::default(), ..Self::default() };
        words.index.clear();
        for (text, holders) in twin.texts {
            let id = words.texts.len() as u32;
            words.texts.push(Word { text: text.into(), holders });
            if holders > 0 {
                words.index_restored(id)?;
            }
        }
        if words.texts.len() == 0 {
            return Ok(Self::default());
        }
        let is_free = |id: &u32| words.texts.get(*id as usize).is_some_and(|word| word.holders == 0);
        if !twin.free.iter().all(is_free) {
            return Err(Damage("a free word is held"));
        }
        words.free = twin.free;
        Ok(words)
    }

    fn index_restored(&mut self, id: u32) -> Result<(), Damage> {
        let text = self.texts.get(id as usize).map_or("", |word| &word.text);
        if self.find(text).is_some() {
            return Err(Damage("a word is there twice"));
        }
        let Self { texts, index, hasher, .. } = self;
        let hash = |id: &u32| hasher.hash_one(texts.get(*id as usize).map_or("", |word| &word.text));
        index.insert_unique(hash(&id), id, hash);
        Ok(())
    }
}
