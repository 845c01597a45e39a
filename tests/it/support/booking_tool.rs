//! The booking tool as the HTTP adapter meets it: signed deliveries over real HTTP.

use std::{net::SocketAddr, time::Duration};

use chrono::Utc;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Value, json};
use stellwerk::{
    proto::{SignatureScheme, WebhookEndpoint},
    provider::{
        booking_tool,
        signature::{sign_legacy, sign_standard},
    },
};
use uuid::Uuid;

use super::log_book;

/// What the adapter answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `null` where it is no JSON.
    pub(crate) body: Value,
}

/// One endpoint's sender. Every delivery is made once; repeating is the test's decision.
#[derive(Clone)]
pub(crate) struct TestBookingTool {
    pub(crate) endpoint: WebhookEndpoint,
    http: SocketAddr,
    client: reqwest::Client,
    pub(crate) path: String,
    scheme: SignatureScheme,
    key: SecretSlice<u8>,
}

impl TestBookingTool {
    pub(crate) fn new(
        http: SocketAddr,
        scheme: SignatureScheme,
        endpoint: WebhookEndpoint,
        secret: &str,
    ) -> Self {
        // The URL is the public one, in front of a proxy that tests do not have.
        let path = url::Url::parse(&endpoint.url).expect("a URL").path().to_string();
        path.rsplit('/').take(1).chain([secret]).for_each(log_book::secret);
        let signed = match scheme {
            SignatureScheme::Legacy => booking_tool::LEGACY,
            SignatureScheme::Standard | SignatureScheme::Unspecified => booking_tool::STANDARD,
            other => panic!("the booking tool does not sign like {other:?}"),
        };
        let key = signed.key(&secret.into()).expect("a secret");
        Self { endpoint, http, client: client(), path, scheme, key }
    }

    /// The same tool, which now posts to another instance.
    pub(crate) fn at(&self, http: SocketAddr) -> Self {
        Self { http, ..self.clone() }
    }

    /// The same tool with another secret, as after a rotation.
    pub(crate) fn with_secret(&self, secret: &str) -> Self {
        Self::new(self.http, self.scheme, self.endpoint.clone(), secret)
    }

    pub(crate) async fn patient_created(&self, data: Value) -> Answer {
        self.send("patient.created", data).await
    }

    /// A fresh event, signed and delivered once.
    pub(crate) async fn send(&self, event: &str, data: Value) -> Answer {
        let id = format!("evt_{}", Uuid::now_v7().simple());
        self.deliver(&id, &json!({ "id": id, "event": event, "occurred_at": Utc::now(), "data": data })).await
    }

    /// An event as the test wrote it, under a delivery id of the test's choice.
    pub(crate) async fn deliver(&self, id: &str, event: &Value) -> Answer {
        let body = event.to_string().into_bytes();
        let headers = self.signed(id, Utc::now().timestamp(), &body);
        self.post(headers, body).await
    }

    /// The headers of an authentic delivery; `timestamp` is in Unix seconds.
    pub(crate) fn signed(&self, id: &str, timestamp: i64, body: &[u8]) -> HeaderMap {
        let key = self.key.expose_secret();
        match self.scheme {
            SignatureScheme::Legacy => headers([("x-webhook-signature", sign_legacy(key, body))]),
            SignatureScheme::Standard | SignatureScheme::Unspecified => headers([
                ("webhook-id", id.to_string()),
                ("webhook-timestamp", timestamp.to_string()),
                ("webhook-signature", sign_standard(key, id, timestamp, body)),
            ]),
            other => panic!("the booking tool does not sign like {other:?}"),
        }
    }

    /// Anything at all, to this endpoint.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Answer {
        self.try_post(headers, body).await.expect("an answer")
    }

    /// The same, where the server may be gone.
    pub(crate) async fn try_post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("http://{}{}", self.http, self.path));
        let response =
            request.header("content-type", "application/json").headers(headers).body(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Answer { status, headers, body })
    }
}

/// Headers by name; values may be anything that HTTP carries.
pub(crate) fn headers<const N: usize>(list: [(&'static str, String); N]) -> HeaderMap {
    let header = |(name, value): (&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a header value"))
    };
    list.into_iter().map(header).collect()
}

#[expect(clippy::disallowed_methods, reason = "a sender outside the program, not its way out")]
pub(crate) fn client() -> reqwest::Client {
    // reqwest asks for a TLS provider even where all is plain HTTP; a second installation is refused and does
    // no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().expect("a client")
}
