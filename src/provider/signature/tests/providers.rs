//! Holds P2: each provider's row believes what that provider would sign, and nothing near it.

use super::*;
use crate::{
    provider::catalog::{self, webhook::Proof},
    words::SignatureScheme,
};

/// The scheme with a shared secret that a provider's row has under this name.
fn of(provider: &str, name: SignatureScheme) -> Scheme {
    match catalog::verification(provider, name).unwrap().1.proof {
        Proof::Secret(scheme) => scheme,
        Proof::Published(_) => panic!("{provider} signs with a key pair"),
    }
}

fn vector(id: &str) -> Vector {
    let text = include_str!("../../../../tests/data/signature_vectors.json");
    let all: Vectors = serde_json::from_str(text).unwrap();
    all.vectors.into_iter().find(|vector| vector.id == id).unwrap()
}

/// The vector's request, its signature under the header of `scheme`.
fn judge_vector(scheme: &Scheme, vector: &Vector) -> Result<Verified, Refusal> {
    let Scheme::Hmac(hmac) = scheme else { panic!("not a MAC") };
    let mut headers = headers(&[(hmac.header, &vector.expected)]);
    let mut now = NOW;
    if let (Some(time), Some(stamp)) = (hmac.time, &vector.timestamp) {
        headers.insert(time.header, stamp.parse().unwrap());
        now = unix_seconds(stamp)
            .or_else(|| Some(chrono::DateTime::parse_from_rfc3339(stamp).ok()?.timestamp()))
            .unwrap();
    }
    let body = vector.body.as_ref().unwrap().as_bytes();
    verify(scheme, &headers, body, &[secret(vector.key.as_bytes())], now)
}

#[test]
fn the_rows_believe_the_published_vectors_of_their_providers() {
    for (id, provider, name) in [
        ("github-docs", "github", SignatureScheme::Github),
        ("octokit-foo-bar", "github", SignatureScheme::Github),
        ("octokit-utf8-and-escapes", "github", SignatureScheme::Github),
        ("octokit-escaped-backslash", "github", SignatureScheme::Github),
        ("octokit-foo-bar", "notion", SignatureScheme::Notion),
        ("atlassian-websub", "jira", SignatureScheme::Jira),
        ("slack-docs", "slack", SignatureScheme::Slack),
        ("convoy-simple_sha256_hex_valid", "dropbox", SignatureScheme::Dropbox),
        ("convoy-simple_sha256_hex_valid", "asana", SignatureScheme::Asana),
    ] {
        let (scheme, mut vector) = (of(provider, name), vector(id));
        assert!(judge_vector(&scheme, &vector).is_ok(), "{id}");

        vector.body.as_mut().unwrap().push(' ');

        assert_eq!(judge_vector(&scheme, &vector), Err(Refusal::Mismatch), "{id}");
    }
}

#[test]
fn body_then_timestamp_is_not_timestamp_then_body() {
    let early = vector("zendesk-docs-2021-body-then-timestamp");
    let zendesk = of("zendesk", SignatureScheme::Zendesk);
    let Scheme::Hmac(bamboohr) = of("bamboohr", SignatureScheme::Bamboohr) else { panic!("a MAC") };
    // BambooHR joins in that order, and writes hex.
    let other_way = Scheme::Hmac(Hmac { encoding: Encoding::Base64, ..bamboohr });

    assert_eq!(judge_vector(&zendesk, &early), Err(Refusal::Mismatch));
    assert!(judge_vector(&other_way, &early).is_ok());
}

#[test]
fn base64_of_the_body_is_read_as_published_and_only_in_its_one_spelling() {
    let mut vector = vector("convoy-simple_sha256_base64_valid");
    let scheme = Scheme::Hmac(Hmac {
        encoding: Encoding::Base64,
        ..Hmac::of_body("x-convoy-signature", Prefix::Nothing)
    });
    assert!(judge_vector(&scheme, &vector).is_ok());

    for odd in ["=", "", "!", "A"] {
        vector.expected = vector.expected.trim_end_matches(['=', '!', 'A']).to_owned() + odd;
        if odd != "=" {
            assert_eq!(judge_vector(&scheme, &vector), Err(Refusal::MalformedHeader), "{odd:?}");
        }
    }
}

#[test]
fn rfc_2202_macs_are_reproduced() {
    let vectors = vectors("hmac-sha1-raw");
    assert_eq!(vectors.len(), 6);

    for vector in vectors {
        let key = hex::decode(&vector.key).unwrap();
        let body = hex::decode(vector.body_hex.unwrap()).unwrap();

        assert_eq!(hex::encode(Hash::Sha1.mac(&key, &[&body])), vector.expected, "{}", vector.id);
    }
}

#[test]
fn trellos_signature_covers_the_address_as_it_was_given() {
    let scheme = of("trello", SignatureScheme::Trello);
    let Scheme::Hmac(hmac) = scheme else { panic!("a MAC") };
    let address = "https://hooks.example.org/api/webhooks/trello/a%2Fb?board=1";
    let judge = |signed_address: &str| {
        let value = hmac.sign(b"key", BODY, "", signed_address);
        let headers = headers(&[("x-trello-webhook", &value)]);
        super::super::verify(
            &scheme,
            &Request { headers: &headers, body: BODY, address },
            &[secret(b"key")],
            NOW,
        )
    };

    assert!(judge(address).is_ok());
    assert_eq!(judge(""), Err(Refusal::Mismatch));
    assert_eq!(judge("https://hooks.example.org/api/webhooks/trello/a/b?board=1"), Err(Refusal::Mismatch));
    assert_eq!(judge("https://evil.example.org/api/webhooks/trello/a%2Fb?board=1"), Err(Refusal::Mismatch));
}

#[test]
fn a_signed_timestamp_that_is_old_or_odd_is_refused() {
    let later = NOW + 301;
    for (provider, name, good, odd) in [
        ("slack", SignatureScheme::Slack, NOW.to_string(), "2026-02-17T09:30:00Z"),
        ("zendesk", SignatureScheme::Zendesk, "2026-02-17T09:30:00Z".to_owned(), "1771320600"),
        ("bamboohr", SignatureScheme::Bamboohr, NOW.to_string(), "yesterday"),
        ("bamboohr", SignatureScheme::Bamboohr, "2026-02-17T10:30:00+01:00".to_owned(), ""),
    ] {
        let scheme = of(provider, name);
        let Scheme::Hmac(hmac) = scheme else { panic!("a MAC") };
        let signed = |stamp: &str| {
            let value = hmac.sign(b"key", BODY, stamp, "");
            headers(&[(hmac.header, &value), (hmac.time.unwrap().header, stamp)])
        };
        let judge_at = |headers: &HeaderMap, now| verify(&scheme, headers, BODY, &[secret(b"key")], now);
        let mut restamped = signed(&good);
        restamped.insert(hmac.time.unwrap().header, (NOW + 1).to_string().parse().unwrap());

        assert_eq!(judge_at(&signed(&good), NOW).map(|v| v.timestamp), Ok(Some(NOW)), "{provider}");
        assert_eq!(judge_at(&signed(&good), later), Err(Refusal::TimestampTooOld), "{provider}");
        assert_eq!(judge_at(&signed(odd), NOW), Err(Refusal::BadTimestamp), "{provider}");
        let moved = judge_at(&restamped, NOW);
        assert!(matches!(moved, Err(Refusal::Mismatch | Refusal::BadTimestamp)), "{provider}: {moved:?}");
    }
}

#[test]
fn githubs_older_signature_beside_the_newer_one_counts_for_nothing() {
    let scheme = of("github", SignatureScheme::Github);
    let good = format!("sha256={}", sign_legacy(b"key", BODY));
    let older = format!("sha1={}", hex::encode(Hash::Sha1.mac(b"key", &[BODY])));

    let both = headers(&[("x-hub-signature-256", &good), ("x-hub-signature", &older)]);
    let older_alone = headers(&[("x-hub-signature", &older)]);
    let bare = headers(&[("x-hub-signature-256", good.trim_start_matches("sha256="))]);

    assert!(judge(&scheme, &both).is_ok());
    assert_eq!(judge(&scheme, &older_alone), Err(Refusal::MissingHeader));
    assert_eq!(judge(&scheme, &bare), Err(Refusal::MalformedHeader));
}

#[test]
fn a_token_in_a_header_is_the_secret_and_nothing_like_it() {
    for (provider, name, header) in [
        ("gitlab", SignatureScheme::GitlabToken, "x-gitlab-token"),
        ("google", SignatureScheme::GoogleChannel, "x-goog-channel-token"),
    ] {
        let scheme = of(provider, name);
        let judge_token = |token: &str| judge(&scheme, &headers(&[(header, token)]));

        assert!(judge_token("key").is_ok(), "{provider}");
        for other in ["", "Key", "key ", "ke", "keykey"] {
            assert_eq!(judge_token(other), Err(Refusal::Mismatch), "{provider} {other:?}");
        }
        let twice = headers(&[(header, "key"), (header, "key")]);
        assert_eq!(judge(&scheme, &twice), Err(Refusal::DoubledHeader), "{provider}");
        assert_eq!(judge(&scheme, &HeaderMap::new()), Err(Refusal::MissingHeader), "{provider}");
    }
}

#[test]
fn an_element_with_another_client_state_is_nobodys_word() {
    let scheme = of("microsoft365", SignatureScheme::Microsoft365);
    let judge_body = |body: &str| verify(&scheme, &HeaderMap::new(), body.as_bytes(), &[secret(b"key")], NOW);
    let mixed = r#"{"value":[{"id":"1","clientState":"other"},{"id":"2","clientState":"key"},{"id":"3"}]}"#;

    let verified = judge_body(mixed).unwrap();

    assert_eq!(verified.elements.as_ref().unwrap().places, [1]);
    let proven: serde_json::Value = serde_json::from_slice(&verified.proven(mixed.as_bytes())).unwrap();
    assert_eq!(proven, serde_json::json!({ "value": [{ "id": "2", "clientState": "key" }] }));
    assert_eq!(judge_body(r#"{"value":[{"clientState":"other"}]}"#), Err(Refusal::Mismatch));
    assert_eq!(judge_body(r#"{"value":[]}"#), Err(Refusal::Mismatch));
    assert_eq!(judge_body(r#"{"value":{"clientState":"key"}}"#), Err(Refusal::MalformedBody));
    assert_eq!(judge_body(r#"{"clientState":"key"}"#), Err(Refusal::MalformedBody));
    assert_eq!(judge_body("key"), Err(Refusal::MalformedBody));
}

#[test]
fn every_header_that_a_row_reads_refuses_every_other_row() {
    let schemes: Vec<Scheme> = catalog::all()
        .iter()
        .filter_map(|provider| provider.webhook.as_ref())
        .flat_map(|webhook| webhook.verifications)
        .filter_map(|verification| match verification.proof {
            Proof::Secret(scheme) => Some(scheme),
            Proof::Published(_) => None,
        })
        .collect();
    let mut seen = 0;
    for scheme in &schemes {
        let own = match scheme {
            Scheme::Hmac(hmac) => vec![hmac.header],
            Scheme::StandardWebhooks => super::super::standard::HEADERS.to_vec(),
            Scheme::Token(Token { at: TokenAt::Header(header) }) => vec![*header],
            Scheme::Token(Token { at: TokenAt::EachOf { .. } }) | Scheme::SignedToken(_) => vec![],
        };
        for header in own {
            assert!(SIGNATURE_HEADERS.contains(&header), "{header} is not known as a signature's");
            for other in schemes.iter().filter(|other| !other.knows(header)) {
                let refused = judge(other, &headers(&[(header, "x")]));
                assert_eq!(refused, Err(Refusal::TwoSchemes), "{header} for {other:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
