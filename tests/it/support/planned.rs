//! A tenant that is connected with a workspace of an Asana double, and what it says to the onboarding.

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::{Value, json};
use stellwerk::{
    caller::Caller,
    domain::{Domain, engine::subscription},
    ids::{CredentialId, IntegrationId, ProjectId, TenantId},
    proto::{self, FieldMapping, OptionMapping},
    provider::signature::sign_legacy,
    sandbox::asana::{Asana, CustomField, Gid, Kind, Limits, Operation, Person, Settings, Webhook},
    store::{
        self, TenantTx,
        credential::Credential,
        integration::Integration,
        planning::{project::Project, settings::PlanningSettings},
        subscription::Subscription,
    },
    words::{CredentialKind, Origin, Plan, Presence, Role},
};
use tonic::Status;

use super::{
    app::{TestApp, TestAppBuilder},
    database::Session,
    log_book,
    tenant::TestTenant,
};

/// A double without limits; tests of limits set some.
pub(crate) async fn double() -> Asana {
    Asana::start(Settings { limits: Limits::none(), ..Settings::default() }).await.expect("a double")
}

/// A server whose way out leads to doubles on loopback, and to which they find the way.
pub(crate) fn app() -> TestAppBuilder {
    TestApp::builder().setting("--egress-allow=127.0.0.1").reachable()
}

/// A tenant whose integration is connected with the account of somebody who is in one workspace.
pub(crate) struct Planned {
    pub(crate) domain: Domain,
    pub(crate) tenant: TenantId,
    pub(crate) admin: super::caller::TestCaller,
    pub(crate) integration: IntegrationId,
    pub(crate) asana: Asana,
    pub(crate) workspace: Gid,
    /// Who granted access.
    pub(crate) user: Gid,
    pub(crate) token: String,
    /// Produktion, Montage, Verwaltung.
    pub(crate) area: CustomField,
    /// With two decimal places.
    pub(crate) hours: CustomField,
    pub(crate) owner: Session,
}

impl Planned {
    /// A tenant of its own with a double of its own: connected, and nothing chosen yet.
    pub(crate) async fn fresh(app: &TestApp) -> Self {
        let (tenant, double) = (app.tenant("acme").await, double().await);
        Self::new(app, &tenant, &double).await
    }

    /// Connected, and nothing chosen yet.
    pub(crate) async fn new(app: &TestApp, tenant: &TestTenant, double: &Asana) -> Self {
        let workspace = double.add_workspace("Planungsbüro am Wall");
        let user = double.add_user(workspace, "Erika Muster", Some("erika@example.org"));
        let area = double.add_enum_field(workspace, "Bereich", &["Produktion", "Montage", "Verwaltung"]);
        let hours = double.add_number_field(workspace, "Soll-Stunden", 2);
        Self::of(app, tenant, double, (workspace, user), (area, hours)).await
    }

    /// The same with fields that somebody else made.
    pub(crate) async fn of(
        app: &TestApp,
        tenant: &TestTenant,
        double: &Asana,
        (workspace, user): (Gid, Gid),
        (area, hours): (CustomField, CustomField),
    ) -> Self {
        let admin = tenant.admin.clone();
        let (tenant, integration) = (TenantId(tenant.id), IntegrationId::new());
        let token = double.add_token(user);
        log_book::secret(&token);
        let now = Utc::now();
        let key = app.domain.tenant_key(tenant).await.expect("a key");
        let mut tx = app.domain.store.tenant(tenant).await.expect("a transaction");
        let row = Integration {
            instance_url: Some(double.api_url()),
            account_id: Some(user.to_string()),
            account_name: Some("Erika Muster".into()),
            ..Integration::new(integration, "asana", "Planung", now)
        };
        store::integration::insert(&mut tx, &row).await.expect("an integration");
        let credential = CredentialId::new();
        let place = store::credential::place(credential);
        let row = Credential {
            id: credential,
            integration_id: integration,
            kind: CredentialKind::ApiKey,
            sealed_secret: key.seal(place, token.as_bytes()).expect("sealed"),
            version: 1,
            cause: "test".into(),
            create_time: now,
            update_time: now,
            scopes: Vec::new(),
            expire_time: None,
            refresh_due_time: None,
        };
        store::credential::insert(&mut tx, &row).await.expect("a credential");
        store::integration_flow::insert(&mut tx, integration, 1000.0, 1000.0).await.expect("a flow");
        tx.commit().await.expect("committed");
        let (domain, asana, owner) = (app.domain.clone(), double.clone(), app.database.owner().await);
        Self { domain, tenant, admin, integration, asana, workspace, user, token, area, hours, owner }
    }

    pub(crate) fn id(&self) -> String {
        self.integration.to_string()
    }

    /// The user who granted access, at the board.
    pub(crate) fn board(&self) -> Person {
        self.asana.person(self.user)
    }

    /// A project whose tasks have both fields.
    pub(crate) fn add_project(&self, name: &str) -> Gid {
        self.asana.add_project(self.workspace, name, &[self.area.gid, self.hours.gid])
    }

    /// A task of a project, with values of both fields.
    pub(crate) fn add_task(&self, project: Gid, name: &str, option: Option<Gid>, hours: Value) -> Gid {
        let fields = json!({ self.area.gid.to_string(): option, self.hours.gid.to_string(): hours });
        let data = json!({
            "name": name, "start_on": "2027-03-01", "due_on": "2027-03-05", "custom_fields": fields,
        });
        self.asana.add_task(project, data).expect("a task")
    }

    /// The nth option of the area field.
    pub(crate) fn option(&self, nth: usize) -> Gid {
        match &self.area.kind {
            Kind::Enum(options) => options[nth].gid,
            other => panic!("{other:?}"),
        }
    }

    /// Both fields, the first two options as they are named.
    pub(crate) fn mapping(&self) -> FieldMapping {
        let option = |nth: usize, area: proto::Area| OptionMapping {
            option_gid: self.option(nth).to_string(),
            area: area.into(),
            ..Default::default()
        };
        FieldMapping {
            area_field_gid: self.area.gid.to_string(),
            options: vec![option(0, proto::Area::Production), option(1, proto::Area::Assembly)],
            hours_field_gid: self.hours.gid.to_string(),
            ..Default::default()
        }
    }

    pub(crate) async fn onboarding(&self) -> proto::Onboarding {
        let request = proto::GetOnboardingRequest { integration_id: self.id() };
        let answer = self.admin.onboarding().get_onboarding(request).await.expect("an onboarding");
        answer.into_inner().onboarding.expect("an onboarding")
    }

    /// The dashboard.
    pub(crate) async fn status(&self) -> proto::IntegrationStatus {
        let request = proto::GetIntegrationStatusRequest { integration_id: self.id() };
        let answer = self.admin.integrations().get_integration_status(request).await.expect("a status");
        answer.into_inner().status.expect("a status")
    }

    pub(crate) async fn select(&self, workspace: Gid) -> Result<proto::Onboarding, Status> {
        let request = proto::SelectWorkspaceRequest {
            integration_id: self.id(),
            workspace_gid: workspace.to_string(),
            plan: proto::WorkspacePlan::Paid.into(),
            ..Default::default()
        };
        let answer = self.admin.onboarding().select_workspace(request).await?;
        Ok(answer.into_inner().onboarding.expect("an onboarding"))
    }

    pub(crate) async fn map(&self, mapping: FieldMapping) -> Result<proto::Onboarding, Status> {
        let request = proto::SaveFieldMappingRequest {
            integration_id: self.id(),
            field_mapping: Some(mapping),
            ..Default::default()
        };
        let answer = self.admin.onboarding().save_field_mapping(request).await?;
        Ok(answer.into_inner().onboarding.expect("an onboarding"))
    }

    pub(crate) async fn start_sync(&self) -> Result<proto::SyncLog, Status> {
        let request = proto::StartInitialSyncRequest { integration_id: self.id(), ..Default::default() };
        let answer = self.admin.onboarding().start_initial_sync(request).await?;
        Ok(answer.into_inner().sync_log.expect("a run"))
    }

    pub(crate) async fn activate(&self) -> Result<proto::Onboarding, Status> {
        let request = proto::ActivateWebhooksRequest { integration_id: self.id(), ..Default::default() };
        let answer = self.admin.onboarding().activate_webhooks(request).await?;
        Ok(answer.into_inner().onboarding.expect("an onboarding"))
    }

    /// Workspace and mapping chosen, and these projects known as if a run had read them.
    pub(crate) async fn with_projects(&self, projects: &[Gid]) {
        let now = Utc::now();
        let mut tx = self.tx().await;
        let settings = PlanningSettings {
            workspace_id: Some(self.workspace.to_string()),
            workspace_name: Some("Planungsbüro am Wall".into()),
            area_field_id: Some(self.area.gid.to_string()),
            plan: Plan::Paid,
            workspace_time: Some(now),
            mapping_time: Some(now),
            initial_sync_time: Some(now),
            ..PlanningSettings::new(self.integration, now)
        };
        store::planning::settings::save(&mut tx, &settings).await.expect("settings");
        for project in projects {
            let row = known(self.integration, *project, now);
            store::planning::project::insert(&mut tx, &row).await.expect("a project");
        }
        tx.commit().await.expect("committed");
    }

    /// The same with webhooks that work.
    pub(crate) async fn with_webhooks(&self, app: &TestApp, projects: &[Gid]) {
        self.with_projects(projects).await;
        self.activate().await.expect("activated");
        app.work_until_idle().await;
        self.asana.quiet().await;
        app.work_until_idle().await;
        self.asana.forget_deliveries();
        self.asana.forget_requests();
    }

    /// Has the webhooks compared with what they should be, and waits for it.
    pub(crate) async fn check(&self, app: &TestApp) {
        let mut tx = self.tx().await;
        subscription::queue(&mut tx, self.integration, "test", Utc::now()).await.expect("queued");
        tx.commit().await.expect("committed");
        app.work_until_idle().await;
        self.asana.quiet().await;
    }

    pub(crate) async fn tx(&self) -> TenantTx {
        self.domain.store.tenant(self.tenant).await.expect("a transaction")
    }

    pub(crate) async fn subscriptions(&self) -> Vec<Subscription> {
        let mut tx = self.tx().await;
        let found = store::subscription::of_integration(&mut tx, self.integration).await.expect("found");
        tx.end_reading();
        found
    }

    /// The double's webhook about a project or the workspace.
    pub(crate) fn webhook(&self, resource: Gid) -> Option<Webhook> {
        self.asana.webhooks().into_iter().find(|one| one.resource == resource)
    }

    /// Changes what a webhook tells of, as anybody with the account's token may.
    pub(crate) async fn filter_there(&self, webhook: Gid, filters: &Value) {
        let url = format!("{}/webhooks/{webhook}", self.asana.api_url());
        let body = json!({ "data": { "filters": filters } });
        let request = super::booking_tool::client().put(url).bearer_auth(&self.token).json(&body);
        assert_eq!(request.send().await.expect("an answer").status().as_u16(), 200);
    }

    /// How many requests may be made at once, one of them now, and in each second.
    pub(crate) async fn budget(&self, capacity: u32, per_second: f64) {
        let sql = format!(
            "UPDATE integration_flow SET capacity = {capacity}, refill_per_s = {per_second}, tokens = 1, \
             refill_time = clock_timestamp() WHERE integration_id = '{}'",
            self.integration
        );
        self.owner.run(&sql).await;
    }

    pub(crate) fn asked(&self, operation: Operation) -> u64 {
        self.asana.count(operation)
    }

    /// `status reason event_type` of what was delivered, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let sql = format!(
            "SELECT status || ' ' || coalesce(reason, '-') || ' ' || event_type FROM webhook_event \
             WHERE integration_id = '{}' ORDER BY id",
            self.integration
        );
        self.owner.lines(&sql).await
    }

    /// Somebody at the planning desk.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            role: Role::Admin,
            subject: "api_key|desk".into(),
            origin: Origin::Admin,
            ..Caller::system(self.tenant)
        }
    }
}

fn known(integration: IntegrationId, gid: Gid, now: DateTime<Utc>) -> Project {
    Project {
        id: ProjectId::new(),
        integration_id: integration,
        external_id: gid.to_string(),
        name: "Wohnhaus am Wall".into(),
        start_date: None,
        due_date: None,
        is_archived: false,
        has_area_field: true,
        has_hours_field: true,
        presence: Presence::Present,
        missing_time: None,
        external_update_time: None,
        sync_time: Some(now),
        update_time: now,
    }
}

/// One request to an address of ours: the status and what was said.
pub(crate) async fn post(
    url: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> (u16, HeaderMap, Value) {
    let mut request = super::booking_tool::client().post(url).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, serde_json::from_slice(&response.bytes().await.expect("a body")).unwrap_or_default())
}

/// The value of `x-hook-signature`.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    sign_legacy(secret.as_bytes(), body)
}
