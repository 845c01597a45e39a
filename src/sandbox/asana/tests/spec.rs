//! The description, and what is held against it.

use super::*;
use crate::sandbox::asana::spec::Spec;

async fn asked(stage: &Stage, method: Method, path: &str, body: Option<Value>) -> Result<(), String> {
    stage.asana.forget_requests();
    stage.call(method, path, body).await;
    let requests = stage.asana.requests();
    Spec::at_hand().map_or(Ok(()), |spec| spec.check_request(&requests[0]))
}

#[tokio::test]
async fn requests_are_held_against_the_description() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let path = format!("/tasks/{task}");
    let fields = format!(
        "/tasks?project={}&limit=100&opt_fields=name,custom_fields.number_value,assignee.gid",
        stage.project
    );
    let data = json!({ "data": { "start_on": "2026-11-02", "due_on": "2026-11-13",
                                 "custom_fields": { stage.hours.gid.to_string(): 4.5 } } });

    asked(&stage, Method::GET, &fields, None).await.unwrap();
    asked(&stage, Method::PUT, &path, Some(data)).await.unwrap();
    asked(&stage, Method::GET, "/users/me", None).await.unwrap();
    let wrong = [
        asked(&stage, Method::GET, &format!("{path}?opt_fields=custom_fields.value"), None).await,
        asked(&stage, Method::GET, &format!("{path}?colour=red"), None).await,
        asked(&stage, Method::GET, "/tribes", None).await,
        asked(&stage, Method::PUT, &path, Some(json!({ "data": { "colour": "red" } }))).await,
        asked(&stage, Method::PUT, &path, Some(json!({ "data": { "due_on": 5 } }))).await,
        asked(&stage, Method::GET, &format!("/ooo_entries?user={}", stage.erika), None).await,
    ];
    if Spec::at_hand().is_some() {
        assert!(wrong.iter().all(Result::is_err), "{wrong:?}");
    }
}

#[test]
fn answers_are_held_against_the_description() {
    let Some(spec) = Spec::at_hand() else { return };
    let task = |fields: Value| json!({ "data": fields });

    let good = task(json!({ "gid": "1", "assignee": null, "due_on": null, "custom_fields": [] }));
    assert_eq!(spec.check_answer("GET", "/tasks/1", 200, &good), Ok(()));
    for bad in [json!({ "gid": 1 }), json!({ "due_on": 5 }), json!({ "resource_subtype": "tribe" })] {
        assert!(spec.check_answer("GET", "/tasks/1", 200, &task(bad)).is_err());
    }
    assert!(spec.check_answer("GET", "/tasks/1", 204, &Value::Null).is_err());
    assert!(spec.check_answer("GET", "/tribes", 200, &Value::Null).is_err());
}

/// So that no route is made up.
#[test]
fn every_route_of_the_double_is_described() {
    let Some(spec) = Spec::at_hand() else { return };

    for operation in Operation::ALL {
        let (method, path) = operation.route();
        if !path.starts_with("/-/") {
            let told = spec.check_answer(method, &path.replace("{}", "1"), 299, &Value::Null).unwrap_err();
            assert!(told.contains("299"), "{operation}: {told}");
        }
    }
}
