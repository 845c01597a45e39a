//! The person who connected the planning tool leaves: a colleague goes on in their place, and nobody else.

use serde_json::json;
use stellwerk::{
    proto::{self, IntegrationState},
    sandbox::asana::{Gid, Webhook},
};
use tonic::{Code, Status};

use super::ends::Scene;
use crate::support::{
    oauth::{come_back, complete, param, start_request},
    reason,
};

/// Connects the integration again as this person.
async fn connect_as(scene: &Scene, user: Gid) -> Result<proto::Integration, Status> {
    let admin = &scene.planned.admin;
    let request =
        proto::StartAuthorizationRequest { integration_id: scene.planned.id(), ..start_request("asana") };
    let started = admin.integrations().start_authorization(request).await.unwrap().into_inner();
    let back = scene.planned.asana.decide(&started.authorization_url, user, true).unwrap();
    let (_, to, _) = come_back(&scene.app, &back.parse().unwrap()).await;
    complete(admin, &param(&to.unwrap(), "completion_code")).await
}

/// The person's account is closed; the integration needs somebody else's.
async fn owner_leaves(scene: &Scene) {
    let planned = &scene.planned;
    planned.asana.take_back(planned.user, "stellwerk-test");
    planned.asana.leave(planned.workspace, planned.user);
    for webhook in &scene.webhooks {
        assert!(planned.asana.drop_webhook(webhook.gid));
    }
    let request = proto::TestIntegrationRequest { integration_id: planned.id() };
    planned.admin.integrations().test_integration(request).await.unwrap();
    assert_eq!(scene.shown().await.state(), IntegrationState::NeedsReconnect);
}

#[tokio::test]
async fn a_colleague_in_the_same_workspace_goes_on_with_the_integration() {
    let scene = Scene::new().await;
    let planned = &scene.planned;
    let colleague = planned.asana.add_user(planned.workspace, "Max Beispiel", Some("max@example.org"));
    owner_leaves(&scene).await;

    let taken = connect_as(&scene, colleague).await.unwrap();
    scene.app.work_until_idle().await;

    assert_eq!(taken.integration_id, planned.id());
    assert_eq!((taken.state(), &taken.account_id), (IntegrationState::Connected, &colleague.to_string()));
    assert_eq!(planned.owner.value("SELECT count(*) FROM phase").await, "1", "what was known stays known");
    let made = planned.asana.webhooks();
    assert_eq!(made.len(), 2);
    let is_new = |gid: Gid| scene.webhooks.iter().all(|old| old.gid != gid);
    assert!(made.iter().all(|one| is_new(one.gid)));
}

/// Nobody left: an admin puts an account of the company's own in a person's place.
#[tokio::test]
async fn an_integration_that_works_may_be_taken_over_too() {
    let scene = Scene::new().await;
    let planned = &scene.planned;
    let colleague = planned.asana.add_user(planned.workspace, "Planung", Some("planung@example.org"));

    let taken = connect_as(&scene, colleague).await.unwrap();
    scene.app.work_until_idle().await;

    assert_eq!(taken.account_id, colleague.to_string());
    // What the other account had registered is heard no more.
    for old in &scene.webhooks {
        planned.asana.drop_webhook(old.gid);
    }
    let is_of_project = |one: &&Webhook| one.resource != planned.workspace;
    let project = scene.webhooks.iter().find(is_of_project).unwrap().resource;
    let fields = json!({ planned.area.gid.to_string(): planned.option(0) });
    let task = json!({ "name": "Fundament", "due_on": "2027-03-05", "custom_fields": fields });
    planned.asana.person(planned.user).create_task(project, task).unwrap();
    planned.asana.quiet().await;
    scene.app.work_until_idle().await;
    assert_eq!(planned.owner.value("SELECT count(*) FROM phase").await, "2");
}

#[tokio::test]
async fn somebody_who_is_not_in_the_workspace_takes_nothing_over() {
    let scene = Scene::new().await;
    let planned = &scene.planned;
    let elsewhere = planned.asana.add_workspace("Fremdbüro");
    let stranger = planned.asana.add_user(elsewhere, "Kim Fremd", None);
    owner_leaves(&scene).await;
    let before = scene.shown().await;

    let refused = connect_as(&scene, stranger).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "OTHER_ACCOUNT".into()));
    assert_eq!(scene.shown().await, before);
}
