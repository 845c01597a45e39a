//! Carries events to stellwerk and repeats them until they are kept, for up to a day.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::header::RETRY_AFTER;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::Serialize;
use serde_json::Value;
use url::{Host, Url};

use super::{Error, ToolEvent};
use crate::provider::signature::{self, Scheme};

const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// Pauses together; then the tool gives up.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How the courier waits between two attempts; tests give one that only takes notes.
pub type Pause = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// The last answer to one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// None: nobody answered in time.
    pub status: Option<u16>,
    /// The answer as JSON, or as a text where it is none.
    pub body: Value,
    pub attempts: u32,
}

impl Delivered {
    pub fn is_kept(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

#[derive(Clone)]
pub(super) struct Courier {
    client: reqwest::Client,
    target: Url,
    scheme: Scheme,
    key: SecretSlice<u8>,
    pause: Pause,
}

pub(super) struct Attempt {
    pub(super) answer: Delivered,
    retry_after: Option<Duration>,
}

impl Courier {
    pub(super) fn new(target: Url, scheme: Scheme, secret: &SecretString) -> Result<Self, Error> {
        if target.scheme() != "http" || !is_loopback(&target) {
            return Err(Error::NotLoopback);
        }
        if matches!(scheme, Scheme::Token(_) | Scheme::SignedToken(_)) {
            return Err(Error::NotItsScheme);
        }
        Ok(Self {
            client: client()?,
            target,
            scheme,
            key: scheme.key(secret)?,
            pause: Arc::new(|pause| tokio::time::sleep(pause).boxed()),
        })
    }

    pub(super) fn with_pause(self, pause: Pause) -> Self {
        Self { pause, ..self }
    }

    /// Delivers until the event is kept or a day of pauses is over.
    pub(super) async fn deliver(&self, event: &ToolEvent) -> Delivered {
        let first = self.attempt(event).await;
        self.repeat(event, first).await
    }

    /// Goes on after a first attempt: at least as long apart as told, otherwise twice as long each time.
    pub(super) async fn repeat(&self, event: &ToolEvent, first: Attempt) -> Delivered {
        let (mut last, mut attempts, mut waited) = (first, 1_u32, Duration::ZERO);
        while !last.answer.is_kept() {
            let pause = match last.retry_after {
                Some(told) => told.max(FIRST_PAUSE),
                None => back_off(attempts),
            };
            waited = waited.saturating_add(pause);
            if waited > PATIENCE {
                break;
            }
            (self.pause)(pause).await;
            last = self.attempt(event).await;
            attempts += 1;
        }
        Delivered { attempts, ..last.answer }
    }

    /// One signed request. A repeat is signed anew, because its timestamp is its own.
    pub(super) async fn attempt(&self, event: &ToolEvent) -> Attempt {
        let request =
            self.client.post(self.target.clone()).header(reqwest::header::CONTENT_TYPE, "application/json");
        let key = self.key.expose_secret();
        let signed = match self.scheme {
            Scheme::Hmac(hmac) => {
                request.header(hmac.header, hmac.sign(key, &event.body, "", self.target.as_str()))
            }
            // A tool with another scheme is refused when it is made.
            Scheme::StandardWebhooks | Scheme::Token(_) | Scheme::SignedToken(_) => {
                let (id, now) = (&event.delivery_id, Utc::now().timestamp());
                request
                    .header("webhook-id", id)
                    .header("webhook-timestamp", now)
                    .header("webhook-signature", signature::sign_standard(key, id, now, &event.body))
            }
        };
        match signed.body(event.body.clone()).send().await {
            Ok(response) => answered(response).await,
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "nobody took the event");
                let body = Value::from("stellwerk did not answer");
                Attempt { answer: Delivered { status: None, body, attempts: 1 }, retry_after: None }
            }
        }
    }
}

async fn answered(mut response: reqwest::Response) -> Attempt {
    let status = response.status().as_u16();
    let told = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = told.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - bytes.len())]);
        if bytes.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
    Attempt { answer: Delivered { status: Some(status), body, attempts: 1 }, retry_after }
}

/// 1 s after the first attempt, then doubled, at most an hour.
fn back_off(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_PAUSE)
}

fn is_loopback(target: &Url) -> bool {
    match target.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// reqwest insists on a TLS configuration even for plain HTTP. This one trusts nobody, and leaves the
/// choice of a process-wide crypto provider to whoever runs the sandbox.
#[expect(
    clippy::disallowed_methods,
    reason = "a double is no part of the product: it has a client of its own"
)]
pub(super) fn client() -> Result<reqwest::Client, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Client(error.into()))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| Error::Client(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_doubles_up_to_an_hour() {
        let seconds: Vec<u64> = (1..=14).map(|attempts| back_off(attempts).as_secs()).collect();

        let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600];
        assert_eq!(seconds, expected);
        assert_eq!(back_off(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn only_plain_http_to_loopback_is_a_target() {
        let secret = SecretString::from("secret");
        let scheme = crate::provider::booking_tool::LEGACY;
        let accepts = |url: &str| Courier::new(url.parse().unwrap(), scheme, &secret).is_ok();

        for url in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/a"] {
            assert!(accepts(url), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "http://10.0.0.1/",
            "http://example.org/",
            "http://localhost.example.org/",
            "http://[::ffff:10.0.0.1]/",
            "ftp://localhost/",
        ] {
            assert!(!accepts(url), "{url}");
        }
    }
}
