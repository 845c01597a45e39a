CREATE TABLE appointment (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    patient_id uuid,
    practitioner_id uuid,
    service_id uuid,
    therapist_name text,
    service_name text,
    status text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    occupied_start_time timestamptz NOT NULL,
    occupied_end_time timestamptz NOT NULL,
    time_zone text NOT NULL,
    hold_expire_time timestamptz,
    origin text NOT NULL,
    last_change_origin text NOT NULL,
    integration_id uuid,
    external_id text COLLATE "C",
    sync_time timestamptz,
    cancel_reason text,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT appointment_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT appointment_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT appointment_patient FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id),
    CONSTRAINT appointment_practitioner FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
    CONSTRAINT appointment_service FOREIGN KEY (tenant_id, service_id) REFERENCES service (tenant_id, id),
    CONSTRAINT appointment_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT appointment_status_known
        CHECK (status IN ('held', 'requested', 'booked', 'cancelled', 'completed', 'no_show', 'conflicting')),
    CONSTRAINT appointment_origin_known
        CHECK (origin IN ('calcom', 'booking_tool', 'retell', 'admin', 'api', 'system')),
    CONSTRAINT appointment_last_change_origin_known
        CHECK (last_change_origin IN ('calcom', 'booking_tool', 'retell', 'admin', 'api', 'system')),
    CONSTRAINT appointment_ends_after_it_starts CHECK (end_time > start_time),
    CONSTRAINT appointment_occupies_its_own_time CHECK (occupied_start_time <= start_time AND occupied_end_time >= end_time),
    CONSTRAINT appointment_expires_iff_held CHECK ((hold_expire_time IS NULL) = (status <> 'held')),
    CONSTRAINT appointment_slot_is_free EXCLUDE USING gist (
        tenant_id WITH =, practitioner_id WITH =, tstzrange(occupied_start_time, occupied_end_time) WITH &&)
        WHERE (status IN ('held', 'booked') AND practitioner_id IS NOT NULL));
COMMENT ON TABLE appointment IS 'A slot of a practitioner''s time.';
COMMENT ON COLUMN appointment.occupied_start_time IS 'start_time less the service''s buffer; stored, because timestamptz minus interval is not immutable.';
CREATE INDEX appointment_by_start ON appointment (tenant_id, start_time, id);
CREATE INDEX appointment_by_patient ON appointment (tenant_id, patient_id, start_time, id);
CREATE INDEX appointment_by_practitioner ON appointment (tenant_id, practitioner_id, start_time, id);
CREATE INDEX appointment_by_service ON appointment (tenant_id, service_id);
CREATE INDEX appointment_by_integration ON appointment (tenant_id, integration_id);
CREATE INDEX appointment_held ON appointment (tenant_id, hold_expire_time) WHERE status = 'held';
CREATE INDEX appointment_conflicting ON appointment (tenant_id, practitioner_id, occupied_start_time) WHERE status = 'conflicting';
ALTER TABLE appointment ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY appointment_tenant ON appointment TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
-- A practitioner reads, books and moves his own; nobody but the server deletes.
CREATE POLICY appointment_own_time_read ON appointment FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND practitioner_id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
CREATE POLICY appointment_own_time_book ON appointment FOR INSERT TO stellwerk_app
    WITH CHECK (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND practitioner_id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
CREATE POLICY appointment_own_time_change ON appointment FOR UPDATE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND practitioner_id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
CREATE POLICY appointment_own_record ON appointment FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'patient'
        AND patient_id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON appointment TO stellwerk_app;

-- A practitioner's own patients: those in his care, and those with whom he has an appointment.
CREATE POLICY patient_of_practitioner ON patient FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND (practitioner_id = nullif(current_setting('stellwerk.person_id'), '')::uuid
            OR EXISTS (SELECT FROM appointment a WHERE a.tenant_id = patient.tenant_id AND a.patient_id = patient.id)));

CREATE TABLE appointment_link (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    appointment_id uuid,
    external_patient_id text COLLATE "C",
    start_time timestamptz,
    duration_minutes integer,
    time_zone text,
    therapist_name text,
    service_name text,
    status text,
    state_time timestamptz,
    state_rank smallint NOT NULL DEFAULT 0,
    state_fingerprint bytea,
    cancel_time timestamptz,
    cancel_fingerprint bytea,
    cancel_reason text,
    CONSTRAINT appointment_link_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT appointment_link_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT appointment_link_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT appointment_link_appointment FOREIGN KEY (tenant_id, appointment_id)
        REFERENCES appointment (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT appointment_link_status_known CHECK (status IN ('booked', 'cancelled', 'completed', 'no_show')));
COMMENT ON TABLE appointment_link IS 'A booking tool''s record of an appointment: its last applied state. Without an appointment it waits for its patient, or for its creation when the cancellation came first.';
CREATE INDEX appointment_link_by_appointment ON appointment_link (tenant_id, appointment_id);
CREATE INDEX appointment_link_waiting ON appointment_link (tenant_id, integration_id, external_patient_id)
    WHERE appointment_id IS NULL;
ALTER TABLE appointment_link ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY appointment_link_tenant ON appointment_link TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON appointment_link TO stellwerk_app;

CREATE TABLE appointment_change (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    cause text NOT NULL,
    status text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    practitioner_id uuid,
    change_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT appointment_change_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT appointment_change_appointment FOREIGN KEY (tenant_id, appointment_id)
        REFERENCES appointment (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT appointment_change_kind_known CHECK (kind IN ('created', 'moved', 'status', 'details', 'patient')),
    CONSTRAINT appointment_change_origin_known
        CHECK (origin IN ('calcom', 'booking_tool', 'retell', 'admin', 'api', 'system')));
COMMENT ON TABLE appointment_change IS 'Every change of an appointment, append-only; gone only with the appointment itself.';
CREATE INDEX appointment_change_by_appointment ON appointment_change (tenant_id, appointment_id, id);
ALTER TABLE appointment_change ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY appointment_change_of_a_visible_appointment ON appointment_change TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system', 'practitioner')
        AND EXISTS (SELECT FROM appointment a
            WHERE a.tenant_id = appointment_change.tenant_id AND a.id = appointment_change.appointment_id));
GRANT SELECT, INSERT ON appointment_change TO stellwerk_app;
