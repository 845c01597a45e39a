//! In whatever order the tool tells of a person, the end is the same; also where it gives times and no ids.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::proto::SignatureScheme;

use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    desk,
    said::{NO_LIMIT, limit_new_endpoints, said_at, written},
};

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Without an id, minutes after some hour.
fn dated(event: &str, minute: i64, data: Value) -> Value {
    let hour = "2026-02-17T10:00:00Z".parse::<chrono::DateTime<Utc>>().unwrap();
    json!({ "event": event, "occurred_at": written(hour + TimeDelta::minutes(minute)), "data": data })
}

fn named(id: &str, first_name: &str) -> Value {
    json!({ "id": id, "vorname": first_name, "nachname": "Muster" })
}

async fn tell(tool: &TestBookingTool, event: &Value) -> String {
    tool.tell(event).await.kept().to_owned()
}

/// P9. What is said a second time was still true then.
#[tokio::test]
async fn a_name_that_is_said_again_stays_whatever_older_name_comes_late() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    limit_new_endpoints(&acme.admin, NO_LIMIT).await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;

    for (number, order) in ORDERS.into_iter().enumerate() {
        let id = format!("p-{number}");
        let story = [
            dated("patient.created", 0, named(&id, "Anna")),
            dated("patient.updated", 10, named(&id, "Berta")),
            dated("patient.updated", 20, named(&id, "Anna")),
        ];
        for event in order {
            tell(&tool, &story[event]).await;
        }
    }

    assert_eq!(desk::names(&acme.admin).await, ["Anna Muster"; 6]);
}

/// P9. Of two sayings at one time an update is the younger one, even if it says the same.
#[tokio::test]
async fn an_update_that_says_what_the_creation_said_is_younger_than_a_creation_of_its_time() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    tell(&tool, &dated("patient.created", 0, named("p-1", "Anna"))).await;
    tell(&tool, &dated("patient.updated", 0, named("p-1", "Anna"))).await;

    let late = tell(&tool, &dated("patient.created", 0, named("p-1", "Berta"))).await;

    assert_eq!(late, "ignored");
    assert_eq!(desk::names(&acme.admin).await, ["Anna Muster"]);
}

/// P9.
#[tokio::test]
async fn a_deletion_that_is_said_again_stays_whatever_older_state_comes_late() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let deleted = |minute| dated("patient.deleted", minute, json!({ "id": "p-1" }));
    tell(&tool, &dated("patient.created", 0, named("p-1", "Anna"))).await;
    tell(&tool, &deleted(5)).await;
    tell(&tool, &deleted(20)).await;

    let late = tell(&tool, &dated("patient.updated", 10, named("p-1", "Berta"))).await;

    assert_eq!(late, "ignored");
    let anna = desk::only_patient(&acme.admin).await;
    assert_eq!((anna.first_name.as_str(), anna.links.len()), ("Anna", 0));
}

/// P9. Of a change and a deletion at one time the deletion is the younger one, as a cancellation is.
#[tokio::test]
async fn a_deletion_stays_whichever_comes_first_of_it_and_a_change_of_its_time() {
    for deletion_first in [true, false] {
        let app = TestApp::start().await;
        let acme = app.tenant("acme").await;
        let tool = acme.booking_tool(SignatureScheme::Legacy).await;
        tell(&tool, &dated("patient.created", 0, named("p-1", "Anna"))).await;
        let mut both = [
            dated("patient.updated", 5, named("p-1", "Berta")),
            dated("patient.deleted", 5, json!({ "id": "p-1" })),
        ];
        if deletion_first {
            both.reverse();
        }

        for event in &both {
            tell(&tool, event).await;
        }

        assert_eq!(desk::only_patient(&acme.admin).await.links.len(), 0, "first: {deletion_first}");
    }
}

/// P9. A time that cannot be is no time at all.
#[tokio::test]
async fn a_late_creation_from_a_clock_that_is_an_hour_ahead_changes_nothing() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let ahead = |id, event, name| said_at(id, event, Utc::now() + TimeDelta::hours(1), named("p-1", name));
    tell(&tool, &ahead("e-2", "patient.updated", "Berta")).await;

    let late = tell(&tool, &ahead("e-1", "patient.created", "Anna")).await;

    assert_eq!(late, "ignored");
    assert_eq!(desk::names(&acme.admin).await, ["Berta Muster"]);
}
