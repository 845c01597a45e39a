//! How far a run is, told while several projects are read at once.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::{
    estimate::{self, Reading, Size},
    reader::Reader,
    take_in::Taken,
};
use crate::{
    domain::engine::record::{Record, Stop},
    ids::ProjectId,
};

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
    told: Option<Instant>,
    /// What is left of the run; none for a part that nobody waits for.
    left: Option<Size>,
}

impl<'a> Progress<'a> {
    pub(super) fn of(record: &'a mut Record, left: Option<Size>) -> Self {
        Self { inner: Mutex::new(Inner { record, told: None, left }), begun: Instant::now() }
    }

    /// A project is read from its first page on, perhaps once more.
    pub(super) async fn begin(&self, project: ProjectId) {
        let mut inner = self.inner.lock().await;
        let Some(reading) = inner.reading(project) else { return };
        let before = std::mem::take(&mut reading.read);
        reading.is_begun = true;
        let count = inner.record.count(PHASES);
        count.processed = count.processed.saturating_sub(before);
    }

    /// Counts a page. Errors: `Stop::Over` when somebody called the run off, `Stop::Later` when it is the
    /// others' turn.
    pub(super) async fn note(
        &self,
        reader: &Reader<'_>,
        project: ProjectId,
        taken: Taken,
        is_last: bool,
    ) -> Result<(), Stop> {
        let mut inner = self.inner.lock().await;
        let is_repair = inner.record.is_repair();
        let count = inner.record.count(PHASES);
        count.processed += u64::from(taken.phases);
        count.repaired += if is_repair { u64::from(taken.changes) } else { 0 };
        if let Some(reading) = inner.reading(project) {
            reading.read += u64::from(taken.phases);
            reading.is_done = is_last;
        }
        for (task, reason) in taken.complaints {
            inner.record.add_error(format!("task/{task}"), reason);
        }
        self.tell(&mut inner, reader).await
    }

    /// Notes something that could not be done.
    pub(super) async fn complain(&self, subject: String, reason: &str) {
        self.inner.lock().await.record.add_error(subject, reason);
    }

    /// Notes a project that cannot be read.
    pub(super) async fn give_up(&self, project: ProjectId) {
        if let Some(reading) = self.inner.lock().await.reading(project) {
            reading.is_done = true;
        }
    }

    async fn tell(&self, inner: &mut Inner<'_>, reader: &Reader<'_>) -> Result<(), Stop> {
        if inner.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            inner.count(reader);
            inner.record.save(reader.ground).await?;
            inner.told = Some(Instant::now());
        }
        if self.begun.elapsed() >= SLICE {
            return Err(Stop::Later { after: Duration::ZERO, reason: "MORE_TO_READ" });
        }
        Ok(())
    }

    /// Counts what was asked last.
    pub(super) async fn end(self, reader: &Reader<'_>) {
        self.inner.lock().await.count(reader);
    }
}

impl Inner<'_> {
    fn reading(&mut self, project: ProjectId) -> Option<&mut Reading> {
        self.left.as_mut()?.readings.get_mut(&project)
    }

    fn count(&mut self, reader: &Reader<'_>) {
        let Some(left) = &self.left else { return advance(self.record, reader) };
        let projects = self.record.count(PROJECTS);
        let taking_part = left.readings.len() as u64;
        let all = projects.total.unwrap_or_default().max(taking_part);
        // Of those that do not take part nothing is read.
        (projects.total, projects.processed) = (Some(all), all - taking_part + left.done());
        self.record.count(PHASES).total = Some(left.tasks());
        expect(self.record, reader, left.requests());
    }
}

/// Tells how many requests a run takes in all when so many are left, and when it will be through.
pub(super) fn expect(record: &mut Record, reader: &Reader<'_>, left: u64) {
    let requests = record.count(REQUESTS);
    requests.processed += reader.uncounted();
    requests.total = Some(requests.processed + left);
    let pace = reader.pace.after(requests.processed);
    let left = TimeDelta::from_std(estimate::duration(left, pace)).ok();
    record.set_expect_end_time(left.and_then(|left| reader.now().checked_add_signed(left)));
}

/// Counts what was asked since, of what was expected.
pub(super) fn advance(record: &mut Record, reader: &Reader<'_>) {
    let requests = record.count(REQUESTS);
    requests.processed += reader.uncounted();
    if let Some(left) = requests.total.map(|total| total.saturating_sub(requests.processed)) {
        expect(record, reader, left);
    }
}
