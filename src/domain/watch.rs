//! Watching: looking again when something may have changed, and saying from time to time that one is still
//! there.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Domain;
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::SyncLogId,
    store::{
        self,
        changes::{Hints, Topic},
        sync_log::SyncLog,
    },
};

/// After a silence this long a watcher hears a heartbeat, so that no proxy takes the connection for dead.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a change may go unnoticed whose hint was lost.
pub const POLL: Duration = Duration::from_secs(5);

/// When to look again.
#[derive(Debug)]
pub struct Pace {
    hints: Hints,
    spoke: Instant,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something may have changed.
    Hint,
    /// It is time for a look without one.
    Time,
    /// Nothing was said for a while.
    Heartbeat,
}

/// A run as it goes on.
pub struct SyncLogWatch {
    domain: Domain,
    caller: Caller,
    id: SyncLogId,
    pace: Pace,
    /// The revision that the watcher knows from an earlier watch.
    known: Option<i32>,
    seen: Option<SyncLog>,
    is_over: bool,
}

/// What a watcher of a run is told.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way")]
pub enum SyncLogNews {
    Snapshot(SyncLog),
    Change { before: SyncLog, after: SyncLog },
    Heartbeat,
}

impl Pace {
    pub fn new(hints: Hints) -> Self {
        Self { hints, spoke: Instant::now() }
    }

    /// The watcher was told something.
    pub fn spoke(&mut self) {
        self.spoke = Instant::now();
    }

    /// Waits for a hint, `at_most` this long, or until a heartbeat is due.
    pub async fn wait(&mut self, at_most: Duration) -> Wake {
        tokio::select! {
            () = self.hints.next() => Wake::Hint,
            () = sleep_until(self.spoke + HEARTBEAT) => Wake::Heartbeat,
            () = sleep(at_most) => Wake::Time,
        }
    }
}

impl SyncLogWatch {
    /// Begins with the run as it stands, unless its revision is the known one. Errors: `NotFound`,
    /// `ResumeTokenInvalid` for a revision that is yet to come.
    pub async fn open(domain: Domain, caller: Caller, id: SyncLogId, known: Option<i32>) -> Result<Self> {
        let pace = Pace::new(domain.store.hints(caller.tenant, Topic::SyncLog, Some(id.0)));
        let watch = Self { domain, caller, id, pace, known, seen: None, is_over: false };
        let run = watch.look().await?;
        if known.is_some_and(|known| known > run.revision) {
            return Err(Error::ResumeTokenInvalid);
        }
        Ok(watch)
    }

    /// What comes next, and the revision it stands for; nothing once the run is over. Errors: `NotFound` when
    /// its record is removed.
    pub async fn next(&mut self) -> Result<Option<(SyncLogNews, i32)>> {
        while !self.is_over {
            let run = self.look().await?;
            let revision = run.revision;
            self.is_over = run.end_time.is_some();
            let news = match self.seen.replace(run.clone()) {
                None if self.known == Some(revision) => None,
                None => Some(SyncLogNews::Snapshot(run)),
                Some(before) if before == run => None,
                Some(before) => Some(SyncLogNews::Change { before, after: run }),
            };
            if let Some(news) = news {
                self.pace.spoke();
                return Ok(Some((news, revision)));
            }
            if !self.is_over && self.pace.wait(POLL).await == Wake::Heartbeat {
                self.pace.spoke();
                return Ok(Some((SyncLogNews::Heartbeat, revision)));
            }
        }
        Ok(None)
    }

    async fn look(&self) -> Result<SyncLog> {
        let mut tx = self.domain.store.caller(&self.caller).await?;
        let run = store::sync_log::find(&mut tx, self.id).await?;
        tx.end_reading();
        Ok(run)
    }
}
