//! A small Cal.com over real HTTP on loopback: it answers what a test says and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::egress::EgressConfig;

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

/// What the double was asked.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// What it answers next.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<(VecDeque<Reply>, Vec<Asked>)>>);

struct Double {
    egress: Egress,
    instance: Url,
    key: SecretString,
    script: Script,
    serving: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Double {
    /// Answers each request with the next of these; beyond them 500.
    async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Script::default();
        script.0.lock().unwrap().0.extend(replies);
        Self::serving(Router::new().fallback(answer).with_state(script.clone()), script, |config| config)
            .await
    }

    async fn serving(router: Router, script: Script, tune: fn(EgressConfig) -> EgressConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let allow_private = vec![at.to_string().parse().unwrap()];
        let egress = Egress::new(tune(EgressConfig { allow_private, ..EgressConfig::default() })).unwrap();
        let instance = parse_instance(&format!("http://{at}/v2/"), &egress).unwrap();
        Self { egress, instance, key: "cal_test_key".into(), script, serving }
    }

    fn calcom(&self) -> Calcom<'_> {
        Calcom::new(&self.egress, &self.instance, &self.key)
    }

    fn asked(&self) -> Vec<Asked> {
        self.script.0.lock().unwrap().1.clone()
    }

    /// The one request there was.
    fn the_one(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut script = script.0.lock().unwrap();
    script.1.push(Asked { method, uri, headers, body });
    let Some(reply) = script.0.pop_front() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = reply.body.into_response();
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    for (name, value) in reply.headers {
        let value = HeaderValue::try_from(value).unwrap();
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

impl Reply {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string() }
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
