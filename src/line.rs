//! Places of each key, taken in the order of asking: so that what one has under way does not take everything
//! from the others.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::error::{Error, Result};

/// So many places for each key.
pub struct Line<K: Copy + Eq + Hash> {
    places: usize,
    /// Those who wait included.
    at_most: usize,
    inside: Arc<Mutex<HashMap<K, Inside>>>,
}

/// Who stands in a line, until dropped; after `wait`, who has one of the key's places.
pub struct Place<K: Copy + Eq + Hash> {
    inside: Arc<Mutex<HashMap<K, Inside>>>,
    key: K,
    places: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

/// Who has a place of a key's, or waits for one.
struct Inside {
    places: Arc<Semaphore>,
    count: usize,
}

impl<K: Copy + Eq + Hash> Line<K> {
    /// Of each key `at_most` may have a place or wait for one.
    pub fn new(places: usize, at_most: usize) -> Self {
        Self { places, at_most, inside: Arc::default() }
    }

    /// Stands in line for a place of this key's. Errors: `Overloaded`.
    pub fn enter(&self, key: K) -> Result<Place<K>> {
        let mut inside = locked(&self.inside);
        let of_key = inside
            .entry(key)
            .or_insert_with(|| Inside { places: Arc::new(Semaphore::new(self.places)), count: 0 });
        if of_key.count >= self.at_most {
            return Err(Error::Overloaded);
        }
        of_key.count += 1;
        let places = of_key.places.clone();
        Ok(Place { inside: self.inside.clone(), key, places, permit: None })
    }

    /// Whether nobody stands here.
    pub fn is_empty(&self) -> bool {
        locked(&self.inside).is_empty()
    }
}

impl<K: Copy + Eq + Hash> Place<K> {
    /// Waits for its turn. Errors: `Overloaded`.
    pub async fn wait(mut self, until: Instant) -> Result<Self> {
        let permit = timeout_at(until, self.places.clone().acquire_owned()).await;
        self.permit = Some(permit.map_err(|_| Error::Overloaded)?.map_err(Error::internal)?);
        Ok(self)
    }
}

fn locked<K>(inside: &Mutex<HashMap<K, Inside>>) -> MutexGuard<'_, HashMap<K, Inside>> {
    // Every change is one count, so there is no half-made state to fear after a panic.
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.permit.take();
        let mut inside = locked(&self.inside);
        if let Some(of_key) = inside.get_mut(&self.key) {
            of_key.count -= 1;
            if of_key.count == 0 {
                inside.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::poll;

    use super::*;

    async fn placed(line: &Line<char>, key: char) -> Result<Place<char>> {
        line.enter(key)?.wait(Instant::now() + Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn beyond_its_places_a_key_waits_in_order_and_no_other_key_does() {
        let line = Line::new(2, 4);
        let (first, _second) = (placed(&line, 'a').await.unwrap(), placed(&line, 'a').await.unwrap());
        let (mut third, mut fourth) = (Box::pin(placed(&line, 'a')), Box::pin(placed(&line, 'a')));
        assert!(poll!(&mut third).is_pending() && poll!(&mut fourth).is_pending());

        let another = placed(&line, 'b').await;
        drop(first);

        assert!(another.is_ok());
        assert!(poll!(&mut fourth).is_pending());
        assert!(third.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_behind_too_many_is_told_so_and_leaves_nothing_behind() {
        let line = Line::new(1, 2);
        let first = placed(&line, 'a').await.unwrap();
        let mut second = Box::pin(placed(&line, 'a'));
        assert!(poll!(&mut second).is_pending());

        let (third, second) = (placed(&line, 'a').await, second.await);
        drop(first);

        assert!(matches!((second, third), (Err(Error::Overloaded), Err(Error::Overloaded))));
        assert!(line.is_empty());
    }

    #[tokio::test]
    async fn who_no_longer_waits_leaves_nothing_behind() {
        let line = Line::new(1, 2);
        let first = placed(&line, 'a').await.unwrap();
        let mut second = Box::pin(placed(&line, 'a'));
        assert!(poll!(&mut second).is_pending());

        drop((second, first));

        assert!(line.is_empty());
    }
}
