//! A list that a checkpoint can share: in pages, each copied when it is next written while the checkpoint is.

use std::sync::Arc;

use crate::engine::series::page::Page;

/// Items a page: few enough that a copy takes a microsecond or two.
const PAGE: usize = 64;

/// A list that grows at its end.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Page<Vec<T>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Pages<T> {
    /// How many items there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// An item.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.get().get(index % PAGE)
    }

    /// An item, to write.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index / PAGE)?.get_mut().get_mut(index % PAGE)
    }

    /// Appends an item.
    pub(super) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Page::Own(Vec::new()));
        }
        if let Some(page) = self.pages.last_mut() {
            page.get_mut().push(item);
            self.len += 1;
        }
    }

    /// The items in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(Page::get)
    }

    /// The list as it is now, to be read elsewhere.
    pub(super) fn share(&mut self) -> SharedPages<T> {
        SharedPages { pages: self.pages.iter_mut().map(Page::share).collect(), len: self.len }
    }
}

/// A list as it was at one instant.
#[derive(Debug)]
pub(super) struct SharedPages<T> {
    pages: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> SharedPages<T> {
    /// How many items there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// An item.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    /// The items in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shared_stays_as_it_was_while_the_list_goes_on() {
        let mut list = Pages::default();
        for item in 0..PAGE + 3 {
            list.push(item);
        }
        let shared = list.share();
        *list.get_mut(1).unwrap() = 100;
        *list.get_mut(PAGE + 1).unwrap() = 200;
        list.push(300);
        assert_eq!(
            (shared.len(), shared.get(1), shared.get(PAGE + 1), shared.get(PAGE + 3)),
            (PAGE + 3, Some(&1), Some(&(PAGE + 1)), None)
        );
        assert!(shared.iter().copied().eq(0..PAGE + 3));
        assert_eq!((list.len(), list.get(1), list.get(PAGE + 3)), (PAGE + 4, Some(&100), Some(&300)));
        assert_eq!(list.iter().copied().filter(|item| *item >= 100).collect::<Vec<_>>(), [100, 200, 300]);
    }
}
