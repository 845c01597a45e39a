//! Hours that were worked. Entries tell no time of their change and no list tells whose task they are of, so
//! they are read task by task, where the sum that the task tells is another than when they were read last.
//! Once a day they are read wherever somebody worked lately, because what moves from one person to another
//! leaves the sum as it is.

use chrono::TimeDelta;
use futures::future::join_all;

use super::{
    gone::{count, hold},
    progress,
    reader::{Place, Reader, check_consent, refused},
};
use crate::{
    domain::{
        consent,
        engine::record::{Record, Stop},
    },
    error::Result,
    ids::TimeEntryId,
    provider::asana::{Refusal, collect},
    store::{
        self,
        planning::{
            missing,
            reading::{self, ToBeCounted},
            time_entry::TimeEntry,
        },
    },
    words::ConsentScope,
};

/// What entries are counted as, and the noun of their cursor.
pub(in crate::domain) const TIME_ENTRIES: &str = "time_entries";
/// Up to when what was worked on lately was read again.
const RECENT: &str = "recent_time_entries";
/// Once a day, wherever in the day's run the last time was.
const RECENT_AGAIN_AFTER: TimeDelta = TimeDelta::hours(12);
/// Entries are corrected soon, or with the month's accounts.
const LATELY: TimeDelta = TimeDelta::days(31);
/// Phases that are read again for it, a request each: four minutes of the smallest plan's budget.
const RECENT_AT_MOST: i64 = 500;
/// Phases whose entries are read between two looks at which are next.
const SOME: i64 = 100;
/// Phases whose entries are asked for at the same time.
const AT_ONCE: usize = 8;
/// Refusals in a row after which no other task is asked for: the right is missing, not the task.
const REFUSALS_AT_MOST: usize = 3;

/// Reads the entries of every phase whose sum has changed, and once a day those of what was worked on lately.
pub(super) async fn read_with_recent(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    store::retry_deadlocks(|| recount(reader)).await?;
    read(reader, record).await
}

async fn recount(reader: &Reader<'_>) -> Result<()> {
    let (id, now) = (reader.id(), reader.now());
    let mut tx = reader.tx().await?;
    // A reading that was interrupted goes on, and does not begin again.
    let last = store::sync_log::watermark(&mut tx, id, RECENT).await?;
    if last.is_none_or(|last| now - last >= RECENT_AGAIN_AFTER) {
        let begin = (now - LATELY).date_naive();
        reading::recount(&mut tx, id, begin, RECENT_AT_MOST).await?;
        store::sync_log::set_watermark(&mut tx, id, RECENT, Some(now), now).await?;
    }
    tx.commit().await
}

/// Reads the entries of every phase whose sum has changed. What the plan, the grant or the consents do not
/// include is told, and nothing else fails by it.
pub(super) async fn read(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    match of_phases(reader, record).await {
        Err(stop) if reader.can_go_on(&stop).await? => unavailable(reader, record, consent::MISSING).await,
        done => done,
    }
}

async fn of_phases(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let is_allowed = check_consent(&mut tx, reader.id(), ConsentScope::TimeEntries).await;
    tx.end_reading();
    is_allowed?;
    let (mut after, mut refusals) = (None, 0);
    expect(reader, record).await?;
    loop {
        let mut tx = reader.tx().await?;
        let some = reading::to_be_counted(&mut tx, reader.id(), after, SOME).await?;
        tx.end_reading();
        let Some(last) = some.last() else { break };
        after = Some(last.id);
        for few in some.chunks(AT_ONCE) {
            let read = join_all(few.iter().map(|phase| of_phase(reader, phase))).await;
            for (phase, read) in few.iter().zip(read) {
                match read? {
                    None => refusals = 0,
                    Some(Refusal::PlanLimit) => {
                        return unavailable(reader, record, Refusal::PlanLimit.reason()).await;
                    }
                    // The task is gone, which the next complete reading finds.
                    Some(Refusal::NotFound) => {}
                    Some(refusal) => {
                        record.add_error(format!("task/{}", phase.external_id), refusal.reason());
                        refusals += 1;
                        if refusals >= REFUSALS_AT_MOST {
                            return unavailable(reader, record, refusal.reason()).await;
                        }
                    }
                }
                record.count(TIME_ENTRIES).processed += 1;
            }
            progress::advance(record, reader);
            record.save(reader.ground).await?;
        }
    }
    forget(reader, record).await?;
    let (id, now) = (reader.id(), reader.now());
    let mut tx = reader.tx().await?;
    store::planning::health::set_time_entries_reason(&mut tx, id, None).await?;
    store::sync_log::set_watermark(&mut tx, id, TIME_ENTRIES, Some(now), now).await?;
    Ok(tx.commit().await?)
}

/// Forgets what is not told any more, unless that is more than a person wants to lose unasked.
async fn forget(reader: &Reader<'_>, record: &mut Record) -> Result<()> {
    let mut tx = reader.tx().await?;
    let sum = missing::time_entries(&mut tx, reader.id()).await?;
    if reader.must_ask(count(sum.missing), count(sum.known)) {
        tx.end_reading();
        return hold(reader, record, TIME_ENTRIES).await;
    }
    missing::forget_time_entries(&mut tx, reader.id()).await?;
    tx.commit().await
}

async fn expect(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let waiting = reading::count_to_be_counted(&mut tx, reader.id()).await?;
    tx.end_reading();
    let count = record.count(TIME_ENTRIES);
    count.total = Some(count.processed + u64::try_from(waiting).unwrap_or_default());
    record.save(reader.ground).await
}

/// Reads one phase's. Returns what was refused.
async fn of_phase(reader: &Reader<'_>, phase: &ToBeCounted) -> Result<Option<Refusal>, Stop> {
    let gid = phase.external_id.as_str();
    let list = collect(usize::MAX, |from| async move {
        let at = from.as_ref();
        let place = Place::in_list(at);
        let asked = reader.ask_at(place, |way| async move { way.asana().time_entries(gid, at).await });
        asked.await.map(|(page, _)| page)
    });
    let list = match list.await {
        Ok(list) => list,
        Err(failure) => return refused(failure).map(Some),
    };
    let rows = list.items.into_iter().map(|entry| TimeEntry {
        id: TimeEntryId::new(),
        integration_id: reader.id(),
        external_id: entry.gid,
        phase_id: phase.id,
        user_id: entry.created_by.and_then(|user| reader.dictionary.users.get(&user).copied()),
        entry_date: entry.entered_on,
        minutes: i32::try_from(entry.minutes).unwrap_or(i32::MAX),
        update_time: reader.now(),
    });
    let rows: Vec<TimeEntry> = rows.collect();
    let unfit = list.unfit.into_iter().filter_map(|unfit| unfit.gid);
    let kept: Vec<String> = rows.iter().map(|row| row.external_id.clone()).chain(unfit).collect();
    let mut tx = reader.tx().await?;
    check_consent(&mut tx, reader.id(), ConsentScope::TimeEntries).await?;
    reading::keep_time_entries(&mut tx, &rows).await?;
    missing::mark_time_entries_of(&mut tx, phase.id, &kept, reader.now()).await?;
    // What the task told, whatever the entries add up to: otherwise they would be read again for ever.
    reading::note_counted(&mut tx, phase).await?;
    tx.commit().await?;
    Ok(None)
}

/// Hours cannot be read; the rest can.
async fn unavailable(reader: &Reader<'_>, record: &mut Record, reason: &str) -> Result<(), Stop> {
    record.add_error(TIME_ENTRIES.into(), reason);
    let mut tx = reader.tx().await?;
    store::planning::health::set_time_entries_reason(&mut tx, reader.id(), Some(reason)).await?;
    Ok(tx.commit().await?)
}
