-- The history of an appointment goes with it, so that a watcher would never hear that it is gone.
CREATE TABLE appointment_removal (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    practitioner_id uuid,
    patient_id uuid,
    xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    CONSTRAINT appointment_removal_pkey PRIMARY KEY (tenant_id, id));
COMMENT ON TABLE appointment_removal IS 'An appointment that was removed, and whose it was: what watchers are told. No foreign keys: the people may be gone, too.';
COMMENT ON COLUMN appointment_removal.id IS 'Its place in the order of changes, as of appointment_change.id.';
CREATE INDEX appointment_removal_by_xact ON appointment_removal (tenant_id, xact, id);
ALTER TABLE appointment_removal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY appointment_removal_read ON appointment_removal FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
CREATE POLICY appointment_removal_insert ON appointment_removal FOR INSERT TO stellwerk_app
    WITH CHECK (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT ON appointment_removal TO stellwerk_app;
