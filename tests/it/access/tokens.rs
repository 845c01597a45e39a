//! Callers with a JWT: who is believed, and who they are.

use chrono::{Duration, Utc};
use serde_json::{Value, json};
use stellwerk::proto::{link_subject_request::Person, *};
use tonic::Code;
use uuid::Uuid;

use super::told;
use crate::support::{
    app::{IssuersFile, TestApp},
    caller::TestCaller,
    jwt, reason,
    tenant::TestTenant,
};

const ISSUER: &str = "https://id.example.com/";

/// An identity provider that speaks for one tenant.
fn issuers(tenant: &TestTenant, keys: &IssuersFile) -> Value {
    json!([{
        "issuer": ISSUER,
        "audiences": ["stellwerk"],
        "algorithms": ["ES256"],
        "keys": { "jwks_file": keys.path() },
        "tenants": { "claim": "stellwerk_tenant", "allowed": [tenant.id] },
        "role_map": { "admin": "admin", "patient": "patient" },
    }])
}

/// What that provider says of Erika.
fn claims(tenant: &TestTenant, role: &str) -> Value {
    jwt::claims(ISSUER, "stellwerk", "erika", tenant.id, role, Utc::now())
}

/// P2, P3.
#[tokio::test]
async fn a_token_that_is_not_right_in_everything_is_refused() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let keys = IssuersFile::write(&jwt::jwks(&[jwt::ES256]));
    let issuers = IssuersFile::write(&issuers(&acme, &keys));
    let instance = app.second_instance(&[&issuers.setting()]).await;
    let good = claims(&acme, "admin");
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        jwt::ES256.sign(&claims)
    };
    let header = json!({ "typ": "JWT", "alg": "ES256", "kid": jwt::ES256.kid });
    let (past, future) = (Utc::now() - Duration::hours(1), Utc::now() + Duration::hours(1));

    let mut outcomes = String::new();
    for (name, token) in [
        ("right", jwt::ES256.sign(&good)),
        ("alg none", jwt::unsigned(&good)),
        ("shared secret", jwt::sign_hs256(jwt::ES256.kid, b"secret", &good)),
        ("algorithm not listed", jwt::EDDSA.sign(&good)),
        ("unknown kid", jwt::ES256_NEXT.sign(&good)),
        ("another key", jwt::ES256_NEXT.sign_with_header(&header, &good)),
        ("another issuer", changed("iss", "https://else.example.com/".into())),
        ("another audience", changed("aud", "else".into())),
        ("expired", changed("exp", past.timestamp().into())),
        ("no expiry", changed("exp", Value::Null)),
        ("not yet valid", changed("nbf", future.timestamp().into())),
        ("another tenant", changed("stellwerk_tenant", globex.id.to_string().into())),
        ("the house", changed("stellwerk_tenant", Uuid::nil().to_string().into())),
        ("no subject", changed("sub", Value::Null)),
        ("operator", changed("stellwerk_role", "operator".into())),
        ("service", changed("stellwerk_role", "service".into())),
    ] {
        let caller = TestCaller::new(instance.channel(), Some(&token));
        let outcome = told(caller.call("/stellwerk.v1.AccessService/GetTenantSettings", Vec::new()).await);
        outcomes += &format!("{name}: {:?} {}\n", outcome.0, outcome.1);
    }

    insta::assert_snapshot!(outcomes, @r"
    right: Ok 
    alg none: Unauthenticated TOKEN_ALGORITHM_NOT_ALLOWED
    shared secret: Unauthenticated TOKEN_ALGORITHM_NOT_ALLOWED
    algorithm not listed: Unauthenticated TOKEN_ALGORITHM_NOT_ALLOWED
    unknown kid: Unauthenticated TOKEN_KEY_UNKNOWN
    another key: Unauthenticated TOKEN_SIGNATURE_INVALID
    another issuer: Unauthenticated TOKEN_ISSUER_UNKNOWN
    another audience: Unauthenticated TOKEN_AUDIENCE_WRONG
    expired: Unauthenticated TOKEN_EXPIRED
    no expiry: Unauthenticated TOKEN_EXPIRED
    not yet valid: Unauthenticated TOKEN_NOT_YET_VALID
    another tenant: Unauthenticated TOKEN_TENANT_NOT_ALLOWED
    the house: Unauthenticated TOKEN_TENANT_NOT_ALLOWED
    no subject: Unauthenticated TOKEN_CLAIM_INVALID
    operator: Unauthenticated TOKEN_CLAIM_INVALID
    service: Unauthenticated TOKEN_CLAIM_INVALID
    ");
}

/// P3.
#[tokio::test]
async fn a_signed_in_patient_is_whom_an_admin_says() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let keys = IssuersFile::write(&jwt::jwks(&[jwt::ES256]));
    let issuers = IssuersFile::write(&issuers(&acme, &keys));
    let instance = app.second_instance(&[&issuers.setting()]).await;
    let erika = TestCaller::new(instance.channel(), Some(&jwt::ES256.sign(&claims(&acme, "patient"))));
    let (own, other) =
        (acme.create_patient("Erika", "Muster").await, acme.create_patient("Max", "Beispiel").await);
    let get = |patient_id: &String| GetPatientRequest { patient_id: patient_id.clone() };

    let before = erika.patients().get_patient(get(&own)).await.unwrap_err();
    acme.link_subject(ISSUER, "erika", Person::PatientId(own.clone())).await;
    let linked = erika.patients().get_patient(get(&own)).await.unwrap().into_inner();
    let another = erika.patients().get_patient(get(&other)).await.unwrap_err();

    assert_eq!(reason(&before), "SUBJECT_NOT_LINKED");
    assert_eq!(linked.patient.unwrap().patient_id, own);
    assert_eq!((another.code(), reason(&another)), (Code::NotFound, "PATIENT_NOT_FOUND".into()));
}
