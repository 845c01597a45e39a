//! Inside a tenant: practitioners and patients meet their own records, by the row policies alone.

use stellwerk::words::Role;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{Rights, insert_again};
use crate::support::{database::TestDatabase, seed::Seed};

/// P3.
#[tokio::test]
async fn a_practitioner_sees_the_patients_in_his_care_and_those_he_meets() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;
    let rights = Rights::of(&seed, Role::Practitioner);

    let in_his_care = rights.lines(&service, "SELECT id FROM patient").await;
    owner
        .run(&format!(
            "UPDATE appointment SET patient_id = '{}' WHERE tenant_id = '{}' AND id = '{}'",
            seed.other_patient, seed.tenant, seed.appointment
        ))
        .await;
    let he_meets_another = rights.lines(&service, "SELECT id FROM patient ORDER BY id").await;

    assert_eq!(in_his_care, [seed.patient.to_string()]);
    assert_eq!(he_meets_another, [seed.patient.to_string(), seed.other_patient.to_string()]);
}

/// P3.
#[tokio::test]
async fn a_practitioner_sees_and_changes_his_own_appointments_only() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;
    let rights = Rights::of(&seed, Role::Practitioner);
    let (his, other) = (seed.appointment, seed.other_appointment);

    let seen = rights.lines(&service, "SELECT id FROM appointment").await;
    let changed = |id: Uuid, set: String| format!("UPDATE appointment SET {set} WHERE id = '{id}'");
    let cancelled = rights.attempt(&service, &changed(his, "status = 'cancelled'".into())).await;
    let cancelled_another = rights.attempt(&service, &changed(other, "status = 'cancelled'".into())).await;
    let gave_away = rights
        .attempt(&service, &changed(his, format!("practitioner_id = '{}'", seed.other_practitioner)))
        .await;
    let insert = insert_again(&owner, "appointment", &format!("id = '{other}'")).await;
    let booked_for_another = rights.attempt(&service, &insert).await;

    assert_eq!(seen, [his.to_string()]);
    assert_eq!((cancelled, cancelled_another), (Ok(1), Ok(0)));
    assert_eq!(gave_away, Err(SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(booked_for_another, Err(SqlState::INSUFFICIENT_PRIVILEGE));
}

/// P3.
#[tokio::test]
async fn a_practitioner_meets_the_bookings_of_his_own_appointments_only() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;
    let rights = Rights::of(&seed, Role::Practitioner);
    let others = Uuid::now_v7();
    owner
        .run(&format!(
            "INSERT INTO booking (tenant_id, id, integration_id, external_id, appointment_id, status, \
             is_current) \
             SELECT tenant_id, '{others}', integration_id, 'b2', '{}', 'accepted', true FROM booking \
             WHERE tenant_id = '{}'",
            seed.other_appointment, seed.tenant
        ))
        .await;

    let seen = rights.lines(&service, "SELECT external_id FROM booking").await;
    let changed = rights.attempt(&service, "UPDATE booking SET update_time = now()").await;
    let taken = format!("UPDATE booking SET appointment_id = '{}'", seed.other_appointment);
    let gave_away = rights.attempt(&service, &taken).await;

    assert_eq!((seen, changed), (vec!["b1".to_string()], Ok(1)));
    assert_eq!(gave_away, Err(SqlState::INSUFFICIENT_PRIVILEGE));
}

/// P3.
#[tokio::test]
async fn a_patient_sees_nobody_else() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;
    let rights = Rights::of(&seed, Role::Patient);

    let patients = rights.lines(&service, "SELECT id FROM patient").await;
    let appointments = rights.lines(&service, "SELECT id FROM appointment").await;
    let links = rights.lines(&service, "SELECT patient_id FROM patient_link").await;

    assert_eq!(patients, [seed.patient.to_string()]);
    assert_eq!(appointments, [seed.appointment.to_string()]);
    assert_eq!(links, [seed.patient.to_string()]);
}

/// P3.
#[tokio::test]
async fn who_is_nobody_sees_no_person() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;

    let mut seen = Vec::new();
    for role in [Role::Practitioner, Role::Patient] {
        let rights = Rights { tenant: seed.tenant, role, person: None };
        for table in ["patient", "patient_link", "appointment", "appointment_change"] {
            seen.push(rights.attempt(&service, &format!("SELECT FROM {table}")).await);
        }
    }

    assert_eq!(seen, vec![Ok(0); 8]);
}
