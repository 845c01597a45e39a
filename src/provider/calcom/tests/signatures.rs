use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretSlice};
use serde::Deserialize;

use super::*;
use crate::provider::signature::{self, Refusal, Request, Scheme, Verified, generate_secret, sign_legacy};

#[derive(Deserialize)]
struct Vector {
    name: String,
    secret: Option<String>,
    raw_body: String,
    headers: std::collections::BTreeMap<String, String>,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(&data("signature-vectors.json")).unwrap()
}

fn signed(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-cal-signature-256", HeaderValue::from_str(value).unwrap());
    headers
}

fn verify(
    scheme: &Scheme,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[SecretSlice<u8>],
    now: i64,
) -> Result<Verified, Refusal> {
    signature::verify(scheme, &Request { headers, body, address: "" }, secrets, now)
}

fn judge(headers: &HeaderMap, body: &str, secret: &str) -> Result<Verified, Refusal> {
    let key: SecretSlice<u8> = secret.as_bytes().to_vec().into();
    verify(&SCHEME, headers, body.as_bytes(), &[key], 0)
}

#[test]
fn published_deliveries_verify_over_their_raw_bytes_only() {
    let signed_ones: Vec<Vector> = vectors().into_iter().filter(|vector| vector.secret.is_some()).collect();
    assert_eq!(signed_ones.len(), 4);

    for vector in signed_ones {
        let headers = signed(&vector.headers["X-Cal-Signature-256"]);
        let secret = vector.secret.unwrap();
        let parsed: Value = serde_json::from_str(&vector.raw_body).unwrap();
        let again = serde_json::to_string_pretty(&parsed).unwrap();

        assert!(judge(&headers, &vector.raw_body, &secret).is_ok(), "{}", vector.name);
        assert_eq!(judge(&headers, &format!("{} ", vector.raw_body), &secret), Err(Refusal::Mismatch));
        assert_eq!(judge(&headers, &vector.raw_body, "another"), Err(Refusal::Mismatch));
        assert_eq!(judge(&headers, &again, &secret), Err(Refusal::Mismatch));
        webhook::parse(vector.raw_body.as_bytes()).unwrap();
    }
}

#[test]
fn a_subscription_without_a_secret_is_not_believed() {
    let unsigned = vectors().into_iter().find(|vector| vector.secret.is_none()).unwrap();
    let headers = signed(&unsigned.headers["X-Cal-Signature-256"]);

    let with_a_secret = judge(&headers, &unsigned.raw_body, "whsec-example");
    let with_that_word = judge(&headers, &unsigned.raw_body, "no-secret-provided");
    let without = verify(&SCHEME, &headers, unsigned.raw_body.as_bytes(), &[], 0);
    let missing = judge(&HeaderMap::new(), &unsigned.raw_body, "whsec-example");

    assert_eq!(with_a_secret, Err(Refusal::MalformedHeader));
    assert_eq!(with_that_word, Err(Refusal::MalformedHeader));
    assert_eq!((without, missing), (Err(Refusal::NoSecret), Err(Refusal::MissingHeader)));
}

#[test]
fn another_providers_signature_beside_a_good_one_is_refused_both_ways() {
    use crate::provider::booking_tool;

    let key = [SecretSlice::from(b"key".to_vec())];
    let digits = sign_legacy(b"key", b"{}");
    let mut both = signed(&digits);
    both.insert("x-webhook-signature", HeaderValue::from_str(&digits).unwrap());

    assert!(verify(&SCHEME, &signed(&digits), b"{}", &key, 0).is_ok());
    assert_eq!(verify(&SCHEME, &both, b"{}", &key, 0), Err(Refusal::TwoSchemes));
    assert_eq!(verify(&booking_tool::LEGACY, &both, b"{}", &key, 0), Err(Refusal::TwoSchemes));
}

#[test]
fn a_generated_secret_fits_the_scheme() {
    let secret = generate_secret(&SCHEME);

    let digits = sign_legacy(SCHEME.key(&secret).unwrap().expose_secret(), b"{}");

    assert!(judge(&signed(&digits), "{}", secret.expose_secret()).is_ok());
    let prefixed = judge(&signed(&format!("sha256={digits}")), "{}", secret.expose_secret());
    assert_eq!(prefixed, Err(Refusal::MalformedHeader));
}
