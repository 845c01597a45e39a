//! Tenants cannot meet, and inside a tenant each role meets its own: every table, every operation, as the database decides.

use std::{future::poll_fn, task::Poll, time::Duration};

use stellwerk::{ids::TenantId, store::Store, words::Role};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::support::{
    PATIENCE,
    database::{Session, TestDatabase},
    seed::{SUBJECT, Seed, TABLES},
    wait_until,
};

/// Who a transaction is for.
#[derive(Clone, Copy)]
struct Rights {
    tenant: Uuid,
    role: Role,
    person: Option<Uuid>,
}

impl Rights {
    /// What a role has in a seeded tenant; a practitioner and a patient are the seed's own.
    fn of(seed: &Seed, role: Role) -> Self {
        let person = match role {
            Role::Practitioner => Some(seed.practitioner),
            Role::Patient => Some(seed.patient),
            Role::Operator | Role::Admin | Role::Hr | Role::Service | Role::System => None,
        };
        Self { tenant: seed.tenant, role, person }
    }

    /// The beginning of a transaction, as `Store::begin` writes it.
    fn begin(self) -> String {
        let Self { tenant, role, person } = self;
        let person = person.map(|id| id.to_string()).unwrap_or_default();
        format!(
            "BEGIN; SET LOCAL stellwerk.tenant_id = '{tenant}'; SET LOCAL stellwerk.role = '{role}'; \
             SET LOCAL stellwerk.subject = '{SUBJECT}'; SET LOCAL stellwerk.person_id = '{person}'"
        )
    }

    /// What becomes of a statement, which is undone afterwards.
    async fn attempt(self, service: &Session, sql: &str) -> Result<u64, SqlState> {
        service.run(&self.begin()).await;
        let outcome = service.attempt(sql).await;
        service.run("ROLLBACK").await;
        outcome
    }

    /// The first column of what is seen.
    async fn lines(self, service: &Session, sql: &str) -> Vec<String> {
        service.run(&self.begin()).await;
        let lines = service.lines(sql).await;
        service.run("ROLLBACK").await;
        lines
    }
}

#[tokio::test]
async fn nothing_of_another_tenant_is_seen_changed_removed_or_added() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let (acme, globex) = (Seed::plant(&owner).await, Seed::plant(&owner).await);
    let (a, b) = (acme.tenant, globex.tenant);

    let mut tried = 0;
    let mut met = Vec::new();
    let tables = owner.lines(TABLES).await;
    for table in &tables {
        let insert = insert_again(&owner, table, &format!("tenant_id = '{a}'")).await;
        let statements = [
            format!("SELECT FROM {table} WHERE tenant_id = '{a}'"),
            format!("UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id = '{a}'"),
            format!("UPDATE {table} SET tenant_id = '{a}' WHERE tenant_id = '{b}'"),
            format!("DELETE FROM {table} WHERE tenant_id = '{a}'"),
            insert,
        ];
        for role in Role::ALL {
            // Somebody of globex who happens to have the id of somebody of acme.
            let rights = Rights { tenant: b, ..Rights::of(&acme, *role) };
            for statement in &statements {
                tried += 1;
                match rights.attempt(&service, statement).await {
                    Ok(0) if !statement.starts_with("INSERT") => {}
                    Err(SqlState::INSUFFICIENT_PRIVILEGE) => {}
                    outcome => met.push(format!("{role}: {statement}: {outcome:?}")),
                }
            }
        }
    }

    assert_eq!(met, [""; 0]);
    assert_eq!(tried, tables.len() * Role::ALL.len() * 5);
}

#[tokio::test]
async fn a_transaction_without_a_tenant_is_an_error() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let seed = Seed::plant(&owner).await;
    let planted = format!("tenant_id = '{}'", seed.tenant);
    // A session that never had a tenant, and one whose tenant went with its transaction.
    let (fresh, used) = (database.service().await, database.service().await);
    Rights::of(&seed, Role::System).attempt(&used, "SELECT 1").await.unwrap();

    let mut forgiven = Vec::new();
    for table in owner.lines(TABLES).await {
        let insert = insert_again(&owner, &table, &planted).await;
        for statement in [
            format!("SELECT FROM {table}"),
            format!("UPDATE {table} SET tenant_id = tenant_id"),
            format!("DELETE FROM {table}"),
            insert,
        ] {
            for session in [&fresh, &used] {
                session.run("BEGIN").await;
                let outcome = session.attempt(&statement).await;
                session.run("ROLLBACK").await;
                if let Ok(rows) = outcome {
                    forgiven.push(format!("{statement}: {rows} rows"));
                }
            }
        }
    }

    assert_eq!(forgiven, [""; 0]);
}

/// What the policies and grants give each role in its own tenant: (r)ead, (i)nsert, (u)pdate, (d)elete. A change here is a decision.
/// The edges are narrower still: see the access rules of the protos.
#[tokio::test]
async fn every_role_has_exactly_these_rights() {
    let database = TestDatabase::new().await;
    let (owner, service) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;
    let planted = format!("tenant_id = '{}'", seed.tenant);

    let mut rights = format!("{:21}", "");
    rights += &Role::ALL.iter().map(|role| format!("{:13}", role.as_str())).collect::<String>();
    for table in owner.lines(TABLES).await {
        rights += &format!("\n{table:21}");
        let insert = insert_again(&owner, &table, &planted).await;
        for role in Role::ALL {
            rights += &format!("{:13}", allowed(&service, Rights::of(&seed, *role), &table, &insert).await);
        }
    }
    let rights: Vec<&str> = rights.lines().map(str::trim_end).collect();

    insta::assert_snapshot!(rights.join("\n"), @r"
                         operator     admin        hr           practitioner patient      service      system
    api_key              riu-         riu-         ----         ----         ----         ----         riu-
    appointment          ----         riud         ----         riu-         r---         riud         riud
    appointment_change   ----         ri--         ----         ri--         ----         ri--         ri--
    appointment_link     ----         riud         ----         ----         ----         riud         riud
    idempotency_record   ri-d         ri-d         ri-d         ri-d         ri-d         ri-d         ri-d
    integration          r---         riu-         r---         r---         r---         r---         riu-
    link_candidate       ----         riu-         ----         ----         ----         riu-         riu-
    outbox               -i--         ri--         -i--         -i--         -i--         -i--         ri--
    patient              ----         riud         ----         r---         r---         riud         riud
    patient_import       ----         riu-         ----         ----         ----         riu-         riu-
    patient_import_chunk ----         ri-d         ----         ----         ----         ri-d         ri-d
    patient_import_row   ----         ri--         ----         ----         ----         ri--         ri--
    patient_link         ----         riud         ----         r---         r---         riud         riud
    patient_tombstone    ----         ri--         ----         ----         ----         ri--         ri--
    practitioner         r---         riu-         r---         r---         r---         riu-         riu-
    practitioner_name    r---         ri-d         r---         r---         r---         ri-d         ri-d
    service              r---         riu-         r---         r---         r---         riu-         riu-
    service_name         r---         ri-d         r---         r---         r---         ri-d         ri-d
    subject_link         ----         ri-d         ----         ----         ----         ----         ri-d
    tenant               r---         riu-         r---         r---         r---         r---         riu-
    tenant_key           ----         ----         ----         ----         ----         ----         ri--
    webhook_activity     r---         riu-         r---         r---         r---         r---         riu-
    webhook_body_key     ----         riud         ----         ----         ----         ----         riud
    webhook_dedupe       ----         ----         ----         ----         ----         ----         riud
    webhook_endpoint     ----         riu-         ----         ----         ----         ----         riu-
    webhook_event        ----         ri--         ----         ----         ----         ----         ri--
    webhook_secret       ----         riu-         ----         ----         ----         ----         riu-
    ");
}

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

#[tokio::test]
async fn events_and_changes_are_not_rewritten_even_by_the_owner() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    Seed::plant(&owner).await;
    let partition = owner.value("SELECT tableoid::regclass FROM webhook_event").await;

    let mut outcomes = Vec::new();
    for statement in [
        "UPDATE webhook_event SET status = 'success'".to_string(),
        "DELETE FROM webhook_event".into(),
        "TRUNCATE webhook_event".into(),
        format!("UPDATE {partition} SET status = 'success'"),
        format!("DELETE FROM {partition}"),
        "UPDATE appointment_change SET cause = 'somebody'".into(),
    ] {
        outcomes.push((owner.attempt(&statement).await, statement));
    }

    for (outcome, statement) in outcomes {
        assert_eq!(outcome, Err(SqlState::RESTRICT_VIOLATION), "{statement}");
    }
}

#[tokio::test]
async fn a_call_dropped_at_any_moment_leaves_no_open_transaction() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let tenant = TenantId(Seed::plant(&owner).await.tenant);
    let store = database.store();

    let mut polls = 0;
    let mut is_done = false;
    while !is_done {
        polls += 1;
        is_done = dropped_after(polls, lock_and_commit(&store, tenant)).await;
        wait_until("no transaction is open", PATIENCE, async || open_transactions(&owner).await == "0").await;
    }

    // One poll is not enough to connect, begin, lock and commit.
    assert!(polls > 4, "{polls}");
}

#[tokio::test]
async fn a_call_dropped_while_it_waits_lets_go_of_its_place() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let tenant = TenantId(Seed::plant(&owner).await.tenant);
    let store = database.store();
    let mut first = store.tenant(tenant).await.unwrap();
    first.lock("slot").await.unwrap();

    let waiting = tokio::spawn({
        let store = store.clone();
        async move { lock_and_commit(&store, tenant).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait_until("the second call waits", PATIENCE, async || owner.value(waits).await == "1").await;
    waiting.abort();
    waiting.await.unwrap_err();
    drop(first);

    wait_until("no transaction is open", PATIENCE, async || open_transactions(&owner).await == "0").await;
    tokio::time::timeout(Duration::from_secs(5), lock_and_commit(&store, tenant))
        .await
        .expect("the lock is free")
        .unwrap();
}

/// An INSERT of the first row of which the condition holds, as it stands.
async fn insert_again(owner: &Session, table: &str, condition: &str) -> String {
    let first = format!("SELECT row_to_json(t) FROM {table} t WHERE {condition} ORDER BY t::text LIMIT 1");
    let row = owner.value(&first).await.replace('\'', "''");
    format!("INSERT INTO {table} SELECT * FROM json_populate_record(NULL::{table}, '{row}')")
}

/// As in `ri--`. Policies decide before keys and constraints do, so a statement that fails by those was allowed.
async fn allowed(service: &Session, rights: Rights, table: &str, insert: &str) -> String {
    let read = rights.attempt(service, &format!("SELECT FROM {table}")).await;
    let inserted = rights.attempt(service, insert).await;
    let updated = rights.attempt(service, &format!("UPDATE {table} SET tenant_id = tenant_id")).await;
    let deleted = rights.attempt(service, &format!("DELETE FROM {table}")).await;
    [('r', read), ('i', inserted), ('u', updated), ('d', deleted)]
        .map(|(letter, outcome)| match outcome {
            Ok(0) | Err(SqlState::INSUFFICIENT_PRIVILEGE) => '-',
            Ok(_) | Err(_) => letter,
        })
        .iter()
        .collect()
}

async fn lock_and_commit(store: &Store, tenant: TenantId) -> stellwerk::error::Result<()> {
    let mut tx = store.tenant(tenant).await?;
    tx.lock("slot").await?;
    tx.commit().await
}

/// Polls a call so many times and then drops it, as a deadline does. Returns whether it had finished.
async fn dropped_after<T>(polls: usize, call: impl Future<Output = stellwerk::error::Result<T>>) -> bool {
    let mut call = Box::pin(call);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map(|_| true).expect("the call succeeds")),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Of the program's sessions in this database.
async fn open_transactions(owner: &Session) -> String {
    owner
        .value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND usename = 'stellwerk_service' AND xact_start IS NOT NULL",
        )
        .await
}
