//! Who is away when: from the tool's out-of-office entries, person by person, or from a project with a task
//! per absence.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

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
    ids::{AbsenceId, ExternalUserId},
    provider::asana::{FieldContent, Offset, Refusal, Task, TaskSubtype, collect},
    store::{
        self,
        planning::{absence::Absence, missing, reading, user::ExternalUser},
    },
    words::{AbsenceSource, ConsentScope},
};

/// What absences are counted as, and the noun of their cursor.
pub(in crate::domain) const ABSENCES: &str = "absences";
/// What ended longer ago is not looked at again.
const LOOKED_BACK: TimeDelta = TimeDelta::days(31);
/// Who was asked for within this time is not asked again by a run that was interrupted.
const ASKED_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(45);
/// Refusals in a row after which nobody else is asked: the right is missing, not the person.
const REFUSALS_AT_MOST: usize = 3;

/// Reads the absences of everybody who was not asked for a moment ago.
pub(super) async fn read_due(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    read(reader, record, reader.now() - ASKED_AGAIN_AFTER).await
}

/// Reads all absences; where people are asked for one by one, those of everybody whose were last read before
/// `until`. What the plan, the grant or the consents do not include is told, and nothing else fails by it.
pub(super) async fn read(reader: &Reader<'_>, record: &mut Record, until: DateTime<Utc>) -> Result<(), Stop> {
    match from_source(reader, record, until).await {
        Err(stop) if reader.can_go_on(&stop).await? => unavailable(reader, record, consent::MISSING).await,
        done => done,
    }
}

async fn from_source(reader: &Reader<'_>, record: &mut Record, until: DateTime<Utc>) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let is_allowed = check_consent(&mut tx, reader.id(), ConsentScope::Absences).await;
    tx.end_reading();
    is_allowed?;
    let source = reader.settings.absence_source;
    match (source, reader.settings.absence_project_id.clone()) {
        (AbsenceSource::None, _) | (AbsenceSource::Project, None) => {}
        (AbsenceSource::OutOfOffice, _) => of_people(reader, record, until).await?,
        (AbsenceSource::Project, Some(project)) => of_project(reader, record, &project).await?,
    }
    let (id, now) = (reader.id(), reader.now());
    let mut tx = reader.tx().await?;
    reading::forget_absences_elsewhere(&mut tx, id, source).await?;
    store::sync_log::set_watermark(&mut tx, id, ABSENCES, Some(now), now).await?;
    Ok(tx.commit().await?)
}

async fn of_people(reader: &Reader<'_>, record: &mut Record, until: DateTime<Utc>) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let users = reading::users_to_be_asked(&mut tx, reader.id(), until).await?;
    tx.end_reading();
    let count = record.count(ABSENCES);
    count.total = Some(count.processed + users.len() as u64);
    let mut refusals = 0;
    for user in users {
        match of_person(reader, &user).await? {
            None => refusals = 0,
            Some(Refusal::PlanLimit) => {
                return unavailable(reader, record, Refusal::PlanLimit.reason()).await;
            }
            // One who is gone, or not ours to see.
            Some(refusal) => {
                record.add_error(format!("user/{}", user.external_id), refusal.reason());
                refusals += 1;
                if refusals >= REFUSALS_AT_MOST {
                    return unavailable(reader, record, refusal.reason()).await;
                }
            }
        }
        record.count(ABSENCES).processed += 1;
        progress::advance(record, reader);
        record.save(reader.ground).await?;
    }
    forget(reader, record, AbsenceSource::OutOfOffice, Some(begin(reader))).await?;
    available(reader).await
}

/// What ended before is not asked for.
fn begin(reader: &Reader<'_>) -> NaiveDate {
    (reader.now() - LOOKED_BACK).date_naive()
}

/// Reads one person's. Returns what was refused.
async fn of_person(reader: &Reader<'_>, user: &ExternalUser) -> Result<Option<Refusal>, Stop> {
    let begin = begin(reader);
    let (workspace, gid) = (reader.workspace.as_str(), user.external_id.as_str());
    let list = collect(usize::MAX, |from| async move {
        let at = from.as_ref();
        let asked = reader.ask_at(Place::in_list(at), |way| async move {
            way.asana().ooo_entries(workspace, gid, Some(begin), None, at).await
        });
        asked.await.map(|(page, _)| page)
    });
    let list = match list.await {
        Ok(list) => list,
        Err(failure) => return refused(failure).map(Some),
    };
    let rows = list.items.into_iter().map(|entry| Absence {
        id: AbsenceId::new(),
        integration_id: reader.id(),
        external_id: entry.gid,
        source: AbsenceSource::OutOfOffice,
        user_id: user.id,
        kind: None,
        start_date: entry.start_date,
        end_date: entry.end_date,
        update_time: reader.now(),
    });
    let rows: Vec<Absence> = rows.collect();
    let unfit = list.unfit.into_iter().filter_map(|unfit| unfit.gid);
    let kept: Vec<String> = rows.iter().map(|row| row.external_id.clone()).chain(unfit).collect();
    let mut tx = reader.tx().await?;
    check_consent(&mut tx, reader.id(), ConsentScope::Absences).await?;
    if reading::note_absences_read(&mut tx, user.id, reader.now()).await? {
        reading::keep_absences(&mut tx, &rows).await?;
        missing::mark_absences_of(&mut tx, user.id, begin, &kept, reader.now()).await?;
    }
    tx.commit().await?;
    Ok(None)
}

/// Reads the project in which each task is an absence of its assignee.
async fn of_project(reader: &Reader<'_>, record: &mut Record, project: &str) -> Result<(), Stop> {
    let mut kept = HashSet::new();
    let mut offset: Option<Offset> = None;
    loop {
        let from = offset.as_ref();
        let place = Place::in_list(from);
        let asked = reader.ask_at(place, |way| async move { way.asana().tasks(project, None, from).await });
        let page = match asked.await {
            Ok((page, _)) => page,
            Err(failure) => return unavailable(reader, record, refused(failure)?.reason()).await,
        };
        let rows: Vec<Absence> = page.items.iter().filter_map(|task| absence(reader, task)).collect();
        kept.extend(rows.iter().map(|row| row.external_id.clone()));
        kept.extend(page.unfit.into_iter().filter_map(|unfit| unfit.gid));
        let mut tx = reader.tx().await?;
        check_consent(&mut tx, reader.id(), ConsentScope::Absences).await?;
        reading::keep_absences(&mut tx, &rows).await?;
        tx.commit().await?;
        record.count(ABSENCES).processed += u64::try_from(page.items.len()).unwrap_or_default();
        record.save(reader.ground).await?;
        match page.next {
            Some(next) => offset = Some(next),
            None => break,
        }
    }
    let kept: Vec<String> = kept.into_iter().collect();
    let mut tx = reader.tx().await?;
    missing::mark_absences_of_project(&mut tx, reader.id(), &kept, reader.now()).await?;
    tx.commit().await?;
    forget(reader, record, AbsenceSource::Project, None).await?;
    available(reader).await
}

/// Forgets what is not told any more, unless that is more than a person wants to lose unasked. `begin`: what
/// ended before does not count.
async fn forget(
    reader: &Reader<'_>,
    record: &mut Record,
    source: AbsenceSource,
    begin: Option<NaiveDate>,
) -> Result<()> {
    let mut tx = reader.tx().await?;
    let sum = missing::absences(&mut tx, reader.id(), source, begin).await?;
    if reader.must_ask(count(sum.missing), count(sum.known)) {
        tx.end_reading();
        return hold(reader, record, ABSENCES).await;
    }
    missing::forget_absences(&mut tx, reader.id(), source).await?;
    tx.commit().await
}

/// A task as an absence; none if nobody has it, or it has no days.
fn absence(reader: &Reader<'_>, task: &Task) -> Option<Absence> {
    let dictionary = &reader.dictionary;
    if task.subtype == TaskSubtype::Milestone || task.parent.is_some() {
        return None;
    }
    let user_id: ExternalUserId = *dictionary.users.get(task.assignee.as_ref()?)?;
    let end_date = task.due_date(dictionary.zone)?;
    let start_date = task.start_date(dictionary.zone).unwrap_or(end_date);
    let kind = reader.settings.absence_kind_field_id.as_ref().and_then(|field| task.field(field));
    let kind = kind.and_then(|field| match &field.content {
        FieldContent::Enum(Some(option)) => option.name.clone(),
        _ => None,
    });
    Some(Absence {
        id: AbsenceId::new(),
        integration_id: reader.id(),
        external_id: task.gid.clone(),
        source: AbsenceSource::Project,
        user_id,
        kind,
        start_date: start_date.min(end_date),
        end_date,
        update_time: reader.now(),
    })
}

/// Absences cannot be read; the rest can.
async fn unavailable(reader: &Reader<'_>, record: &mut Record, reason: &str) -> Result<(), Stop> {
    record.add_error(ABSENCES.into(), reason);
    let mut tx = reader.tx().await?;
    store::planning::health::set_absences_reason(&mut tx, reader.id(), Some(reason)).await?;
    Ok(tx.commit().await?)
}

async fn available(reader: &Reader<'_>) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    store::planning::health::set_absences_reason(&mut tx, reader.id(), None).await?;
    Ok(tx.commit().await?)
}
