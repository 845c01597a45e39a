//! Who may call what: every rpc of the protos as nobody, as every role, without its scope, and unlinked.

mod keys;
mod practice;
mod strangers;
mod subjects;
mod tenants;
mod tokens;

use std::collections::BTreeSet;

use stellwerk::{
    grpc::access_rules::{AccessRules, DESCRIPTORS, Rule},
    proto::*,
    words,
};
use tonic::{Code, Status};

use crate::support::{app::TestApp, reason};

/// P2.
#[tokio::test]
async fn every_rpc_asks_who_is_calling() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let expired = acme.key(Role::Admin, &[]).await;
    let expire =
        format!("UPDATE api_key SET expire_time = now() - interval '1 s' WHERE id = '{}'", expired.id);
    app.database.owner().await.run(&expire).await;
    let revoked = acme.key(Role::Admin, &[]).await;
    let revoke = RevokeApiKeyRequest { api_key_id: revoked.id.clone(), ..Default::default() };
    acme.admin.access().revoke_api_key(revoke).await.unwrap();
    let nobodies = [
        (app.anonymous(), "CREDENTIAL_MISSING"),
        (app.bearer("neither-key-nor-token"), "CREDENTIAL_MALFORMED"),
        (app.bearer(&format!("swk_00000000_{}", "A".repeat(43))), "API_KEY_UNKNOWN"),
        (app.bearer(&expired.secret), "API_KEY_EXPIRED"),
        (app.bearer(&revoked.secret), "API_KEY_REVOKED"),
    ];

    let mut wrong = Vec::new();
    for (path, _) in rules() {
        for (nobody, expected) in &nobodies {
            let outcome = told(nobody.call(&path, Vec::new()).await);
            if outcome != (Code::Unauthenticated, expected.to_string()) {
                wrong.push(format!("{path} {expected}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

/// P2.
#[tokio::test]
async fn every_role_may_call_what_the_protos_say_and_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let all_scopes = scopes();
    let callers = [
        (words::Role::Operator, app.operator()),
        (words::Role::Admin, acme.admin.clone()),
        (words::Role::Hr, acme.hr().await),
        (words::Role::Practitioner, acme.practitioner().await.caller),
        (words::Role::Patient, acme.patient().await.caller),
        (
            words::Role::Service,
            acme.service(&all_scopes.iter().map(String::as_str).collect::<Vec<_>>()).await,
        ),
    ];

    let mut wrong = Vec::new();
    for (path, rule) in rules() {
        for (role, caller) in &callers {
            let outcome = told(caller.call(&path, Vec::new()).await);
            // An empty request gets as far as the field rules, where there are any.
            let fits = match rule.roles.contains(role) {
                true => matches!(outcome.0, Code::Ok | Code::InvalidArgument),
                false => outcome == (Code::PermissionDenied, "ROLE_NOT_ALLOWED".into()),
            };
            if !fits {
                wrong.push(format!("{path} as {role}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

/// P2.
#[tokio::test]
async fn a_service_needs_the_scope_of_the_rpc() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let mut wrong = Vec::new();
    for missing in scopes() {
        let others: Vec<String> = scopes().into_iter().filter(|scope| *scope != missing).collect();
        let service = acme.service(&others.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for (path, _) in rules().into_iter().filter(|(_, rule)| rule.scope.as_ref() == Some(&missing)) {
            let outcome = told(service.call(&path, Vec::new()).await);
            if outcome != (Code::PermissionDenied, "SCOPE_MISSING".into()) {
                wrong.push(format!("{path} without {missing}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

/// P2.
#[tokio::test]
async fn practitioners_and_patients_must_be_linked() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let unlinked = [
        (words::Role::Practitioner, acme.caller(Role::Practitioner, &[]).await),
        (words::Role::Patient, acme.caller(Role::Patient, &[]).await),
    ];

    let mut wrong = Vec::new();
    for (path, rule) in rules() {
        for (role, caller) in unlinked.iter().filter(|(role, _)| rule.roles.contains(role)) {
            let outcome = told(caller.call(&path, Vec::new()).await);
            if outcome != (Code::PermissionDenied, "SUBJECT_NOT_LINKED".into()) {
                wrong.push(format!("{path} as {role}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

/// Every rpc with its rule.
fn rules() -> Vec<(String, Rule)> {
    let rules = AccessRules::read(DESCRIPTORS).unwrap();
    let mut all: Vec<_> = rules.all().map(|(path, rule)| (path.to_string(), rule.clone())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(all.len() >= 65, "{} rpcs", all.len());
    all
}

/// Every scope that an rpc asks for.
fn scopes() -> Vec<String> {
    rules().into_iter().filter_map(|(_, rule)| rule.scope).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Code and reason; no reason where all is well.
fn told(outcome: Result<Vec<u8>, Status>) -> (Code, String) {
    match outcome {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), reason(&status)),
    }
}
