//! One row of every table, planted as the owner: what a stranger must not see and a migration must not touch.

use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::database::Session;

/// The subject whose idempotency record is planted.
pub(crate) const SUBJECT: &str = "api_key|erika";

/// The tables that hold tenants' rows; partitions are reached through their parent.
pub(crate) const TABLES: &str = "SELECT c.relname FROM pg_class c \
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
    AND c.relname <> '__diesel_schema_migrations' ORDER BY 1";

/// A tenant with a row in every table. Two people and two appointments stand for somebody's own and somebody
/// else's.
#[derive(Clone, Copy)]
pub(crate) struct Seed {
    pub(crate) tenant: Uuid,
    pub(crate) practitioner: Uuid,
    pub(crate) other_practitioner: Uuid,
    pub(crate) patient: Uuid,
    pub(crate) other_patient: Uuid,
    pub(crate) appointment: Uuid,
    pub(crate) other_appointment: Uuid,
}

impl Seed {
    /// Plants a tenant. Panics when a table got no row: give a new table one in `statements`.
    pub(crate) async fn plant(owner: &Session) -> Self {
        let seed = Self::new();
        let tenant = seed.tenant;
        // Columns named tenant_id fill themselves from this, as they do for the program.
        owner.run(&format!("SET stellwerk.tenant_id = '{tenant}'")).await;
        for statement in seed.statements() {
            owner.run(&statement).await;
        }
        owner.run("RESET stellwerk.tenant_id").await;
        for table in owner.lines(TABLES).await {
            let rows =
                owner.value(&format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'")).await;
            assert_ne!(rows, "0", "the table {table} has no row in tests/it/support/seed.rs");
        }
        seed
    }

    /// Plants what an older version has tables and columns for.
    pub(crate) async fn plant_what_fits(owner: &Session) {
        let seed = Self::new();
        owner.run(&format!("SET stellwerk.tenant_id = '{}'", seed.tenant)).await;
        for statement in seed.statements() {
            match owner.attempt(&statement).await {
                Ok(_) | Err(SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN) => {}
                Err(state) => panic!("{statement}: {state:?}"),
            }
        }
        owner.run("RESET stellwerk.tenant_id").await;
    }

    fn new() -> Self {
        let [
            tenant,
            practitioner,
            other_practitioner,
            patient,
            other_patient,
            appointment,
            other_appointment,
        ] = std::array::from_fn(|_| Uuid::now_v7());
        Self {
            tenant,
            practitioner,
            other_practitioner,
            patient,
            other_patient,
            appointment,
            other_appointment,
        }
    }

    /// In the order that foreign keys ask for.
    fn statements(&self) -> Vec<String> {
        let Self {
            tenant,
            practitioner,
            other_practitioner,
            patient,
            other_patient,
            appointment,
            other_appointment,
        } = self;
        let [tenant_key, integration, endpoint, event, import, api_key] =
            std::array::from_fn(|_| Uuid::now_v7());
        let [link, candidate, subject_link, appointment_link, change, secret, message, service] =
            std::array::from_fn(|_| Uuid::now_v7());
        vec![
            format!("INSERT INTO tenant (tenant_id, name) VALUES ('{tenant}', 'Praxis Muster')"),
            format!(
                "INSERT INTO tenant_key (id, root_key_id, wrapped_key) VALUES ('{tenant_key}', 'r1', '\\x00')"
            ),
            format!(
                "INSERT INTO practitioner (id, name) VALUES ('{practitioner}', 'Dr. Muster'), \
                 ('{other_practitioner}', 'Dr. Beispiel')"
            ),
            format!("INSERT INTO practitioner_name VALUES (DEFAULT, 'dr muster', '{practitioner}')"),
            format!("INSERT INTO service (id, name, duration_s) VALUES ('{service}', 'Massage', 1800)"),
            format!("INSERT INTO service_name VALUES (DEFAULT, 'massage', '{service}')"),
            format!(
                "INSERT INTO api_key (id, name, prefix, secret_hash, role, origin) \
                 VALUES ('{api_key}', 'desk', 'swk_1', sha256('{api_key}'), 'admin', 'admin')"
            ),
            format!(
                "INSERT INTO idempotency_record (subject, rpc, key_hash, request_hash, resource_id) \
                 VALUES ('{SUBJECT}', 'CreatePatient', '\\x00', '\\x00', '{patient}')"
            ),
            format!(
                "INSERT INTO integration (id, provider, name) \
                 VALUES ('{integration}', 'booking', 'Terminbuch')"
            ),
            format!(
                "INSERT INTO patient (id, first_name, last_name, first_name_folded, last_name_folded, \
                 practitioner_id, origin) \
                 VALUES ('{patient}', 'Erika', 'Muster', 'erika', 'muster', '{practitioner}', 'admin'), \
                 ('{other_patient}', 'Max', 'Beispiel', 'max', 'beispiel', '{other_practitioner}', 'admin')"
            ),
            format!(
                "INSERT INTO patient_link (id, integration_id, external_id, patient_id, origin) \
                 VALUES ('{link}', '{integration}', 'p1', '{patient}', 'created')"
            ),
            format!(
                "INSERT INTO link_candidate (id, patient_id, known_patient_id, score, reasons) \
                 VALUES ('{candidate}', '{patient}', '{other_patient}', 80, '{{same_phone}}')"
            ),
            "INSERT INTO patient_tombstone (fingerprint) VALUES ('\\x00')".into(),
            format!(
                "INSERT INTO subject_link (id, issuer, subject, practitioner_id) \
                 VALUES ('{subject_link}', 'api_key', '{api_key}', '{practitioner}')"
            ),
            format!(
                "INSERT INTO appointment (id, patient_id, practitioner_id, status, start_time, end_time, \
                     occupied_start_time, occupied_end_time, time_zone, origin, last_change_origin) \
                 SELECT id, patient, practitioner, 'booked', at, at + interval '1 hour', \
                     at, at + interval '1 hour', 'Europe/Berlin', 'admin', 'admin' \
                 FROM (VALUES ('{appointment}'::uuid, '{patient}'::uuid, '{practitioner}'::uuid), \
                     ('{other_appointment}', '{other_patient}', '{other_practitioner}')) \
                     AS v (id, patient, practitioner), (VALUES (timestamptz '2026-03-02 09:00+01')) AS t (at)"
            ),
            format!(
                "INSERT INTO appointment_link (id, integration_id, external_id, appointment_id) \
                 VALUES ('{appointment_link}', '{integration}', 'a1', '{appointment}')"
            ),
            format!(
                "INSERT INTO appointment_change (id, appointment_id, kind, origin, cause, status, \
                 start_time, end_time) \
                 SELECT '{change}', id, 'created', 'admin', '{SUBJECT}', status, start_time, end_time \
                 FROM appointment WHERE tenant_id = '{tenant}' AND id = '{appointment}'"
            ),
            format!("INSERT INTO appointment_removal (id, appointment_id) VALUES ('{change}', '{change}')"),
            format!(
                "INSERT INTO webhook_endpoint (id, integration_id, provider, name, token_hash, \
                 sealed_token, scheme, limit_per_minute) \
                 VALUES ('{endpoint}', '{integration}', 'booking', 'Terminbuch', sha256('{endpoint}'), \
                 '\\x00', 'standard', 100)"
            ),
            format!(
                "INSERT INTO webhook_secret (id, webhook_endpoint_id, sealed_secret) \
                 VALUES ('{secret}', '{endpoint}', '\\x00')"
            ),
            format!(
                "INSERT INTO webhook_activity (webhook_endpoint_id, integration_id) \
                 VALUES ('{endpoint}', '{integration}')"
            ),
            format!(
                "INSERT INTO webhook_event (id, webhook_endpoint_id, integration_id, provider, event_type, \
                 status, cause, receive_time, body_size_bytes) \
                 VALUES ('{event}', '{endpoint}', '{integration}', 'booking', 'ping', 'ignored', \
                 'delivery', now(), 2)"
            ),
            format!(
                "INSERT INTO webhook_body_key (webhook_event_id, wrapped_key) VALUES ('{event}', '\\x00')"
            ),
            format!(
                "INSERT INTO webhook_dedupe (webhook_endpoint_id, delivery_hash, webhook_event_id, status) \
                 VALUES ('{endpoint}', '\\x00', '{event}', 'ignored')"
            ),
            format!(
                "INSERT INTO outbox (id, kind, lane, payload, cause) \
                 VALUES ('{message}', 'patient_import', 'import/{import}', '{{}}', '{SUBJECT}')"
            ),
            format!("INSERT INTO patient_import (id, origin) VALUES ('{import}', 'admin')"),
            format!("INSERT INTO patient_import_chunk VALUES (DEFAULT, '{import}', 0, 1, '\\x00')"),
            format!("INSERT INTO patient_import_row VALUES (DEFAULT, '{import}', 1, 1, 'refused')"),
        ]
        .into_iter()
        .chain(self.statements_of_engine(integration, endpoint))
        .chain(self.statements_of_planning(integration))
        .collect()
    }

    /// What keeps an integration in step with its provider.
    fn statements_of_engine(&self, integration: Uuid, endpoint: Uuid) -> Vec<String> {
        let Self { tenant, appointment, patient, .. } = self;
        let [consent, own_consent] = std::array::from_fn(|_| Uuid::now_v7());
        let [credential, event_type, booking, subscription, intent, sync_log, review, target, alert] =
            std::array::from_fn(|_| Uuid::now_v7());
        vec![
            format!(
                "INSERT INTO credential (id, integration_id, kind, sealed_secret, cause) \
                 VALUES ('{credential}', '{integration}', 'api_key', '\\x00', '{SUBJECT}')"
            ),
            format!(
                "INSERT INTO credential_history (id, integration_id, event, version, cause) \
                 VALUES ('{credential}', '{integration}', 'given', 1, '{SUBJECT}')"
            ),
            format!(
                "INSERT INTO oauth_client (id, provider, client_id, sealed_secret, cause) \
                 VALUES ('{credential}', 'asana', '1200', '\\x00', '{SUBJECT}')"
            ),
            format!(
                "INSERT INTO oauth_authorization (id, provider, subject, state, name, read_only, scopes, \
                 placeholders, client_id, redirect_uri, return_url, state_hash, expire_time) \
                 VALUES ('{credential}', 'asana', '{SUBJECT}', 'started', 'Asana', false, '{{default}}', \
                 '{{}}', \
                 '1200', 'https://hooks.example.org/api/auth/asana/callback', 'https://desk.example.org/', \
                 sha256('{credential}'), now() + interval '10 minutes')"
            ),
            format!(
                "INSERT INTO consent (id, integration_id, patient_id, subject, scopes, text_version) \
                 VALUES ('{consent}', '{integration}', NULL, '{SUBJECT}', '{{appointments}}', 'v1'), \
                 ('{own_consent}', '{integration}', '{patient}', 'api_key|max', '{{appointments}}', 'v1')"
            ),
            format!(
                "INSERT INTO integration_flow (integration_id, capacity, refill_per_s, tokens) \
                 VALUES ('{integration}', 120, 2, 120)"
            ),
            format!(
                "INSERT INTO call_slot (integration_id, is_write, number, holder, lease_until) \
                 VALUES ('{integration}', false, 1, '{booking}', now())"
            ),
            format!(
                "INSERT INTO event_type (id, integration_id, instance_url, external_id, slug, title, \
                 length_minutes, check_time) \
                 VALUES ('{event_type}', '{integration}', 'https://calendar.example.org', '{event_type}', \
                 'massage', 'Massage', 30, now())"
            ),
            format!(
                "INSERT INTO booking (id, integration_id, external_id, appointment_id, status, is_current) \
                 VALUES ('{booking}', '{integration}', 'b1', '{appointment}', 'accepted', true)"
            ),
            format!(
                "INSERT INTO subscription (id, integration_id, webhook_endpoint_id, resource, state) \
                 VALUES ('{subscription}', '{integration}', '{endpoint}', 'user', 'active')"
            ),
            format!(
                "INSERT INTO intent (id, integration_id, appointment_id, kind, fingerprint, state, cause) \
                 VALUES ('{intent}', '{integration}', '{appointment}', 'create', '\\x00', 'done', \
                 '{SUBJECT}')"
            ),
            format!(
                "INSERT INTO sync_log (id, integration_id, kind, state, cause) \
                 VALUES ('{sync_log}', '{integration}', 'full', 'running', '{SUBJECT}')"
            ),
            format!("INSERT INTO sync_cursor (integration_id, noun) VALUES ('{integration}', 'bookings')"),
            format!(
                "INSERT INTO review_item (id, kind, appointment_id, reason) \
                 VALUES ('{review}', 'conflict', '{appointment}', 'SLOT_TAKEN')"
            ),
            format!(
                "INSERT INTO slot_reservation (appointment_id, integration_id, external_id, expire_time) \
                 VALUES ('{appointment}', '{integration}', 'r1', now())"
            ),
            // Belong to the house, unless it is said.
            format!("INSERT INTO root_key (tenant_id, id) VALUES ('{tenant}', 'r1')"),
            format!(
                "INSERT INTO instance (tenant_id, id, root_key_ids, sealing_root_key_id) \
                 VALUES ('{tenant}', '{credential}', '{{r1}}', 'r1')"
            ),
            format!(
                "INSERT INTO schedule_run (tenant_id, schedule, occurrence_time) \
                 VALUES ('{tenant}', 'reconcile', '2026-03-02 05:00Z')"
            ),
            format!(
                "INSERT INTO alert_destination (id, kind, name, url_host, sealed_target) \
                 VALUES ('{target}', 'webhook', 'desk', 'hooks.example.org', '\\x00')"
            ),
            format!(
                "INSERT INTO alert (id, rule, state, value, threshold, begin_time) \
                 VALUES ('{alert}', 'failures', 'firing', 6, 5, now())"
            ),
        ]
    }

    /// What a planning tool holds. Somebody's own absence and somebody else's.
    fn statements_of_planning(&self, integration: Uuid) -> Vec<String> {
        let Self { practitioner, .. } = self;
        let [user, other_user, project, phase, absence, other_absence, entry, change, conflict, intent] =
            std::array::from_fn(|_| Uuid::now_v7());
        vec![
            format!("INSERT INTO planning_settings (integration_id) VALUES ('{integration}')"),
            format!(
                "INSERT INTO area_mapping VALUES (DEFAULT, '{integration}', 'o1', 'Montage', NULL, true)"
            ),
            format!(
                "INSERT INTO external_user (id, integration_id, external_id, practitioner_id, mapped_by, \
                 map_time) VALUES ('{user}', '{integration}', 'u1', '{practitioner}', '{SUBJECT}', now()), \
                 ('{other_user}', '{integration}', 'u2', NULL, NULL, NULL)"
            ),
            format!(
                "INSERT INTO project (id, integration_id, external_id, name) \
                 VALUES ('{project}', '{integration}', 'p1', 'Haus am Wall')"
            ),
            format!(
                "INSERT INTO phase (id, integration_id, external_id, name) \
                 VALUES ('{phase}', '{integration}', 't1', 'Montage')"
            ),
            format!("INSERT INTO phase_project VALUES (DEFAULT, '{phase}', '{project}', now())"),
            format!(
                "INSERT INTO absence (id, integration_id, external_id, source, user_id, \
                     start_date, end_date) \
                 VALUES ('{absence}', '{integration}', 'a1', 'out_of_office', '{user}', '2026-03-02', \
                 '2026-03-06'), ('{other_absence}', '{integration}', 'a2', 'out_of_office', '{other_user}', \
                 '2026-03-02', '2026-03-06')"
            ),
            format!(
                "INSERT INTO time_entry (id, integration_id, external_id, phase_id, entry_date, minutes) \
                 VALUES ('{entry}', '{integration}', 'e1', '{phase}', '2026-03-02', 90)"
            ),
            format!(
                "INSERT INTO phase_change (id, phase_id, kind, origin, cause, presence, provider_sync) \
                 VALUES ('{change}', '{phase}', 'created', 'asana', 'system', 'present', 'synced')"
            ),
            format!(
                "INSERT INTO phase_conflict (id, phase_id, field, our_time, their_time, winner, reason) \
                 VALUES ('{conflict}', '{phase}', 'due_date', now(), now(), 'theirs', 'newer')"
            ),
            format!(
                "INSERT INTO phase_intent (id, integration_id, phase_id, writes_dates, writes_hours, \
                 writes_area, state, cause, send_time) \
                 VALUES ('{intent}', '{integration}', '{phase}', true, false, false, \
                     'done', '{SUBJECT}', now())"
            ),
            format!(
                "INSERT INTO project_cursor (project_id, integration_id) \
                 VALUES ('{project}', '{integration}')"
            ),
            format!("INSERT INTO unheard_change VALUES (DEFAULT, '{integration}', 't1', now())"),
            format!("INSERT INTO planning_health (integration_id) VALUES ('{integration}')"),
        ]
    }
}

/// The rows for which the condition holds, as one hash per table.
pub(crate) async fn contents(owner: &Session, condition: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    for table in owner.lines(TABLES).await {
        let rows = format!(
            "SELECT '{table} ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), 'empty') FROM \
             {table} t WHERE {condition}"
        );
        hashes.push(owner.value(&rows).await);
    }
    hashes
}
