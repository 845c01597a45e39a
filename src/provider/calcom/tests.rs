//! A small Cal.com over real HTTP on loopback: it answers what a test says and keeps what it was asked.

use std::ops::Deref;

use axum::Router;
use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::egress::EgressConfig;
use crate::provider::scripted::{self, Asked, Reply, reply};

mod answers;
mod instances;
mod lost;
mod properties;
mod requests;
mod signatures;
mod spec;
mod verdicts;
mod webhooks;

const UID: &str = "k3Qm9ZtWvB2xLr7NpYd4Hs";
const MOVED: &str = "p8Vn4TcRjF6mXw1KzQa9Gy";

/// A scripted Cal.com.
struct Double(scripted::Double);

impl Deref for Double {
    type Target = scripted::Double;

    fn deref(&self) -> &scripted::Double {
        &self.0
    }
}

impl Double {
    /// Answers each request with the next of these; beyond them 500.
    async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(scripted::Double::answering("v2/", "cal_test_key", replies).await)
    }

    async fn serving(router: Router, tune: fn(EgressConfig) -> EgressConfig) -> Self {
        Self(scripted::Double::serving("v2/", "cal_test_key", router, tune).await)
    }

    fn calcom(&self) -> Calcom<'_> {
        Calcom::new(&self.egress, &self.base, &self.key)
    }
}

fn success(data: Value) -> Reply {
    reply(200, json!({ "status": "success", "data": data }))
}

/// A recorded shape of the API, by the name of its file; the status is part of that.
fn sample(name: &str) -> Reply {
    let status = name.rsplit('.').nth(1).unwrap().parse().unwrap();
    reply(status, data(&format!("api/{name}")))
}

fn data(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/calcom/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn new_booking() -> NewBooking {
    NewBooking {
        event_type_id: 481_207,
        start: at("2026-10-14T07:30:00Z"),
        length_minutes: None,
        attendee: NewAttendee {
            name: "Erika Muster".to_owned(),
            email: Some("erika@example.org".to_owned()),
            phone: Some("+4915550100200".to_owned()),
            time_zone: "Europe/Berlin".to_owned(),
            language: Some("de-AT".to_owned()),
        },
        metadata: [("write_id".to_owned(), "wr_1".to_owned())].into(),
        booking_fields: [].into(),
    }
}

/// The framework's envelope.
fn framework(status: u16, code: &str, message: &str) -> Reply {
    let error = json!({ "code": code, "message": message });
    let body =
        json!({ "status": "error", "timestamp": "2026-10-02T09:15:06.000Z", "path": "/v2", "error": error });
    reply(status, body)
}

/// The booking engine's envelope.
fn engine(status: u16, message: &str) -> Reply {
    reply(status, json!({ "statusCode": status, "message": message }))
}

#[test]
fn nothing_that_is_printed_names_people_uids_or_keys() {
    let egress = Egress::new(EgressConfig::default()).unwrap();
    let (instance, key) = (DEFAULT_INSTANCE.parse().unwrap(), "cal_live_secret".into());
    let event = webhook::parse(data("booking-rescheduled.json").as_bytes()).unwrap();
    let refusal = Refusal::AlreadyRescheduled { successor: Some(MOVED.to_owned()) };

    let printed = [
        format!("{:?}", Calcom::new(&egress, &instance, &key)),
        format!("{:?}", new_booking()),
        format!("{event:?} {:?}", event.booking.as_ref().unwrap().attendees),
        format!("{:?} {}", CallError::Refused(refusal.clone()), CallError::Refused(refusal)),
    ]
    .join("\n");

    for hidden in ["secret", "Muster", "erika", "Keller", "jonas", "+49", UID, MOVED] {
        assert!(!printed.contains(hidden), "{hidden} in {printed}");
    }
}
