use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::*;

mod adapter;
mod contract;
mod control;
mod deliveries;
mod endings;
mod faults;
mod kept;
mod lists;
mod making;
mod moving;
mod outage;
mod payloads;
mod shared;
mod slots;
mod spec;
mod webhooks;

/// A standing clock, one host with a visit of 30 minutes, and a caller with the host's key.
struct Stage {
    calcom: Calcom,
    host: User,
    visit: i64,
    client: reqwest::Client,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Stage {
    async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    async fn queued() -> Self {
        Self::with(Settings { generation: Generation::Queued, ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Self {
        let settings = Settings { clock: Clock::standing_at(at("2026-10-01T08:00:00Z")), ..settings };
        let calcom = Calcom::start(settings).await.unwrap();
        let host = calcom.add_user("Mara Vogt", "mara.vogt@example.com", Berlin);
        let options = EventTypeOptions::default();
        let visit = calcom.add_event_type(host.id, "visit", "Visit", 30, options).unwrap();
        Self { calcom, host, visit, client: crate::sandbox::client::of(Duration::from_secs(30)).unwrap() }
    }

    fn event_type(&self, slug: &str, length_minutes: u32, options: EventTypeOptions) -> i64 {
        self.calcom.add_event_type(self.host.id, slug, slug, length_minutes, options).unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(body)).await
    }

    /// With the host's key, in the version of the family.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let key = self.host.api_key.clone();
        self.call_as(Some(&key), version_of(path), method, path, body).await
    }

    async fn anonymous(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.call_as(None, version_of(path), method, path, body).await
    }

    /// Every answer is held against the description, unless an old version was asked for on purpose.
    async fn call_as(
        &self,
        key: Option<&str>,
        version: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.calcom.url()));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(version) = version {
            request = request.header("cal-api-version", version);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body: Value = response.json().await.unwrap();
        let bare = path.split('?').next().unwrap();
        if version == version_of(path) && !bare.ends_with("/request-reschedule") {
            super::spec::check_answer(method.as_str(), bare, status, &body).unwrap();
        }
        Reply { status, headers, body }
    }

    async fn book(&self, start: &str) -> Booking {
        self.calcom.book_as_attendee(self.wish(start)).await.unwrap()
    }

    fn wish(&self, start: &str) -> NewBooking {
        NewBooking::new(self.visit, at(start), "Erika Muster", "erika@example.org")
    }
}

impl Reply {
    fn data(&self) -> &Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        &self.body["data"]
    }

    fn uid(&self) -> String {
        self.data()["uid"].as_str().unwrap().to_owned()
    }

    /// Status, envelope and message of a refusal.
    fn refusal(&self) -> (u16, char, &str) {
        match (self.body["error"]["message"].as_str(), self.body["message"].as_str()) {
            (Some(message), None) => {
                assert_eq!(self.body["status"], "error");
                (self.status, 'A', message)
            }
            (None, Some(message)) => {
                assert_eq!(self.body["statusCode"], self.status);
                (self.status, 'B', message)
            }
            _ => panic!("no refusal: {} {}", self.status, self.body),
        }
    }
}

fn version_of(path: &str) -> Option<&'static str> {
    match path {
        path if path.contains("/webhooks") || path.starts_with("/v2/me") => None,
        path if path.starts_with("/v2/bookings") => Some("2024-08-13"),
        path if path.starts_with("/v2/slots") => Some("2024-09-04"),
        _ => Some("2024-06-14"),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What a caller of the API books.
fn erika(event_type_id: i64, start: &str) -> Value {
    json!({
        "start": start,
        "eventTypeId": event_type_id,
        "attendee": { "name": "Erika Muster", "email": "erika@example.org", "timeZone": "Europe/Berlin",
                      "language": "de" },
        "metadata": { "write_id": "wr_1" },
    })
}

/// A subscriber on a free port: keeps what comes; may be told to wait or to refuse.
struct Subscriber {
    url: String,
    inbox: Arc<Inbox>,
    server: tokio::task::JoinHandle<()>,
}

struct Inbox {
    seen: Mutex<Vec<(HeaderMap, Bytes)>>,
    count: watch::Sender<usize>,
    status: Mutex<StatusCode>,
    /// A permit per delivery that may be answered.
    permits: Semaphore,
}

impl Subscriber {
    async fn start() -> Self {
        Self::with_permits(Semaphore::MAX_PERMITS).await
    }

    /// Answers nothing until [`Self::answer`].
    async fn slow() -> Self {
        Self::with_permits(0).await
    }

    async fn with_permits(permits: usize) -> Self {
        let inbox = Arc::new(Inbox {
            seen: Mutex::default(),
            count: watch::Sender::default(),
            status: Mutex::new(StatusCode::OK),
            permits: Semaphore::new(permits),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(receive).with_state(inbox.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inbox, server }
    }

    fn refusing(self, status: StatusCode) -> Self {
        *self.inbox.status.lock().unwrap() = status;
        self
    }

    fn answer(&self) {
        self.inbox.permits.add_permits(1);
    }

    async fn has_seen(&self, count: usize) {
        let mut seen = self.inbox.count.subscribe();
        let wait = seen.wait_for(|seen| *seen >= count);
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap().unwrap();
    }

    fn seen(&self) -> Vec<(HeaderMap, Bytes)> {
        self.inbox.seen.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.seen().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    /// Trigger and booking of each, in the order of arrival.
    fn told(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |body: &Value| {
            let payload = &body["payload"];
            let uid = if payload["uid"].is_null() { &payload["bookingUid"] } else { &payload["uid"] };
            (text(&body["triggerEvent"]), text(uid))
        };
        self.bodies().iter().map(told).collect()
    }

    fn triggers(&self) -> Vec<String> {
        self.told().into_iter().map(|(trigger, _)| trigger).collect()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    inbox.seen.lock().unwrap().push((headers, body));
    inbox.count.send_modify(|count| *count += 1);
    inbox.permits.acquire().await.unwrap().forget();
    *inbox.status.lock().unwrap()
}

const ALL: [Trigger; 10] = [
    Trigger::BookingCreated,
    Trigger::BookingRescheduled,
    Trigger::BookingRequested,
    Trigger::BookingCancelled,
    Trigger::BookingRejected,
    Trigger::BookingNoShowUpdated,
    Trigger::BookingPaymentInitiated,
    Trigger::BookingPaid,
    Trigger::MeetingStarted,
    Trigger::MeetingEnded,
];

impl Stage {
    fn subscribe(&self, subscriber: &Subscriber) -> Webhook {
        self.calcom.subscribe(Scope::User(self.host.id), &subscriber.url, Some("hush"), &ALL).unwrap()
    }
}
