//! Two tools of one tenant, each of which counts its people and appointments from 1.

use serde_json::{Value, json};
use stellwerk::proto::{self, SignatureScheme};
use tonic::{Code, Status};

use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk, reason,
    said::{said, written},
};

async fn add_tool(
    by: &TestCaller,
    request: proto::CreateIntegrationRequest,
) -> Result<proto::Integration, Status> {
    let made = by.integrations().create_integration(request).await?.into_inner();
    Ok(made.integration.expect("the tool's"))
}

fn tool(name: &str) -> proto::CreateIntegrationRequest {
    proto::CreateIntegrationRequest {
        provider: "booking".into(),
        name: name.into(),
        idempotency_key: format!("tool {name}"),
        ..Default::default()
    }
}

fn person(last_name: &str) -> Value {
    json!({ "id": 1, "vorname": "Erika", "nachname": last_name })
}

/// P9.
#[tokio::test]
async fn two_tools_with_an_integration_each_do_not_take_their_people_for_each_others() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let first = acme.booking_tool(SignatureScheme::Standard).await;
    let made = add_tool(&acme.admin, tool("branch")).await.unwrap();
    let second = acme.booking_tool_of(&made.integration_id, SignatureScheme::Legacy).await;
    let visit = |days| {
        let data = json!({ "id": 1, "patient_id": 1, "scheduled_at": written(desk::in_days(days)),
            "duration_minutes": 30 });
        said("appointment.created", data)
    };

    first.tell(&said("patient.created", person("Muster"))).await.kept();
    second.tell(&said("patient.created", person("Beispiel"))).await.kept();
    first.tell(&visit(7)).await.kept();
    second.tell(&visit(8)).await.kept();
    second.tell(&said("patient.updated", person("Beispiel-Neu"))).await.kept();

    assert_ne!(first.endpoint.integration_id, second.endpoint.integration_id);
    assert_eq!(desk::names(&acme.admin).await, ["Erika Beispiel-Neu", "Erika Muster"]);
    let visits = desk::appointments(&acme.admin).await;
    assert_eq!(visits.len(), 2);
    assert_ne!(visits[0].patient_id, visits[1].patient_id);
}

#[tokio::test]
async fn a_tool_is_added_once_whatever_is_repeated_and_without_a_key() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let made = add_tool(&acme.admin, tool("branch")).await.unwrap();
    let again = add_tool(&acme.admin, tool("branch")).await.unwrap();
    let with_key = proto::CreateIntegrationRequest { api_key: "cal_live_1".into(), ..tool("other") };
    let refused = add_tool(&acme.admin, with_key).await.unwrap_err();

    assert_eq!((&again, made.name.as_str(), made.provider.as_str()), (&made, "branch", "booking"));
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    let request = proto::ListIntegrationsRequest::default();
    let listed = acme.admin.integrations().list_integrations(request).await.unwrap().into_inner();
    assert_eq!(listed.integrations, [made]);
}

/// P2. One tool's people would be taken for another's.
#[tokio::test]
async fn an_endpoint_that_names_none_of_several_tools_is_refused() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    for name in ["main", "branch"] {
        add_tool(&acme.admin, tool(name)).await.unwrap();
    }

    let request = proto::CreateWebhookEndpointRequest { provider: "booking".into(), ..Default::default() };
    let refused = acme.admin.webhooks().create_webhook_endpoint(request).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
}
