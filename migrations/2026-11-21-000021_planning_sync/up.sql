ALTER TABLE phase ADD COLUMN read_time timestamptz;
COMMENT ON COLUMN phase.read_time IS 'When the newest answer about it, which a write may have given too, was asked for, by this database''s clock. Older answers say nothing any more.';

CREATE TABLE project_cursor (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    project_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    event_token text COLLATE "C",
    event_token_time timestamptz,
    poll_time timestamptz,
    is_gapped boolean NOT NULL DEFAULT true,
    round_id uuid,
    round_begin_time timestamptz,
    round_offset text COLLATE "C",
    round_is_read boolean NOT NULL DEFAULT false,
    round_reason text,
    round_phases integer NOT NULL DEFAULT 0,
    round_changes integer NOT NULL DEFAULT 0,
    CONSTRAINT project_cursor_pkey PRIMARY KEY (tenant_id, project_id),
    CONSTRAINT project_cursor_project FOREIGN KEY (tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT project_cursor_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT project_cursor_counts_not_negative CHECK (round_phases >= 0 AND round_changes >= 0));
COMMENT ON TABLE project_cursor IS 'How far a project was read at the planning tool: in its stream of events, and in the complete reading (round) that is, or was last, under way.';
COMMENT ON COLUMN project_cursor.event_token IS 'Where its events go on; it lives for a day. It is taken before a complete reading, so that nothing between the two is missed.';
COMMENT ON COLUMN project_cursor.is_gapped IS 'Events were missed: it must be read completely before they count again.';
COMMENT ON COLUMN project_cursor.round_offset IS 'Where the next page begins; written with the page before it. Null: the first one.';
COMMENT ON COLUMN project_cursor.round_reason IS 'The code of why the round cannot read it: nothing is known of its phases then.';
CREATE INDEX project_cursor_by_round ON project_cursor (tenant_id, integration_id, round_id, project_id);
CREATE INDEX project_cursor_by_poll_time ON project_cursor (tenant_id, integration_id, poll_time);
ALTER TABLE project_cursor ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY project_cursor_read ON project_cursor FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY project_cursor_write ON project_cursor TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON project_cursor TO stellwerk_app;

CREATE TABLE unheard_change (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    find_time timestamptz NOT NULL,
    CONSTRAINT unheard_change_pkey PRIMARY KEY (tenant_id, integration_id, external_id),
    CONSTRAINT unheard_change_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id));
COMMENT ON TABLE unheard_change IS 'What was found changed at a provider before a webhook told of it. Told late, it leaves; otherwise it is counted as missed.';
CREATE INDEX unheard_change_by_find_time ON unheard_change (tenant_id, integration_id, find_time);
ALTER TABLE unheard_change ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY unheard_change_system ON unheard_change TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON unheard_change TO stellwerk_app;

CREATE TABLE planning_health (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    missed_events bigint NOT NULL DEFAULT 0,
    last_missed_time timestamptz,
    absences_reason text,
    time_entries_reason text,
    clock_skew_ms bigint NOT NULL DEFAULT 0,
    CONSTRAINT planning_health_pkey PRIMARY KEY (tenant_id, integration_id),
    CONSTRAINT planning_health_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id));
COMMENT ON TABLE planning_health IS 'What became known of how a planning tool can be read.';
COMMENT ON COLUMN planning_health.absences_reason IS 'The code of why absences could not be read last time, as when the plan does not include them; likewise for time entries.';
COMMENT ON COLUMN planning_health.clock_skew_ms IS 'By how much the tool''s clock is ahead of ours, in milliseconds.';
ALTER TABLE planning_health ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY planning_health_read ON planning_health FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY planning_health_write ON planning_health TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE ON planning_health TO stellwerk_app;

ALTER TABLE sync_log ADD COLUMN expect_end_time timestamptz;
COMMENT ON COLUMN sync_log.expect_end_time IS 'When it is expected to end, as of its last page; null while nobody knows.';

ALTER TABLE outbox
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import', 'appointment_push',
        'booking_refresh', 'sync_run', 'reconcile', 'subscription_check', 'disconnect', 'alert_delivery', 'credential_refresh',
        'planning_refresh', 'phase_push'));

-- How fresh an integration is, is told by what its provider is read for.
DO $$
DECLARE
    of_function regprocedure;
BEGIN
    FOREACH of_function IN ARRAY ARRAY['stellwerk_alert_measures(timestamptz, integer)', 'stellwerk_engine_standing()']::regprocedure[] LOOP
        EXECUTE replace(pg_get_functiondef(of_function), 'c.noun = ''bookings''', 'c.noun IN (''bookings'', ''phases'')');
    END LOOP;
END $$;
