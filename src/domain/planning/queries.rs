//! What a planning tool holds, as callers see it.

use std::collections::HashMap;

use crate::{
    caller::Caller,
    domain::Domain,
    error::Result,
    ids::{PhaseChangeId, PhaseId, PractitionerId, ProjectId},
    page::{Page, Paged},
    store::{
        self, TenantTx,
        planning::{
            absence,
            phase::{self, Phase},
            phase_change::{self, PhaseChange},
            project::{self, Project, Totals},
            time_entry::{self, PersonTime, TimeEntry},
        },
    },
};

/// A project, and what its phases add up to.
#[derive(Debug)]
pub struct ShownProject {
    pub project: Project,
    /// None: it has no phases.
    pub totals: Option<Totals>,
}

/// A phase, and the projects it is in.
#[derive(Debug)]
pub struct ShownPhase {
    pub phase: Phase,
    pub projects: Vec<ProjectId>,
}

/// A page of projects, in the order in which they were first seen.
pub async fn list_projects(
    domain: &Domain,
    caller: &Caller,
    filter: &project::Filter,
    page: &Page<ProjectId>,
) -> Result<Paged<ShownProject, ProjectId>> {
    let mut tx = domain.store.caller(caller).await?;
    let Paged { rows, next } = store::planning::project::list(&mut tx, filter, page).await?;
    let rows = with_totals(&mut tx, rows).await?;
    tx.end_reading();
    Ok(Paged { rows, next })
}

/// One project. Errors: `NotFound`.
pub async fn get_project(domain: &Domain, caller: &Caller, id: ProjectId) -> Result<ShownProject> {
    let mut tx = domain.store.caller(caller).await?;
    let project = store::planning::project::find(&mut tx, id).await?;
    let totals = store::planning::project::totals(&mut tx, &[id]).await?.pop();
    tx.end_reading();
    Ok(ShownProject { project, totals })
}

async fn with_totals(tx: &mut TenantTx, projects: Vec<Project>) -> Result<Vec<ShownProject>> {
    let ids: Vec<_> = projects.iter().map(|project| project.id).collect();
    let totals = store::planning::project::totals(tx, &ids).await?;
    let mut totals: HashMap<_, _> = totals.into_iter().map(|totals| (totals.project_id, totals)).collect();
    let with_totals = |project: Project| ShownProject { totals: totals.remove(&project.id), project };
    Ok(projects.into_iter().map(with_totals).collect())
}

/// A page of phases.
pub async fn list_phases(
    domain: &Domain,
    caller: &Caller,
    filter: &phase::Filter,
    page: &Page<phase::Cursor>,
) -> Result<Paged<ShownPhase, phase::Cursor>> {
    let mut tx = domain.store.caller(caller).await?;
    let Paged { rows, next } = store::planning::phase::list(&mut tx, filter, page).await?;
    let rows = with_projects(&mut tx, rows).await?;
    tx.end_reading();
    Ok(Paged { rows, next })
}

/// One phase, and who spent how much time on it, most first. Errors: `NotFound`.
pub async fn get_phase(
    domain: &Domain,
    caller: &Caller,
    id: PhaseId,
) -> Result<(ShownPhase, Vec<PersonTime>)> {
    let mut tx = domain.store.caller(caller).await?;
    let shown = show_phase(&mut tx, id).await?;
    let times = store::planning::time_entry::by_person(&mut tx, id).await?;
    tx.end_reading();
    Ok((shown, times))
}

/// What happened to a phase, oldest first. Errors: `NotFound`.
pub async fn history(
    domain: &Domain,
    caller: &Caller,
    id: PhaseId,
    page: &Page<PhaseChangeId>,
) -> Result<Paged<PhaseChange, PhaseChangeId>> {
    let mut tx = domain.store.caller(caller).await?;
    store::planning::phase::find(&mut tx, id).await?;
    let changes = phase_change::list(&mut tx, id, page).await?;
    tx.end_reading();
    Ok(changes)
}

/// A page of absences by their last day; a practitioner sees its own.
pub async fn list_absences(
    domain: &Domain,
    caller: &Caller,
    filter: &absence::Filter,
    page: &Page<absence::Cursor>,
) -> Result<Paged<absence::Shown, absence::Cursor>> {
    let mut tx = domain.store.caller(caller).await?;
    let absences = absence::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(absences)
}

/// A page of time entries by day, with the practitioners whose accounts their users are.
pub async fn list_time_entries(
    domain: &Domain,
    caller: &Caller,
    filter: &time_entry::Filter,
    page: &Page<time_entry::Cursor>,
) -> Result<Paged<(TimeEntry, Option<PractitionerId>), time_entry::Cursor>> {
    let mut tx = domain.store.caller(caller).await?;
    let entries = time_entry::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(entries)
}

/// One phase as callers see it. Errors: `NotFound`.
pub(super) async fn show_phase(tx: &mut TenantTx, id: PhaseId) -> Result<ShownPhase> {
    let phase = store::planning::phase::find(tx, id).await?;
    let projects = store::planning::phase::projects_of(tx, &[id]).await?;
    Ok(ShownPhase { phase, projects: projects.into_iter().map(|inside| inside.project_id).collect() })
}

async fn with_projects(tx: &mut TenantTx, phases: Vec<Phase>) -> Result<Vec<ShownPhase>> {
    let ids: Vec<_> = phases.iter().map(|phase| phase.id).collect();
    let mut projects: HashMap<PhaseId, Vec<ProjectId>> = HashMap::new();
    for inside in store::planning::phase::projects_of(tx, &ids).await? {
        projects.entry(inside.phase_id).or_default().push(inside.project_id);
    }
    let with_projects = |phase: Phase| {
        let projects = projects.remove(&phase.id).unwrap_or_default();
        ShownPhase { phase, projects }
    };
    Ok(phases.into_iter().map(with_projects).collect())
}
