//! Holds P2: only what is signed as agreed is believed.

use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::*;

mod jwt;
mod properties;
mod providers;
mod standard;

const LEGACY: Scheme = Scheme::Hmac(Hmac::of_body("x-webhook-signature", Prefix::Maybe("sha256=")));
const NOW: i64 = 1_771_320_600;
const BODY: &[u8] = br#"{"event":"ping","data":{}}"#;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    group: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    key_encoding: String,
    message_id: Option<String>,
    timestamp: Option<String>,
    body: Option<String>,
    body_hex: Option<String>,
    prefix: Option<String>,
    header: Option<String>,
    header_value: Option<String>,
    compact: Option<String>,
    #[serde(default)]
    expected: String,
    truncate_bytes: Option<usize>,
}

fn vectors(group: &str) -> Vec<Vector> {
    let text = include_str!("../../../tests/data/signature_vectors.json");
    let all: Vectors = serde_json::from_str(text).unwrap();
    all.vectors.into_iter().filter(|vector| vector.group == group).collect()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn secret(bytes: &[u8]) -> SecretSlice<u8> {
    bytes.to_vec().into()
}

fn legacy(value: &str) -> HeaderMap {
    headers(&[("X-Webhook-Signature", value)])
}

fn standard(id: &str, stamp: &str, list: &str) -> HeaderMap {
    headers(&[("webhook-id", id), ("webhook-timestamp", stamp), ("webhook-signature", list)])
}

/// As most schemes need it: without an address.
fn verify(
    scheme: &Scheme,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[SecretSlice<u8>],
    now: i64,
) -> Result<Verified, Refusal> {
    super::verify(scheme, &Request { headers, body, address: "" }, secrets, now)
}

/// One secret, the usual body, the usual clock.
fn judge(scheme: &Scheme, headers: &HeaderMap) -> Result<Verified, Refusal> {
    verify(scheme, headers, BODY, &[secret(b"key")], NOW)
}

fn signed_standard(key: &[u8], id: &str, timestamp: i64) -> HeaderMap {
    standard(id, &timestamp.to_string(), &sign_standard(key, id, timestamp, BODY))
}

#[test]
fn published_header_vectors_verify_and_are_what_we_would_send() {
    let vectors = vectors("hmac");
    assert_eq!(vectors.len(), 8);

    for vector in vectors {
        let body = vector.body.as_ref().unwrap().as_bytes();
        let value = vector.header_value.as_ref().unwrap_or(&vector.expected);
        let (scheme, headers, now) = match (&vector.message_id, &vector.timestamp) {
            (Some(id), Some(stamp)) => {
                (Scheme::StandardWebhooks, standard(id, stamp, value), stamp.parse().unwrap())
            }
            _ => {
                let header: &'static str = vector.header.clone().unwrap().leak();
                let header: &'static str = header.to_ascii_lowercase().leak();
                let prefix = match &*vector.prefix.clone().unwrap().leak() {
                    "" => Prefix::Nothing,
                    prefix => Prefix::Always(prefix),
                };
                (Scheme::Hmac(Hmac::of_body(header, prefix)), headers(&[(header, value)]), NOW)
            }
        };
        let key = scheme.key(&vector.key.clone().into()).unwrap();
        let ours = match &vector.message_id {
            Some(id) => sign_standard(key.expose_secret(), id, now, body),
            None => vector.prefix.unwrap() + &sign_legacy(key.expose_secret(), body),
        };

        let verified = verify(&scheme, &headers, body, std::slice::from_ref(&key), now);

        assert_eq!(verified.map(|v| v.secret_index), Ok(0), "{}", vector.id);
        assert_eq!(ours, vector.expected, "{}", vector.id);
        assert_ne!(vector.key_encoding, "hex", "{}", vector.id);
    }
}

#[test]
fn rfc_4231_macs_are_reproduced() {
    let vectors = vectors("hmac-raw");
    assert_eq!(vectors.len(), 7);

    for vector in vectors {
        let key = hex::decode(&vector.key).unwrap();
        let body = hex::decode(vector.body_hex.unwrap()).unwrap();
        let length = vector.truncate_bytes.unwrap_or(32) * 2;

        assert_eq!(sign_legacy(&key, &body)[..length], vector.expected, "{}", vector.id);
    }
}

#[test]
fn the_legacy_prefix_may_be_absent() {
    let digits = sign_legacy(b"key", BODY);

    let bare = judge(&LEGACY, &legacy(&digits));
    let prefixed = judge(&LEGACY, &legacy(&format!("sha256={digits}")));

    let expected = Ok(Verified { delivery_id: None, timestamp: None, secret_index: 0, elements: None });
    assert_eq!((bare, prefixed), (expected.clone(), expected));
}

#[test]
fn an_odd_legacy_header_is_malformed() {
    let digits = sign_legacy(b"key", BODY);
    for value in [
        String::new(),
        "sha256=".to_owned(),
        digits.to_uppercase(),
        format!("SHA256={digits}"),
        format!("sha1={digits}"),
        format!("sha256=sha256={digits}"),
        format!("sha256= {digits}"),
        format!("{digits},{digits}"),
        digits[..63].to_owned(),
        digits[..32].to_owned(),
        format!("{digits}00"),
        format!("{}zz", &digits[..62]),
        BASE64.encode(hex::decode(&digits).unwrap()),
    ] {
        assert_eq!(judge(&LEGACY, &legacy(&value)), Err(Refusal::MalformedHeader), "{value:?}");
    }
}

#[test]
fn a_header_missing_or_doubled_is_refused() {
    let digits = sign_legacy(b"key", BODY);
    let mut doubled = legacy(&digits);
    doubled.append("x-webhook-signature", HeaderValue::from_str(&digits).unwrap());

    assert_eq!(judge(&LEGACY, &HeaderMap::new()), Err(Refusal::MissingHeader));
    assert_eq!(judge(&LEGACY, &doubled), Err(Refusal::DoubledHeader));
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut without = signed_standard(b"key", "evt_1", NOW);
        let value = without.remove(name).unwrap();
        let mut twice = signed_standard(b"key", "evt_1", NOW);
        twice.append(HeaderName::try_from(name).unwrap(), value);

        assert_eq!(judge(&Scheme::StandardWebhooks, &without), Err(Refusal::MissingHeader), "{name}");
        assert_eq!(judge(&Scheme::StandardWebhooks, &twice), Err(Refusal::DoubledHeader), "{name}");
    }
}

#[test]
fn a_header_of_the_other_scheme_is_refused_even_beside_a_good_signature() {
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut both = legacy(&sign_legacy(b"key", BODY));
        both.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static(""));
        assert_eq!(judge(&LEGACY, &both), Err(Refusal::TwoSchemes), "{name}");
    }

    let mut both = signed_standard(b"key", "evt_1", NOW);
    both.insert("x-webhook-signature", HeaderValue::from_str(&sign_legacy(b"key", BODY)).unwrap());
    assert_eq!(judge(&Scheme::StandardWebhooks, &both), Err(Refusal::TwoSchemes));
}

#[test]
fn a_delivery_signed_for_the_other_scheme_is_refused() {
    let for_legacy = legacy(&sign_legacy(b"key", BODY));
    let for_standard = signed_standard(b"key", "evt_1", NOW);

    assert_eq!(judge(&Scheme::StandardWebhooks, &for_legacy), Err(Refusal::TwoSchemes));
    assert_eq!(judge(&LEGACY, &for_standard), Err(Refusal::TwoSchemes));
}

#[test]
fn without_a_secret_nothing_is_believed() {
    let headers = legacy(&sign_legacy(b"", BODY));

    assert_eq!(verify(&LEGACY, &headers, BODY, &[], NOW), Err(Refusal::NoSecret));
    assert_eq!(verify(&LEGACY, &headers, BODY, &[secret(b"")], NOW), Err(Refusal::NoSecret));
    let beside_a_real_one = [secret(b""), secret(b"key")];
    assert_eq!(verify(&LEGACY, &headers, BODY, &beside_a_real_one, NOW), Err(Refusal::Mismatch));
}

#[test]
fn a_foreign_secret_or_another_body_is_a_mismatch() {
    let strangers = legacy(&sign_legacy(b"other", BODY));
    let ours = legacy(&sign_legacy(b"key", BODY));
    let key = [secret(b"key")];

    assert_eq!(judge(&LEGACY, &strangers), Err(Refusal::Mismatch));
    assert_eq!(verify(&LEGACY, &ours, b"{}", &key, NOW), Err(Refusal::Mismatch));
    let renamed = standard("evt_2", &NOW.to_string(), &sign_standard(b"key", "evt_1", NOW, BODY));
    assert_eq!(judge(&Scheme::StandardWebhooks, &renamed), Err(Refusal::Mismatch));
    let earlier = standard("evt_1", "1771320599", &sign_standard(b"key", "evt_1", NOW, BODY));
    assert_eq!(judge(&Scheme::StandardWebhooks, &earlier), Err(Refusal::Mismatch));
}

#[test]
fn during_a_rotation_either_secret_verifies_and_is_named() {
    let secrets = [secret(b"new"), secret(b"old")];
    let index = |headers| verify(&LEGACY, &headers, BODY, &secrets, NOW).map(|v| v.secret_index);

    assert_eq!(index(legacy(&sign_legacy(b"new", BODY))), Ok(0));
    assert_eq!(index(legacy(&sign_legacy(b"old", BODY))), Ok(1));

    let list = format!(
        "{} {}",
        sign_standard(b"old", "evt_1", NOW, BODY),
        sign_standard(b"new", "evt_1", NOW, BODY)
    );
    let both = standard("evt_1", &NOW.to_string(), &list);
    let verified = verify(&Scheme::StandardWebhooks, &both, BODY, &secrets, NOW).unwrap();
    assert_eq!(verified.secret_index, 0);
}

#[test]
fn a_generated_secret_signs_and_verifies_and_is_never_the_same() {
    for scheme in [LEGACY, Scheme::StandardWebhooks] {
        let (one, other) = (generate_secret(&scheme), generate_secret(&scheme));
        let key = scheme.key(&one).unwrap();

        let headers = match scheme {
            Scheme::StandardWebhooks => signed_standard(key.expose_secret(), "evt_1", NOW),
            _ => legacy(&sign_legacy(key.expose_secret(), BODY)),
        };
        let verified = verify(&scheme, &headers, BODY, std::slice::from_ref(&key), NOW);

        assert!(verified.is_ok(), "{scheme:?}");
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(key.expose_secret().len() >= 32);
    }
}
