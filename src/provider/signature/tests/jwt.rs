//! Holds P2 for tokens: one algorithm, the right key, the right times.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const SCHEME: Scheme = Scheme::SignedToken(SignedToken { header: "authorization" });

fn signed(header: &Value, claims: &Value, key: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(Hash::Sha256.mac(key, &[message.as_bytes()]));
    format!("{message}.{signature}")
}

fn judge_token(token: &str) -> Result<Verified, Refusal> {
    judge(&SCHEME, &headers(&[("authorization", &format!("Bearer {token}"))]))
}

#[test]
fn the_token_of_rfc_7515_appendix_a_1_is_believed_at_its_time() {
    let vector = vectors("jws").pop().unwrap();
    let key = URL_SAFE_NO_PAD.decode(&vector.key).unwrap();
    let headers = headers(&[("authorization", &format!("Bearer {}", vector.compact.unwrap()))]);
    let judge_at = |now| verify(&SCHEME, &headers, BODY, &[secret(&key)], now);

    assert!(judge_at(1_300_819_379).is_ok());
    assert_eq!(judge_at(1_300_819_380 + 61), Err(Refusal::BadToken));
    assert_eq!(verify(&SCHEME, &headers, BODY, &[secret(b"key")], 1_300_819_379), Err(Refusal::Mismatch));
}

#[test]
fn only_hs256_is_an_algorithm() {
    let claims = json!({ "iss": "jira" });
    let good = signed(&json!({ "alg": "HS256", "typ": "JWT" }), &claims, b"key");
    assert!(judge_token(&good).is_ok());

    for algorithm in ["none", "None", "HS384", "RS256", "hs256", ""] {
        let token = signed(&json!({ "alg": algorithm }), &claims, b"key");
        assert_eq!(judge_token(&token), Err(Refusal::BadToken), "{algorithm:?}");
    }
    let unsigned =
        format!("{}.", signed(&json!({ "alg": "none" }), &claims, b"").rsplit_once('.').unwrap().0);
    assert_eq!(judge_token(&unsigned), Err(Refusal::BadToken));
    let critical = signed(&json!({ "alg": "HS256", "crit": ["x"], "x": 1 }), &claims, b"key");
    assert_eq!(judge_token(&critical), Err(Refusal::MalformedHeader));
}

#[test]
fn times_count_where_there_are_any() {
    let token = |claims: Value| signed(&json!({ "alg": "HS256" }), &claims, b"key");

    for good in [json!({}), json!({ "exp": NOW - 59 }), json!({ "nbf": NOW + 60, "iat": NOW + 60 })] {
        assert!(judge_token(&token(good.clone())).is_ok(), "{good}");
    }
    for bad in [
        json!({ "exp": NOW - 60 }),
        json!({ "nbf": NOW + 61 }),
        json!({ "iat": NOW + 61 }),
        json!({ "exp": "soon" }),
    ] {
        assert_eq!(judge_token(&token(bad.clone())), Err(Refusal::BadToken), "{bad}");
    }
}

#[test]
fn what_is_no_bearer_token_is_malformed() {
    let token = signed(&json!({ "alg": "HS256" }), &json!({}), b"key");
    for value in [
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token}."),
        "Bearer".to_owned(),
        "Bearer a.b".to_owned(),
    ] {
        let found = judge(&SCHEME, &headers(&[("authorization", &value)]));
        assert_eq!(found, Err(Refusal::MalformedHeader), "{value:?}");
    }
    assert_eq!(judge(&SCHEME, &HeaderMap::new()), Err(Refusal::MissingHeader));
}
