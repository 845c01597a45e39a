ALTER TABLE appointment
    ADD COLUMN provider_sync text NOT NULL DEFAULT 'none',
    ADD COLUMN provider_sync_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN provider_sync_time timestamptz,
    ADD COLUMN provider_sync_cause text,
    ADD COLUMN provider_sync_message_id uuid,
    ADD COLUMN provider_sync_reason text,
    ADD COLUMN provider_sync_review_time timestamptz,
    ADD CONSTRAINT appointment_provider_sync_known CHECK (provider_sync IN ('none', 'pending', 'synced', 'failed', 'review'));
COMMENT ON COLUMN appointment.provider_sync IS 'Whether the provider has what stands here. failed: a try failed and another follows; review: a person must decide.';
COMMENT ON COLUMN appointment.provider_sync_time IS 'When what is to be written was caused; provider_sync_cause says by whom.';
CREATE INDEX appointment_by_provider_sync ON appointment (tenant_id, provider_sync, start_time, id) WHERE provider_sync IN ('pending', 'failed', 'review');
CREATE INDEX appointment_by_status ON appointment (tenant_id, status, start_time, id);

-- A watcher must not miss a change whose transaction commits after a younger one's: it reads only below the oldest transaction still
-- running, in the order of transactions.
ALTER TABLE appointment_change
    ADD COLUMN xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    ADD COLUMN provider_sync text NOT NULL DEFAULT 'none',
    ADD COLUMN intent_id uuid,
    ADD COLUMN reason text,
    DROP CONSTRAINT appointment_change_kind_known,
    ADD CONSTRAINT appointment_change_kind_known CHECK (kind IN ('created', 'moved', 'status', 'details', 'patient', 'sync'));
COMMENT ON COLUMN appointment_change.intent_id IS 'The write to the provider that this change is the outcome, or the echo, of.';
CREATE INDEX appointment_change_by_xact ON appointment_change (tenant_id, xact, id);

CREATE TABLE intent (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    kind text NOT NULL,
    target_external_id text COLLATE "C",
    external_event_type_id text COLLATE "C",
    start_time timestamptz,
    fingerprint bytea NOT NULL,
    state text NOT NULL,
    result_external_id text COLLATE "C",
    reason text,
    cause text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT now(),
    send_time timestamptz,
    settle_time timestamptz,
    CONSTRAINT intent_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT intent_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT intent_appointment FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointment (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT intent_kind_known CHECK (kind IN ('create', 'reschedule', 'cancel')),
    CONSTRAINT intent_state_known CHECK (state IN ('recorded', 'sent', 'unknown', 'done', 'refused', 'superseded')),
    CONSTRAINT intent_target_iff_not_create CHECK ((target_external_id IS NULL) = (kind = 'create')));
COMMENT ON TABLE intent IS 'A write to a provider, recorded before it is sent: looked up before it is repeated, and what an echo is recognised by.';
COMMENT ON COLUMN intent.state IS 'sent: on its way; unknown: nobody knows whether it arrived, so it must be looked up first; superseded: no longer wanted before it was sent.';
CREATE INDEX intent_by_appointment ON intent (tenant_id, appointment_id, id);
CREATE INDEX intent_by_integration ON intent (tenant_id, integration_id);
-- One write at a time per appointment.
CREATE UNIQUE INDEX intent_one_open_per_appointment ON intent (tenant_id, appointment_id) WHERE state IN ('recorded', 'sent', 'unknown');
CREATE INDEX intent_by_target ON intent (tenant_id, integration_id, target_external_id, kind);
CREATE INDEX intent_by_slot ON intent (tenant_id, integration_id, external_event_type_id, start_time);
ALTER TABLE intent ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY intent_read ON intent FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
CREATE POLICY intent_of_own_appointment ON intent FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND EXISTS (SELECT FROM appointment a WHERE a.tenant_id = intent.tenant_id AND a.id = intent.appointment_id));
CREATE POLICY intent_write ON intent TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE ON intent TO stellwerk_app;

CREATE TABLE sync_log (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    cause text NOT NULL,
    stage text,
    counts jsonb NOT NULL DEFAULT '{}',
    errors jsonb NOT NULL DEFAULT '[]',
    error_count integer NOT NULL DEFAULT 0,
    reason text,
    cancel_asked boolean NOT NULL DEFAULT false,
    revision integer NOT NULL DEFAULT 0,
    start_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz,
    CONSTRAINT sync_log_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT sync_log_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT sync_log_kind_known CHECK (kind IN ('full', 'incremental', 'manual', 'scheduled', 'webhook')),
    CONSTRAINT sync_log_state_known CHECK (state IN ('queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled')),
    CONSTRAINT sync_log_ended_iff_over CHECK ((end_time IS NULL) = (state IN ('queued', 'running'))));
COMMENT ON TABLE sync_log IS 'The record of one run.';
COMMENT ON COLUMN sync_log.counts IS 'Per noun: {"bookings": {"total": 12, "processed": 7, "repaired": 1}}.';
COMMENT ON COLUMN sync_log.errors IS 'The first 100: {"subject": "event_type/12", "reason": "CODE"}; error_count counts them all.';
COMMENT ON COLUMN sync_log.revision IS 'Counts the writes, so that a watcher sees what it has not seen.';
CREATE INDEX sync_log_by_integration ON sync_log (tenant_id, integration_id, id);
-- One run at a time per integration.
CREATE UNIQUE INDEX sync_log_one_open_per_integration ON sync_log (tenant_id, integration_id) WHERE state IN ('queued', 'running');
ALTER TABLE sync_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY sync_log_tenant ON sync_log TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON sync_log TO stellwerk_app;

CREATE TABLE sync_cursor (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    noun text NOT NULL,
    watermark timestamptz,
    last_run_time timestamptz,
    CONSTRAINT sync_cursor_pkey PRIMARY KEY (tenant_id, integration_id, noun),
    CONSTRAINT sync_cursor_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id));
COMMENT ON TABLE sync_cursor IS 'Up to where a provider''s changes of a noun were read.';
ALTER TABLE sync_cursor ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY sync_cursor_read ON sync_cursor FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY sync_cursor_write ON sync_cursor TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON sync_cursor TO stellwerk_app;

CREATE TABLE review_item (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'open',
    integration_id uuid,
    appointment_id uuid,
    intent_id uuid,
    reason text NOT NULL,
    resolution text,
    resolver text,
    open_time timestamptz NOT NULL DEFAULT now(),
    resolve_time timestamptz,
    CONSTRAINT review_item_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT review_item_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT review_item_appointment FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointment (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT review_item_kind_known CHECK (kind IN ('requires_manual_review', 'conflict', 'edited_on_both_sides', 'unmatched', 'deletions_over_guard')),
    CONSTRAINT review_item_state_known CHECK (state IN ('open', 'resolved')),
    CONSTRAINT review_item_resolution_known CHECK (resolution IN ('retry', 'accept_theirs', 'accept_ours', 'dismiss', 'settled')),
    CONSTRAINT review_item_resolved_iff_decided CHECK ((state = 'resolved') = (resolution IS NOT NULL AND resolve_time IS NOT NULL)));
COMMENT ON TABLE review_item IS 'What a person must decide. settled: it went away by itself.';
CREATE INDEX review_item_by_appointment ON review_item (tenant_id, appointment_id);
CREATE INDEX review_item_by_integration ON review_item (tenant_id, integration_id);
CREATE INDEX review_item_open ON review_item (tenant_id, id) WHERE state = 'open';
-- What is told once is not told again while it is open.
CREATE UNIQUE INDEX review_item_one_open_per_appointment ON review_item (tenant_id, appointment_id, kind) WHERE state = 'open';
ALTER TABLE review_item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY review_item_tenant ON review_item TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON review_item TO stellwerk_app;

CREATE TABLE schedule_run (
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    schedule text NOT NULL,
    occurrence_time timestamptz NOT NULL,
    run_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedule_run_pkey PRIMARY KEY (tenant_id, schedule, occurrence_time),
    CONSTRAINT schedule_run_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE schedule_run IS 'Each occurrence of a schedule that was run, once whatever the number of instances. Belongs to the house.';
ALTER TABLE schedule_run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY schedule_run_house ON schedule_run FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') IN ('operator', 'system'));
GRANT SELECT ON schedule_run TO stellwerk_app;
-- Claims an occurrence and queues its work for every connected integration of a provider, in one transaction. Null: somebody else had it.
CREATE FUNCTION stellwerk_schedule_run(of_schedule text, at timestamptz, of_kind text, of_provider text, of_payload jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    queued bigint;
BEGIN
    INSERT INTO schedule_run (schedule, occurrence_time) VALUES (of_schedule, at) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, integration_id)
        -- A UUIDv7, because the order of ids is the order of a lane.
        SELECT i.tenant_id, overlay(gen_random_uuid()::text PLACING left(stellwerk_uuid_floor(clock_timestamp())::text, 14) || '7'
                FROM 1 FOR 15)::uuid, of_kind, 'integration/' || i.id,
            of_payload || jsonb_build_object('integration_id', i.id), 'schedule/' || of_schedule, i.id
        FROM integration i WHERE i.provider = of_provider AND i.state = 'connected'
            -- What waits already does the work, if it is the same: a sweep is more than a look at what changed.
            AND NOT EXISTS (SELECT FROM outbox o WHERE o.tenant_id = i.tenant_id AND o.lane = 'integration/' || i.id
                AND o.kind = of_kind AND o.state = 'pending'
                AND o.payload = of_payload || jsonb_build_object('integration_id', i.id));
    GET DIAGNOSTICS queued = ROW_COUNT;
    DELETE FROM schedule_run WHERE occurrence_time < now() - interval '90 days';
    RETURN queued;
END $$;
REVOKE ALL ON FUNCTION stellwerk_schedule_run(text, timestamptz, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_schedule_run(text, timestamptz, text, text, jsonb) TO stellwerk_worker;

-- Tells every instance that something of a tenant's changed; the payload is `{tenant}/{noun}/{id}`. Only for what changes seldom: a
-- commit that notifies waits for every other one that does, its fsync included.
CREATE FUNCTION stellwerk_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('stellwerk_change', NEW.tenant_id || '/' || TG_ARGV[0] || '/'
        || (to_jsonb(NEW) ->> TG_ARGV[1]));
    RETURN NULL;
END $$;
CREATE TRIGGER sync_log_is_told AFTER INSERT OR UPDATE ON sync_log
    FOR EACH ROW EXECUTE FUNCTION stellwerk_tell('sync_log', 'id');
CREATE TRIGGER integration_is_told AFTER INSERT OR UPDATE ON integration
    FOR EACH ROW EXECUTE FUNCTION stellwerk_tell('integration', 'id');
