//! The time a double lives in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

/// The double's time: the system's, or one that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    stands: bool,
    /// Milliseconds: since 1970 for a clock that stands, ahead of the system otherwise.
    millis: AtomicI64,
}

impl Clock {
    pub fn system() -> Self {
        Self(Arc::new(Hands { stands: false, millis: AtomicI64::new(0) }))
    }

    pub fn standing_at(moment: DateTime<Utc>) -> Self {
        Self(Arc::new(Hands { stands: true, millis: AtomicI64::new(moment.timestamp_millis()) }))
    }

    pub fn advance(&self, by: TimeDelta) {
        self.0.millis.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }

    /// To the millisecond, as everything that is told of it.
    pub fn now(&self) -> DateTime<Utc> {
        let millis = self.0.millis.load(Ordering::SeqCst);
        let now = if self.0.stands {
            DateTime::from_timestamp_millis(millis).unwrap_or_default()
        } else {
            Utc::now() + TimeDelta::milliseconds(millis)
        };
        now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now)
    }
}
