//! The control surface, as a person drives it.

use super::*;

impl Stage {
    async fn hand(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}/sandbox{path}", self.asana.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

#[tokio::test]
async fn people_plan_with_fields_and_options_by_name() {
    let stage = Stage::start().await;
    let wish = json!({ "project": stage.project, "name": "Fundament", "start_on": "2026-11-02",
                       "due_on": "2026-11-13",
                       "custom_fields": { "Bereich": "Montage", "Soll-Stunden": 40 } });

    let (status, made) = stage.hand(Method::POST, "/tasks", Some(wish)).await;
    let path = format!("/tasks/{}", made["gid"].as_str().unwrap());
    let change =
        json!({ "due_on": "2026-11-20", "custom_fields": { "Soll-Stunden": 44.5 }, "by": stage.max });
    let (_, changed) = stage.hand(Method::PUT, &path, Some(change)).await;
    let (refused, why) = stage.hand(Method::PUT, &path, Some(json!({ "start_on": "2026-11-03" }))).await;
    stage.hand(Method::POST, &format!("{path}/time"), Some(json!({ "minutes": 90 }))).await;
    let (_, deleted) = stage.hand(Method::POST, &format!("{path}/delete"), None).await;
    let (_, listed) = stage.hand(Method::GET, "/tasks", None).await;
    let (dance, _) = stage.hand(Method::POST, &format!("{path}/dance"), None).await;

    assert_eq!((status, refused, dance), (200, 400, 404));
    assert_eq!(made["fields"], json!({ "Bereich": "Montage", "Soll-Stunden": 40 }));
    assert_eq!(
        (&changed["due_on"], &changed["fields"]["Soll-Stunden"]),
        (&json!("2026-11-20"), &json!(44.5))
    );
    assert!(why["error"].as_str().unwrap().contains("due_on"), "{why}");
    assert_eq!((&deleted["deleted"], &deleted["actual_time_minutes"]), (&json!(true), &json!(90)));
    assert_eq!(listed, json!([]));
    let by = stage.asana.events().iter().filter(|event| event.user == Some(stage.max)).count();
    assert!(by > 0);
}

#[tokio::test]
async fn projects_absences_faults_settings_and_the_clock_are_at_hand() {
    let stage = Stage::start().await;
    let leave = json!({ "user": stage.max, "start_date": "2026-12-21", "end_date": "2026-12-31" });
    let fault = json!({ "kind": "error_before", "status": 503 });
    let rule = json!({ "fault": fault, "when": { "next": 1 }, "on": ["get_user"] });

    let (_, project) = stage.hand(Method::POST, "/projects", Some(json!({ "name": "Halle 9" }))).await;
    let path = format!("/projects/{}/archive", project["gid"].as_str().unwrap());
    let (archived, _) = stage.hand(Method::POST, &path, None).await;
    let (_, left) = stage.hand(Method::POST, "/absences", Some(leave)).await;
    let (_, line) = stage.hand(Method::POST, "/faults", Some(rule)).await;
    let struck = stage.get("/users/me").await.status;
    let limits = json!({ "limits": { "per_minute": 150 }, "consent": "approve" });
    let (_, settings) = stage.hand(Method::PUT, "/settings", Some(limits)).await;
    let (_, clock) = stage.hand(Method::POST, "/clock", Some(json!({ "advance_seconds": 3600 }))).await;
    let (_, counts) = stage.hand(Method::GET, "/counts", None).await;

    assert_eq!((archived, struck), (200, 503));
    assert!(left["gid"].is_string() && line["id"].is_u64());
    assert_eq!((&settings["limits"]["per_minute"], &settings["consent"]), (&json!(150), &json!("approve")));
    assert_eq!(clock["now"], "2026-10-01T09:00:00Z");
    assert_eq!(counts, json!({ "GET /users/{}": 1 }));
}

#[tokio::test]
async fn the_demo_can_be_played_with_at_once() {
    let stage = Stage::start().await;
    let client = Client { id: "1".into(), secret: "2".into(), redirect_uris: Vec::new(), scopes: None };

    let demo = stage.asana.add_demo(client).unwrap();
    let (status, moved) = stage.hand(Method::POST, "/tick", None).await;

    assert_eq!((demo.projects.len(), demo.tasks.len(), status), (3, 18, 200));
    assert!(moved["due_on"].is_string(), "{moved}");
    assert!(stage.asana.events().iter().any(|event| event.action == Action::Changed));
}
