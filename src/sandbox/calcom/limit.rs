//! The throttle: a count per caller and window; whoever exceeds it is refused for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::settings::Limits;

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    Key(i64),
    /// Without a key; on loopback there is one address.
    Anonymous,
}

pub(crate) struct Throttle {
    limits: Mutex<Limits>,
    buckets: Mutex<HashMap<Counted, Bucket>>,
}

struct Bucket {
    since: DateTime<Utc>,
    hits: u32,
    blocked_until: Option<DateTime<Utc>>,
}

/// What the headers say. Their unit is not documented; the storage library counts seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset_seconds: i64,
    pub(crate) refused: bool,
}

impl Throttle {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits: Mutex::new(limits), buckets: Mutex::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody starts anew.
    pub(crate) fn set(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Counts one request; `None` where nothing is limited.
    pub(crate) fn count(&self, who: Counted, now: DateTime<Utc>) -> Option<Allowance> {
        let limits = self.limits();
        let limit = match who {
            Counted::Key(_) => limits.per_key,
            Counted::Anonymous => limits.anonymous,
        }?;
        let window = TimeDelta::seconds(limits.window_seconds.into());
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Bucket { since: now, hits: 0, blocked_until: None };
        let bucket = buckets.entry(who).or_insert_with(fresh);
        if let Some(until) = bucket.blocked_until.filter(|until| now < *until) {
            return Some(refused(limit, until - now));
        }
        if bucket.blocked_until.is_some() || now - bucket.since >= window {
            *bucket = fresh();
        }
        bucket.hits += 1;
        if bucket.hits > limit {
            let block = TimeDelta::seconds(limits.block_seconds.into());
            bucket.blocked_until = Some(now + block);
            return Some(refused(limit, block));
        }
        let reset_seconds = (bucket.since + window - now).num_seconds();
        Some(Allowance { limit, remaining: limit - bucket.hits, reset_seconds, refused: false })
    }
}

fn refused(limit: u32, wait: TimeDelta) -> Allowance {
    Allowance { limit, remaining: 0, reset_seconds: wait.num_seconds().max(1), refused: true }
}
