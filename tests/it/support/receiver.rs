//! Where notices go: a real listener that keeps what it gets and answers as it is told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// Ends with the value.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    received: Vec<Received>,
    /// What is answered next, with how long to wait; 200 when nothing is left.
    script: VecDeque<(u16, Option<u32>)>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(receive).with_state(kept.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { address, kept, serving }
    }

    /// The next answers, one after the other.
    pub(crate) fn answer(&self, script: impl IntoIterator<Item = (u16, Option<u32>)>) {
        self.kept.lock().expect("not poisoned").script.extend(script);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.kept.lock().expect("not poisoned").received.clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(
    State(kept): State<Arc<Mutex<Kept>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut kept = kept.lock().expect("not poisoned");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    kept.received.push(Received { path: uri.to_string(), headers, body });
    let (status, wait) = kept.script.pop_front().unwrap_or((200, None));
    let mut answer = StatusCode::from_u16(status).expect("a status").into_response();
    if let Some(seconds) = wait {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
