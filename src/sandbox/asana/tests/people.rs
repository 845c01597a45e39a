//! Who there is, and who sees what.

use super::*;

#[tokio::test]
async fn a_caller_learns_who_it_is_and_which_workspaces_it_has() {
    let stage = Stage::start().await;
    let other = stage.asana.add_workspace("Fremdes Büro");

    let me = stage.get("/users/me").await;
    let workspaces = stage.page("/workspaces", None).await;
    let strange = stage.get(&format!("/workspaces/{other}")).await;

    assert_eq!(me.data()["gid"], json!(stage.erika));
    assert_eq!(me.data()["email"], "erika.muster@example.org");
    assert_eq!(me.data()["workspaces"][0]["name"], "Planungsbüro am Wall");
    assert_eq!(workspaces.gids(), [stage.workspace.to_string()]);
    assert_eq!(strange.status, 403);
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let stage = Stage::start().await;
    let path = "/users/me";

    let without = stage.call_as(None, Method::GET, path, None).await;
    let wrong = stage.call_as(Some("2/9/abc"), Method::GET, path, None).await;
    stage.asana.revoke_token(&stage.token);
    let revoked = stage.get(path).await;

    assert_eq!([without.status, wrong.status, revoked.status], [401, 401, 401]);
}

#[tokio::test]
async fn lists_of_users_tell_addresses_only_when_asked_and_none_of_guests() {
    let stage = Stage::start().await;
    let guest = stage.asana.add_user(stage.workspace, "Gina Gast", None);

    let plain = stage.page(&format!("/users?workspace={}", stage.workspace), None).await;
    let asked =
        stage.page(&format!("/users?workspace={}&opt_fields=name,email", stage.workspace), None).await;

    assert_eq!(plain.data()[0]["email"], Value::Null);
    assert_eq!(asked.data()[0]["email"], "erika.muster@example.org");
    assert_eq!(asked.data()[2], json!({ "gid": guest, "name": "Gina Gast" }));
}

#[tokio::test]
async fn a_private_project_is_seen_by_its_members_only() {
    let stage = Stage::start().await;
    let project = stage.asana.add_project(stage.workspace, "Geheim", &[]);
    let task = stage.asana.add_task(project, json!({ "name": "Vertrag" })).unwrap();
    stage.asana.edit_quietly(project, |project| project.is_private = true).unwrap();
    let max = stage.asana.add_token(stage.max);

    let theirs = stage.page(&format!("/projects?workspace={}", stage.workspace), None).await;
    let path = format!("/projects/{project}");
    let refused = stage.call_as(Some(&max), Method::GET, &path, None).await;
    let path = format!("/tasks/{task}");
    let task = stage.call_as(Some(&max), Method::GET, &path, None).await;
    let path = format!("/projects?workspace={}&limit=100", stage.workspace);
    let listed = stage.call_as(Some(&max), Method::GET, &path, None).await;

    assert!(theirs.gids().contains(&project.to_string()));
    assert!(!listed.gids().contains(&project.to_string()));
    assert_eq!((refused.status, task.status), (403, 403));
}
