//! What is read without an id: whoever asks sees the own tenant's records, and of another's not one.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use stellwerk::grpc::access_rules::DESCRIPTORS;
use tonic::Code;
use uuid::Uuid;

use super::{Records, ids_in};
use crate::support::{app::TestApp, caller::TestCaller, database::Session, tenant::TestTenant};

/// Rpcs that show an admin no record, though they name none either.
const WITHOUT_RECORDS: [&str; 3] = [
    // A patient's alone.
    "AppointmentService/ListMyAppointments",
    // Its first message only says from where on it goes.
    "AppointmentService/WatchAppointments",
    // The same for everybody.
    "IntegrationService/ListProviders",
];

/// P3. An rpc that reads is asked of two tenants as it is: with an empty request. It must show its own tenant
/// something, or the test could not fail.
#[tokio::test]
async fn what_is_listed_is_the_callers_own() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let owner = app.database.owner().await;
    let theirs = Records::of(&owner, &acme).await;
    plant(&owner, &acme, &theirs).await;

    let (mut leaks, mut blind) = (Vec::new(), Vec::new());
    for rpc in reading() {
        let name = format!("{}/{}", rpc.parent_service().name(), rpc.name());
        let told = ids_told(&globex.admin, &rpc).await.unwrap_or_default();
        match ids_told(&acme.admin, &rpc).await {
            Some(shown) if !shown.is_empty() => {
                leaks.extend(shown.intersection(&told).map(|id| format!("{name}: {id}")));
            }
            // It wants to know of which record, and is asked so by `strangers`.
            None if !ids_in(&rpc.input()).is_empty() => {}
            _ => blind.push(name),
        }
    }

    assert_eq!(leaks, [""; 0]);
    assert_eq!(blind, WITHOUT_RECORDS);
}

/// Every rpc that reads.
fn reading() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours = pool.services().filter(|service| service.package_name() == "stellwerk.v1");
    let methods = ours.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.filter(|rpc| ["List", "Get", "Watch"].iter().any(|verb| rpc.name().starts_with(verb))).collect()
}

/// The ids in an rpc's answer to an empty request; `None` where it is refused.
async fn ids_told(by: &TestCaller, rpc: &MethodDescriptor) -> Option<BTreeSet<String>> {
    let path = format!("/{}/{}", rpc.parent_service().full_name(), rpc.name());
    match by.call(&path, Vec::new()).await {
        Ok(answer) => {
            let message = DynamicMessage::decode(rpc.output(), answer.as_slice()).unwrap();
            let mut ids = BTreeSet::new();
            collect(&Value::Message(message), &mut ids);
            Some(ids)
        }
        Err(refused) => {
            let is_refused = matches!(refused.code(), Code::InvalidArgument | Code::PermissionDenied);
            assert!(is_refused, "{path}: {refused}");
            None
        }
    }
}

fn collect(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.parse::<Uuid>().is_ok() => {
            ids.insert(text.clone());
        }
        Value::Message(message) => message.fields().for_each(|(_, value)| collect(value, ids)),
        Value::List(items) => items.iter().for_each(|item| collect(item, ids)),
        Value::Map(entries) => entries.values().for_each(|item| collect(item, ids)),
        _ => {}
    }
}

/// What no rpc makes and only lists show: an absence, hours, an alarm.
async fn plant(owner: &Session, tenant: &TestTenant, of: &Records) {
    let (integration, planning) = (&of.integration, &of.planning);
    owner.run(&format!("SET stellwerk.tenant_id = '{}'", tenant.id)).await;
    for statement in [
        format!(
            "INSERT INTO absence (id, integration_id, external_id, source, user_id, start_date, end_date) \
             VALUES (gen_random_uuid(), '{integration}', '1', 'out_of_office', '{}', now(), now())",
            planning.user
        ),
        format!(
            "INSERT INTO time_entry (id, integration_id, external_id, phase_id, entry_date, minutes) \
             VALUES (gen_random_uuid(), '{integration}', '1', '{}', now(), 30)",
            planning.phase
        ),
        format!(
            "INSERT INTO alert (id, rule, integration_id, state, value, threshold, begin_time) \
             VALUES (gen_random_uuid(), 'failures', '{integration}', 'firing', 6, 5, now())"
        ),
    ] {
        owner.run(&statement).await;
    }
    owner.run("RESET stellwerk.tenant_id").await;
}
