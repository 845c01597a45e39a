//! The last so many of something, kept for those who want to look.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The last so many of something.
pub(crate) struct Ring<T> {
    most: usize,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    items: VecDeque<T>,
    /// The number of items ever pushed.
    count: u64,
}

impl<T: Clone> Ring<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(Kept { items: VecDeque::new(), count: 0 }) }
    }

    /// Keeps what `make` makes of its id, which is a number from 1.
    pub(crate) fn push(&self, make: impl FnOnce(u64) -> T) -> u64 {
        let mut kept = self.kept();
        kept.count += 1;
        let id = kept.count;
        kept.items.push_back(make(id));
        if kept.items.len() > self.most {
            kept.items.pop_front();
        }
        id
    }

    /// Changes an item that is still kept.
    pub(crate) fn change(&self, id: u64, change: impl FnOnce(&mut T)) {
        let mut kept = self.kept();
        let first = kept.count - kept.items.len() as u64 + 1;
        let place = id.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(item) = place.and_then(|place| kept.items.get_mut(place)) {
            change(item);
        }
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.kept().items.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.kept().items.clear();
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
