//! The same for planning.

use stellwerk::proto::*;
use uuid::Uuid;

use super::{Case, NOTHING, Records, case};
use crate::support::{database::Session, tenant::TestTenant};

/// A record of every kind that no rpc makes.
pub(super) struct Planning {
    project: String,
    pub(super) phase: String,
    pub(super) user: String,
    conflict: String,
}

impl Planning {
    pub(super) async fn plant(owner: &Session, tenant: &TestTenant, integration: &str) -> Self {
        let [project, phase, user, conflict] = std::array::from_fn(|_| Uuid::now_v7());
        owner.run(&format!("SET stellwerk.tenant_id = '{}'", tenant.id)).await;
        for statement in [
            format!(
                "INSERT INTO project (id, integration_id, external_id, name) \
                 VALUES ('{project}', '{integration}', '1', 'Haus am Wall')"
            ),
            format!(
                "INSERT INTO external_user (id, integration_id, external_id) \
                 VALUES ('{user}', '{integration}', '2')"
            ),
            format!(
                "INSERT INTO phase (id, integration_id, external_id, name, assignee_id) \
                 VALUES ('{phase}', '{integration}', '3', 'Montage', '{user}')"
            ),
            format!("INSERT INTO phase_project VALUES (DEFAULT, '{phase}', '{project}', now())"),
            format!(
                "INSERT INTO phase_conflict (id, phase_id, field, our_time, their_time, winner, reason) \
                 VALUES ('{conflict}', '{phase}', 'due_date', now(), now(), 'theirs', 'newer')"
            ),
        ] {
            owner.run(&statement).await;
        }
        owner.run("RESET stellwerk.tenant_id").await;
        Self {
            project: project.to_string(),
            phase: phase.to_string(),
            user: user.to_string(),
            conflict: conflict.to_string(),
        }
    }
}

pub(super) fn all(theirs: &Records, own: &Records) -> Vec<Case> {
    let mut cases = record_cases(theirs, own);
    cases.extend(list_cases(theirs));
    cases
}

fn record_cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let of = &theirs.planning;
    let own_user = &own.planning.user;
    vec![
        case("PlanningService/GetProject", "project_id", &of.project, "PROJECT_NOT_FOUND", |project_id| {
            GetProjectRequest { project_id }
        }),
        case("PlanningService/GetPhase", "phase_id", &of.phase, "PHASE_NOT_FOUND", |phase_id| {
            GetPhaseRequest { phase_id }
        }),
        case("PlanningService/UpdatePhase", "phase_id", &of.phase, "PHASE_NOT_FOUND", |phase_id| {
            UpdatePhaseRequest { phase_id, due_date: "2026-03-06".into(), ..Default::default() }
        }),
        case("PlanningService/GetPhaseHistory", "phase_id", &of.phase, "PHASE_NOT_FOUND", |phase_id| {
            GetPhaseHistoryRequest { phase_id, ..Default::default() }
        }),
        case(
            "PlanningService/RevertConflict",
            "phase_conflict_id",
            &of.conflict,
            "PHASE_CONFLICT_NOT_FOUND",
            |phase_conflict_id| RevertConflictRequest { phase_conflict_id, ..Default::default() },
        ),
        case(
            "PlanningService/SetUserMapping",
            "external_user_id",
            &of.user,
            "EXTERNAL_USER_NOT_FOUND",
            |external_user_id| SetUserMappingRequest { external_user_id, ..Default::default() },
        ),
        case(
            "PlanningService/SetUserMapping",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| SetUserMappingRequest {
                external_user_id: own_user.clone(),
                practitioner_id,
                ..Default::default()
            },
        ),
    ]
}

fn list_cases(theirs: &Records) -> Vec<Case> {
    let of = &theirs.planning;
    let (link, person) = (&theirs.integration, &theirs.practitioner);
    vec![
        case("PlanningService/ListProjects", "integration_id", link, NOTHING, |integration_id| {
            ListProjectsRequest { integration_id, ..Default::default() }
        }),
        case("PlanningService/ListPhases", "integration_id", link, NOTHING, |integration_id| {
            ListPhasesRequest { integration_id, ..Default::default() }
        }),
        case("PlanningService/ListPhases", "project_id", &of.project, NOTHING, |project_id| {
            ListPhasesRequest { project_id, ..Default::default() }
        }),
        case("PlanningService/ListPhases", "assignee_id", &of.user, NOTHING, |assignee_id| {
            ListPhasesRequest { assignee_id, ..Default::default() }
        }),
        case("PlanningService/ListPhases", "practitioner_id", person, NOTHING, |practitioner_id| {
            ListPhasesRequest { practitioner_id, ..Default::default() }
        }),
        case("PlanningService/ListAbsences", "integration_id", link, NOTHING, |integration_id| {
            ListAbsencesRequest { integration_id, ..Default::default() }
        }),
        case("PlanningService/ListAbsences", "practitioner_id", person, NOTHING, |practitioner_id| {
            ListAbsencesRequest { practitioner_id, ..Default::default() }
        }),
        case("PlanningService/ListAbsences", "external_user_id", &of.user, NOTHING, |external_user_id| {
            ListAbsencesRequest { external_user_id, ..Default::default() }
        }),
        case("PlanningService/ListTimeEntries", "integration_id", link, NOTHING, |integration_id| {
            ListTimeEntriesRequest { integration_id, ..Default::default() }
        }),
        case("PlanningService/ListTimeEntries", "phase_id", &of.phase, NOTHING, |phase_id| {
            ListTimeEntriesRequest { phase_id, ..Default::default() }
        }),
        case("PlanningService/ListTimeEntries", "project_id", &of.project, NOTHING, |project_id| {
            ListTimeEntriesRequest { project_id, ..Default::default() }
        }),
        case("PlanningService/ListTimeEntries", "practitioner_id", person, NOTHING, |practitioner_id| {
            ListTimeEntriesRequest { practitioner_id, ..Default::default() }
        }),
        case("PlanningService/ListTimeEntries", "external_user_id", &of.user, NOTHING, |external_user_id| {
            ListTimeEntriesRequest { external_user_id, ..Default::default() }
        }),
        case("PlanningService/ListUserMappings", "integration_id", link, NOTHING, |integration_id| {
            ListUserMappingsRequest { integration_id, ..Default::default() }
        }),
        case("PlanningService/ListConflicts", "phase_id", &of.phase, NOTHING, |phase_id| {
            ListConflictsRequest { phase_id, ..Default::default() }
        }),
    ]
}
