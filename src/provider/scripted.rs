//! A provider over real HTTP on loopback, for the adapters' tests: it answers what a test says and keeps what
//! it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::egress::{Egress, EgressConfig};

/// What the double was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What it answers next.
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<(VecDeque<Reply>, Vec<Asked>)>>);

pub(super) struct Double {
    pub(super) egress: Egress,
    /// Of the API, with the path given.
    pub(super) base: Url,
    pub(super) key: SecretString,
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
    pub(super) async fn answering(path: &str, key: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Script::default();
        script.0.lock().unwrap().0.extend(replies);
        let router = Router::new().fallback(answer).with_state(script.clone());
        Self::with(path, key, router, script, |config| config).await
    }

    pub(super) async fn serving(
        path: &str,
        key: &str,
        router: Router,
        tune: fn(EgressConfig) -> EgressConfig,
    ) -> Self {
        Self::with(path, key, router, Script::default(), tune).await
    }

    async fn with(
        path: &str,
        key: &str,
        router: Router,
        script: Script,
        tune: fn(EgressConfig) -> EgressConfig,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let allow_private = vec![at.to_string().parse().unwrap()];
        let egress = Egress::new(tune(EgressConfig { allow_private, ..EgressConfig::default() })).unwrap();
        let base = format!("http://{at}/{path}").parse().unwrap();
        Self { egress, base, key: key.into(), script, serving }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.script.0.lock().unwrap().1.clone()
    }

    /// The one request there was.
    pub(super) fn the_one(&self) -> Asked {
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
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub(super) fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string() }
}
