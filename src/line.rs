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
#[derive(Clone)]
pub struct Line<K: Copy + Eq + Hash> {
    places: usize,
    inside: Arc<Mutex<HashMap<K, Inside>>>,
}

/// One of a key's places, until dropped.
pub struct Place<K: Copy + Eq + Hash> {
    inside: Arc<Mutex<HashMap<K, Inside>>>,
    key: K,
    permit: Option<OwnedSemaphorePermit>,
}

/// Who has a place of a key's, or waits for one.
struct Inside {
    places: Arc<Semaphore>,
    count: usize,
}

impl<K: Copy + Eq + Hash> Line<K> {
    pub fn new(places: usize) -> Self {
        Self { places, inside: Arc::default() }
    }

    /// Waits for a place. Errors: `Overloaded`.
    pub async fn wait(&self, key: K, until: Instant) -> Result<Place<K>> {
        let (places, mut place) = self.enter(key);
        let permit = timeout_at(until, places.acquire_owned()).await.map_err(|_| Error::Overloaded)?;
        place.permit = Some(permit.map_err(Error::internal)?);
        Ok(place)
    }

    fn enter(&self, key: K) -> (Arc<Semaphore>, Place<K>) {
        let mut inside = locked(&self.inside);
        let of_key = inside
            .entry(key)
            .or_insert_with(|| Inside { places: Arc::new(Semaphore::new(self.places)), count: 0 });
        of_key.count += 1;
        (of_key.places.clone(), Place { inside: self.inside.clone(), key, permit: None })
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

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn beyond_its_places_a_key_waits_in_order_and_no_other_key_does() {
        let line = Line::new(2);
        let (first, _second) = (line.wait('a', soon()).await.unwrap(), line.wait('a', soon()).await.unwrap());
        let (mut third, mut fourth) = (Box::pin(line.wait('a', soon())), Box::pin(line.wait('a', soon())));
        assert!(poll!(&mut third).is_pending() && poll!(&mut fourth).is_pending());

        let another = line.wait('b', soon()).await;
        drop(first);

        assert!(another.is_ok());
        assert!(poll!(&mut fourth).is_pending());
        assert!(third.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_and_leaves_nothing_behind() {
        let line = Line::new(1);
        let first = line.wait('a', soon()).await.unwrap();

        let second = line.wait('a', soon()).await;
        drop(first);

        assert!(matches!(second, Err(Error::Overloaded)));
        assert!(locked(&line.inside).is_empty());
    }

    #[tokio::test]
    async fn who_no_longer_waits_leaves_nothing_behind() {
        let line = Line::new(1);
        let first = line.wait('a', soon()).await.unwrap();
        let mut second = Box::pin(line.wait('a', soon()));
        assert!(poll!(&mut second).is_pending());

        drop((second, first));

        assert!(locked(&line.inside).is_empty());
    }
}
