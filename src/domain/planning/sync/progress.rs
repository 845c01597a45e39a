//! How far a run is, told while several projects are read at once.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::{estimate, reader::Reader, take_in::Taken};
use crate::domain::engine::record::{Record, Stop};

/// What phases are counted as.
pub(super) const PHASES: &str = "phases";
pub(super) const PROJECTS: &str = "projects";
pub(super) const REQUESTS: &str = "requests";

/// How often a run's record is written while pages come: every write is told to all instances.
const TOLD_EVERY: Duration = Duration::from_millis(300);
/// After this the others' work has its turn: a worker does only so many messages at a time.
const SLICE: Duration = Duration::from_secs(30);

pub(super) struct Progress<'a> {
    inner: Mutex<Inner<'a>>,
    begun: Instant,
}

struct Inner<'a> {
    record: &'a mut Record,
    told: Instant,
}

impl<'a> Progress<'a> {
    pub(super) fn of(record: &'a mut Record) -> Self {
        let now = Instant::now();
        Self { inner: Mutex::new(Inner { record, told: now }), begun: now }
    }

    /// Counts a page. Errors: `Stop::Over` when somebody called the run off, `Stop::Later` when it is the
    /// others' turn.
    pub(super) async fn note(&self, reader: &Reader<'_>, taken: Taken) -> Result<(), Stop> {
        let mut inner = self.inner.lock().await;
        let is_repair = inner.record.is_repair();
        let count = inner.record.count(PHASES);
        count.processed += u64::from(taken.phases);
        count.repaired += if is_repair { u64::from(taken.changes) } else { 0 };
        for (task, reason) in taken.complaints {
            inner.record.add_error(format!("task/{task}"), reason);
        }
        self.tell(&mut inner, reader).await
    }

    /// Notes something that could not be done.
    pub(super) async fn complain(&self, subject: String, reason: &str) {
        self.inner.lock().await.record.add_error(subject, reason);
    }

    async fn tell(&self, inner: &mut Inner<'_>, reader: &Reader<'_>) -> Result<(), Stop> {
        if inner.told.elapsed() >= TOLD_EVERY {
            inner.count_requests(reader);
            inner.record.save(reader.ground).await?;
            inner.told = Instant::now();
        }
        if self.begun.elapsed() >= SLICE {
            return Err(Stop::Later { after: Duration::ZERO, reason: "MORE_TO_READ" });
        }
        Ok(())
    }

    /// Counts what was asked last.
    pub(super) async fn end(self, reader: &Reader<'_>) {
        self.inner.lock().await.count_requests(reader);
    }
}

impl Inner<'_> {
    fn count_requests(&mut self, reader: &Reader<'_>) {
        let count = self.record.count(REQUESTS);
        count.processed += reader.uncounted();
        // What is known to be left; more than was expected is not expected to end soon.
        let Some(left) = count.total.map(|total| total.saturating_sub(count.processed)) else { return };
        let left = TimeDelta::from_std(estimate::duration(left, reader.pace)).unwrap_or(TimeDelta::MAX);
        self.record.set_expect_end_time(reader.now().checked_add_signed(left));
    }
}
