//! Watching appointments: every change, none left out, from wherever the watcher last was.
//!
//! What a watcher may see the row policies decide at the moment of reading. An appointment that was given to
//! another practitioner is out of the first one's sight, and one that was removed out of everybody's: these
//! are looked for on their own and told by their ids alone.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    queries::{self, Recorded, Shown},
    store,
};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        watch::{POLL, Pace, Wake},
    },
    error::{Error, Result},
    ids::{AppointmentId, PatientId, PractitionerId},
    page::Page,
    store::{
        TenantTx,
        appointment::{Appointment, Change, Cursor, Filter, Horizon, Leave, Position, Whose},
        changes::Topic,
    },
};

/// Rows read at once.
const AT_ONCE: i64 = 200;
/// While a hinted change is not yet to be read because an older transaction is under way, looks are this far
/// apart.
const SOON: Duration = Duration::from_millis(20);
const SOON_AT_MOST: Duration = Duration::from_millis(500);

/// Which appointments are watched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    pub practitioner: Option<PractitionerId>,
    pub patient: Option<PatientId>,
    /// First those that begin at or after this instant, as they stand.
    pub snapshot_from: Option<DateTime<Utc>>,
}

/// Where a watch stands: what a resume token keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    position: Position,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Sends the appointments as they stand, from here on.
    Snapshot(Option<Cursor>),
    Changes,
}

/// What a watcher is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way")]
pub enum News {
    Snapshot(Shown),
    SnapshotEnd,
    Change {
        appointment: Shown,
        change: Recorded,
    },
    /// It went to another practitioner, or was removed.
    Leave(AppointmentId),
    Heartbeat,
}

/// A watch that is under way.
pub struct Watch {
    domain: Domain,
    caller: Caller,
    wanted: Wanted,
    clock: fn() -> DateTime<Utc>,
    pace: Pace,
    /// Where reading goes on.
    bookmark: Bookmark,
    /// Read, not told yet.
    queue: VecDeque<(News, Bookmark)>,
    /// A hint came since the last look.
    is_hinted: bool,
    /// Until everything below this number is over, a hinted change may still be to come.
    awaited: Option<i64>,
    soon: Duration,
}

impl Watch {
    /// Begins where `resume` says, or now. Errors: `NotFound` (practitioner, patient), `ResumeTokenInvalid`.
    pub async fn open(
        domain: Domain,
        caller: Caller,
        wanted: Wanted,
        resume: Option<Bookmark>,
        clock: fn() -> DateTime<Utc>,
    ) -> Result<Self> {
        // Before the first look, so that nothing lies between.
        let pace = Pace::new(domain.store.hints(caller.tenant, Topic::Appointment, None));
        let mut tx = domain.store.caller(&caller).await?;
        if let Some(practitioner) = wanted.practitioner {
            store::practitioner::find(&mut tx, practitioner).await?;
        }
        if let Some(patient) = wanted.patient {
            store::patient::find(&mut tx, patient).await?;
        }
        let horizon = store::appointment::horizon(&mut tx).await?;
        tx.end_reading();
        let bookmark = match resume {
            // From a database that has since been set back: what it stands for never happened.
            Some(ahead) if ahead.position > horizon.end() => return Err(Error::ResumeTokenInvalid),
            Some(bookmark) => bookmark,
            // Read before the appointments themselves, so that what changes meanwhile follows as a change.
            None => Bookmark { position: horizon.end(), stage: Stage::Snapshot(None) },
        };
        Ok(Self {
            domain,
            caller,
            wanted,
            clock,
            pace,
            bookmark,
            queue: VecDeque::new(),
            is_hinted: false,
            awaited: None,
            soon: SOON,
        })
    }

    /// What comes next, and where to go on after it; waits until there is something.
    pub async fn next(&mut self) -> Result<(News, Bookmark)> {
        while self.queue.is_empty() {
            match self.bookmark.stage {
                Stage::Snapshot(after) => self.read_snapshot(after).await?,
                Stage::Changes => {
                    self.read_changes().await?;
                    if self.queue.is_empty() && self.wait().await == Wake::Heartbeat {
                        self.queue.push_back((News::Heartbeat, self.bookmark));
                    }
                }
            }
        }
        self.pace.spoke();
        self.queue.pop_front().ok_or_else(|| Error::internal("an empty queue"))
    }

    async fn wait(&mut self) -> Wake {
        let at_most = if self.awaited.is_some() { self.soon } else { POLL };
        self.soon = (self.soon * 2).min(SOON_AT_MOST);
        let wake = self.pace.wait(at_most).await;
        self.is_hinted |= wake == Wake::Hint;
        wake
    }

    /// The next page of the appointments as they stand; at their end, the marker.
    async fn read_snapshot(&mut self, after: Option<Cursor>) -> Result<()> {
        let Bookmark { position, .. } = self.bookmark;
        let mut page = Vec::new();
        let mut next = None;
        if let Some(from) = self.wanted.snapshot_from {
            let filter = Filter {
                practitioner: self.wanted.practitioner,
                patient: self.wanted.patient,
                start_time_from: Some(from),
                ..Filter::default()
            };
            let mut tx = self.domain.store.caller(&self.caller).await?;
            let found = store::appointment::list(&mut tx, &filter, &Page { size: AT_ONCE, after }).await?;
            page = self.show(&mut tx, found.rows).await?;
            next = found.next;
            tx.end_reading();
        }
        for shown in page {
            let cursor = (shown.appointment.start_time, shown.appointment.id);
            let bookmark = Bookmark { position, stage: Stage::Snapshot(Some(cursor)) };
            self.queue.push_back((News::Snapshot(shown), bookmark));
        }
        self.bookmark.stage = match next {
            Some(cursor) => Stage::Snapshot(Some(cursor)),
            None => {
                let bookmark = Bookmark { position, stage: Stage::Changes };
                self.queue.push_back((News::SnapshotEnd, bookmark));
                Stage::Changes
            }
        };
        Ok(())
    }

    /// The changes that can be read by now.
    async fn read_changes(&mut self) -> Result<()> {
        let after = self.bookmark.position;
        let (horizon, leaves) = self.leaves(after).await?;
        self.note(horizon);
        if horizon.end() <= after {
            return Ok(());
        }
        let whose = Whose { practitioner: self.wanted.practitioner, patient: self.wanted.patient };
        let mut tx = self.domain.store.caller(&self.caller).await?;
        let changes = store::appointment::changes_after(&mut tx, after, horizon, whose, AT_ONCE).await?;
        let end = read_up_to(&changes, &leaves).unwrap_or(horizon.end());
        let mut news = self.told(&mut tx, changes).await?;
        tx.end_reading();

        news.extend(leaves.into_iter().map(|leave| (leave.position(), News::Leave(leave.appointment_id))));
        news.retain(|(position, _)| *position <= end);
        news.sort_by_key(|(position, _)| *position);
        let stage = Stage::Changes;
        self.queue.extend(news.into_iter().map(|(position, news)| (news, Bookmark { position, stage })));
        self.bookmark.position = end;
        Ok(())
    }

    /// What is awaited after a look, and whether the looks may be further apart.
    fn note(&mut self, horizon: Horizon) {
        if mem::take(&mut self.is_hinted) {
            self.awaited = Some(horizon.next);
            self.soon = SOON;
        }
        self.awaited = self.awaited.filter(|awaited| horizon.below < *awaited);
    }

    /// What can be read by now, and what of it went out of the watcher's sight: out of the named
    /// practitioner's appointments, out of the caller's own, or away altogether. In the server's own name,
    /// because what left is behind the caller's policies.
    async fn leaves(&self, after: Position) -> Result<(Horizon, Vec<Leave>)> {
        let whose = match (self.caller.practitioner(), self.wanted.practitioner) {
            // Of somebody else's appointments he sees none, and none leaves.
            (Some(own), Some(wanted)) if own != wanted => None,
            (own, wanted) => Some(Whose { practitioner: own.or(wanted), patient: self.wanted.patient }),
        };
        let mut tx = self.domain.store.tenant(self.caller.tenant).await?;
        let horizon = store::appointment::horizon(&mut tx).await?;
        let leaves = match whose.filter(|_| after < horizon.end()) {
            Some(whose) => store::appointment::leaves_after(&mut tx, after, horizon, whose, AT_ONCE).await?,
            None => Vec::new(),
        };
        tx.end_reading();
        Ok((horizon, leaves))
    }

    async fn told(
        &self,
        tx: &mut TenantTx,
        changes: Vec<(Position, Change, Appointment)>,
    ) -> Result<Vec<(Position, News)>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let (mut positions, mut records, mut rows) = (Vec::new(), Vec::new(), HashMap::new());
        for (position, change, appointment) in changes {
            positions.push(position);
            records.push(change);
            rows.insert(appointment.id, appointment);
        }
        let shown = self.show(tx, rows.into_values().collect()).await?;
        let shown: HashMap<_, _> = shown.into_iter().map(|shown| (shown.appointment.id, shown)).collect();
        let recorded = queries::with_intents(tx, records).await?;
        let told = positions.into_iter().zip(recorded).filter_map(|(position, change)| {
            let appointment = shown.get(&change.change.appointment_id)?.clone();
            Some((position, News::Change { appointment, change }))
        });
        Ok(told.collect())
    }

    async fn show(&self, tx: &mut TenantTx, rows: Vec<Appointment>) -> Result<Vec<Shown>> {
        let sources = queries::sources(tx).await?;
        queries::show_all(tx, rows, &sources, (self.clock)()).await
    }
}

/// Up to where both lists are whole; nothing if neither was cut off.
fn read_up_to(changes: &[(Position, Change, Appointment)], leaves: &[Leave]) -> Option<Position> {
    let is_cut = |length: usize| length as i64 >= AT_ONCE;
    let changes_end = changes.last().filter(|_| is_cut(changes.len())).map(|(position, ..)| *position);
    let leaves_end = leaves.last().filter(|_| is_cut(leaves.len())).map(|leave| leave.position());
    match (changes_end, leaves_end) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
