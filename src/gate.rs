//! How many requests run at once in this process, over both edges, and for how long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::gauge;
use tokio::sync::Semaphore;

use crate::{
    error::{Error, Result},
    ids::TenantId,
};

/// The places of a process. Nobody waits for one: a caller who is told at once can go to another instance.
pub struct Gate {
    places: Semaphore,
    deadline: Duration,
}

impl Gate {
    /// `deadline` is for each request.
    pub fn new(places: u32, deadline: Duration) -> Self {
        Self { places: Semaphore::new(places as usize), deadline }
    }

    /// How long a request may take whose caller waits that long.
    pub fn patience(&self, callers: Option<Duration>) -> Duration {
        callers.map_or(self.deadline, |callers| callers.min(self.deadline))
    }

    /// Runs `work` in a place and within the deadline, or within the caller's own if that is shorter. Past it
    /// `work` is dropped midway; an open transaction closes its connection then.
    /// Errors: `Overloaded`, `Deadline`.
    pub async fn pass<T>(&self, callers: Option<Duration>, work: impl Future<Output = T>) -> Result<T> {
        self.pass_and_wait(callers, Duration::ZERO, work).await
    }

    /// The same for work that may wait for somebody else that much longer.
    pub async fn pass_and_wait<T>(
        &self,
        callers: Option<Duration>,
        longer: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T> {
        let _place = self.places.try_acquire().map_err(|_| Error::Overloaded)?;
        let ours = self.deadline + longer;
        let deadline = callers.map_or(ours, |callers| callers.min(ours));
        tokio::time::timeout(deadline, work).await.map_err(|_| Error::Deadline)
    }
}

/// Places of a process for what tenants have under way. No tenant gets more than half of them.
pub struct Places {
    count: usize,
    /// Tells how many are taken.
    gauge: &'static str,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: HashMap<TenantId, usize>,
}

/// One place, until dropped.
pub struct Place {
    places: Arc<Places>,
    tenant: TenantId,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    AllTaken,
    TenantHasHalf,
}

impl Places {
    pub fn new(count: u32, gauge: &'static str) -> Arc<Self> {
        Arc::new(Self { count: count as usize, gauge, taken: Mutex::default() })
    }

    /// A place for something of this tenant's. Nobody waits for one.
    pub fn enter(self: &Arc<Self>, tenant: TenantId) -> Result<Place, NoPlace> {
        let mut taken = self.taken();
        let its = taken.by.get(&tenant).copied().unwrap_or_default();
        if taken.all >= self.count {
            return Err(NoPlace::AllTaken);
        }
        if its >= self.count.div_ceil(2) {
            return Err(NoPlace::TenantHasHalf);
        }
        taken.all += 1;
        taken.by.insert(tenant, its + 1);
        gauge!(self.gauge).set(taken.all as f64);
        Ok(Place { places: self.clone(), tenant })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing between its changes can panic, so there is no half-made state to fear.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.by.get_mut(&self.tenant) {
            Some(its) if *its > 1 => *its -= 1,
            _ => drop(taken.by.remove(&self.tenant)),
        }
        taken.all -= 1;
        gauge!(self.places.gauge).set(taken.all as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beyond_the_places_nobody_waits() {
        let gate = Gate::new(1, Duration::from_secs(30));
        let mut first = Box::pin(gate.pass(None, pending::<()>()));
        assert!(futures::poll!(&mut first).is_pending());

        let second = gate.pass(None, ready(())).await;
        drop(first);
        let third = gate.pass(None, ready(())).await;

        assert!(matches!(second, Err(Error::Overloaded)));
        assert!(third.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_shorter_deadline_counts() {
        let gate = Gate::new(1, Duration::from_secs(30));
        let begin = tokio::time::Instant::now();

        let callers = gate.pass(Some(Duration::from_secs(1)), pending::<()>()).await;
        let after_callers = begin.elapsed();
        let ours = gate.pass(Some(Duration::from_secs(600)), pending::<()>()).await;

        assert!(matches!((callers, ours), (Err(Error::Deadline), Err(Error::Deadline))));
        assert_eq!(after_callers, Duration::from_secs(1));
        assert_eq!(begin.elapsed(), Duration::from_secs(31));
    }

    #[test]
    fn beyond_the_places_there_is_none_and_who_ends_gives_its_own_back() {
        let places = Places::new(2, "test");
        let first = places.enter(TenantId::new()).unwrap();
        let _second = places.enter(TenantId::new()).unwrap();

        let third = places.enter(TenantId::new()).err();
        drop(first);
        let fourth = places.enter(TenantId::new());

        assert_eq!(third, Some(NoPlace::AllTaken));
        assert!(fourth.is_ok());
    }

    #[test]
    fn no_tenant_takes_more_than_half_of_the_places() {
        let (places, acme) = (Places::new(4, "test"), TenantId::new());
        let _held = [places.enter(acme).unwrap(), places.enter(acme).unwrap()];

        let another = places.enter(acme).err();
        let of_another_tenant = places.enter(TenantId::new());

        assert_eq!(another, Some(NoPlace::TenantHasHalf));
        assert!(of_another_tenant.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_wait_has_that_much_longer() {
        let gate = Gate::new(1, Duration::from_secs(30));
        let begin = tokio::time::Instant::now();

        let waited = gate.pass_and_wait(None, Duration::from_secs(60), pending::<()>()).await;

        assert!(matches!(waited, Err(Error::Deadline)));
        assert_eq!(begin.elapsed(), Duration::from_secs(90));
    }
}
