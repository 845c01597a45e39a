//! Who signed, with which key and in which way.

use super::*;

#[tokio::test]
async fn a_signed_token_tells_who_is_calling() {
    let issuers = issuers_with(&[ES256, EDDSA, RS256, PS256]);
    let erika = Identity {
        issuer: ISSUER.to_owned(),
        subject: "erika".to_owned(),
        tenant_id: ACME,
        role: JwtRole::Admin,
    };

    for key in [ES256, EDDSA, RS256, PS256] {
        let identity = issuers.verify(&key.sign(&claims()), now()).await;
        assert_eq!(identity.as_ref(), Ok(&erika), "{:?}", key.algorithm);
    }
}

#[tokio::test]
async fn fixed_keys_serve_as_well() {
    for (key, public) in [(ES256, PUBLIC_ES256), (EDDSA, PUBLIC_ED25519), (RS256, PUBLIC_RSA)] {
        let named = issuers(config(KeySource::Pem(vec![pem(Some(key.kid), public)])));
        let nameless = issuers(config(KeySource::Pem(vec![pem(None, public)])));
        let token = key.sign(&claims());

        assert!(named.verify(&token, now()).await.is_ok(), "{}", key.kid);
        assert!(nameless.verify(&token, now()).await.is_ok(), "{}", key.kid);
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let issuers = issuers_with(&[ES256]);

    assert_eq!(refusal(&issuers, &jwt::unsigned(&claims())).await, TokenRefusal::AlgorithmNotAllowed);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let fixed = issuers(config(KeySource::Pem(vec![pem(Some(RS256.kid), PUBLIC_RSA)])));
    let token = jwt::sign_hs256(RS256.kid, PUBLIC_RSA.as_bytes(), &claims());

    assert_eq!(refusal(&fixed, &token).await, TokenRefusal::AlgorithmNotAllowed);
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_does_not_list_is_refused() {
    let file = KeyFile::of(&jwt::jwks(&[ES256, EDDSA]));
    let only_ecdsa = IssuerConfig { algorithms: vec![Algorithm::ES256], ..config(file.source()) };
    let issuers = issuers(only_ecdsa);

    assert_eq!(refusal(&issuers, &EDDSA.sign(&claims())).await, TokenRefusal::AlgorithmNotAllowed);
    assert!(issuers.verify(&ES256.sign(&claims()), now()).await.is_ok());
}

#[tokio::test]
async fn a_key_checks_only_what_it_says_it_is_for() {
    let bent = |name: &str, value: Value| {
        let mut jwk = RS256.jwk();
        jwk[name] = value;
        json!({ "keys": [jwk, ES256.jwk()] })
    };
    let token = RS256.sign(&claims());

    for (set, expected) in [
        (bent("alg", json!("PS256")), TokenRefusal::AlgorithmNotAllowed),
        (bent("alg", json!("HS256")), TokenRefusal::UnknownKey),
        (bent("alg", json!("ES256")), TokenRefusal::UnknownKey),
        (bent("use", json!("enc")), TokenRefusal::UnknownKey),
        (bent("key_ops", json!(["sign"])), TokenRefusal::UnknownKey),
        (bent("kty", json!("oct")), TokenRefusal::UnknownKey),
        (bent("n", json!("AQAB")), TokenRefusal::UnknownKey),
    ] {
        let issuers = issuers_with_set(&set);
        assert_eq!(refusal(&issuers, &token).await, expected, "{}", set["keys"][0]);
    }
    let issuers = issuers_with_set(&bent("key_ops", json!(["verify"])));
    assert!(issuers.verify(&token, now()).await.is_ok());
}

#[tokio::test]
async fn a_key_that_says_nothing_still_checks_only_what_its_kind_can() {
    let mut silent = ES256.jwk();
    silent.as_object_mut().expect("an object").remove("alg");
    let issuers = issuers_with_set(&json!({ "keys": [silent] }));
    let header = json!({ "alg": "RS256", "kid": ES256.kid });
    let misnamed = RS256.sign_with_header(&header, &claims());

    let refused = refusal(&issuers, &misnamed).await;

    assert_eq!(refused, TokenRefusal::AlgorithmNotAllowed);
    assert!(issuers.verify(&ES256.sign(&claims()), now()).await.is_ok());
}

#[tokio::test]
async fn a_key_of_the_wrong_length_is_passed_over() {
    let mut short = EDDSA.jwk();
    short["x"] = json!("AQAB");
    let issuers = issuers_with_set(&json!({ "keys": [short, ES256.jwk()] }));

    assert_eq!(refusal(&issuers, &EDDSA.sign(&claims())).await, TokenRefusal::UnknownKey);
    assert!(issuers.verify(&ES256.sign(&claims()), now()).await.is_ok());
}

#[tokio::test]
async fn a_token_under_another_keys_name_has_a_bad_signature() {
    let issuers = issuers_with(&[ES256, ES256_NEXT]);
    let header = json!({ "alg": "ES256", "kid": ES256.kid });
    let borrowed = ES256_NEXT.sign_with_header(&header, &claims());

    assert_eq!(refusal(&issuers, &borrowed).await, TokenRefusal::BadSignature);
}

#[tokio::test]
async fn changed_claims_break_the_signature() {
    let issuers = issuers_with(&[ES256]);
    let (honest, wishful) = (ES256.sign(&claims()), ES256.sign(&with("sub", json!("max"))));
    let (_, signature) = honest.rsplit_once('.').expect("a signature");
    let (message, _) = wishful.rsplit_once('.').expect("a signature");

    assert_eq!(refusal(&issuers, &format!("{message}.{signature}")).await, TokenRefusal::BadSignature);
    assert_eq!(refusal(&issuers, &format!("{message}.")).await, TokenRefusal::BadSignature);
}

#[tokio::test]
async fn a_token_names_its_key_unless_there_is_only_one() {
    let nameless = ES256.sign_with_header(&json!({ "alg": "ES256" }), &claims());

    let one = issuers_with(&[ES256]);
    let two = issuers_with(&[ES256, ES256_NEXT]);

    assert!(one.verify(&nameless, now()).await.is_ok());
    assert_eq!(refusal(&two, &nameless).await, TokenRefusal::UnknownKey);
}

#[tokio::test]
async fn a_header_with_critical_extensions_is_refused() {
    let issuers = issuers_with(&[ES256]);

    for crit in [json!(["b64"]), json!([]), json!(null)] {
        let header = json!({ "alg": "ES256", "kid": ES256.kid, "crit": crit });
        let token = ES256.sign_with_header(&header, &claims());
        assert_eq!(refusal(&issuers, &token).await, TokenRefusal::Malformed, "{crit}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let issuers = issuers_with(&[ES256]);
    let token = ES256.sign(&claims());
    let bloated = ES256.sign(&with("note", json!("x".repeat(20_000))));
    let texts = ["", ".", "..", "a.b.c", "e30.e30", "W10.W10.", "sw_live_key", &bloated];

    for text in texts.into_iter().map(str::to_owned).chain([format!("{token}.x"), format!(" {token}")]) {
        assert_eq!(refusal(&issuers, &text).await, TokenRefusal::Malformed, "{text:.20}");
    }
}
