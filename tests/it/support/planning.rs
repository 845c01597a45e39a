//! A tenant's planning tool as a run leaves it: rows are put in through the store,
//! as the synchronisation does.

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use rust_decimal::Decimal;
use stellwerk::{
    domain::Domain,
    fold,
    ids::{
        AbsenceId, ExternalUserId, IntegrationId, PhaseConflictId, PhaseId, ProjectId, TenantId, TimeEntryId,
    },
    store::{
        self, TenantTx,
        integration::Integration,
        planning::{
            absence::Absence,
            conflict::PhaseConflict,
            phase::{Phase, PhaseChangeTimes, PhaseFields, PhaseSync},
            project::Project,
            settings::{AreaMapping, PlanningSettings},
            time_entry::TimeEntry,
            user::ExternalUser,
        },
    },
    words::{AbsenceSource, Area, ConflictReason, PhaseField, Presence, Side},
};
use uuid::Uuid;

use super::{app::TestApp, database::Session, tenant::TestTenant};

/// What a planning tool holds, of one integration.
pub(crate) struct Board {
    pub(crate) domain: Domain,
    pub(crate) tenant: TenantId,
    pub(crate) integration: IntegrationId,
    owner: Session,
}

/// A day of March 2026.
pub(crate) fn day(day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2026, 3, day)
}

pub(crate) fn hours(text: &str) -> Option<Decimal> {
    Some(text.parse().expect("a decimal number"))
}

/// What stands in a phase: dates in March 2026, 40 hours of assembly.
pub(crate) fn planned(start: u32, due: u32) -> PhaseFields {
    PhaseFields {
        start_date: day(start),
        due_date: day(due),
        planned_hours: hours("40"),
        area: Some(Area::Assembly),
    }
}

/// The present, as precise as the database is.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

impl Board {
    /// An integration that is connected and onboarded:
    /// *Bereich* and *Soll-Stunden* with two places are mapped.
    pub(crate) async fn of(app: &TestApp, tenant: &TestTenant) -> Self {
        let board = Self {
            domain: app.domain.clone(),
            tenant: TenantId(tenant.id),
            integration: IntegrationId::new(),
            owner: app.database.owner().await,
        };
        let settings = PlanningSettings {
            workspace_id: Some("100".into()),
            workspace_name: Some("Planungsbüro am Wall".into()),
            area_field_id: Some("200".into()),
            area_field_name: Some("Bereich".into()),
            hours_field_id: Some("201".into()),
            hours_field_name: Some("Soll-Stunden".into()),
            hours_precision: Some(2),
            ..PlanningSettings::new(board.integration, now())
        };
        let option = |id: &str, name: &str, area| AreaMapping {
            integration_id: board.integration,
            option_id: id.into(),
            option_name: name.into(),
            color: None,
            is_enabled: true,
            area,
        };
        let options = [
            option("210", "Produktion", Some(Area::Production)),
            option("211", "Montage", Some(Area::Assembly)),
            option("212", "Sonstiges", None),
        ];
        let mut tx = board.tx().await;
        let row = Integration::new(board.integration, "asana", "Planung", now());
        store::integration::insert(&mut tx, &row).await.expect("an integration");
        store::planning::settings::save(&mut tx, &settings).await.expect("settings");
        let mapped = store::planning::settings::replace_area_mappings(&mut tx, board.integration, &options);
        mapped.await.expect("options");
        tx.commit().await.expect("a commit");
        board
    }

    pub(crate) async fn tx(&self) -> TenantTx {
        self.domain.store.tenant(self.tenant).await.expect("a transaction")
    }

    /// The phase is in this project, too.
    pub(crate) async fn place(&self, phase: &Phase, project: &Project) {
        let (tenant, phase, project) = (self.tenant, phase.id, project.id);
        let place = "INSERT INTO phase_project (tenant_id, phase_id, project_id, seen_time)";
        self.owner.run(&format!("{place} VALUES ('{tenant}', '{phase}', '{project}', now())")).await;
    }

    /// A project whose tasks are phases and can have hours.
    pub(crate) async fn project(&self, name: &str) -> Project {
        let id = ProjectId::new();
        self.add_project(Project {
            id,
            integration_id: self.integration,
            external_id: gid(id.0),
            name: name.into(),
            start_date: None,
            due_date: None,
            is_archived: false,
            has_area_field: true,
            has_hours_field: true,
            presence: Presence::Present,
            missing_time: None,
            external_update_time: None,
            sync_time: None,
            update_time: now(),
        })
        .await
    }

    pub(crate) async fn add_project(&self, project: Project) -> Project {
        let mut tx = self.tx().await;
        store::planning::project::insert(&mut tx, &project).await.expect("a project");
        tx.commit().await.expect("a commit");
        project
    }

    /// Writes a project as it stands in `project`.
    pub(crate) async fn save_project(&self, project: &Project) {
        let mut tx = self.tx().await;
        store::planning::project::save(&mut tx, project).await.expect("a project");
        tx.commit().await.expect("a commit");
    }

    /// A phase that both sides agree on.
    pub(crate) async fn phase(&self, project: &Project, name: &str, fields: PhaseFields) -> Phase {
        let id = PhaseId::new();
        let phase = Phase {
            id,
            integration_id: self.integration,
            external_id: gid(id.0),
            name: name.into(),
            is_completed: false,
            assignee_id: None,
            base: fields.clone().into(),
            fields,
            changed: PhaseChangeTimes::default(),
            area_option_id: None,
            actual_minutes: None,
            counted_minutes: None,
            external_update_time: Some(now()),
            presence: Presence::Present,
            missing_time: None,
            update_time: now(),
            sync: PhaseSync::default(),
        };
        let mut tx = self.tx().await;
        store::planning::phase::insert(&mut tx, &phase).await.expect("a phase");
        tx.commit().await.expect("a commit");
        self.place(&phase, project).await;
        phase
    }

    /// Writes a phase as it stands in `phase`.
    pub(crate) async fn save_phase(&self, phase: &Phase) {
        let mut tx = self.tx().await;
        store::planning::phase::save(&mut tx, phase).await.expect("a phase");
        tx.commit().await.expect("a commit");
    }

    /// A phase as it stands in its row.
    pub(crate) async fn row(&self, phase: PhaseId) -> Phase {
        let mut tx = self.tx().await;
        store::planning::phase::find(&mut tx, phase).await.expect("a phase")
    }

    pub(crate) async fn user(&self, name: &str, email: &str) -> ExternalUser {
        let id = ExternalUserId::new();
        let user = ExternalUser {
            id,
            integration_id: self.integration,
            external_id: gid(id.0),
            name: name.into(),
            email_folded: fold::email(email),
            email: Some(email.into()).filter(|_| !email.is_empty()),
            practitioner_id: None,
            mapped_by: None,
            map_time: None,
            absences_time: None,
            missing_time: None,
            update_time: now(),
        };
        let mut tx = self.tx().await;
        store::planning::user::insert(&mut tx, &user).await.expect("a user");
        tx.commit().await.expect("a commit");
        user
    }

    /// Days of March 2026 on which a user is away, the last one included.
    pub(crate) async fn absence(&self, user: ExternalUserId, start: u32, end: u32) -> Absence {
        let id = AbsenceId::new();
        let absence = Absence {
            id,
            integration_id: self.integration,
            external_id: gid(id.0),
            source: AbsenceSource::OutOfOffice,
            user_id: user,
            kind: None,
            start_date: day(start).expect("a day"),
            end_date: day(end).expect("a day"),
            update_time: now(),
        };
        let mut tx = self.tx().await;
        let added = store::planning::absence::insert(&mut tx, std::slice::from_ref(&absence));
        added.await.expect("an absence");
        tx.commit().await.expect("a commit");
        absence
    }

    pub(crate) async fn time_entry(
        &self,
        phase: PhaseId,
        user: Option<ExternalUserId>,
        on: u32,
        minutes: i32,
    ) -> TimeEntry {
        let id = TimeEntryId::new();
        let entry = TimeEntry {
            id,
            integration_id: self.integration,
            external_id: gid(id.0),
            phase_id: phase,
            user_id: user,
            entry_date: day(on).expect("a day"),
            minutes,
            update_time: now(),
        };
        let mut tx = self.tx().await;
        let added = store::planning::time_entry::insert(&mut tx, std::slice::from_ref(&entry));
        added.await.expect("a time entry");
        tx.commit().await.expect("a commit");
        entry
    }

    /// A date that both sides had changed, and that the tool's side won.
    pub(crate) async fn conflict(
        &self,
        phase: PhaseId,
        field: PhaseField,
        ours: &str,
        theirs: &str,
    ) -> PhaseConflict {
        let at = now();
        let conflict = PhaseConflict {
            id: PhaseConflictId::new(),
            phase_id: phase,
            field,
            base_value: None,
            our_value: Some(ours.into()),
            our_time: at,
            their_value: Some(theirs.into()),
            their_time: at,
            winner: Side::Theirs,
            reason: ConflictReason::Newer,
            create_time: at,
            revert_time: None,
            reverted_by: None,
        };
        self.add_conflicts(std::slice::from_ref(&conflict)).await;
        conflict
    }

    pub(crate) async fn add_conflicts(&self, conflicts: &[PhaseConflict]) {
        let mut tx = self.tx().await;
        store::planning::conflict::insert(&mut tx, conflicts).await.expect("conflicts");
        tx.commit().await.expect("a commit");
    }
}

/// An id as the tool has them: decimal digits, too many for a float.
fn gid(id: Uuid) -> String {
    (id.as_u128() % 10_u128.pow(16)).to_string()
}
