//! What of planning must not be read in the log.

use serde_json::json;
use stellwerk::{
    proto::{self, Area, FieldMapping, IntegrationState, OnboardingStep, OptionMapping, WorkspacePlan},
    sandbox::asana::{Asana, Client, CustomField, Fault, Gid, Kind, Operation, Refusal, Rule},
};

use crate::support::{
    PATIENCE,
    front::Front,
    oauth::{DESK, come_back_to, complete, param, start_request},
    planned,
    server::{Installation, Server},
    tenant::TestTenant,
    wait_until,
};

const NAME: &str = "Zwetschgenbaum";
const EMAIL: &str = "xanthippe@example.org";

/// An Asana whose every word is somebody's.
struct Office {
    asana: Asana,
    client: Client,
    workspace: Gid,
    user: Gid,
    area: CustomField,
    task: Gid,
}

impl Office {
    async fn open(front: &Front) -> Self {
        let asana = planned::double().await;
        let workspace = asana.add_workspace(&format!("Planungsbüro {NAME}"));
        let user = asana.add_user(workspace, &format!("Xanthippe {NAME}"), Some(EMAIL));
        let area = asana.add_enum_field(workspace, "Bereich", &["Produktion", "Montage"]);
        let project = asana.add_project(workspace, &format!("Haus {NAME}"), &[area.gid]);
        let data = json!({ "name": format!("Dach {NAME}"), "due_on": "2027-03-05" });
        let task = asana.add_task(project, data).unwrap();
        let client =
            Client::invented("client-4711", vec![format!("{}/api/auth/asana/callback", front.url())]);
        asana.add_client(client.clone());
        Self { asana, client, workspace, user, area, task }
    }

    fn settings(&self, front: &Front) -> Vec<String> {
        vec![
            "--egress-allow=127.0.0.1".into(),
            format!("--return-urls={DESK}"),
            format!("--public-url={}", front.url()),
            format!("--provider-setting=STELLWERK_ASANA_URL={}", self.asana.url()),
            format!("--provider-setting=ASANA_CLIENT_ID={}", self.client.id),
            format!("--provider-setting=ASANA_CLIENT_SECRET={}", self.client.secret),
        ]
    }

    /// From the consent page to webhooks that work. Returns the integration and what must not be read of the
    /// way.
    async fn connect(&self, server: &Server, acme: &TestTenant) -> (String, Vec<String>) {
        let start = acme.admin.integrations().start_authorization(start_request("asana")).await.unwrap();
        let url = start.into_inner().authorization_url;
        let back = self.asana.decide(&url, self.user, true).unwrap().parse().unwrap();
        let (_, to, _) = come_back_to(server.http, &back).await;
        let code = param(&to.unwrap(), "completion_code");
        let integration_id = complete(&acme.admin, &code).await.unwrap().integration_id;
        let select = proto::SelectWorkspaceRequest {
            integration_id: integration_id.clone(),
            workspace_gid: self.workspace.to_string(),
            plan: WorkspacePlan::Paid.into(),
            ..Default::default()
        };
        acme.admin.onboarding().select_workspace(select).await.unwrap();
        let map = proto::SaveFieldMappingRequest {
            integration_id: integration_id.clone(),
            field_mapping: Some(self.mapping()),
            ..Default::default()
        };
        acme.admin.onboarding().save_field_mapping(map).await.unwrap();
        let sync =
            proto::StartInitialSyncRequest { integration_id: integration_id.clone(), ..Default::default() };
        acme.admin.onboarding().start_initial_sync(sync).await.unwrap();
        until_next(acme, &integration_id, OnboardingStep::Webhooks).await;
        let activate =
            proto::ActivateWebhooksRequest { integration_id: integration_id.clone(), ..Default::default() };
        acme.admin.onboarding().activate_webhooks(activate).await.unwrap();
        until_next(acme, &integration_id, OnboardingStep::Done).await;
        let state = param(&url.parse().unwrap(), "state");
        (integration_id, vec![state, param(&back, "code"), code])
    }

    fn mapping(&self) -> FieldMapping {
        let Kind::Enum(options) = &self.area.kind else { panic!("an enum") };
        let areas = [Area::Production, Area::Assembly];
        let option = |(option, area): (&stellwerk::sandbox::asana::EnumOption, Area)| OptionMapping {
            option_gid: option.gid.to_string(),
            area: area.into(),
            ..Default::default()
        };
        FieldMapping {
            area_field_gid: self.area.gid.to_string(),
            options: options.iter().zip(areas).map(option).collect(),
            ..Default::default()
        }
    }

    /// What belongs to webhooks, and to people.
    fn secrets(&self) -> Vec<String> {
        let webhooks = self.asana.webhooks();
        let path = |target: &str| target.rsplit('/').next().unwrap().to_owned();
        let of_webhooks = webhooks.iter().flat_map(|one| [one.secret.clone(), path(&one.target)]);
        let texts = [NAME, EMAIL, &self.client.secret].map(String::from);
        of_webhooks.chain(texts).collect()
    }
}

async fn until_next(acme: &TestTenant, integration_id: &str, step: OnboardingStep) {
    wait_until(&format!("{step:?} is next"), PATIENCE, async || {
        let request = proto::GetOnboardingRequest { integration_id: integration_id.into() };
        let found = acme.admin.onboarding().get_onboarding(request).await.unwrap().into_inner();
        found.onboarding.unwrap().next_step() == step
    })
    .await;
}

async fn phase(acme: &TestTenant) -> proto::Phase {
    let found = acme.admin.planning().list_phases(proto::ListPhasesRequest::default()).await.unwrap();
    found.into_inner().phases.remove(0)
}

/// Both sides edit, Asana refuses, somebody forges, and the link is ended.
async fn work(office: &Office, acme: &TestTenant, integration_id: String) {
    let asana = &office.asana;
    asana.add_fault(Rule::next(1, Fault::WebhookUnsigned));
    asana.person(office.user).set_dates(office.task, None, "2027-03-12".parse().ok()).unwrap();
    asana.quiet().await;
    asana.person(office.user).set_dates(office.task, None, "2027-03-19".parse().ok()).unwrap();
    wait_until("it is told", PATIENCE, async || phase(acme).await.due_date == "2027-03-19").await;
    let message = format!("{NAME} may not do this");
    let refusal = Refusal { status: 403, message, sync: None, retry_after_seconds: None };
    asana.add_fault(Rule::next(1, Fault::Refused { refusal }).on(Operation::UpdateTask));
    let update = proto::UpdatePhaseRequest {
        phase_id: phase(acme).await.phase_id,
        due_date: "2027-04-02".into(),
        ..Default::default()
    };
    acme.admin.planning().update_phase(update).await.unwrap();
    wait_until("it is refused", PATIENCE, async || {
        phase(acme).await.provider_sync.unwrap().reason == "NOT_ALLOWED"
    })
    .await;
    let end =
        proto::DisconnectIntegrationRequest { integration_id: integration_id.clone(), ..Default::default() };
    acme.admin.integrations().disconnect_integration(end).await.unwrap();
    wait_until("it is disconnected", PATIENCE, async || {
        let get = proto::GetIntegrationRequest { integration_id: integration_id.clone() };
        let found = acme.admin.integrations().get_integration(get).await.unwrap().into_inner();
        found.integration.unwrap().state() == IntegrationState::Disconnected
    })
    .await;
}

/// Trap 35. P10. At every level and in both shapes of the log.
#[tokio::test]
async fn no_token_secret_address_or_word_of_asanas_is_ever_logged() {
    let installation = Installation::new().await;

    for level in [["--log=trace", "--log-format=text"], ["--log=debug", "--log-format=json"]] {
        let front = Front::open().await;
        let office = Office::open(&front).await;
        let settings = [office.settings(&front), level.map(String::from).into()].concat();
        let server = installation.serve(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
        front.lead_to(&[server.http]);
        let acme = installation.tenant(&server, "acme").await;

        let (integration, mut secrets) = office.connect(&server, &acme).await;
        secrets.extend(office.secrets());
        work(&office, &acme, integration).await;
        let log = server.stop().await;

        assert!(log.contains("an account was connected"), "{log}");
        assert_eq!(secrets.len(), 10, "three of the way, two webhooks, a name, an address and a secret");
        let found = secrets.iter().position(|secret| secret.is_empty() || log.contains(secret.as_str()));
        assert_eq!(found, None, "{level:?}");
        // As the double begins its tokens.
        assert!(!log.contains("2/1/") && !log.contains("3/1/"), "{level:?}");
    }
}
