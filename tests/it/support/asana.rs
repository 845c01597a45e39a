//! A tenant whose planning tool is an Asana double of its own, over real HTTP: the rows that connecting and
//! onboarding make, and what the tenant sees of it.

mod said;

use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde_json::{Value, json};
use stellwerk::{
    caller::Caller,
    domain::{Domain, engine::reconcile, planning::sync::refresh, review, sync_log},
    ids::{CredentialId, IntegrationId, PractitionerId, SyncLogId, TenantId},
    provider::asana as provider,
    sandbox::asana::{Asana, CustomField, Gid, Kind, Limits, Person, Settings},
    store::{
        self, TenantTx,
        credential::Credential,
        integration::Integration,
        outbox::NewMessage,
        planning::settings::{AreaMapping, PlanningSettings},
        review_item::ReviewItem,
        sync_log::SyncLog,
    },
    words::{Area, MessageKind, Origin, Plan, Resolution, Role},
};

use super::{
    PATIENCE,
    app::{TestApp, TestAppBuilder},
    calcom::no_key,
    database::Session,
    log_book,
    tenant::TestTenant,
    wait_until,
};

pub(crate) use said::{counted, day, errors, refusal, told, told_field};

/// A double without limits; tests of limits set some.
pub(crate) async fn double() -> Asana {
    double_with(Settings::default()).await
}

/// The same with settings, but without limits.
pub(crate) async fn double_with(settings: Settings) -> Asana {
    Asana::start(Settings { limits: Limits::none(), ..settings }).await.expect("a double")
}

/// A server whose way out leads to doubles on loopback.
pub(crate) fn app() -> TestAppBuilder {
    TestApp::builder().setting("--egress-allow=127.0.0.1")
}

/// A tenant that is connected and onboarded; nothing of it has been read yet.
pub(crate) struct Planner {
    pub(crate) domain: Domain,
    pub(crate) tenant: TenantId,
    pub(crate) integration: IntegrationId,
    pub(crate) asana: Asana,
    pub(crate) workspace: Gid,
    /// Mara Vogt, who granted access.
    pub(crate) boss: Person,
    /// *Bereich*: Produktion, Montage, Verwaltung; the last one is ignored.
    pub(crate) area: CustomField,
    /// *Soll-Stunden*, to one place.
    pub(crate) hours: CustomField,
    /// *Haus am Wall*, whose tasks have both fields.
    pub(crate) project: Gid,
    pub(crate) owner: Session,
}

impl Planner {
    pub(crate) async fn new(app: &TestApp, tenant: &TestTenant, asana: &Asana) -> Self {
        let workspace = asana.add_workspace("Planungsbüro am Wall");
        let user = asana.add_user(workspace, "Mara Vogt", Some("mara.vogt@example.com"));
        let area = asana.add_enum_field(workspace, "Bereich", &["Produktion", "Montage", "Verwaltung"]);
        let hours = asana.add_number_field(workspace, "Soll-Stunden", 1);
        let project = asana.add_project(workspace, "Haus am Wall", &[area.gid, hours.gid]);
        let (tenant, integration) = (TenantId(tenant.id), IntegrationId::new());
        let planner = Self {
            domain: app.domain.clone(),
            tenant,
            integration,
            asana: asana.clone(),
            workspace,
            boss: asana.person(user),
            area,
            hours,
            project,
            owner: app.database.owner().await,
        };
        let token = asana.add_token(user);
        log_book::secret(&token);
        planner.connect(&token).await;
        planner
    }

    /// The same with so many tasks, read completely.
    pub(crate) async fn synced_with(
        app: &TestApp,
        tenant: &TestTenant,
        asana: &Asana,
        tasks: usize,
    ) -> (Self, Vec<Gid>) {
        let planner = Self::new(app, tenant, asana).await;
        let tasks = (0..tasks).map(|number| planner.task(&format!("Phase {number:03}"), "2026-11-13"));
        let tasks = tasks.collect();
        let run = planner.sync().await;
        assert_eq!(errors(&run), [""; 0]);
        (planner, tasks)
    }

    async fn connect(&self, token: &str) {
        let (integration, now) = (self.integration, Utc::now());
        let key = self.domain.tenant_key(self.tenant).await.expect("a key");
        let mut tx = self.tx().await;
        let row = Integration {
            instance_url: Some(self.asana.api_url()),
            account_id: Some(self.boss.gid().to_string()),
            account_name: Some("Mara Vogt".into()),
            ..Integration::new(integration, "asana", "Planning", now)
        };
        store::integration::insert(&mut tx, &row).await.expect("an integration");
        let credential = CredentialId::new();
        let sealed_secret = key.seal(store::credential::place(credential), token.as_bytes()).expect("sealed");
        let row = Credential::api_key(credential, integration, sealed_secret, "test", now);
        store::credential::insert(&mut tx, &row).await.expect("a credential");
        store::integration_flow::insert(&mut tx, integration, 100_000.0, 10_000.0).await.expect("a flow");
        let settings = PlanningSettings {
            workspace_id: Some(self.workspace.to_string()),
            workspace_name: Some("Planungsbüro am Wall".into()),
            area_field_id: Some(self.area.gid.to_string()),
            area_field_name: Some("Bereich".into()),
            hours_field_id: Some(self.hours.gid.to_string()),
            hours_field_name: Some("Soll-Stunden".into()),
            hours_precision: Some(1),
            plan: Plan::Paid,
            workspace_time: Some(now),
            mapping_time: Some(micros(now)),
            ..PlanningSettings::new(integration, now)
        };
        store::planning::settings::save(&mut tx, &settings).await.expect("settings");
        let areas = [Some(Area::Production), Some(Area::Assembly), None];
        let Kind::Enum(options) = &self.area.kind else { panic!("an enum") };
        let mappings: Vec<AreaMapping> = options
            .iter()
            .zip(areas)
            .map(|(option, area)| AreaMapping {
                integration_id: integration,
                option_id: option.gid.to_string(),
                option_name: option.name.clone(),
                color: None,
                is_enabled: true,
                area,
            })
            .collect();
        store::planning::settings::replace_area_mappings(&mut tx, integration, &mappings)
            .await
            .expect("areas");
        tx.commit().await.expect("committed");
    }

    /// Changes what the onboarding decided.
    pub(crate) async fn change_settings(&self, change: impl FnOnce(&mut PlanningSettings)) {
        let mut tx = self.tx().await;
        let found = store::planning::settings::find_for_update(&mut tx, self.integration).await;
        let mut settings = found.expect("an answer").expect("settings");
        change(&mut settings);
        store::planning::settings::save(&mut tx, &settings).await.expect("saved");
        tx.commit().await.expect("committed");
    }

    pub(crate) async fn settings(&self) -> PlanningSettings {
        let mut tx = self.tx().await;
        let found = store::planning::settings::find(&mut tx, self.integration).await;
        tx.end_reading();
        found.expect("an answer").expect("settings")
    }

    pub(crate) async fn change_integration(&self, change: impl FnOnce(&mut Integration)) {
        let mut tx = self.tx().await;
        let found = store::integration::find_for_update(&mut tx, self.integration).await;
        let mut row = found.expect("an integration");
        change(&mut row);
        store::integration::save(&mut tx, &row).await.expect("saved");
        tx.commit().await.expect("committed");
    }

    /// A task of the project that was there before anybody looked.
    pub(crate) fn task(&self, name: &str, due_on: &str) -> Gid {
        self.task_in(self.project, name, json!({ "due_on": due_on }))
    }

    pub(crate) fn task_in(&self, project: Gid, name: &str, mut data: Value) -> Gid {
        data["name"] = json!(name);
        self.asana.add_task(project, data).expect("a task")
    }

    /// The option of *Bereich* with this name.
    pub(crate) fn option(&self, name: &str) -> String {
        let Kind::Enum(options) = &self.area.kind else { panic!("an enum") };
        options.iter().find(|option| option.name == name).expect("an option").gid.to_string()
    }

    /// A member of the workspace who is nobody here yet.
    pub(crate) fn user(&self, name: &str, email: &str) -> Person {
        self.asana.person(self.asana.add_user(self.workspace, name, Some(email)))
    }

    /// Says that a user of the workspace is this practitioner; the user must have been read.
    pub(crate) async fn map(&self, user: &Person, practitioner: &str) {
        let practitioner = PractitionerId(practitioner.parse().expect("a UUID"));
        let mut tx = self.tx().await;
        let users = store::planning::user::all_of(&mut tx, self.integration).await.expect("users");
        let found = users.into_iter().find(|one| one.external_id == user.gid().to_string());
        let mut row = found.expect("the user was read");
        row.practitioner_id = Some(practitioner);
        row.mapped_by = Some("test".into());
        row.map_time = Some(Utc::now());
        store::planning::user::save(&mut tx, &row).await.expect("saved");
        tx.commit().await.expect("committed");
    }

    pub(crate) fn admin(&self) -> Caller {
        Caller {
            role: Role::Admin,
            subject: "api_key|desk".into(),
            origin: Origin::Admin,
            ..Caller::system(self.tenant)
        }
    }

    pub(crate) async fn start(&self) -> SyncLog {
        sync_log::start(&self.domain, &self.admin(), &no_key(), self.integration, Utc::now())
            .await
            .expect("begun")
    }

    /// A run of everything to its end.
    pub(crate) async fn sync(&self) -> SyncLog {
        let run = self.start().await;
        self.ended(run.id).await
    }

    pub(crate) async fn run(&self, id: SyncLogId) -> SyncLog {
        sync_log::get(&self.domain, &self.admin(), id).await.expect("a run")
    }

    pub(crate) async fn ended(&self, id: SyncLogId) -> SyncLog {
        let has_ended = async || self.run(id).await.end_time.is_some();
        let waiting = AssertUnwindSafe(wait_until("the run has ended", PATIENCE, has_ended)).catch_unwind();
        if let Err(panic) = waiting.await {
            let waits = self.lines("kind || ' ' || attempts || ' ' || coalesce(reason, '')", "outbox").await;
            eprintln!("{:?}\n{waits:?}", self.run(id).await);
            std::panic::resume_unwind(panic);
        }
        self.run(id).await
    }

    /// Asks for what happened since the last time.
    pub(crate) async fn poll(&self) {
        let mut tx = self.tx().await;
        reconcile::queue(&mut tx, self.integration, "test", Utc::now()).await.expect("queued");
        tx.commit().await.expect("committed");
        self.idle().await;
    }

    pub(crate) async fn read_absences(&self) {
        let mut tx = self.tx().await;
        reconcile::queue_absences(&mut tx, self.integration, "test", Utc::now()).await.expect("queued");
        tx.commit().await.expect("committed");
        self.idle().await;
    }

    pub(crate) async fn read_hours(&self) {
        let mut tx = self.tx().await;
        let id = self.integration;
        let message = NewMessage {
            kind: MessageKind::Reconcile,
            lane: format!("integration/{id}"),
            payload: json!({ "integration_id": id, "hours": true }),
            cause: "test".into(),
            run_time: Utc::now(),
            integration: Some(id),
        };
        store::outbox::push(&mut tx, message).await.expect("queued");
        tx.commit().await.expect("committed");
        self.idle().await;
    }

    /// What a webhook of the project tells, as [`told`] makes it.
    pub(crate) async fn hear(&self, project: Gid, events: &[Value]) {
        let body = json!({ "events": events }).to_string();
        let delivery = provider::webhook::parse(body.as_bytes()).expect("a delivery");
        assert_eq!(delivery.unfit, []);
        let mut tx = self.tx().await;
        let (of, project) = (self.integration, project.to_string());
        refresh::queue(&mut tx, of, Some(&project), &delivery.events, "test", Utc::now())
            .await
            .expect("queued");
        tx.commit().await.expect("committed");
    }

    /// The same, and what comes of it.
    pub(crate) async fn heed(&self, project: Gid, events: &[Value]) {
        self.hear(project, events).await;
        self.idle().await;
    }

    /// Waits until nothing of the tenant's waits that is not a write to the tool. Panics when something was
    /// given up.
    pub(crate) async fn idle(&self) {
        let count = |state: &str| {
            format!(
                "SELECT count(*) FROM outbox WHERE tenant_id = '{}' AND state = '{state}' \
                 AND kind <> 'phase_push'",
                self.tenant
            )
        };
        let is_idle = async || self.owner.value(&count("pending")).await == "0";
        wait_until("nothing of the tenant's waits", PATIENCE, is_idle).await;
        assert_eq!(self.owner.value(&count("dead")).await, "0");
    }

    /// Lines of this tenant's rows; `tail` follows the tenant's condition.
    pub(crate) async fn lines(&self, columns: &str, tail: &str) -> Vec<String> {
        let (from, rest) = tail.split_once(' ').unwrap_or((tail, ""));
        let sql = format!("SELECT {columns} FROM {from} WHERE {from}.tenant_id = '{}' {rest}", self.tenant);
        self.owner.lines(&sql).await
    }

    pub(crate) async fn value(&self, columns: &str, tail: &str) -> String {
        self.lines(columns, tail).await.remove(0)
    }

    /// The phases as `name presence`, by name.
    pub(crate) async fn phases(&self) -> Vec<String> {
        self.lines("name || ' ' || presence", "phase ORDER BY name, id").await
    }

    /// A phase as `start due hours area`, a dash for what it has not.
    pub(crate) async fn plan(&self, task: Gid) -> String {
        let columns = "concat_ws(' ', coalesce(start_date::text, '-'), coalesce(due_date::text, '-'), \
             coalesce(trim_scale(planned_hours)::text, '-'), coalesce(area, '-'))";
        self.value(columns, &format!("phase AND external_id = '{task}'")).await
    }

    pub(crate) async fn presence(&self, task: Gid) -> String {
        self.value("presence", &format!("phase AND external_id = '{task}'")).await
    }

    /// What happened to a phase, oldest first.
    pub(crate) async fn history(&self, task: Gid) -> Vec<String> {
        let of = format!("(SELECT id FROM phase WHERE external_id = '{task}')");
        self.lines("kind || ' ' || origin", &format!("phase_change AND phase_id = {of} ORDER BY id")).await
    }

    /// The open items, oldest first.
    pub(crate) async fn review_items(&self) -> Vec<ReviewItem> {
        let mut tx = self.tx().await;
        let filter = store::review_item::Filter {
            state: Some(stellwerk::words::ReviewState::Open),
            ..Default::default()
        };
        let page = stellwerk::page::Page { size: 100, after: None };
        let paged = store::review_item::list(&mut tx, &filter, &page).await.expect("items");
        tx.end_reading();
        paged.rows
    }

    /// A person says that what is gone was meant to go.
    pub(crate) async fn accept_theirs(&self, item: &ReviewItem) {
        let (domain, admin) = (&self.domain, self.admin());
        review::resolve(domain, &admin, &no_key(), item.id, Resolution::AcceptTheirs, Utc::now())
            .await
            .expect("resolved");
        self.idle().await;
    }

    pub(crate) async fn tx(&self) -> TenantTx {
        self.domain.store.tenant(self.tenant).await.expect("a transaction")
    }
}

fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    use chrono::SubsecRound;
    time.trunc_subsecs(6)
}
