//! Words as their twin, and from it.

use std::hash::BuildHasher;

use super::{Word, WordId, Words};
use crate::engine::checkpoint::bytes::Damage;
use crate::engine::checkpoint::trackers::WordsTwin;

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

impl Words {
    /// The texts with the number of their holders.
    pub(in crate::engine::trackers) fn save(&self) -> WordsTwin {
        WordsTwin {
            texts: self.texts.iter().map(|word| (word.text.to_string(), word.holders)).collect(),
            free: self.free.clone(),
        }
    }

    /// The texts that were saved.
    ///
    /// # Errors
    /// What was saved contradicts itself.
    pub(in crate::engine::trackers) fn restored(twin: WordsTwin) -> Result<Self, Damage> {
        let mut words = Self::default();
        words.texts.clear();
        words.index.clear();
        for (text, holders) in twin.texts {
            let id = words.texts.len() as u32;
            words.texts.push(Word { text: text.into(), holders });
            if holders > 0 {
                words.index_restored(id)?;
            }
        }
        if words.texts.is_empty() {
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
