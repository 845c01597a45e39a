//! How many requests run at once in this process, over both edges, and for how long.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};

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

    #[tokio::test(start_paused = true)]
    async fn who_may_wait_has_that_much_longer() {
        let gate = Gate::new(1, Duration::from_secs(30));
        let begin = tokio::time::Instant::now();

        let waited = gate.pass_and_wait(None, Duration::from_secs(60), pending::<()>()).await;

        assert!(matches!(waited, Err(Error::Deadline)));
        assert_eq!(begin.elapsed(), Duration::from_secs(90));
    }
}
