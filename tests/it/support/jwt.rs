//! Invented key pairs, tokens signed with them, and a key server, for tests that need a signed-in caller.
//!
//! The keys were generated for these tests, are printed here for everybody to read and protect nothing.

// Each test binary that includes this file uses another part of it.
#![allow(dead_code)]
// A test that cannot set itself up should stop right there.
#![allow(clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A key pair with the name and the algorithm under which it signs.
#[derive(Clone, Copy)]
pub(crate) struct TestKey {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    private_pem: &'static str,
}

pub(crate) const ES256: TestKey =
    TestKey { kid: "test-es256", algorithm: Algorithm::ES256, private_pem: TEST_KEY_ES256 };

/// The key that an issuer rotates to.
pub(crate) const ES256_NEXT: TestKey =
    TestKey { kid: "test-es256-next", algorithm: Algorithm::ES256, private_pem: TEST_KEY_ES256_NEXT };

pub(crate) const EDDSA: TestKey =
    TestKey { kid: "test-eddsa", algorithm: Algorithm::EdDSA, private_pem: TEST_KEY_ED25519 };

pub(crate) const RS256: TestKey =
    TestKey { kid: "test-rs256", algorithm: Algorithm::RS256, private_pem: TEST_KEY_RSA };

pub(crate) const PS256: TestKey =
    TestKey { kid: "test-ps256", algorithm: Algorithm::PS256, private_pem: TEST_KEY_RSA };

impl TestKey {
    /// A token with these claims and the usual header.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let name = serde_json::to_value(self.algorithm).expect("a name");
        self.sign_with_header(&json!({ "typ": "JWT", "alg": name, "kid": self.kid }), claims)
    }

    /// A token with any header, even one that contradicts the key.
    pub(crate) fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding(), self.algorithm);
        format!("{message}.{}", signature.expect("a signature"))
    }

    /// The public half as a JWK with `kid`, `alg` and `use`.
    pub(crate) fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.encoding(), self.algorithm).expect("a JWK");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    fn encoding(&self) -> EncodingKey {
        let pem = self.private_pem.as_bytes();
        match self.algorithm.family() {
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
            AlgorithmFamily::Hmac => unreachable!("test keys are key pairs"),
        }
        .expect("a test key")
    }
}

/// A JWK set of these keys' public halves.
pub(crate) fn jwks(keys: &[TestKey]) -> Value {
    json!({ "keys": keys.iter().map(TestKey::jwk).collect::<Vec<_>>() })
}

/// The claims of a caller, valid from `now` for five minutes, under stellwerk's default claim names.
pub(crate) fn claims(
    issuer: &str,
    audience: &str,
    subject: &str,
    tenant: Uuid,
    role: &str,
    now: DateTime<Utc>,
) -> Value {
    json!({
        "iss": issuer, "aud": audience, "sub": subject,
        "iat": now.timestamp(), "nbf": now.timestamp(), "exp": now.timestamp() + 300,
        "stellwerk_tenant": tenant, "stellwerk_role": role,
    })
}

/// A token that nobody signed.
pub(crate) fn unsigned(claims: &Value) -> String {
    format!("{}.", message(&json!({ "typ": "JWT", "alg": "none" }), claims))
}

/// A token signed with a shared secret under any key id.
pub(crate) fn sign_hs256(kid: &str, secret: &[u8], claims: &Value) -> String {
    let message = message(&json!({ "typ": "JWT", "alg": "HS256", "kid": kid }), claims);
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.expect("a signature"))
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// An issuer's key server: real HTTP on a free loopback port, counting who asks. It ends with the value.
pub(crate) struct KeyServer {
    port: u16,
    calls: Arc<AtomicUsize>,
    answer: Arc<Mutex<(StatusCode, String)>>,
    serving: JoinHandle<()>,
}

impl KeyServer {
    pub(crate) async fn start(keys: &[TestKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let calls = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(Mutex::new((StatusCode::OK, jwks(keys).to_string())));
        let (counted, given) = (Arc::clone(&calls), Arc::clone(&answer));
        let handler = move || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            reply(given.lock().expect("not poisoned").clone())
        };
        // Wherever a provider has them.
        let router = Router::new().fallback(routing::get(handler));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { port, calls, answer, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.host())
    }

    /// `host:port`, for the list of hosts that the egress may reach.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// From now on serves these keys.
    pub(crate) fn rotate_to(&self, keys: &[TestKey]) {
        self.answer_with(StatusCode::OK, &jwks(keys).to_string());
    }

    pub(crate) fn answer_with(&self, status: StatusCode, body: &str) {
        *self.answer.lock().expect("not poisoned") = (status, body.to_owned());
    }

    /// Closes the port; connections are refused once this returns.
    pub(crate) async fn stop(mut self) {
        self.serving.abort();
        let ended = (&mut self.serving).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "the server had ended before");
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Closes the connection after each answer, so that a stopped server is really out of reach.
fn reply((status, body): (StatusCode, String)) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

const TEST_KEY_ES256: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgK0JdCzhb07Q0X6Nu
wJUyatjOCz0Z1/WeirZEGG3DmEShRANCAAR8WFTr78meZTypjUR0EFl+PQlaHvkJ
8GWhk3g7spgOmOi+DjcYTJ3or62DCxjrhCmU2hLRLACFoEKzILAaFnbC
-----END PRIVATE KEY-----
";

const TEST_KEY_ES256_NEXT: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgovmXvt6tXD9lAHLM
Zq/LvgLQdAbkGz/jy7pveE/d0ZahRANCAASxNz7fzHlUX8m042pyNbtJmib4uYKy
oaCLNm2EfqAPX2lV87rGel7F9Df/p/NwB0bQsl4y//bYcLxLXda7fp4f
-----END PRIVATE KEY-----
";

const TEST_KEY_ED25519: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJzAnop6jb3NTb44cgK6AjypdZ2wZz1/0W0GWXNe4tUh
-----END PRIVATE KEY-----
";

const TEST_KEY_RSA: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDdfZSU88zG9ucX
icU1AFYeIHImYPmOCcXXZIOfoilWQ/kW7VYA08jpYMCmbQw6zo8KOas8kstnScz3
jiSqAI6ERPI872anw2pKQMWlz8A6a4QKm0zE9pSaUe8Carlu0srnuKvKY0IKQ/Fq
7KneMwKWbOS8K0nlHuma5NEeeRAIhFMxOzJEco4EFNAegUFnKu4Qq2HVpfy887Mb
exrcfIT3z717ZijNd7gKYwn8tvVFju/gZx9hreMw8T+sMP1Vp3BMFQlT1I7kuqJT
3OuQwZIHCyt7hz4HuGqU+AF9X95aAjEqi26M0cTl7PJNLmRydYFJ9t4Yw7MgE9ea
vKyEBk2dAgMBAAECggEAAzFiALKyB0U8aBe1ltHCLA2CL8DyoAROjJAXoKe9ClAR
CW5S8NCcwxaAuHV2eWuMXtSdfhJMqdjDwmbTavr2kvwOdOfrliwIPnlIEB+aUQ1H
OkLqXKWEV2QqeqGwuiMCR0xfd5uuMkkv8/9k5H3eQe5gbsD9//ZN3kyBojuTClhd
HuDprcrRpVoB0q3my8Tw9wiLsqLUnxR1FcMeV1xkRt84clCtQ0FUFKHaltufsq5N
slgOleh0ahga27kWGpaNyicHnpqyUVO+XvilkFlD99d0k+xsZbBOxk6BuCD0B7VK
r9o9xjesE4BKKnwXZvyiZTcTbT9khmwBwBEo0ru8uQKBgQD3OFCUrnwh/flwITqm
FhukfGBuGqTgf11v+reokqbXtwGW96iYKqiaLqcvXs79lW1a4Zm7xDTiN7JegmHZ
5ns5m96gUuxwOvtUxZFWYqdfHkYTy/pJbPr7hAkNRZAOsahQPrFNu6EEEzmryzvO
fsPlm6nkaPzKNgZhPyXP80jzCQKBgQDlW1ZyT3FkUp1k0PqbIoYczuMs2yyqulkL
uP59eLehH5yt/ZOLGXg/RCSo52rDguDru98WzeXYyfS2zY73FU2Tgf4+1MnKyoSm
2bAr1168iJiKItk29kXPXYrBX80O9BFsF/jZXBPiCa0Qx+yE/rnWQFynOUaqpCIl
HTj/9MeG9QKBgQCNZOUZlI4ktuiyTB8KHPzkX8qbTpvcVpwvTps6S94m5GGBYdZI
aaWSwXoXasdCW/N2li9iJ/8DH03iJfonMV5q/Y4f7i2SpvlWa8ULPlNx4JO+ANz+
n9kQf1zZ/V4+OTgF5UVtKxIVjZVff1aObQxHx3cszys90BZoCkDrJb8kWQKBgCCh
eg8RVmSbjGEHil//7Wyz0oZTOGuhz4FndG2NezKlOLlYVmF34i++Fikho4LlX/Kp
6/dmm8jYEsTfQfPNSBgwameuBnefkHfciL/0CDpyhKFCi/zR1OTHvjH820PBXakv
T+w8uWdzUPgOOYxCYVYmGgiAkZk9eM4m9jEUNj7xAoGBAODr6zwUEq+Aa46vDMVI
UzWQlBxpsx7JuGShGaTfy1HtdeXGBPDO9e0y2gRMl3fGJ1VQsGBl7C+haM4FA3cY
z6mlDjgTaIsACsPNUmomrbDdkmMQcH6ulW04merIH4NY7klb7NSOpiWPnOe9q2Mu
YUeVwVG2+zgGjLc2l1nDfqkH
-----END PRIVATE KEY-----
";
