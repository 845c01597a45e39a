//! The end is the same though the tool's clock, or an instance's, is ahead or behind.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use stellwerk::{
    domain::inbound,
    proto::{AppointmentStatus, SignatureScheme},
    words::EventStatus,
};

use super::stories::{appointment, registered};
use crate::support::{
    app::TestApp,
    desk,
    said::{said, said_at, written},
};

/// P9. A time that cannot be is no time at all.
#[tokio::test]
async fn a_late_creation_from_a_clock_that_is_an_hour_ahead_changes_nothing() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&registered("1", 0)).await.kept();
    let ahead = |id, event, minutes| {
        let data = appointment("1", written(desk::in_days(7)), minutes, "Jonas Muster", "scheduled");
        said_at(id, event, Utc::now() + TimeDelta::hours(1), data)
    };
    tool.tell(&ahead("e-2", "appointment.updated", 45)).await.kept();

    let late = tool.tell(&ahead("e-1", "appointment.created", 30)).await;

    assert_eq!((late.kept(), late.reason()), ("ignored", "OLDER_STATE"));
    assert_eq!(desk::only_appointment(&acme.admin).await.service_name, "Massage 45");
}

/// P9. The older state comes late enough for the time it tells to be one that can be.
#[tokio::test]
async fn a_tool_whose_clock_is_ahead_has_its_newest_word_taken_though_an_older_one_came_late() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&registered("1", 0)).await.kept();
    let ahead = |id, event, minutes_ahead, data| {
        said_at(id, event, Utc::now() + TimeDelta::minutes(minutes_ahead), data)
    };
    let booked = appointment("1", written(desk::in_days(7)), 30, "Jonas Muster", "scheduled");
    // Six minutes ahead, and two minutes on its way.
    tool.tell(&ahead("e-1", "appointment.updated", 4, booked)).await.kept();

    let cancelled = json!({ "id": "a-1", "reason": "ill" });
    let answer = tool.tell(&ahead("e-2", "appointment.cancelled", 6, cancelled)).await;

    assert_eq!((answer.kept(), answer.reason()), ("success", "OK"));
    assert_eq!(desk::only_appointment(&acme.admin).await.status(), AppointmentStatus::Cancelled);
}

/// P9. Without times the arrival counts, by one clock, whichever instance it came to.
#[tokio::test]
async fn without_times_what_comes_last_counts_though_the_instance_it_comes_to_is_behind() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Muster" }))).await.kept();
    let lasting = |minutes| appointment("1", written(desk::in_days(7)), minutes, "Jonas Muster", "scheduled");
    tool.tell(&said("appointment.updated", lasting(30))).await.kept();

    let body = said("appointment.updated", lasting(45)).to_string().into_bytes();
    let delivery = inbound::Delivery {
        provider: "booking",
        token: tool.path.rsplit('/').next().unwrap(),
        method: &http::Method::POST,
        query: "",
        headers: &tool.signed("", 0, &body),
        body: &body,
        receive_time: Utc::now() - TimeDelta::minutes(1),
    };
    let answer = inbound::receive(&app.domain, &inbound::Turns::new(1, 1), delivery).await;

    assert!(matches!(answer, Ok(inbound::Answer::Kept { status: EventStatus::Success, .. })), "{answer:?}");
    assert_eq!(desk::only_appointment(&acme.admin).await.service_name, "Massage 45");
}
