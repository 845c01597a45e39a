//! Tenants cannot meet, and inside a tenant each role meets its own: every table, every operation, as the
//! database decides.

mod door;
mod people;

use stellwerk::words::Role;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::support::{
    database::{Session, TestDatabase},
    seed::{SUBJECT, Seed, TABLES},
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

/// P3.
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

/// P3.
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

/// P3. What the policies and grants give each role in its own tenant: (r)ead, (i)nsert, (u)pdate, (d)elete. A
/// change here is a decision. The edges are narrower still: see the access rules of the protos.
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
    absence              ----         r--d         r--d         r---         ----         r--d         riud
    alert                ----         riud         ----         ----         ----         ----         riud
    alert_destination    ----         riud         ----         ----         ----         ----         riud
    api_key              riu-         riu-         ----         ----         ----         ----         riu-
    appointment          ----         riud         ----         riu-         r---         riud         riud
    appointment_change   ----         ri--         ----         ri--         ----         ri--         ri--
    appointment_link     ----         riud         ----         ----         ----         riud         riud
    appointment_removal  ----         -i--         ----         ----         ----         -i--         ri--
    area_mapping         ----         riud         riud         ----         ----         riud         riud
    booking              ----         riud         ----         riud         ----         riud         riud
    call_slot            ----         ----         ----         ----         ----         ----         riu-
    consent              ----         riu-         riu-         ----         r-u-         riu-         riu-
    credential           ----         ----         ----         ----         ----         ----         riud
    credential_history   ----         r---         r---         ----         ----         r---         ri--
    event_type           ----         riud         r---         r---         ----         r---         riud
    external_user        ----         r-u-         r-u-         r---         ----         r-u-         riud
    idempotency_record   ri-d         ri-d         ri-d         ri-d         ri-d         ri-d         ri-d
    instance             r---         ----         ----         ----         ----         ----         r---
    integration          r---         riu-         riu-         r---         r---         riu-         riu-
    integration_flow     r---         r---         r---         r---         r---         r---         riu-
    intent               ----         r---         ----         r---         ----         r---         riu-
    link_candidate       ----         riu-         ----         ----         ----         riu-         riu-
    oauth_authorization  ----         ----         ----         ----         ----         ----         riu-
    oauth_client         ----         ----         ----         ----         ----         ----         riud
    outbox               -i--         riu-         -i--         -i--         -i--         riu-         riu-
    patient              ----         riud         ----         r---         r---         riud         riud
    patient_import       ----         riu-         ----         ----         ----         riu-         riu-
    patient_import_chunk ----         ri-d         ----         ----         ----         ri-d         ri-d
    patient_import_row   ----         ri--         ----         ----         ----         ri--         ri--
    patient_link         ----         riud         ----         r---         r---         riud         riud
    patient_tombstone    ----         ri--         ----         ----         ----         ri--         ri--
    phase                ----         r-u-         r-u-         ----         ----         r-u-         riud
    phase_change         ----         ri--         ri--         ----         ----         ri--         ri--
    phase_conflict       ----         riu-         riu-         ----         ----         riu-         riu-
    phase_intent         ----         r---         r---         ----         ----         r---         riu-
    phase_project        ----         r---         r---         ----         ----         r---         riud
    planning_health      ----         r---         r---         ----         ----         r---         riu-
    planning_settings    ----         riu-         riu-         ----         ----         riu-         riu-
    practitioner         r---         riu-         r---         r---         r---         riu-         riu-
    practitioner_name    r---         ri-d         r---         r---         r---         ri-d         ri-d
    project              ----         r---         r---         ----         ----         r---         riud
    project_cursor       ----         r---         r---         ----         ----         r---         riud
    review_item          ----         riud         ----         riud         ----         riud         riud
    root_key             r---         ----         ----         ----         ----         ----         r---
    schedule_run         r---         ----         ----         ----         ----         ----         r---
    service              r---         riu-         r---         r---         r---         riu-         riu-
    service_name         r---         ri-d         r---         r---         r---         ri-d         ri-d
    slot_reservation     ----         ----         ----         ----         ----         ----         ri-d
    subject_link         ----         ri-d         ----         ----         ----         ----         ri-d
    subscription         ----         r---         r---         ----         ----         r---         riud
    sync_cursor          ----         r---         r---         ----         ----         r---         riud
    sync_log             ----         riud         riud         ----         ----         riud         riud
    tenant               r---         riu-         r---         r---         r---         r---         riu-
    tenant_key           ----         ----         ----         ----         ----         ----         riu-
    time_entry           ----         r---         r---         ----         ----         r---         riud
    unheard_change       ----         ----         ----         ----         ----         ----         riud
    webhook_activity     r---         riu-         r---         r---         r---         r---         riu-
    webhook_body_key     ----         riud         ----         ----         ----         ----         riud
    webhook_dedupe       ----         ----         ----         ----         ----         ----         riud
    webhook_endpoint     ----         riu-         ----         ----         ----         ----         riu-
    webhook_event        ----         ri--         ----         ----         ----         ----         ri--
    webhook_secret       ----         riu-         ----         ----         ----         ----         riu-
    ");
}

/// P3. The queue's functions show the worker whose message it is and which one, and no more.
#[tokio::test]
async fn the_workers_role_reads_and_writes_no_table() {
    let database = TestDatabase::new().await;
    let (owner, worker) = (database.owner().await, database.service().await);
    let seed = Seed::plant(&owner).await;
    worker.run(&format!("SET stellwerk.tenant_id = '{}'; SET stellwerk.role = 'system'", seed.tenant)).await;
    worker.run("SET ROLE stellwerk_worker").await;

    let mut reached = Vec::new();
    for table in owner.lines(TABLES).await {
        for statement in [
            format!("SELECT FROM {table}"),
            format!("UPDATE {table} SET tenant_id = tenant_id"),
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} DEFAULT VALUES"),
        ] {
            match worker.attempt(&statement).await {
                Err(SqlState::INSUFFICIENT_PRIVILEGE) => {}
                outcome => reached.push(format!("{statement}: {outcome:?}")),
            }
        }
    }

    assert_eq!(reached, [""; 0]);
    let claimed = format!("SELECT count(*) FROM stellwerk_outbox_claim('{}', 1, 60)", Uuid::nil());
    assert_eq!(worker.value(&claimed).await, "1");
}

/// P1.
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
        "UPDATE phase_change SET cause = 'somebody'".into(),
    ] {
        outcomes.push((owner.attempt(&statement).await, statement));
    }

    for (outcome, statement) in outcomes {
        assert_eq!(outcome, Err(SqlState::RESTRICT_VIOLATION), "{statement}");
    }
}

/// An INSERT of the first row of which the condition holds, as it stands.
async fn insert_again(owner: &Session, table: &str, condition: &str) -> String {
    let first = format!("SELECT row_to_json(t) FROM {table} t WHERE {condition} ORDER BY t::text LIMIT 1");
    let row = owner.value(&first).await.replace('\'', "''");
    format!("INSERT INTO {table} SELECT * FROM json_populate_record(NULL::{table}, '{row}')")
}

/// As in `ri--`. Policies decide before keys and constraints do, so a statement that fails by those was
/// allowed.
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
