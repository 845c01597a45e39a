//! Reading projects completely, several at once. How far each is, is written down together with what its last
//! page brought, so that whoever goes on reads no page twice and leaves none out.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use uuid::Uuid;

use super::{
    progress::Progress,
    reader::{AT_ONCE, Reader, refusal},
    take_in::PageRead,
};
use crate::{
    domain::engine::record::Stop,
    error::Result,
    ids::ProjectId,
    provider::asana::{Events, Offset, Refusal},
    store::{
        self,
        planning::project_cursor::{self, ProjectCursor},
    },
};

/// A token lives for a day at most; an older one than this is not worth a try.
pub(super) const TOKEN_LIVES: TimeDelta = TimeDelta::hours(20);
/// Beginnings of one project's list whose pages expire under way.
const BEGINNINGS: usize = 3;
/// What is waited for when another page might not be asked for now, so that several are allowed again.
pub(super) const A_FEW_MORE: Duration = Duration::from_secs(3);

/// Reads what of a round is still unread.
pub(super) async fn read(reader: &Reader<'_>, round: Uuid, progress: &Progress<'_>) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let unread = project_cursor::unread(&mut tx, reader.id(), round).await?;
    tx.end_reading();
    let names: HashMap<ProjectId, &str> =
        reader.dictionary.projects.iter().map(|(gid, id)| (*id, gid.as_str())).collect();
    let queue = Mutex::new(VecDeque::from(unread));
    let is_over = AtomicBool::new(false);
    let lane = async || {
        while !is_over.load(Ordering::Relaxed) {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(cursor) = next else { break };
            let Some(gid) = names.get(&cursor.project_id) else { continue };
            let done = one(reader, gid, cursor, round, progress, &is_over).await;
            if done.is_err() {
                // The others end with the page that they are at: a request that nobody waits for counts, too.
                is_over.store(true, Ordering::Relaxed);
                return done;
            }
        }
        Ok(())
    };
    let ended = join_all((0..AT_ONCE).map(|_| lane())).await;
    // What is worse is told first.
    let mut stops: Vec<Stop> = ended.into_iter().filter_map(Result::err).collect();
    stops.sort_by_key(|stop| match stop {
        Stop::Over => 0,
        Stop::Ended(_) => 1,
        Stop::Failed(_) => 2,
        Stop::Later { .. } => 3,
    });
    stops.into_iter().next().map_or(Ok(()), Err)
}

/// Reads one project on from where it is, unless all are to stop.
pub(super) async fn one(
    reader: &Reader<'_>,
    gid: &str,
    cursor: ProjectCursor,
    round: Uuid,
    progress: &Progress<'_>,
    is_over: &AtomicBool,
) -> Result<(), Stop> {
    let project = cursor.project_id;
    let mut offset = cursor.round_offset.clone().and_then(Offset::parse);
    let mut beginnings = 0;
    if cursor.round_begin_time.is_none() {
        take_token(reader, gid, &cursor).await?;
        begin(reader, project).await?;
        progress.begin(project).await;
    }
    while !is_over.load(Ordering::Relaxed) {
        let from = offset.as_ref();
        let asked = reader.ask(|way| async move { way.asana().tasks(gid, None, from).await }).await;
        let (page, asked) = match asked {
            Ok(answer) => answer,
            Err(failure) => match refusal(&failure) {
                // Offsets expire; nothing else tells so.
                Some(Refusal::Invalid) if offset.is_some() && beginnings < BEGINNINGS => {
                    beginnings += 1;
                    offset = None;
                    begin(reader, project).await?;
                    progress.begin(project).await;
                    continue;
                }
                // One project that cannot be read does not keep the others from being read.
                Some(refusal) => return give_up(reader, gid, project, refusal.reason(), progress).await,
                None => return Err(failure.into()),
            },
        };
        let unfit = page.unfit.iter().filter_map(|unfit| unfit.gid.as_deref()).collect();
        for unfit in &page.unfit {
            let task = unfit.gid.as_deref().unwrap_or_default();
            progress.complain(format!("task/{task}"), "UNREADABLE").await;
        }
        let next = page.next.as_ref().map(Offset::as_str);
        let read = PageRead { project, round, next, unfit };
        let taken = reader.take_in(&page.items, None, asked, Some(&read)).await?;
        progress.note(reader, project, taken, page.next.is_none()).await?;
        match page.next {
            Some(next) => offset = Some(next),
            None => break,
        }
    }
    Ok(())
}

/// Sees to it that the project's events are kept from before its first page on.
async fn take_token(reader: &Reader<'_>, gid: &str, cursor: &ProjectCursor) -> Result<(), Stop> {
    let is_young = |taken: DateTime<Utc>| reader.now() - taken < TOKEN_LIVES;
    if cursor.event_token.is_some() && cursor.event_token_time.is_some_and(is_young) {
        return Ok(());
    }
    let answer = reader.ask(|way| async move { way.asana().events(gid, None).await }).await;
    let token = match answer {
        Ok((Events::Restart { sync }, _)) => sync,
        Ok((Events::Page(page), _)) => page.sync,
        // A grant with granular scopes has no event stream: changes are asked for by their time then.
        Err(failure) if refusal(&failure).is_some() => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    let mut tx = reader.tx().await?;
    let (id, now) = (reader.id(), reader.now());
    project_cursor::set_event_token(&mut tx, id, cursor.project_id, &token, true, now).await?;
    Ok(tx.commit().await?)
}

async fn begin(reader: &Reader<'_>, project: ProjectId) -> Result<()> {
    let mut tx = reader.tx().await?;
    project_cursor::begin_reading(&mut tx, project, reader.now()).await?;
    tx.commit().await
}

async fn give_up(
    reader: &Reader<'_>,
    gid: &str,
    project: ProjectId,
    reason: &'static str,
    progress: &Progress<'_>,
) -> Result<(), Stop> {
    progress.complain(format!("project/{gid}"), reason).await;
    progress.give_up(project).await;
    let mut tx = reader.tx().await?;
    store::planning::project_cursor::end_reading(&mut tx, project, Some(reason), reader.now()).await?;
    Ok(tx.commit().await?)
}
