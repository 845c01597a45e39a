//! What a signed token says, and what it must not say.

use super::*;

#[tokio::test]
async fn a_token_for_somebody_else_is_refused() {
    let issuers = issuers_with(&[ES256]);

    for aud in [json!("other"), json!(["other"]), json!([]), json!(7), json!(null), json!("stellwerk2")] {
        let token = ES256.sign(&with("aud", aud.clone()));
        assert_eq!(refusal(&issuers, &token).await, TokenRefusal::WrongAudience, "{aud}");
    }
    assert_eq!(refusal(&issuers, &ES256.sign(&without("aud"))).await, TokenRefusal::WrongAudience);
    let among_others = ES256.sign(&with("aud", json!(["other", "stellwerk-preview"])));
    assert!(issuers.verify(&among_others, now()).await.is_ok());
}

#[tokio::test]
async fn a_token_lives_until_it_expires_and_the_leeway_is_over() {
    let issuers = issuers_with(&[ES256]);
    let token = ES256.sign(&claims());

    assert!(issuers.verify(&token, after(300 + 29)).await.is_ok());
    assert_eq!(issuers.verify(&token, after(300 + 30)).await, Err(TokenRefusal::Expired));
    assert_eq!(refusal(&issuers, &ES256.sign(&without("exp"))).await, TokenRefusal::NoExpiry);
    assert_eq!(refusal(&issuers, &ES256.sign(&with("exp", json!("never")))).await, TokenRefusal::Malformed);
    let fraction = json!(now().timestamp() as f64 - 29.5);
    assert!(issuers.verify(&ES256.sign(&with("exp", fraction)), now()).await.is_ok());
}

#[tokio::test]
async fn a_token_from_the_future_is_refused() {
    let issuers = issuers_with(&[ES256]);
    let begins_in = |seconds: i64| ES256.sign(&with("nbf", json!(after(seconds).timestamp())));

    assert!(issuers.verify(&begins_in(30), now()).await.is_ok());
    assert_eq!(refusal(&issuers, &begins_in(31)).await, TokenRefusal::NotYetValid);
    assert_eq!(refusal(&issuers, &ES256.sign(&with("nbf", json!(true)))).await, TokenRefusal::Malformed);
    assert!(issuers.verify(&ES256.sign(&without("nbf")), now()).await.is_ok());
}

#[tokio::test]
async fn an_unknown_issuer_is_refused() {
    let issuers = issuers_with(&[ES256]);

    for iss in [json!("https://id.example.com"), json!("https://id.example.org/"), json!([ISSUER])] {
        let token = ES256.sign(&with("iss", iss.clone()));
        assert_eq!(refusal(&issuers, &token).await, TokenRefusal::UnknownIssuer, "{iss}");
    }
    assert_eq!(refusal(&issuers, &ES256.sign(&without("iss"))).await, TokenRefusal::UnknownIssuer);
    let nobody = Issuers::new(Vec::new(), egress(None)).expect("an empty list is sound");
    assert!(nobody.is_empty());
    assert_eq!(refusal(&nobody, &ES256.sign(&claims())).await, TokenRefusal::UnknownIssuer);
}

#[tokio::test]
async fn an_issuer_speaks_with_its_own_keys_only() {
    let other = "https://id.example.org/";
    let (acme_file, globex_file) = (KeyFile::of(&jwt::jwks(&[ES256])), KeyFile::of(&jwt::jwks(&[EDDSA])));
    let globex = IssuerConfig {
        issuer: other.to_owned(),
        tenants: TenantRule::Fixed(GLOBEX),
        ..config(globex_file.source())
    };
    let both = Issuers::new(vec![config(acme_file.source()), globex], egress(None)).expect("sound");
    let pretender = EDDSA.sign(&claims());

    let own = both.verify(&EDDSA.sign(&with("iss", json!(other))), now()).await;

    assert_eq!(refusal(&both, &pretender).await, TokenRefusal::UnknownKey);
    assert_eq!(
        own.map(|identity| identity.tenant_id),
        Ok(GLOBEX),
        "the tenant claim says acme, the rule wins"
    );
}

#[tokio::test]
async fn an_issuer_cannot_speak_for_a_tenant_that_is_not_its_own() {
    let issuers = issuers_with(&[ES256]);

    for tenant in [json!(GLOBEX), json!("acme"), json!(""), json!([ACME]), json!(null)] {
        let token = ES256.sign(&with("stellwerk_tenant", tenant.clone()));
        assert_eq!(refusal(&issuers, &token).await, TokenRefusal::TenantNotAllowed, "{tenant}");
    }
    let token = ES256.sign(&without("stellwerk_tenant"));
    assert_eq!(refusal(&issuers, &token).await, TokenRefusal::TenantNotAllowed);
}

#[tokio::test]
async fn a_token_without_a_usable_subject_is_refused() {
    let issuers = issuers_with(&[ES256]);

    for subject in [json!(""), json!("  "), json!(7), json!("a\nb"), json!("x".repeat(256)), json!(null)] {
        let token = ES256.sign(&with("sub", subject.clone()));
        assert_eq!(refusal(&issuers, &token).await, TokenRefusal::NoSubject, "{subject}");
    }
    assert!(issuers.verify(&ES256.sign(&with("sub", json!("ü".repeat(255)))), now()).await.is_ok());
}

#[tokio::test]
async fn only_mapped_roles_are_given_and_only_one() {
    let issuers = issuers_with(&[ES256]);
    let role = |role: Value| ES256.sign(&with("stellwerk_role", role));

    for none in
        [json!("operator"), json!("service"), json!("admin"), json!([]), json!(["desk", "doctor"]), json!(1)]
    {
        assert_eq!(refusal(&issuers, &role(none.clone())).await, TokenRefusal::NoRole, "{none}");
    }
    assert_eq!(refusal(&issuers, &ES256.sign(&without("stellwerk_role"))).await, TokenRefusal::NoRole);
    let doctor = issuers.verify(&role(json!(["offline_access", "doctor"])), now()).await;
    assert_eq!(doctor.map(|identity| identity.role), Ok(JwtRole::Practitioner));
}

#[tokio::test]
async fn claims_are_found_under_configured_names_and_pointers() {
    let renamed = IssuerConfig {
        subject_claim: "https://example.com/user".to_owned(),
        role_claim: "/realm_access/roles".to_owned(),
        tenants: TenantRule::Claim { name: "/org~1unit/tenant".to_owned(), allowed: vec![ACME] },
        ..config(KeySource::Pem(vec![pem(None, PUBLIC_ES256)]))
    };
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": after(60).timestamp(), "https://example.com/user": "max",
        "realm_access": { "roles": ["desk"] }, "org/unit": { "tenant": ACME },
    });

    let identity = issuers(renamed).verify(&ES256.sign(&claims), now()).await.expect("believed");

    assert_eq!((identity.subject.as_str(), identity.role), ("max", JwtRole::Admin));
}

#[test]
fn a_refusal_is_one_short_sentence() {
    assert_eq!(TokenRefusal::Expired.to_string(), "The token has expired.");
    assert_eq!(
        TokenRefusal::TenantNotAllowed.to_string(),
        "The token's issuer may not speak for this tenant."
    );
}
