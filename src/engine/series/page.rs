//! A piece of the store that a frozen view can share: written in place while nobody shares it, copied once where
//! somebody does.
//!
//! Writing costs one look at the variant and no atomic operation; sharing costs an allocation of three words.

use std::mem::take;
use std::sync::Arc;

/// A page owned by the store, or shared with frozen views.
#[derive(Debug)]
pub(in crate::engine) enum Page<T> {
    /// Nobody else sees it.
    Own(T),
    /// Frozen views may see it.
    Shared(Arc<T>),
}

impl<T: Default> Default for Page<T> {
    fn default() -> Self {
        Self::Own(T::default())
    }
}

impl<T: Clone + Default> Page<T> {
    /// What the page holds.
    #[inline]
    pub(in crate::engine) fn get(&self) -> &T {
        match self {
            Self::Own(content) => content,
            Self::Shared(content) => content,
        }
    }

    /// What the page holds, to write; copied first where a frozen view still reads it.
    #[inline]
    pub(in crate::engine) fn get_mut(&mut self) -> &mut T {
        if let Self::Shared(_) = self {
            self.make_own();
        }
        match self {
            Self::Own(content) => content,
            Self::Shared(shared) => Arc::make_mut(shared),
        }
    }

    /// Apart, so that writing to a page of one's own is a look at the variant wherever that is done.
    #[cold]
    fn make_own(&mut self) {
        if let Self::Shared(shared) = self {
            let content = match Arc::get_mut(shared) {
                Some(content) => take(content),
                None => T::clone(shared),
            };
            *self = Self::Own(content);
        }
    }

    /// A view of the page as it is now.
    pub(in crate::engine) fn share(&mut self) -> Arc<T> {
        let shared = match self {
            Self::Own(content) => Arc::new(take(content)),
            Self::Shared(shared) => return Arc::clone(shared),
        };
        *self = Self::Shared(Arc::clone(&shared));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_keeps_what_it_saw_while_the_page_is_written() {
        let mut page = Page::Own(vec![1.0]);
        let view = page.share();
        page.get_mut()[0] = 2.0;
        assert_eq!((view[0], page.get()[0]), (1.0, 2.0));
    }
}
