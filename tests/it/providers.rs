//! Every provider of the catalog at the HTTP adapter: what it would sign is believed, what is near it is not.
//!
//! The signatures are made here from the providers' own documentation, not by the code under test.

mod clients;
mod handshakes;
mod listing;
mod proofs;
mod repeats;
mod secrets;
mod tokens;

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use stellwerk::proto::{
    CreateWebhookEndpointRequest, ListWebhookEventsRequest, SignatureScheme, WebhookEndpoint, WebhookEvent,
};

use crate::support::{
    app::TestApp,
    booking_tool::{Answer, client},
    tenant::TestTenant,
};

/// An address, and who posts to it.
pub(crate) struct Hook {
    pub(crate) endpoint: WebhookEndpoint,
    /// As it was made, or as it was given.
    pub(crate) secret: String,
    http: SocketAddr,
    path: String,
    client: reqwest::Client,
}

impl Hook {
    /// A new address of the tenant's first integration with this provider.
    pub(crate) async fn of(
        app: &TestApp,
        tenant: &TestTenant,
        provider: &str,
        scheme: SignatureScheme,
        secret: &str,
    ) -> Self {
        let mut request = CreateWebhookEndpointRequest {
            provider: provider.into(),
            secret: secret.into(),
            ..Default::default()
        };
        request.set_scheme(scheme);
        let made = tenant.admin.webhooks().create_webhook_endpoint(request).await.unwrap().into_inner();
        let endpoint = made.webhook_endpoint.unwrap();
        let path = url::Url::parse(&endpoint.url).unwrap().path().to_owned();
        let secret = if secret.is_empty() { made.secret } else { secret.into() };
        Self { endpoint, secret, http: app.http(), path, client: client() }
    }

    pub(crate) async fn post(&self, headers: HeaderMap, body: &[u8]) -> Answer {
        self.ask(Method::POST, "", headers, body).await
    }

    pub(crate) async fn ask(&self, method: Method, query: &str, headers: HeaderMap, body: &[u8]) -> Answer {
        ask(&self.client, self.http, method, &format!("{}{query}", self.path), headers, body).await.0
    }

    /// With the answer's text.
    pub(crate) async fn read(&self, method: Method, query: &str) -> (Answer, String) {
        let path = format!("{}{query}", self.path);
        ask(&self.client, self.http, method, &path, HeaderMap::new(), b"").await
    }
}

/// Any request, and the answer with its text.
pub(crate) async fn ask(
    client: &reqwest::Client,
    http: SocketAddr,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: &[u8],
) -> (Answer, String) {
    let request = client.request(method, format!("http://{http}{path}")).headers(headers);
    let response = request.body(body.to_vec()).send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a text");
    (Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }, text)
}

/// What was kept, newest first.
pub(crate) async fn events(tenant: &TestTenant) -> Vec<WebhookEvent> {
    let request = ListWebhookEventsRequest::default();
    tenant.admin.webhooks().list_webhook_events(request).await.unwrap().into_inner().webhook_events
}

pub(crate) fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    list.iter().map(header).collect()
}

pub(crate) fn sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac::<Hmac<sha2::Sha256>>(key, parts)
}

pub(crate) fn sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac::<Hmac<sha1::Sha1>>(key, parts)
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
