//! What the tool does not list any more. It is missing first, and the next complete reading decides; when
//! much is missing at once, a person does.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    progress::PHASES,
    reader::{Answer, Place, Reader},
    take_over::set_presence,
};
use crate::{
    domain::engine::record::{Record, Stop},
    error::Result,
    ids::{PhaseId, ProjectId, ReviewItemId},
    store::{
        self, TenantTx,
        planning::{
            gone::{self, Unseen},
            phase::Phase,
            phase_change::PhaseChange,
        },
        review_item::ReviewItem,
    },
    words::{Origin, PhaseChangeKind, Presence, ReviewKind, ReviewState},
};

/// Phases written at a time.
const SOME: i64 = 500;
/// Phases that one run asks for one by one; the next run goes on.
const ASKED_AT_MOST: i64 = 300;
const TOO_MANY_GONE: &str = "TOO_MANY_GONE";

/// Marks what a round did not see. `project`: only what is in that one. Projects that lost more than a person
/// wants to lose unasked are left as they are.
pub(super) async fn mark(
    reader: &Reader<'_>,
    record: &mut Record,
    round: Uuid,
    project: Option<ProjectId>,
) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let unseen = Unseen { integration: reader.id(), round, project };
    let sums = gone::sums(&mut tx, &unseen).await?;
    tx.end_reading();
    let is_held = |gone, known| reader.must_ask(count(gone), count(known));
    let total = sums.iter().find(|sum| sum.project_id.is_none());
    let is_all_held = total.is_some_and(|sum| is_held(sum.gone, sum.known));
    let held: HashSet<ProjectId> =
        sums.iter().filter(|sum| is_held(sum.gone, sum.known)).filter_map(|sum| sum.project_id).collect();
    if is_all_held || !held.is_empty() {
        hold(reader, record, PHASES).await?;
    }
    if is_all_held {
        return Ok(());
    }
    let held: Vec<ProjectId> = held.into_iter().collect();
    loop {
        let now = reader.now();
        let mut tx = reader.tx().await?;
        let rows = gone::unseen_for_update(&mut tx, &unseen, &held, SOME).await?;
        let marked = rows.len();
        become_all(&mut tx, reader, rows, Presence::Missing, now).await?;
        tx.commit().await?;
        let is_repair = record.is_repair();
        record.count(PHASES).repaired += if is_repair { count_of(marked) } else { 0 };
        record.save(reader.ground).await?;
        if marked < usize::try_from(SOME).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

/// Decides about what was missing before this round already: each is asked for once more, unless nothing of
/// where it was is read any longer.
pub(super) async fn confirm(reader: &Reader<'_>, record: &mut Record, round: Uuid) -> Result<(), Stop> {
    loop {
        let now = reader.now();
        let mut tx = reader.tx().await?;
        let rows = gone::homeless_for_update(&mut tx, reader.id(), round, SOME).await?;
        let decided = rows.len();
        become_all(&mut tx, reader, rows, Presence::Detached, now).await?;
        tx.commit().await?;
        if decided < usize::try_from(SOME).unwrap_or(usize::MAX) {
            break;
        }
    }
    let mut tx = reader.tx().await?;
    let missing = gone::long_missing(&mut tx, reader.id(), round, ASKED_AT_MOST).await?;
    tx.end_reading();
    for external_id in missing {
        look(reader, &external_id, Presence::Gone).await?;
        record.save(reader.ground).await?;
    }
    Ok(())
}

/// Reads one phase. One that the tool does not have becomes `absent`.
pub(super) async fn look(reader: &Reader<'_>, gid: &str, absent: Presence) -> Result<(), Stop> {
    let (answer, asked) = reader.task(Place::GivenUp, gid).await?;
    let presence = match answer {
        Answer::Here(task) => {
            reader.take_in(&[task], None, asked, None).await?;
            return Ok(());
        }
        Answer::Gone => absent,
        Answer::Closed => Presence::Detached,
    };
    become_one(reader, gid, presence, asked).await?;
    Ok(())
}

/// A phase that is not there, or not for us, any more. Nothing if a newer answer says otherwise.
pub(super) async fn become_one(
    reader: &Reader<'_>,
    gid: &str,
    presence: Presence,
    asked: DateTime<Utc>,
) -> Result<()> {
    let mut tx = reader.tx().await?;
    let found = store::planning::bulk::find_for_update(&mut tx, reader.id(), &[gid]).await?;
    let is_newer = |read: Option<DateTime<Utc>>| read.is_none_or(|read| read <= asked);
    // What is gone does not go missing.
    let is_less = |row: &Phase| row.presence == Presence::Gone && presence == Presence::Missing;
    let rows = found.into_iter().filter(|(row, read)| is_newer(*read) && !is_less(row));
    let rows = rows.map(|(row, _)| row).filter(|row| row.presence != presence).collect();
    become_all(&mut tx, reader, rows, presence, asked).await?;
    tx.commit().await
}

async fn become_all(
    tx: &mut TenantTx,
    reader: &Reader<'_>,
    mut rows: Vec<Phase>,
    presence: Presence,
    now: DateTime<Utc>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    for row in &mut rows {
        set_presence(row, presence, now);
        row.update_time = now;
    }
    let of = |row: &Phase| PhaseChange::of(row, PhaseChangeKind::Presence, Origin::Asana, &reader.cause, now);
    let changes: Vec<PhaseChange> = rows.iter().map(of).collect();
    let ids: Vec<PhaseId> = rows.iter().map(|row| row.id).collect();
    gone::set_presence(tx, &ids, presence, now).await?;
    store::planning::phase_change::insert(tx, &changes).await
}

/// Leaves what is gone as it is, and asks a person.
pub(super) async fn hold(reader: &Reader<'_>, record: &mut Record, noun: &str) -> Result<()> {
    record.add_error(noun.into(), TOO_MANY_GONE);
    ask_somebody(reader).await
}

/// Opens an item unless one is open.
pub(super) async fn ask_somebody(reader: &Reader<'_>) -> Result<()> {
    let mut tx = reader.tx().await?;
    tx.lock("deletions over guard").await?;
    if !store::review_item::is_open(&mut tx, reader.id(), ReviewKind::DeletionsOverGuard).await? {
        let item = ReviewItem {
            id: ReviewItemId::new(),
            kind: ReviewKind::DeletionsOverGuard,
            state: ReviewState::Open,
            integration_id: Some(reader.id()),
            appointment_id: None,
            intent_id: None,
            reason: TOO_MANY_GONE.into(),
            resolution: None,
            resolver: None,
            open_time: reader.now(),
            resolve_time: None,
        };
        store::review_item::open(&mut tx, &item).await?;
    }
    tx.commit().await
}

/// What a person was asked about has come back, or went with a person's leave: unless this run, which looked
/// at everything, had to ask again, or could not look at what was missing before.
pub(super) async fn settle(reader: &Reader<'_>, record: &Record) -> Result<()> {
    if record.may_have_met(TOO_MANY_GONE) {
        return Ok(());
    }
    let mut tx = reader.tx().await?;
    if !store::planning::missing::is_any_left(&mut tx, reader.id()).await? {
        let kind = ReviewKind::DeletionsOverGuard;
        store::review_item::settle_of_integration(&mut tx, reader.id(), kind, reader.now()).await?;
    }
    tx.commit().await
}

pub(super) fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

fn count_of(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
