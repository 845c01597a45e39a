use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;

mod absences;
mod batch;
mod control;
mod dates;
mod faults;
mod fields;
mod kept;
mod limits;
mod many;
mod oauth;
mod pages;
mod people;
mod spec;
mod streams;
mod tasks;
mod time;
mod webhooks;

/// A standing clock; a workspace with two users, an area and an hours field, one project that has both.
struct Stage {
    asana: Asana,
    workspace: Gid,
    erika: Gid,
    max: Gid,
    area: CustomField,
    hours: CustomField,
    project: Gid,
    /// Erika's.
    token: String,
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

    async fn with(settings: Settings) -> Self {
        let settings = Settings { clock: Clock::standing_at(at("2026-10-01T08:00:00Z")), ..settings };
        let asana = Asana::start(settings).await.unwrap();
        let workspace = asana.add_workspace("Planungsbüro am Wall");
        let erika = asana.add_user(workspace, "Erika Muster", Some("erika.muster@example.org"));
        let max = asana.add_user(workspace, "Max Beispiel", Some("max.beispiel@example.org"));
        let area = asana.add_enum_field(workspace, "Bereich", &["Produktion", "Montage", "Büro"]);
        let hours = asana.add_number_field(workspace, "Soll-Stunden", 2);
        let project = asana.add_project(workspace, "Halle 7", &[area.gid, hours.gid]);
        let token = asana.add_token(erika);
        let client = crate::sandbox::client::of(Duration::from_secs(30)).unwrap();
        Self { asana, workspace, erika, max, area, hours, project, token, client }
    }

    fn task(&self, name: &str) -> Gid {
        self.asana.add_task(self.project, json!({ "name": name })).unwrap()
    }

    fn erika(&self) -> Person {
        self.asana.person(self.erika)
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, data: Value) -> Reply {
        self.call(Method::POST, path, Some(json!({ "data": data }))).await
    }

    async fn put(&self, path: &str, data: Value) -> Reply {
        self.call(Method::PUT, path, Some(json!({ "data": data }))).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None).await
    }

    /// With Erika's token.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.call_as(Some(&self.token), method, path, body).await
    }

    /// Every answer is held against the description.
    async fn call_as(&self, token: Option<&str>, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.asana.api_url()));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let bare = path.split('?').next().unwrap();
        let is_json = !body.is_string();
        if is_json && Operation::of(&method, bare).is_some() {
            super::spec::check_answer(method.as_str(), bare, status, &body).unwrap();
        }
        Reply { status, headers, body }
    }

    /// A page as everybody should ask for it.
    async fn page(&self, path: &str, offset: Option<&str>) -> Reply {
        let joint = if path.contains('?') { '&' } else { '?' };
        let offset = offset.map(|offset| format!("&offset={offset}")).unwrap_or_default();
        self.get(&format!("{path}{joint}limit=100{offset}")).await
    }

    /// The gids of a whole listing, and the number of pages.
    async fn all(&self, path: &str) -> (Vec<String>, usize) {
        let (mut gids, mut pages, mut offset) = (Vec::new(), 0, None);
        loop {
            let reply = self.page(path, offset.as_deref()).await;
            gids.extend(reply.gids());
            pages += 1;
            offset = reply.body["next_page"]["offset"].as_str().map(str::to_owned);
            if offset.is_none() {
                return (gids, pages);
            }
        }
    }
}

impl Reply {
    #[track_caller]
    fn data(&self) -> &Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        &self.body["data"]
    }

    #[track_caller]
    fn gid(&self) -> Gid {
        self.data()["gid"].as_str().unwrap().parse().unwrap()
    }

    #[track_caller]
    fn gids(&self) -> Vec<String> {
        let data = self.data().as_array().unwrap();
        data.iter().map(|one| one["gid"].as_str().unwrap().to_owned()).collect()
    }

    /// Status and message of a refusal.
    #[track_caller]
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["errors"][0]["message"].as_str().expect("a message"))
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A webhook's target on a free port: keeps what comes, and says handshakes back.
struct Target {
    url: String,
    inbox: Arc<Inbox>,
    server: tokio::task::JoinHandle<()>,
}

struct Inbox {
    seen: Mutex<Vec<(HeaderMap, Bytes)>>,
    count: watch::Sender<usize>,
    status: Mutex<StatusCode>,
    echoes: bool,
}

impl Target {
    async fn start() -> Self {
        Self::with(true).await
    }

    /// Says nothing back.
    async fn mute() -> Self {
        Self::with(false).await
    }

    async fn with(echoes: bool) -> Self {
        let inbox = Arc::new(Inbox {
            seen: Mutex::default(),
            count: watch::Sender::default(),
            status: Mutex::new(StatusCode::OK),
            echoes,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(receive).with_state(inbox.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inbox, server }
    }

    fn answer(&self, status: StatusCode) {
        *self.inbox.status.lock().unwrap() = status;
    }

    async fn has_seen(&self, count: usize) {
        let mut seen = self.inbox.count.subscribe();
        let wait = seen.wait_for(|seen| *seen >= count);
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap().unwrap();
    }

    fn seen(&self) -> Vec<(HeaderMap, Bytes)> {
        self.inbox.seen.lock().unwrap().clone()
    }

    /// The events of each delivery that had some.
    fn told(&self) -> Vec<Vec<Value>> {
        let seen = self.seen();
        let bodies = seen.iter().filter_map(|(_, body)| serde_json::from_slice::<Value>(body).ok());
        bodies
            .filter_map(|body| body["events"].as_array().cloned())
            .filter(|events| !events.is_empty())
            .collect()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> Response {
    inbox.seen.lock().unwrap().push((headers.clone(), body));
    inbox.count.send_modify(|count| *count += 1);
    let status = *inbox.status.lock().unwrap();
    match headers.get("x-hook-secret").filter(|_| inbox.echoes) {
        Some(secret) => (status, [("x-hook-secret", secret.clone())]).into_response(),
        None => status.into_response(),
    }
}
