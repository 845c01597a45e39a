//! Making what is here what was read: a page of tasks in one transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    hints::{Hint, Hints},
    reader::Reader,
    take_over::{set_presence, take_over},
    understand::Understood,
};
use crate::{
    domain::{consent, engine::record::Stop},
    error::Result,
    ids::{PhaseId, ProjectId},
    provider::asana::Task,
    store::{
        self, TenantTx,
        planning::{
            bulk::{self, NewPhase},
            conflict::PhaseConflict,
            phase::{Phase, PhaseChangeTimes, PhaseFields, PhaseSync},
            phase_change::PhaseChange,
        },
    },
    words::{ConsentScope, Origin, PhaseChangeKind, Presence},
};

/// Where a page stood in the complete reading of its project.
pub(super) struct PageRead<'a> {
    pub(super) project: ProjectId,
    pub(super) round: uuid::Uuid,
    /// Where the next page begins; none after the last.
    pub(super) next: Option<&'a str>,
    /// Tasks that were on it and could not be read.
    pub(super) unfit: Vec<&'a str>,
}

/// What a page brought.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Phases on it.
    pub(super) phases: u32,
    /// Those that were others before, or not there.
    pub(super) changes: u32,
    /// What of them cannot be kept, and why.
    pub(super) complaints: Vec<(String, &'static str)>,
}

/// One try.
pub(super) enum Once {
    Done(Taken),
    /// Somebody else has just added one of the phases.
    Again,
    Stopped(Stop),
}

/// What is to be written.
#[derive(Default)]
struct Writes {
    new: Vec<NewPhase>,
    changed: Vec<Phase>,
    /// Read, and not another than before.
    same: Vec<PhaseId>,
    changes: Vec<PhaseChange>,
    conflicts: Vec<PhaseConflict>,
    /// The phases whose projects are others now, with those.
    moved: Vec<(PhaseId, Vec<ProjectId>)>,
    /// The ids of what changed, as the tool has them.
    news: Vec<String>,
    complaints: Vec<(String, &'static str)>,
}

/// A phase that is known, as it was before.
struct Known {
    row: Phase,
    read_time: Option<DateTime<Utc>>,
    projects: HashSet<ProjectId>,
}

/// One try at taking a page in. `hints`: what was told of its tasks before they were read.
pub(super) async fn once(
    reader: &Reader<'_>,
    tasks: &[Task],
    hints: Option<&Hints>,
    asked: DateTime<Utc>,
    page: Option<&PageRead<'_>>,
) -> Result<Once> {
    let (id, now) = (reader.id(), reader.now());
    let mut tx = reader.tx().await?;
    // Asked with every page: a consent can be revoked in the middle of a run.
    if !consent::covers(&mut tx, id, ConsentScope::Planning).await? {
        return Ok(Once::Stopped(Stop::Ended(consent::MISSING)));
    }
    let mut known = known(&mut tx, reader, tasks).await?;
    let mut writes = Writes::default();
    for task in tasks {
        let hint = hints.and_then(|hints| hints.tasks.get(&task.gid));
        let before = known.remove(&task.gid);
        if before.as_ref().is_some_and(|before| is_stale(before, task, asked)) {
            continue;
        }
        match (reader.dictionary.understand(task), before) {
            (Some(said), Some(before)) => {
                compare(&mut tx, reader, &said, before, hint, (asked, now), &mut writes).await?;
            }
            (Some(said), None) if said.is_in_use => writes.add(reader, said, now),
            // Became a milestone or a subtask, which are no phases.
            (None, Some(before)) => writes.detach(before.row, &reader.cause, now),
            (Some(_) | None, None) => {}
        }
    }
    let taken = writes.taken();
    if !writes.keep(&mut tx, reader, asked, now).await? {
        return Ok(Once::Again);
    }
    if let Some(page) = page {
        bulk::note_named(&mut tx, id, &page.unfit, asked).await?;
        let (phases, changes) = (taken.phases.cast_signed(), taken.changes.cast_signed());
        let (project, round) = (page.project, page.round);
        let is_ours =
            store::planning::project_cursor::note_page(&mut tx, project, round, page.next, phases, changes);
        if !is_ours.await? {
            return Ok(Once::Stopped(Stop::Over));
        }
        if page.next.is_none() {
            store::planning::project_cursor::end_reading(&mut tx, project, None, now).await?;
        }
    }
    tx.commit().await?;
    Ok(Once::Done(taken))
}

async fn known(tx: &mut TenantTx, reader: &Reader<'_>, tasks: &[Task]) -> Result<HashMap<String, Known>> {
    let gids: Vec<&str> = tasks.iter().map(|task| task.gid.as_str()).collect();
    let rows = bulk::find_for_update(tx, reader.id(), &gids).await?;
    let ids: Vec<PhaseId> = rows.iter().map(|(row, _)| row.id).collect();
    let mut projects: HashMap<PhaseId, HashSet<ProjectId>> = HashMap::new();
    if !ids.is_empty() {
        for place in store::planning::phase::projects_of(tx, &ids).await? {
            projects.entry(place.phase_id).or_default().insert(place.project_id);
        }
    }
    let known = rows.into_iter().map(|(row, read_time)| {
        let projects = projects.remove(&row.id).unwrap_or_default();
        (row.external_id.clone(), Known { row, read_time, projects })
    });
    Ok(known.collect())
}

/// Answers come late: what was asked for before a newer answer, or is an older version than the one known,
/// says nothing any more. A version is the tool's own time, which a move between projects leaves as it is.
fn is_stale(before: &Known, task: &Task, asked: DateTime<Utc>) -> bool {
    before.read_time.is_some_and(|read| asked < read)
        || before.row.external_update_time.zip(task.modified_at).is_some_and(|(known, told)| told < known)
}

/// Compares a phase with what was said of it.
async fn compare(
    tx: &mut TenantTx,
    reader: &Reader<'_>,
    said: &Understood,
    before: Known,
    hint: Option<&Hint>,
    (asked, now): (DateTime<Utc>, DateTime<Utc>),
    writes: &mut Writes,
) -> Result<()> {
    let Known { row: before, projects, .. } = before;
    let mut after = before.clone();
    let theirs = said.theirs(&PhaseFields::from(before.base.clone()), hint, reader.dictionary.skew, asked);
    let over = take_over(tx, &mut after, &projects, said, &theirs, (&reader.cause, now)).await?;
    writes.changes.extend(over.changes);
    writes.conflicts.extend(over.conflicts);
    writes.moved.extend(over.moved.map(|projects| (after.id, projects)));
    writes.complaints.extend(said.complaint().map(|reason| (said.external_id.clone(), reason)));
    if over.is_news {
        writes.news.push(said.external_id.clone());
    }
    if after == before {
        writes.same.push(after.id)
    } else {
        writes.changed.push(after)
    }
    Ok(())
}

impl Writes {
    fn add(&mut self, reader: &Reader<'_>, said: Understood, now: DateTime<Utc>) {
        let fields = said.fields(&PhaseFields::default());
        let row = Phase {
            id: PhaseId::new(),
            integration_id: reader.id(),
            external_id: said.external_id.clone(),
            name: said.name.clone(),
            is_completed: said.is_completed,
            assignee_id: said.assignee_id,
            base: fields.clone().into(),
            fields,
            changed: PhaseChangeTimes::default(),
            area_option_id: said.option(&None),
            actual_minutes: said.actual_minutes,
            // Where there is no time, there are no entries to be read. Of a phase that is known there may be some.
            counted_minutes: said.actual_minutes.filter(|minutes| *minutes == 0),
            external_update_time: said.modified_at,
            presence: Presence::Present,
            missing_time: None,
            update_time: now,
            sync: PhaseSync::default(),
        };
        self.complaints.extend(said.complaint().map(|reason| (said.external_id.clone(), reason)));
        self.news.push(said.external_id);
        self.new.push(NewPhase { row, projects: said.projects });
    }

    fn detach(&mut self, mut row: Phase, cause: &str, now: DateTime<Utc>) {
        if row.presence == Presence::Detached {
            return self.same.push(row.id);
        }
        set_presence(&mut row, Presence::Detached, now);
        row.update_time = now;
        self.note(&row, PhaseChangeKind::Presence, cause, now);
        self.news.push(row.external_id.clone());
        self.changed.push(row);
    }

    fn note(&mut self, after: &Phase, kind: PhaseChangeKind, cause: &str, now: DateTime<Utc>) {
        self.changes.push(PhaseChange::of(after, kind, Origin::Asana, cause, now));
    }

    fn taken(&mut self) -> Taken {
        let phases = self.new.len() + self.changed.len() + self.same.len();
        Taken {
            phases: u32::try_from(phases).unwrap_or(u32::MAX),
            changes: u32::try_from(self.news.len()).unwrap_or(u32::MAX),
            complaints: std::mem::take(&mut self.complaints),
        }
    }

    /// False: somebody else has just added one of the phases.
    async fn keep(
        self,
        tx: &mut TenantTx,
        reader: &Reader<'_>,
        asked: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        if !self.new.is_empty() {
            let made = bulk::insert(tx, &self.new, &reader.cause, asked).await?;
            if made < self.new.len() {
                return Ok(false);
            }
        }
        if !self.changed.is_empty() {
            bulk::save(tx, &self.changed, asked).await?;
        }
        if !self.same.is_empty() {
            bulk::note_read(tx, &self.same, asked).await?;
        }
        if !self.moved.is_empty() {
            let phases: Vec<PhaseId> = self.moved.iter().map(|(phase, _)| *phase).collect();
            let places = self.moved.iter().flat_map(|(phase, to)| to.iter().map(|to| (*phase, *to)));
            bulk::place(tx, &phases, &places.collect::<Vec<_>>(), asked).await?;
        }
        store::planning::phase_change::insert(tx, &self.changes).await?;
        if !self.conflicts.is_empty() {
            store::planning::conflict::insert(tx, &self.conflicts).await?;
        }
        if reader.should_be_told && !self.news.is_empty() {
            let news: Vec<&str> = self.news.iter().map(String::as_str).collect();
            store::planning::health::note_unheard(tx, reader.id(), &news, now).await?;
        }
        Ok(true)
    }
}
