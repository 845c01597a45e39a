//! Asking projects for what happened since the last time: the net under the webhooks, of which some get lost.

use std::{collections::VecDeque, sync::atomic::AtomicBool};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    gone,
    hints::Hints,
    progress::Progress,
    reader::{Place, Reader, refusal},
    refresh, round,
};
use crate::{
    domain::engine::record::{Record, Stop},
    error::Result,
    ids::ProjectId,
    provider::asana::{Event, Events, Offset},
    store::{self, planning::project_cursor},
};

/// How much of what may be asked between two polls they may use up; the rest is for what they find, and for
/// others.
const BUDGET_PART: f64 = 0.25;
/// Between two polls.
const EVERY: TimeDelta = TimeDelta::minutes(5);
/// Projects of one poll, at least.
const AT_LEAST: i64 = 10;
/// What was found is told by a webhook within this time, or not at all; most come within ten minutes.
const TOLD_WITHIN: TimeDelta = TimeDelta::minutes(15);
/// Read again where only times of change are to be had: the two clocks differ, and lists lag.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// What is known of the cursor that says when this was done last.
pub(in crate::domain) const NOUN: &str = "phases";

/// Asks those that waited longest, as many as the budget lets be asked. Who goes on with a poll that was put
/// off leaves out whom it has asked by then, so that it ends however small the budget is.
pub(super) async fn run(reader: &Reader<'_>, record: &mut Record, round: Uuid) -> Result<(), Stop> {
    let affordable = reader.pace.per_second * EVERY.as_seconds_f64() * BUDGET_PART;
    let mut tx = reader.tx().await?;
    let at_most = (affordable as i64).max(AT_LEAST);
    let due = project_cursor::to_be_polled(&mut tx, reader.id(), begin(round), at_most).await?;
    tx.end_reading();
    let mut due = VecDeque::from(due);
    while let Some(project) = due.pop_front() {
        one(reader, record, project, round).await?;
        record.save(reader.ground).await?;
    }
    let (id, now) = (reader.id(), reader.now());
    let mut tx = reader.tx().await?;
    let missed = store::planning::health::count_missed(&mut tx, id, now - TOLD_WITHIN, now).await?;
    store::sync_log::set_watermark(&mut tx, id, NOUN, Some(now), now).await?;
    tx.commit().await?;
    if missed > 0 {
        record.count("missed_events").processed += missed;
    }
    Ok(())
}

/// When a poll was asked for: whatever happened before is found by anybody who looks after it.
fn begin(round: Uuid) -> DateTime<Utc> {
    let time = round.get_timestamp().map(|time| time.to_unix());
    let time = time.and_then(|(seconds, nanos)| DateTime::from_timestamp(seconds.cast_signed(), nanos));
    time.unwrap_or_else(Utc::now)
}

/// Asks for one project's events until there are no more.
async fn one(reader: &Reader<'_>, record: &mut Record, project: ProjectId, round: Uuid) -> Result<(), Stop> {
    let Some(gid) = reader.gid_of(project) else { return Ok(()) };
    let mut tx = reader.tx().await?;
    let cursor = project_cursor::find(&mut tx, project).await?;
    tx.end_reading();
    // Its events were asked for before the reading began, which goes on where it was.
    let is_being_read =
        cursor.as_ref().is_some_and(|cursor| cursor.is_gapped && cursor.round_id == Some(round));
    if is_being_read || take_events(reader, record, (&gid, project), cursor.as_ref()).await? {
        read_completely(reader, record, project, round).await?;
    }
    let mut tx = reader.tx().await?;
    project_cursor::note_polled(&mut tx, project, reader.now()).await?;
    Ok(tx.commit().await?)
}

/// Takes in what a project's events tell; says whether something is missing among them.
async fn take_events(
    reader: &Reader<'_>,
    record: &mut Record,
    (gid, project): (&str, ProjectId),
    cursor: Option<&project_cursor::ProjectCursor>,
) -> Result<bool, Stop> {
    let mut token = cursor.and_then(|cursor| cursor.event_token.clone());
    let mut is_gapped = cursor.is_none_or(|cursor| cursor.is_gapped);
    let mut place = Place::GivenUp;
    loop {
        let since = token.as_deref();
        let asked = reader.ask_at(place, |way| async move { way.asana().events(gid, since).await });
        let answer = asked.await;
        place = Place::Held;
        match answer {
            Ok((Events::Restart { sync }, _)) => {
                // From before the reading on, so that nothing between the two is missed.
                keep_token(reader, project, &sync, true).await?;
                is_gapped = true;
                break;
            }
            Ok((Events::Page(page), _)) => {
                let mut hints = of_events(reader, &page.events);
                hints.everything |= !page.unfit.is_empty();
                // Before the token: what was not read is told once more.
                is_gapped |= !refresh::read(reader, record, place, Some((gid, project)), &hints).await?;
                keep_token(reader, project, &page.sync, is_gapped).await?;
                token = Some(page.sync);
                if !page.has_more {
                    break;
                }
            }
            Err(failure) => match refusal(&failure) {
                // A grant with granular scopes has no event stream.
                Some(refused) if token.is_none() && !is_gapped => {
                    tracing::debug!(reason = refused.reason(), "no event stream");
                    changed_since(reader, record, gid, cursor).await?;
                    break;
                }
                Some(_) if token.is_none() => break,
                Some(refused) => {
                    record.add_error(format!("project/{gid}"), refused.reason());
                    break;
                }
                None => return Err(failure.into()),
            },
        }
    }
    Ok(is_gapped)
}

fn of_events(reader: &Reader<'_>, events: &[Event]) -> Hints {
    Hints::of(events, reader.dictionary.fields(), reader.now())
}

async fn keep_token(reader: &Reader<'_>, project: ProjectId, token: &str, is_gapped: bool) -> Result<()> {
    let mut tx = reader.tx().await?;
    let (id, now) = (reader.id(), reader.now());
    project_cursor::set_event_token(&mut tx, id, project, token, is_gapped, now).await?;
    tx.commit().await
}

/// Reads a project as a whole, and marks what is not in it any more.
pub(super) async fn read_completely(
    reader: &Reader<'_>,
    record: &mut Record,
    project: ProjectId,
    round: Uuid,
) -> Result<(), Stop> {
    let Some(gid) = reader.gid_of(project) else { return Ok(()) };
    let mut tx = reader.tx().await?;
    let mut cursor = project_cursor::find(&mut tx, project).await?;
    if cursor.as_ref().is_none_or(|cursor| cursor.round_id != Some(round)) {
        project_cursor::begin_alone(&mut tx, reader.id(), project, round).await?;
        cursor = project_cursor::find(&mut tx, project).await?;
    }
    tx.commit().await?;
    let Some(cursor) = cursor.filter(|cursor| !cursor.round_is_read) else { return Ok(()) };
    let progress = Progress::of(record, None);
    let read = round::one(reader, &gid, cursor, round, &progress, &AtomicBool::new(false)).await;
    progress.end(reader).await;
    read?;
    gone::mark(reader, record, round, Some(project)).await
}

/// What was changed since the last time by the tool's own word; what left is found by the next complete
/// reading.
async fn changed_since(
    reader: &Reader<'_>,
    record: &mut Record,
    gid: &str,
    cursor: Option<&project_cursor::ProjectCursor>,
) -> Result<(), Stop> {
    let Some(since) = cursor.and_then(|cursor| cursor.poll_time.or(cursor.round_begin_time)) else {
        return Ok(());
    };
    let since = since + reader.dictionary.skew - OVERLAP;
    let mut offset: Option<Offset> = None;
    loop {
        let from = offset.as_ref();
        let ask =
            reader.ask_at(Place::Held, |way| async move { way.asana().tasks(gid, Some(since), from).await });
        let (page, asked) = ask.await?;
        let taken = reader.take_in(&page.items, None, asked, None).await?;
        super::count(record, taken);
        match page.next {
            Some(next) => offset = Some(next),
            None => return Ok(()),
        }
    }
}
