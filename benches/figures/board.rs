//! A planning office at the double, and the tenant that is connected with it.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::{
    caller::Caller,
    domain::{Domain, idempotency::Key, planning::update, sync_log},
    ids::{CredentialId, ExternalUserId, IntegrationId, PhaseId, PractitionerId, TenantId},
    sandbox::asana::{Asana, Gid, Kind as FieldKind},
    store::{
        self,
        credential::Credential,
        integration::Integration,
        planning::{
            settings::{AreaMapping, PlanningSettings},
            user::ExternalUser,
        },
        sync_log::SyncLog,
    },
    words::{Area, Origin, Plan, Role, SyncState},
};
use tokio::time::sleep;

use crate::{
    Result,
    rooms::Rooms,
    scene::{Kind, PRACTITIONERS, Scene, id},
};

/// One task in so many has hours logged.
pub(crate) const LOGGED_EVERY: usize = 50;
pub(crate) const USERS: usize = 20;
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// A workspace at the double and the tenant that is connected with it.
pub(crate) struct Board {
    pub(crate) domain: Domain,
    pub(crate) asana: Asana,
    pub(crate) tenant: TenantId,
    pub(crate) integration: IntegrationId,
    pub(crate) tasks: Vec<Vec<Gid>>,
    pub(crate) user: Gid,
}

impl Board {
    /// Projects with as many tasks each, all with dates, hours and an area, some with logged time.
    pub(crate) async fn set(
        rooms: &Rooms,
        asana: &Asana,
        number: usize,
        projects: usize,
        tasks: usize,
    ) -> Result<Self> {
        let workspace = asana.add_workspace(&format!("Planungsbüro {number}"));
        let users: Vec<Gid> = (0..USERS)
            .map(|user| {
                asana.add_user(
                    workspace,
                    &format!("Mara Vogt {user}"),
                    Some(&format!("mara{number}.{user}@example.com")),
                )
            })
            .collect();
        let area = asana.add_enum_field(workspace, "Bereich", &["Produktion", "Montage"]);
        let hours = asana.add_number_field(workspace, "Soll-Stunden", 2);
        let FieldKind::Enum(options) = &area.kind else { return Err("an enum without options".into()) };
        let options: Vec<AreaMapping> = options
            .iter()
            .zip([Area::Production, Area::Assembly])
            .map(|(option, area)| AreaMapping {
                integration_id: IntegrationId::new(),
                option_id: option.gid.to_string(),
                option_name: option.name.clone(),
                color: None,
                is_enabled: true,
                area: Some(area),
            })
            .collect();
        for user in &users {
            asana.person(*user).take_leave(workspace, first_day(), first_day() + TimeDelta::days(2))?;
        }
        let mut all = Vec::new();
        for project in 0..projects {
            let project = asana.add_project(workspace, &format!("Neubau {project}"), &[area.gid, hours.gid]);
            let mut own = Vec::new();
            for task in 0..tasks {
                let gid = asana.add_task(project, task_data(task, &area.gid, &hours.gid, &options))?;
                if task.is_multiple_of(LOGGED_EVERY) {
                    asana.person(users[task % USERS]).log_time(gid, 90, first_day())?;
                }
                own.push(gid);
            }
            all.push(own);
        }
        let token = asana.add_token(users[0]);
        let (domain, url) = (rooms.domain.clone(), asana.api_url());
        let (tenant, integration) = (TenantId(id(Kind::Tenant, number, 0)), IntegrationId::new());
        let (account, mapped) = (users[0].to_string(), users.clone());
        let connecting = async move {
            let (now, credential) = (Utc::now(), CredentialId::new());
            let key = domain.tenant_key(tenant).await?;
            let mut tx = domain.store.tenant(tenant).await?;
            let row = Integration {
                instance_url: Some(url),
                account_id: Some(account),
                ..Integration::new(integration, "asana", "Planung", now)
            };
            store::integration::insert(&mut tx, &row).await?;
            let sealed = key.seal(store::credential::place(credential), token.as_bytes())?;
            let row = Credential::api_key(credential, integration, sealed, "bench", now);
            store::credential::insert(&mut tx, &row).await?;
            store::integration_flow::insert(&mut tx, integration, 1_000_000.0, 100_000.0).await?;
            let settings = PlanningSettings {
                workspace_id: Some(workspace.to_string()),
                workspace_name: Some("Planungsbüro".into()),
                area_field_id: Some(area.gid.to_string()),
                area_field_name: Some("Bereich".into()),
                hours_field_id: Some(hours.gid.to_string()),
                hours_field_name: Some("Soll-Stunden".into()),
                hours_precision: Some(2),
                plan: Plan::Paid,
                workspace_time: Some(now),
                mapping_time: Some(now),
                ..PlanningSettings::new(integration, now)
            };
            store::planning::settings::save(&mut tx, &settings).await?;
            let options: Vec<AreaMapping> = options
                .into_iter()
                .map(|option| AreaMapping { integration_id: integration, ..option })
                .collect();
            store::planning::settings::replace_area_mappings(&mut tx, integration, &options).await?;
            for (nth, user) in mapped.iter().enumerate() {
                let practitioner = id(Kind::Practitioner, number, nth % PRACTITIONERS);
                let row = ExternalUser {
                    id: ExternalUserId::new(),
                    integration_id: integration,
                    external_id: user.to_string(),
                    name: String::new(),
                    email: None,
                    email_folded: None,
                    practitioner_id: Some(PractitionerId(practitioner)),
                    mapped_by: Some("api_key|desk".into()),
                    map_time: Some(now),
                    absences_time: None,
                    missing_time: None,
                    update_time: now,
                };
                store::planning::user::insert(&mut tx, &row).await?;
            }
            tx.commit().await?;
            Result::Ok(domain)
        };
        let domain = rooms.spawn(connecting).await??;
        Ok(Self { domain, asana: asana.clone(), tenant, integration, tasks: all, user: users[0] })
    }

    fn caller(&self) -> Caller {
        Caller {
            role: Role::Admin,
            subject: "api_key|desk".into(),
            origin: Origin::Admin,
            ..Caller::system(self.tenant)
        }
    }

    /// A complete reading to its end.
    pub(crate) async fn read(&self, rooms: &Rooms) -> Result<()> {
        let (domain, caller, integration) = (self.domain.clone(), self.caller(), self.integration);
        let reading = rooms.spawn(async move {
            let run = sync_log::start(&domain, &caller, &no_key(), integration, Utc::now()).await?;
            let patience = Instant::now() + PATIENCE;
            loop {
                let run: SyncLog = sync_log::get(&domain, &caller, run.id).await?;
                match run.state {
                    SyncState::Succeeded => return Result::Ok(()),
                    _ if run.end_time.is_some() => {
                        return Err(format!(
                            "the reading ended {}: {:?} {}",
                            run.state, run.reason, run.errors
                        )
                        .into());
                    }
                    _ if Instant::now() > patience => return Err("the reading did not end".into()),
                    _ => sleep(Duration::from_millis(20)).await,
                }
            }
        });
        reading.await??;
        if self.asana.requests().is_empty() { Err("nothing was asked".into()) } else { Ok(()) }
    }

    /// Gives a phase another due date; returns when that was committed.
    pub(crate) async fn move_phase(
        &self,
        scene: &Scene,
        rooms: &Rooms,
        task: Gid,
        by_days: usize,
    ) -> Result<DateTime<Utc>> {
        let sql = format!(
            "SELECT id::text FROM phase WHERE tenant_id = '{}' AND external_id = '{task}'",
            self.tenant
        );
        let phase = PhaseId(scene.text(&sql).await?.parse()?);
        let due = first_day() + TimeDelta::days(100 + i64::try_from(by_days)?);
        let changes = update::Changes { due_date: Some(Some(due)), ..update::Changes::default() };
        let (domain, caller) = (self.domain.clone(), self.caller());
        let moving = rooms.spawn(async move {
            update::update(&domain, &caller, &no_key(), phase, &changes, Utc::now()).await
        });
        moving.await??;
        let row = format!("phase_change WHERE phase_id = '{phase}' AND origin = 'admin'");
        scene.commit_time(&row).await
    }
}

fn task_data(task: usize, area: &Gid, hours: &Gid, options: &[AreaMapping]) -> Value {
    let start = first_day() + TimeDelta::days((task % 90) as i64);
    let mut fields = serde_json::Map::new();
    fields.insert(area.to_string(), json!(options[task % options.len()].option_id));
    fields.insert(hours.to_string(), json!((task % 80) as f64 + 0.5));
    json!({
        "name": format!("Phase {task}"), "start_on": start, "due_on": start + TimeDelta::days(4),
        "custom_fields": fields,
    })
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 4).unwrap_or_default()
}

fn no_key() -> Key {
    Key::new("Bench", "", b"")
}
