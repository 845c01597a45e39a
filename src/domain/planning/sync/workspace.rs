//! Who and what there is in the workspace: its users and its projects.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    gone::hold,
    progress::PROJECTS,
    reader::{Answer, Place, Reader, missing},
};
use crate::{
    domain::engine::record::{Record, Stop},
    error::Result,
    fold,
    ids::{ExternalUserId, ProjectId},
    provider::asana::{self, Offset},
    store::{
        self,
        planning::{project::Project, reading, settings::PlanningSettings, user::ExternalUser},
    },
    words::Presence,
};

const USERS: &str = "users";
/// So well is a clock known whose `Date` header tells seconds and whose answer takes a while.
const SKEW_AT_LEAST: TimeDelta = TimeDelta::seconds(3);

/// Takes over the workspace's users, and looks at the tool's clock.
pub(super) async fn users(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let known = store::planning::user::all_of(&mut tx, reader.id()).await?;
    tx.end_reading();
    let mut known: HashMap<String, ExternalUser> =
        known.into_iter().map(|user| (user.external_id.clone(), user)).collect();
    *record.count(USERS) = Default::default();
    let mut offset: Option<Offset> = None;
    loop {
        let (workspace, from) = (reader.workspace.as_str(), offset.as_ref());
        let asked = reader.ask_at(Place::in_list(from), |way| async move {
            let asana = way.asana();
            let page = asana.users(workspace, from).await?;
            Ok((page, asana.newest_exchange().and_then(|exchange| exchange.date)))
        });
        let ((page, date), _) = asked.await?;
        if let Some(date) = date.filter(|_| offset.is_none()) {
            note_clock(reader, date).await?;
        }
        let now = reader.now();
        let mut tx = reader.tx().await?;
        for user in &page.items {
            let before = known.remove(&user.gid);
            let after = described(reader, user, before.as_ref(), now);
            match before {
                None => store::planning::user::insert(&mut tx, &after).await?,
                Some(before) if before != after => reading::describe_user(&mut tx, &after).await?,
                Some(_) => {}
            }
        }
        for unfit in page.unfit.iter().filter_map(|unfit| unfit.gid.as_ref()) {
            known.remove(unfit);
            record.add_error(format!("user/{unfit}"), "UNREADABLE");
        }
        tx.commit().await?;
        record.count(USERS).processed += u64::try_from(page.items.len()).unwrap_or_default();
        record.save(reader.ground).await?;
        match page.next {
            Some(next) => offset = Some(next),
            None => break,
        }
    }
    // Whoever has left keeps their absences and hours.
    let now = reader.now();
    let mut tx = reader.tx().await?;
    for user in known.into_values().filter(|user| user.missing_time.is_none()) {
        let left = ExternalUser { missing_time: Some(now), update_time: now, ..user };
        reading::describe_user(&mut tx, &left).await?;
    }
    Ok(tx.commit().await?)
}

fn described(
    reader: &Reader<'_>,
    user: &asana::User,
    before: Option<&ExternalUser>,
    now: DateTime<Utc>,
) -> ExternalUser {
    let before = before.cloned().unwrap_or_else(|| ExternalUser {
        id: ExternalUserId::new(),
        integration_id: reader.id(),
        external_id: user.gid.clone(),
        name: String::new(),
        email: None,
        email_folded: None,
        practitioner_id: None,
        mapped_by: None,
        map_time: None,
        absences_time: None,
        missing_time: None,
        update_time: now,
    });
    let after = ExternalUser {
        name: user.name.clone().unwrap_or_default(),
        email: user.email.clone(),
        email_folded: user.email.as_deref().and_then(fold::email),
        missing_time: None,
        ..before.clone()
    };
    if after == before { after } else { ExternalUser { update_time: now, ..after } }
}

/// Changes are compared by time, so it must be known by how much the two clocks differ.
async fn note_clock(reader: &Reader<'_>, theirs: DateTime<Utc>) -> Result<()> {
    let skew = theirs - reader.now();
    let skew = if skew.abs() < SKEW_AT_LEAST { TimeDelta::zero() } else { skew };
    let mut tx = reader.tx().await?;
    store::planning::health::set_clock_skew(&mut tx, reader.id(), skew.num_milliseconds()).await?;
    tx.commit().await
}

/// Takes over the workspace's projects, and marks those that are not listed any more.
pub(super) async fn projects(reader: &Reader<'_>, record: &mut Record) -> Result<(), Stop> {
    let mut tx = reader.tx().await?;
    let known = store::planning::project::all_of(&mut tx, reader.id()).await?;
    tx.end_reading();
    let present = known.iter().filter(|project| project.presence == Presence::Present).count();
    let mut known: HashMap<String, Project> =
        known.into_iter().map(|project| (project.external_id.clone(), project)).collect();
    let mut listed = HashSet::new();
    *record.count(PROJECTS) = Default::default();
    let mut offset: Option<Offset> = None;
    loop {
        let (workspace, from) = (reader.workspace.as_str(), offset.as_ref());
        let place = Place::in_list(from);
        let ask = reader.ask_at(place, |way| async move { way.asana().projects(workspace, from).await });
        let (page, _) = ask.await?;
        let now = reader.now();
        let mut tx = reader.tx().await?;
        for project in &page.items {
            let before = known.remove(&project.gid);
            listed.insert(project.gid.clone());
            let after = found(reader, project, before.as_ref(), now);
            match before {
                None => store::planning::project::insert(&mut tx, &after).await?,
                Some(before) if before != after => store::planning::project::save(&mut tx, &after).await?,
                Some(_) => {}
            }
        }
        for unfit in page.unfit.iter().filter_map(|unfit| unfit.gid.as_ref()) {
            known.remove(unfit);
            record.add_error(format!("project/{unfit}"), "UNREADABLE");
        }
        tx.commit().await?;
        *record.count(PROJECTS).total.get_or_insert(0) += page.items.len() as u64;
        record.save(reader.ground).await?;
        match page.next {
            Some(next) => offset = Some(next),
            None => break,
        }
    }
    let unlisted: Vec<Project> =
        known.into_values().filter(|one| !listed.contains(&one.external_id)).collect();
    gone(reader, record, unlisted, present).await
}

/// A project as it was read.
fn found(
    reader: &Reader<'_>,
    said: &asana::Project,
    before: Option<&Project>,
    now: DateTime<Utc>,
) -> Project {
    let before = before.cloned().unwrap_or_else(|| Project {
        id: ProjectId::new(),
        integration_id: reader.id(),
        external_id: said.gid.clone(),
        name: String::new(),
        start_date: None,
        due_date: None,
        is_archived: false,
        has_area_field: false,
        has_hours_field: false,
        presence: Presence::Present,
        missing_time: None,
        external_update_time: None,
        sync_time: None,
        update_time: now,
    });
    let (has_area_field, has_hours_field) = fields_of(&reader.settings, said, &before);
    let after = Project {
        name: said.name.clone().unwrap_or_default(),
        start_date: said.start_on,
        due_date: said.due_on,
        is_archived: said.archived,
        has_area_field,
        has_hours_field,
        presence: Presence::Present,
        missing_time: None,
        external_update_time: said.modified_at,
        ..before.clone()
    };
    if after == before { after } else { Project { update_time: now, ..after } }
}

/// Whether a project's tasks can have an area, and planned hours. Where its fields were not told, as before.
fn fields_of(settings: &PlanningSettings, said: &asana::Project, before: &Project) -> (bool, bool) {
    let Some(fields) = &said.field_gids else { return (before.has_area_field, before.has_hours_field) };
    let has = |field: &Option<String>| field.as_ref().is_some_and(|field| fields.contains(field));
    (has(&settings.area_field_id), has(&settings.hours_field_id))
}

/// Projects that are not listed are missing; those that were so before are asked for once more.
async fn gone(
    reader: &Reader<'_>,
    record: &mut Record,
    unlisted: Vec<Project>,
    present: usize,
) -> Result<(), Stop> {
    let vanished = unlisted.iter().filter(|project| project.presence == Presence::Present).count();
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    if reader.must_ask(count(vanished), count(present)) {
        return Ok(hold(reader, record, PROJECTS).await?);
    }
    for project in unlisted {
        let presence = match project.presence {
            Presence::Present => Presence::Missing,
            // The list before it would have to be read again.
            Presence::Missing => match ask(reader, Place::Held, &project.external_id).await? {
                Answer::Here(said) => {
                    keep(reader, &said, Some(&project)).await?;
                    continue;
                }
                Answer::Gone => Presence::Gone,
                Answer::Closed => Presence::Detached,
            },
            Presence::Detached | Presence::Gone => continue,
        };
        become_missing(reader, project, presence).await?;
    }
    Ok(())
}

async fn become_missing(reader: &Reader<'_>, project: Project, presence: Presence) -> Result<()> {
    let now = reader.now();
    let missing_time = Some(project.missing_time.unwrap_or(now));
    let after = Project { presence, missing_time, update_time: now, ..project };
    let mut tx = reader.tx().await?;
    store::planning::project::save(&mut tx, &after).await?;
    tx.commit().await
}

async fn ask(reader: &Reader<'_>, place: Place, gid: &str) -> Result<Answer<asana::Project>, Stop> {
    match reader.ask_at(place, |way| async move { way.asana().project(gid).await }).await {
        Ok((project, _)) => Ok(Answer::Here(project)),
        Err(failure) => missing(failure),
    }
}

async fn keep(reader: &Reader<'_>, said: &asana::Project, before: Option<&Project>) -> Result<ProjectId> {
    let after = found(reader, said, before, reader.now());
    let mut tx = reader.tx().await?;
    match before {
        None => store::planning::project::insert(&mut tx, &after).await?,
        Some(before) if *before != after => store::planning::project::save(&mut tx, &after).await?,
        Some(_) => {}
    }
    tx.commit().await?;
    Ok(after.id)
}

/// Reads one project that was told to have changed. Returns it if its tasks are phases from now on, and were
/// none before.
pub(super) async fn look(reader: &Reader<'_>, place: Place, gid: &str) -> Result<Option<ProjectId>, Stop> {
    let mut tx = reader.tx().await?;
    let before = store::planning::project::find_by_external_id(&mut tx, reader.id(), gid).await?;
    let was_read = match &before {
        Some(before) => store::planning::project_cursor::is_read(&mut tx, reader.id(), before.id).await?,
        None => false,
    };
    tx.end_reading();
    match (ask(reader, place, gid).await?, before) {
        (Answer::Here(said), before) => {
            // Of another workspace: one grant reaches all of a user's.
            if said.workspace.as_ref().is_some_and(|workspace| *workspace != reader.workspace) {
                return Ok(None);
            }
            let id = keep(reader, &said, before.as_ref()).await?;
            let mut tx = reader.tx().await?;
            let is_read = store::planning::project_cursor::is_read(&mut tx, reader.id(), id).await?;
            tx.end_reading();
            Ok(Some(id).filter(|_| is_read && !was_read))
        }
        // The next complete reading asks again before anything is lost.
        (Answer::Gone | Answer::Closed, Some(before)) if before.presence == Presence::Present => {
            become_missing(reader, before, Presence::Missing).await?;
            Ok(None)
        }
        (Answer::Gone | Answer::Closed, _) => Ok(None),
    }
}
