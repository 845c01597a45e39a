//! The limiters: all per authorisation, whatever token it goes by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::settings::Limits;

/// What may be used at once of a minute's allowance.
const BURST: f64 = 0.25;

pub(crate) struct Throttle {
    limits: Mutex<Limits>,
    callers: Arc<Mutex<HashMap<u64, Caller>>>,
}

/// What one authorisation has used.
#[derive(Default)]
struct Caller {
    general: Bucket,
    searches: Bucket,
    cost: Bucket,
    reads: u32,
    writes: u32,
}

/// `None`: never used.
#[derive(Clone, Copy, Default)]
struct Bucket(Option<(f64, DateTime<Utc>)>);

impl Bucket {
    /// Takes `cost`, whether there is so much or not; what is left. Below zero, the seconds until it is not.
    fn take(&mut self, cost: f64, per_minute: u32, now: DateTime<Utc>) -> Result<(), f64> {
        let (rate, most) = (f64::from(per_minute) / 60.0, (f64::from(per_minute) * BURST).max(1.0));
        let (left, since) = self.0.unwrap_or((most, now));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a test or a day")]
        let passed = (now - since).num_milliseconds().max(0) as f64 / 1000.0;
        // Refused requests count, but whoever waits for a minute gets on again.
        let left = (left + passed * rate).min(most);
        let left = (left - cost).max(-f64::from(per_minute));
        self.0 = Some((left, now));
        if left < 0.0 { Err(-left / rate) } else { Ok(()) }
    }
}

/// A request in flight; dropping it makes room.
pub(crate) struct Flight {
    callers: Arc<Mutex<HashMap<u64, Caller>>>,
    grant: u64,
    is_read: bool,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = callers.get_mut(&self.grant) {
            let count = if self.is_read { &mut caller.reads } else { &mut caller.writes };
            *count = count.saturating_sub(1);
        }
    }
}

impl Throttle {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits: Mutex::new(limits), callers: Arc::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every minute begins anew.
    pub(crate) fn set(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        for caller in self.callers().values_mut() {
            (caller.general, caller.searches, caller.cost) = Default::default();
        }
    }

    /// Counts a request; the error is the seconds to wait.
    pub(crate) fn begin(
        &self,
        grant: u64,
        (is_read, is_search, count): (bool, bool, u32),
        now: DateTime<Utc>,
    ) -> Result<Flight, u32> {
        let limits = self.limits();
        let mut callers = self.callers();
        let caller = callers.entry(grant).or_default();
        let mut wait: f64 = 0.0;
        let mut takes = |bucket: &mut Bucket, cost: f64, limit: Option<u32>| {
            if let Some(limit) = limit
                && let Err(seconds) = bucket.take(cost, limit, now)
            {
                wait = wait.max(seconds);
            }
        };
        takes(&mut caller.general, f64::from(count), limits.per_minute);
        if is_search {
            takes(&mut caller.searches, 1.0, limits.searches_per_minute);
        }
        takes(&mut caller.cost, 0.0, limits.cost_per_minute);
        let (flying, most) =
            if is_read { (&mut caller.reads, limits.reads) } else { (&mut caller.writes, limits.writes) };
        if most.is_some_and(|most| *flying + count > most) {
            wait = wait.max(1.0);
        }
        if wait > 0.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "seconds, not below zero"
            )]
            return Err(wait.ceil() as u32);
        }
        *flying += 1;
        Ok(Flight { callers: self.callers.clone(), grant, is_read })
    }

    /// Charges what an answer cost.
    pub(crate) fn charge(&self, grant: u64, records: usize, now: DateTime<Utc>) {
        if let Some(limit) = self.limits().cost_per_minute {
            #[expect(clippy::cast_precision_loss, reason = "at most some thousands")]
            let _ = self.callers().entry(grant).or_default().cost.take(records as f64, limit, now);
        }
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<u64, Caller>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
