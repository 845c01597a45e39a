//! What must not be read in the database: secrets of callers and tools, and people who were forgotten.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use stellwerk::proto::{self, LinkCandidateState, LinkDecision, Role, SignatureScheme};

use crate::support::{
    PATIENCE,
    app::TestApp,
    desk::{self, book, person, slot},
    said::{said, said_at, written},
    searched::open_words,
    wait_until,
};

/// P10. Secrets are hashes, or sealed.
#[tokio::test]
async fn no_secret_lies_open_in_the_database() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let key = acme.key(Role::Service, &["patients:read"]).await;
    let mut words = vec![key.secret.clone(), key.secret[13..].to_string()];
    for scheme in [SignatureScheme::Legacy, SignatureScheme::Standard] {
        let create = proto::CreateWebhookEndpointRequest {
            provider: "booking".into(),
            scheme: scheme.into(),
            ..Default::default()
        };
        let made = acme.admin.webhooks().create_webhook_endpoint(create).await.unwrap().into_inner();
        let endpoint = made.webhook_endpoint.unwrap();
        let rotate = proto::RotateWebhookSecretRequest {
            webhook_endpoint_id: endpoint.webhook_endpoint_id,
            ..Default::default()
        };
        let rotated = acme.admin.webhooks().rotate_webhook_secret(rotate).await.unwrap().into_inner();
        let token = endpoint.url.rsplit('/').next().unwrap().to_string();
        words.push(hex::encode(URL_SAFE_NO_PAD.decode(&token).unwrap()));
        words.extend([token, made.secret, rotated.secret]);
    }
    // The bytes behind the letters, too.
    let standard = words.iter().filter_map(|word| STANDARD.decode(word.strip_prefix("whsec_")?).ok());
    words.extend(standard.map(hex::encode).collect::<Vec<_>>());
    let owner = app.database.owner().await;

    let found = open_words(&owner, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;

    assert_eq!(words.len(), 12, "{words:?}");
    assert_eq!(found, [""; 0]);
    // What is meant to be seen is found, or nothing would have been found at all.
    let prefix = &key.secret[..12];
    assert_eq!(open_words(&owner, &[prefix]).await, [format!("{prefix} in api_key")]);
}

/// P11. Everything that was ever said of a person goes, except what names nobody.
#[tokio::test]
async fn a_forgotten_person_is_in_no_table_any_more() {
    const WORDS: [&str; 9] = [
        "Xanthippe",
        "Zwetschgenbaum",
        "zwetschgenbaum-neu",
        "xanthippe@example.org",
        "praxis-xz@example.org",
        "99887766",
        "afraid of needles",
        "person-4711",
        "visit-4711",
    ];
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let now = Utc::now();
    let known = proto::CreatePatientRequest {
        idempotency_key: "k-1".into(),
        email: "praxis-xz@example.org".into(),
        phone: "030 99887766".into(),
        birth_date: "1980-02-01".into(),
        ..person("Xanthippe", "Zwetschgenbaum")
    };
    let known = desk::add_patient(&acme.admin, known).await.patient_id;
    let told = |name: &str| {
        json!({ "id": "person-4711", "vorname": "Xanthippe", "nachname": name, "telefon": "030 99887766",
            "email": "xanthippe@example.org", "geburtsdatum": "1980-02-01", "note": "afraid of needles" })
    };
    let visit = json!({ "id": "visit-4711", "patient_id": "person-4711", "duration_minutes": 30,
        "scheduled_at": written(desk::in_days(7)) });
    let cancelled = json!({ "id": "visit-4711", "reason": "Xanthippe is ill" });
    for (at_s, event, data) in [
        (0, "patient.created", told("Zwetschgenbaum")),
        (1, "patient.updated", told("Zwetschgenbaum-Neu")),
        (2, "appointment.created", visit),
        (3, "appointment.cancelled", cancelled),
    ] {
        let said = said_at(&format!("e-{at_s}"), event, now + TimeDelta::seconds(at_s), data);
        tool.tell(&said).await.kept();
    }
    tool.tell(&said("patient.updated", json!({ "id": "person-4711", "vorname": "Xanthippe" }))).await;
    let pair = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);
    desk::decide(&acme.admin, &pair.link_candidate_id, LinkDecision::Merge).await;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    book(&acme.admin, slot(&known, &practitioner, desk::in_days(8))).await.unwrap();
    let owner = app.database.owner().await;
    wait_until("nothing is left to do", PATIENCE, async || {
        owner.value("SELECT count(*) FROM outbox").await == "0"
    })
    .await;
    let before = open_words(&owner, &WORDS).await;

    let request = proto::DeletePatientRequest { patient_id: known, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();

    for word in ["Zwetschgenbaum in patient", "99887766 in patient", "person-4711 in patient_link"] {
        assert!(before.contains(&word.to_string()), "{word}: {before:?}");
    }
    assert_eq!(open_words(&owner, &WORDS).await, [""; 0]);
    assert_eq!(owner.value("SELECT count(*) FROM webhook_body_key").await, "0");
}
