//! Chores: partitions ahead of time, and nothing kept longer than a tenant wants.

use chrono::{Datelike, Months, NaiveDate, Utc};
use serde_json::json;
use stellwerk::{
    app,
    domain::{Domain, upkeep},
    proto::{self, PatientImportState, SignatureScheme},
    store,
    vault::Vault,
};
use tokio_postgres::error::SqlState;

use crate::support::{
    PATIENCE,
    app::TestApp,
    asana::{self, Planner},
    database::{Session, TestDatabase},
    desk, reason,
    said::said,
    tenant::TestTenant,
    wait_until,
};

/// The rooms without a worker, who would do the chores by himself.
fn rooms(database: &TestDatabase) -> Domain {
    let root_keys = Vault::generate_root_key("test").expect("randomness").into();
    app::domain(database.service_url(), &Default::default(), &root_keys, String::new()).expect("a domain")
}

/// The months that have a partition of their own.
async fn months(owner: &Session) -> Vec<String> {
    owner
        .lines(
            "SELECT right(c.relname, 7) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
             WHERE i.inhparent = 'webhook_event'::regclass AND c.relname <> 'webhook_event_default' \
             ORDER BY 1",
        )
        .await
}

fn month(offset: i32) -> String {
    let first: NaiveDate = Utc::now().date_naive().with_day(1).expect("a first day");
    let months = Months::new(offset.unsigned_abs());
    let at = if offset < 0 { first - months } else { first + months };
    at.format("%Y_%m").to_string()
}

/// As it would have been made in its time.
async fn add_month(owner: &Session, offset: i32) {
    let (this, next) = (month(offset), month(offset + 1));
    let floor = |month: &str| format!("stellwerk_uuid_floor('{}-01 00:00Z')", month.replace('_', "-"));
    let bounds = owner.lines(&format!("SELECT unnest(ARRAY[{}, {}])", floor(&this), floor(&next))).await;
    owner
        .run(&format!(
            "CREATE TABLE webhook_event_{this} PARTITION OF webhook_event \
             FOR VALUES FROM ('{}') TO ('{}')",
            bounds[0], bounds[1]
        ))
        .await;
}

/// So many months, besides this one.
async fn keep_months(tenant: &TestTenant, event_retention_months: i32) {
    let request = proto::UpdateTenantSettingsRequest { event_retention_months, ..Default::default() };
    tenant.admin.access().update_tenant_settings(request).await.expect("a new setting");
}

/// Makes an event one that came when a month began, with all that is kept of it; its body opens no more.
async fn age(owner: &Session, event: &str, offset: i32) {
    let begin = format!("'{}-01 00:00Z'", month(offset).replace('_', "-"));
    let id = format!("overlay('{event}' PLACING left(stellwerk_uuid_floor({begin})::text, 13) FROM 1)::uuid");
    owner
        .run(&format!(
            "ALTER TABLE webhook_event DISABLE TRIGGER webhook_event_is_append_only; \
             UPDATE webhook_event SET id = {id}, receive_time = {begin} WHERE id = '{event}'; \
             ALTER TABLE webhook_event ENABLE TRIGGER webhook_event_is_append_only; \
             UPDATE webhook_body_key SET webhook_event_id = {id}, create_time = {begin} \
                 WHERE webhook_event_id = '{event}'; \
             UPDATE webhook_dedupe SET webhook_event_id = {id}, create_time = {begin} \
                 WHERE webhook_event_id = '{event}'"
        ))
        .await;
}

/// P13. A service without upkeep goes on for three months.
#[tokio::test]
async fn there_are_always_partitions_for_this_month_and_the_next_three() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, rooms(&database));
    for month in months(&owner).await {
        owner.run(&format!("DROP TABLE webhook_event_{month}")).await;
    }

    upkeep::run(&domain).await;
    let made = months(&owner).await;
    upkeep::run(&domain).await;

    assert_eq!(made, [0, 1, 2, 3].map(month));
    assert_eq!(months(&owner).await, made);
}

/// P1, P13. What no month had a place for is moved into its own, this month's and an old one's; one month
/// that cannot be made keeps no other from being made.
#[tokio::test]
async fn events_without_a_month_get_theirs_and_stay_append_only() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    let (this, next, old) = (month(0), month(1), month(-5));
    // Nobody else does the chores meanwhile.
    owner.run("SELECT pg_advisory_lock(hashtextextended('stellwerk_upkeep', 0))").await;
    owner.run(&format!("DROP TABLE webhook_event_{this}, webhook_event_{next}")).await;
    owner.run(&format!("CREATE TYPE webhook_event_{next} AS ENUM ()")).await;
    tool.tell(&said("ping", json!({}))).await.kept();
    let day = format!("{}-15 12:00Z", old.replace('_', "-"));
    owner
        .run(&format!(
            "CREATE TEMP TABLE copied AS SELECT * FROM webhook_event; \
             UPDATE copied SET id = stellwerk_uuid_floor('{day}'); \
             INSERT INTO webhook_event SELECT * FROM copied"
        ))
        .await;
    let place = "SELECT tableoid::regclass FROM webhook_event ORDER BY id";
    assert_eq!(owner.lines(place).await, ["webhook_event_default"; 2]);

    owner.run("SELECT pg_advisory_unlock_all()").await;
    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value("SELECT count(*) FROM webhook_event_default").await == "0"
    })
    .await;

    let places = [&old, &this].map(|month| format!("webhook_event_{month}"));
    assert_eq!(owner.lines(place).await, places);
    assert_eq!(months(&owner).await, [old.clone(), this.clone(), month(2), month(3)]);
    for table in ["webhook_event", &places[0], &places[1]] {
        for change in [format!("UPDATE {table} SET reason = 'x'"), format!("DELETE FROM {table}")] {
            assert_eq!(owner.attempt(&change).await, Err(SqlState::RESTRICT_VIOLATION), "{change}");
        }
    }
    let on = "SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'webhook_event_default'::regclass \
        AND tgname = 'webhook_event_is_append_only'";
    assert_eq!(owner.value(on).await, "O");
    owner.run(&format!("DROP TYPE webhook_event_{next}")).await;
    wait_until("the last month is made", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        months(&owner).await.contains(&next)
    })
    .await;
}

#[tokio::test]
async fn an_event_lies_in_the_partition_of_its_month() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    tool.tell(&said("ping", json!({}))).await.kept();

    let owner = app.database.owner().await;
    let partition = owner.value("SELECT tableoid::regclass FROM webhook_event").await;
    assert_eq!(partition, format!("webhook_event_{}", month(0)));
}

/// P13.
#[tokio::test]
async fn months_that_no_tenant_keeps_are_dropped() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, rooms(&database));
    for offset in [-30, -25, -24, -23] {
        add_month(&owner, offset).await;
    }

    upkeep::run(&domain).await;

    let kept = months(&owner).await;
    assert_eq!(kept, [-24, -23, 0, 1, 2, 3].map(month));
}

/// P13. The house keeps no events, so what is set for it counts for nobody.
#[tokio::test]
async fn where_every_tenant_keeps_a_month_older_ones_are_dropped() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, rooms(&database));
    owner
        .run(
            "INSERT INTO tenant (tenant_id, name, event_retention_months) \
             VALUES (gen_random_uuid(), 'acme', 1)",
        )
        .await;
    for offset in [-3, -2, -1] {
        add_month(&owner, offset).await;
    }

    upkeep::run(&domain).await;

    assert_eq!(months(&owner).await, [-1, 0, 1, 2, 3].map(month));
}

/// P11, P13. What a tenant no longer keeps goes out of a month that others still do.
#[tokio::test]
async fn a_month_stays_for_those_who_keep_it_and_for_nobody_else() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    keep_months(&acme, 1).await;
    let owner = app.database.owner().await;
    for tenant in [&acme, &globex] {
        let tool = tenant.booking_tool(SignatureScheme::Standard).await;
        for offset in [-2, -1, 0] {
            let told = tool.tell(&said("ping", json!({}))).await;
            told.kept();
            age(&owner, told.event_id(), offset).await;
        }
    }

    // The server's own worker may be at it in this moment.
    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value("SELECT count(*) FROM webhook_event").await == "5"
    })
    .await;

    for (tenant, kept) in [(&acme, "2"), (&globex, "3")] {
        let theirs = format!("SELECT count(*) FROM webhook_event WHERE tenant_id = '{}'", tenant.id);
        assert_eq!(owner.value(&theirs).await, kept);
    }
    for table in ["webhook_event".to_string(), format!("webhook_event_{}", month(-2))] {
        let refused = owner.attempt(&format!("DELETE FROM {table}")).await;
        assert_eq!(refused, Err(SqlState::RESTRICT_VIOLATION), "{table}");
    }
}

/// P11, P13. Months are kept whole, and bodies to the day.
#[tokio::test]
async fn bodies_are_kept_as_long_as_their_own_tenant_says() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    keep_months(&acme, 1).await;
    let person = said("patient.created", json!({ "id": "p-1", "nachname": "Muster" }));
    let owner = app.database.owner().await;
    for tenant in [&acme, &globex] {
        let told = tenant.booking_tool(SignatureScheme::Standard).await.tell(&person).await;
        told.kept();
        age(&owner, told.event_id(), -1).await;
    }

    // The server's own worker may be at it in this moment.
    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value("SELECT count(*) FROM webhook_body_key").await == "1"
    })
    .await;

    assert_eq!(owner.value("SELECT tenant_id FROM webhook_body_key").await, globex.id.to_string());
    let gone = desk::events(&acme.admin).await;
    assert_eq!((gone.len(), gone[0].body_preview.as_str()), (1, ""));
    let request = proto::ReplayWebhookEventRequest {
        webhook_event_id: gone[0].webhook_event_id.clone(),
        ..Default::default()
    };
    let refused = acme.admin.webhooks().replay_webhook_event(request).await.unwrap_err();
    assert_eq!(reason(&refused), "WEBHOOK_BODY_GONE");
}

/// P1, P9, P13. The signature of an old version has no time in it: it stays good for whoever caught it.
#[tokio::test]
async fn a_delivery_is_taken_once_for_as_long_as_its_event_is_kept() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    keep_months(&acme, 3).await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let named = |id: &str, name: &str| json!({ "id": id, "event": "patient.updated", "data": { "id": "p-1", "nachname": name } });
    let owner = app.database.owner().await;
    for (id, name, offset) in [("e-1", "Muster", -4), ("e-2", "Beispiel", -3), ("e-3", "Neu", 0)] {
        let told = tool.tell(&named(id, name)).await;
        told.kept();
        age(&owner, told.event_id(), offset).await;
    }

    // The server's own worker may be at it in this moment.
    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value("SELECT count(*) FROM webhook_dedupe").await == "2"
    })
    .await;
    let again = tool.tell(&named("e-2", "Beispiel")).await;

    assert_eq!(again.kept(), "duplicate");
    assert_eq!(desk::names(&acme.admin).await, [" Neu"]);
    assert_eq!(owner.value("SELECT count(*) FROM webhook_event").await, "3");
}

/// P11, P13.
#[tokio::test]
async fn an_upload_that_nobody_finishes_is_swept_after_a_week() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let start = proto::StartPatientImportRequest::default();
    let mut ids = Vec::new();
    for age in ["6 days", "8 days"] {
        let started = acme.admin.patients().start_patient_import(start.clone()).await.unwrap().into_inner();
        let id = started.patient_import.unwrap().patient_import_id;
        let chunk = proto::UploadPatientImportChunkRequest {
            patient_import_id: id.clone(),
            offset_bytes: 0,
            data: b"nachname\nMuster\n".into(),
        };
        acme.admin.patients().upload_patient_import_chunk(chunk).await.unwrap();
        let aged = format!("create_time = now() - interval '{age}' WHERE id = '{id}'");
        owner.run(&format!("UPDATE patient_import SET {aged}")).await;
        ids.push(id);
    }

    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value("SELECT count(*) FROM patient_import_chunk").await == "1"
    })
    .await;

    let mut told = Vec::new();
    for id in ids {
        let get = proto::GetPatientImportRequest { patient_import_id: id, ..Default::default() };
        let import = acme.admin.patients().get_patient_import(get).await.unwrap().into_inner();
        let import = import.patient_import.unwrap();
        told.push((import.state(), import.failure_reason));
    }
    let expected = [(PatientImportState::Uploading, ""), (PatientImportState::Failed, "EXPIRED")];
    assert_eq!(told, expected.map(|(state, reason)| (state, reason.to_string())));
}

/// P7, P13. Of a write that may still arrive the record stays, however old it is.
#[tokio::test]
async fn writes_of_phases_that_ended_a_month_ago_are_swept() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, _) = Planner::synced_with(&app, &tenant, &double, 1).await;
    let writes = "INSERT INTO phase_intent (tenant_id, id, integration_id, phase_id, writes_dates, \
             writes_hours, writes_area, state, cause, send_time, settle_time) \
         SELECT p.tenant_id, gen_random_uuid(), p.integration_id, p.id, true, false, false, w.state, 'test', \
             now() - interval '60 days', now() - w.age::interval \
         FROM phase p, (VALUES ('done', '31 days'), ('refused', '31 days'), ('superseded', '29 days'), \
             ('unknown', NULL)) w (state, age)";
    planner.owner.run(writes).await;

    let kept = async || planner.lines("state", "phase_intent ORDER BY state").await;
    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        kept().await.len() < 4
    })
    .await;

    assert_eq!(kept().await, ["superseded", "unknown"]);
}

/// P13.
#[tokio::test]
async fn secrets_that_ended_a_month_ago_are_swept() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let owner = app.database.owner().await;
    let ended = "INSERT INTO webhook_secret \
            (tenant_id, id, webhook_endpoint_id, sealed_secret, expire_time, show_time) \
        SELECT tenant_id, gen_random_uuid(), webhook_endpoint_id, sealed_secret, now() - age::interval, \
            now() \
        FROM webhook_secret, unnest(ARRAY['31 days', '29 days']) age";
    owner.run(ended).await;
    let count = "SELECT count(*) FROM webhook_secret";

    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value(count).await != "3"
    })
    .await;

    let long_ended = format!("{count} WHERE expire_time < now() - interval '30 days'");
    assert_eq!((owner.value(count).await, owner.value(&long_ended).await), ("2".into(), "0".into()));
    assert_eq!(tool.tell(&said("ping", json!({}))).await.kept(), "ignored");
}

/// P14.
#[tokio::test]
async fn of_several_instances_one_is_at_the_chores() {
    let database = TestDatabase::new().await;
    let (first, second) = (rooms(&database), rooms(&database));

    let at_it = store::upkeep::begin(&first.store).await.unwrap();
    let meanwhile = store::upkeep::begin(&second.store).await.unwrap().is_some();
    drop(at_it);

    assert!(!meanwhile);
    wait_until("the right is given back", PATIENCE, async || {
        store::upkeep::begin(&second.store).await.unwrap().is_some()
    })
    .await;
}
