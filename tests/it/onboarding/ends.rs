//! The end of a link with Asana: its webhooks go first, then the grant, then what we have of it. Whatever
//! goes wrong on the way, it ends, and says what is left to do by hand.

use stellwerk::{
    ids::{IntegrationId, TenantId},
    proto::{self, CredentialEvent, IntegrationState},
    sandbox::asana::{Client, Consent, Fault, Gid, Operation, Outcome, Point, Refusal, Rule, Webhook},
};
use uuid::Uuid;

use crate::support::{
    PATIENCE,
    app::TestApp,
    oauth::{self, DESK},
    planned::{self, Planned, post, signature},
    reason, wait_until,
};

const CLIENT: &str = "stellwerk-test";
const BACK: &str = "http://hooks.example.org/api/auth/asana/callback";

/// Connected by OAuth and in step, with webhooks of one project and of the workspace.
pub(super) struct Scene {
    pub(super) app: TestApp,
    pub(super) planned: Planned,
    pub(super) webhooks: Vec<Webhook>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let double = planned::double().await;
        let client = Client::invented(CLIENT, vec![BACK.into()]);
        let settings = [
            format!("--return-urls={DESK}"),
            format!("--provider-setting=STELLWERK_ASANA_URL={}", double.url()),
            format!("--provider-setting=ASANA_CLIENT_ID={CLIENT}"),
            format!("--provider-setting=ASANA_CLIENT_SECRET={}", client.secret),
            format!("--provider-setting=ASANA_REDIRECT_URI={BACK}"),
        ];
        let app = settings.iter().fold(planned::app(), |app, setting| app.setting(setting)).start().await;
        double.add_client(client);
        double.set_consent(Consent::Approve);
        let workspace = double.add_workspace("Planungsbüro am Wall");
        let user = double.add_user(workspace, "Erika Muster", Some("erika@example.org"));
        let tenant = app.tenant("acme").await;
        let made = oauth::connect(&app, &tenant, "asana").await;
        let planned = Planned {
            domain: app.domain.clone(),
            tenant: TenantId(tenant.id),
            admin: tenant.admin.clone(),
            integration: IntegrationId(made.integration_id.parse::<Uuid>().unwrap()),
            asana: double.clone(),
            workspace,
            user,
            token: String::new(),
            area: double.add_enum_field(workspace, "Bereich", &["Produktion", "Montage"]),
            hours: double.add_number_field(workspace, "Soll-Stunden", 2),
            owner: app.database.owner().await,
        };
        let project = planned.add_project("Wohnhaus");
        planned.add_task(project, "Dachstuhl", Some(planned.option(0)), 4.into());
        planned.select(workspace).await.unwrap();
        planned.map(planned.mapping()).await.unwrap();
        planned.start_sync().await.unwrap();
        app.work_until_idle().await;
        planned.activate().await.unwrap();
        app.work_until_idle().await;
        double.quiet().await;
        app.work_until_idle().await;
        double.forget_requests();
        let webhooks = double.webhooks();
        assert_eq!(webhooks.len(), 2);
        Self { app, planned, webhooks }
    }

    async fn disconnect(&self) {
        let request =
            proto::DisconnectIntegrationRequest { integration_id: self.planned.id(), ..Default::default() };
        self.planned.admin.integrations().disconnect_integration(request).await.unwrap();
    }

    pub(super) async fn shown(&self) -> proto::Integration {
        self.planned.status().await.integration.unwrap()
    }

    /// Waits for the end, and not for pauses between attempts.
    async fn ended(&self) -> proto::Integration {
        wait_until("it is disconnected", PATIENCE, async || {
            self.app.hurry().await;
            self.shown().await.state() == IntegrationState::Disconnected
        })
        .await;
        self.app.work_until_idle().await;
        self.shown().await
    }

    /// As if an hour of outage had passed.
    async fn lose_patience(&self) {
        self.planned.owner.run("UPDATE integration SET update_time = update_time - interval '2 hours'").await;
    }

    /// A fault that stays.
    fn fails(&self, fault: Fault, operation: Operation) {
        self.planned.asana.add_fault(Rule::always(fault).on(operation));
    }

    /// What was asked of the double since the disconnection began, in order.
    fn asked(&self) -> Vec<Operation> {
        self.planned.asana.requests().into_iter().filter_map(|request| request.operation).collect()
    }

    /// How many grants are left at the double.
    fn grants(&self) -> usize {
        self.planned.asana.take_back(self.planned.user, CLIENT)
    }

    async fn credentials(&self) -> String {
        self.planned.owner.value("SELECT count(*) FROM credential").await
    }

    /// A delivery that was on its way: the status and the reason of the answer.
    async fn late(&self, webhook: &Webhook, secret: &str) -> (u16, String) {
        let body = br#"{"events":[{"action":"changed","resource":{"gid":"7","resource_type":"task"}}]}"#;
        let digest = signature(secret, body);
        let (status, _, answer) = post(&webhook.target, &[("x-hook-signature", &digest)], body).await;
        (status, answer["reason"].as_str().unwrap_or_default().into())
    }
}

#[tokio::test]
async fn a_second_workspace_of_the_account_is_an_integration_of_its_own() {
    let scene = Scene::new().await;
    let planned = &scene.planned;
    let second = planned.asana.add_workspace("Zweitbüro");
    planned.asana.join(second, planned.user);
    assert_eq!(reason(&planned.select(second).await.unwrap_err()), "WORKSPACE_IN_USE");
    let select = async |integration: &str, workspace: Gid| {
        let request = proto::SelectWorkspaceRequest {
            integration_id: integration.into(),
            workspace_gid: workspace.to_string(),
            ..Default::default()
        };
        planned.admin.onboarding().select_workspace(request).await
    };

    let request = proto::StartAuthorizationRequest { another: true, ..oauth::start_request("asana") };
    let code = oauth::obtain_code(&scene.app, &planned.admin, request).await;
    let other = oauth::complete(&planned.admin, &code).await.unwrap();
    let same_workspace = select(&other.integration_id, planned.workspace).await.unwrap_err();
    let chosen = select(&other.integration_id, second).await.unwrap().into_inner().onboarding.unwrap();

    assert_ne!(other.integration_id, planned.id());
    assert_eq!(same_workspace.code(), tonic::Code::InvalidArgument, "{same_workspace:?}");
    assert_eq!(chosen.next_step(), proto::OnboardingStep::FieldMapping);
    assert_eq!(planned.onboarding().await.next_step(), proto::OnboardingStep::Done);
    scene.disconnect().await;
    assert_eq!(scene.ended().await.state(), IntegrationState::Disconnected);
    let workspaces =
        proto::ListWorkspacesRequest { integration_id: other.integration_id, ..Default::default() };
    let left = planned.admin.onboarding().list_workspaces(workspaces).await.unwrap().into_inner();
    assert_eq!(left.workspaces.len(), 2, "the other grant works on");
}

/// Trap 31.
#[tokio::test]
async fn webhooks_are_deleted_then_the_grant_is_revoked_then_the_credential_is_destroyed() {
    let scene = Scene::new().await;
    let dropped = (200, "INTEGRATION_DISCONNECTED".to_owned());
    let mut gate = scene.planned.asana.pause_next(Point::BeforeApplying, Operation::DeleteWebhook);

    scene.disconnect().await;
    gate.reached().await.expect("the first webhook is being deleted");
    let meanwhile = scene.late(&scene.webhooks[0], &scene.webhooks[0].secret).await;
    let held = scene.credentials().await;
    gate.open();
    let ended = scene.ended().await;

    assert_eq!((ended.state(), ended.state_reason.as_str()), (IntegrationState::Disconnected, ""));
    assert_eq!(scene.asked(), [Operation::DeleteWebhook, Operation::DeleteWebhook, Operation::Revoke]);
    assert_eq!((scene.planned.asana.webhooks().len(), scene.grants()), (0, 0));
    assert_eq!((held.as_str(), scene.credentials().await.as_str()), ("1", "0"));
    let request =
        proto::ListCredentialChangesRequest { integration_id: scene.planned.id(), ..Default::default() };
    let changes = scene.planned.admin.integrations().list_credential_changes(request).await.unwrap();
    let changes: Vec<_> = changes.into_inner().changes.iter().map(|one| one.event()).collect();
    assert_eq!(changes, [CredentialEvent::Destroyed, CredentialEvent::Revoked, CredentialEvent::Given]);

    assert_eq!(meanwhile, dropped);
    scene.planned.asana.forget_requests();
    for webhook in &scene.webhooks {
        assert_eq!(scene.late(webhook, &webhook.secret).await, dropped);
        assert_eq!(scene.late(webhook, "another secret").await.0, 401);
    }
    scene.app.work_until_idle().await;
    assert_eq!(scene.asked(), [], "nothing is made of what comes late");
    scene.planned.owner.run("UPDATE webhook_secret SET expire_time = now() - interval '1 s'").await;
    assert_eq!(scene.late(&scene.webhooks[0], &scene.webhooks[0].secret).await.0, 401);
}

/// P12.
#[tokio::test]
async fn a_grant_that_asana_does_not_revoke_ends_here_and_is_left_to_a_person() {
    let scene = Scene::new().await;
    let refusal = Refusal { status: 400, message: "No.".into(), sync: None, retry_after_seconds: None };
    scene.fails(Fault::Refused { refusal }, Operation::Revoke);

    scene.disconnect().await;
    let ended = scene.ended().await;

    assert_eq!(ended.state_reason, "GRANT_LEFT");
    assert_eq!((scene.planned.asana.webhooks().len(), scene.grants()), (0, 1));
    assert_eq!(scene.credentials().await, "0");
    let status = scene.planned.status().await;
    assert_eq!(status.health_reason, "INTEGRATION_DISCONNECTED");
    assert!(status.health_advice.contains("connected apps"), "{}", status.health_advice);
}

#[tokio::test]
async fn an_outage_is_waited_for_and_one_that_stays_keeps_nothing_alive() {
    for is_over in [true, false] {
        let scene = Scene::new().await;
        let outage = Fault::ErrorBefore { status: 503 };
        let rule = scene.planned.asana.add_fault(Rule::always(outage).on(Operation::Revoke));

        scene.disconnect().await;
        let is_waiting = async || scene.asked().contains(&Operation::Revoke);
        wait_until("the revocation met the outage", PATIENCE, is_waiting).await;
        let waiting = (scene.shown().await.state(), scene.credentials().await);
        if is_over {
            scene.planned.asana.remove_fault(rule);
        } else {
            scene.lose_patience().await;
        }
        let ended = scene.ended().await;

        assert_eq!(waiting, (IntegrationState::Disconnecting, "1".into()));
        assert_eq!(scene.planned.asana.webhooks().len(), 0, "they went before the outage");
        let (reason, grants) = if is_over { ("", 0) } else { ("GRANT_LEFT", 1) };
        assert_eq!((ended.state_reason.as_str(), scene.grants()), (reason, grants));
        assert_eq!(scene.credentials().await, "0");
    }
}

/// The grant is taken back all the same, and what the webhooks go on telling is dropped.
#[tokio::test]
async fn webhooks_that_cannot_be_deleted_keep_neither_the_grant_nor_the_credential() {
    let scene = Scene::new().await;
    scene.fails(Fault::ErrorBefore { status: 503 }, Operation::DeleteWebhook);

    scene.disconnect().await;
    scene.lose_patience().await;
    let ended = scene.ended().await;

    assert_eq!(ended.state_reason, "WEBHOOKS_LEFT");
    assert_eq!((scene.planned.asana.webhooks().len(), scene.grants()), (2, 0));
    assert_eq!(scene.credentials().await, "0");
    scene.planned.asana.forget_deliveries();
    for webhook in &scene.webhooks {
        scene.planned.asana.send_heartbeat(webhook.gid).await;
    }
    let outcomes: Vec<_> = scene.planned.asana.deliveries().into_iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered(200), Outcome::Answered(200)]);
}
