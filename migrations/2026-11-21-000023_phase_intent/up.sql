CREATE TABLE phase_intent (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    phase_id uuid NOT NULL,
    writes_dates boolean NOT NULL,
    start_date date,
    due_date date,
    writes_hours boolean NOT NULL,
    planned_hours numeric(14, 6),
    writes_area boolean NOT NULL,
    area text,
    state text NOT NULL,
    reason text,
    cause text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    send_time timestamptz NOT NULL,
    settle_time timestamptz,
    CONSTRAINT phase_intent_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT phase_intent_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT phase_intent_phase FOREIGN KEY (tenant_id, phase_id) REFERENCES phase (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT phase_intent_area_known CHECK (area IN ('production', 'assembly')),
    CONSTRAINT phase_intent_writes_something CHECK (writes_dates OR writes_hours OR writes_area),
    CONSTRAINT phase_intent_state_known CHECK (state IN ('recorded', 'sent', 'unknown', 'done', 'refused', 'superseded')));
COMMENT ON TABLE phase_intent IS 'A write of a phase to the planning tool, recorded before it is sent: what an echo is recognised by, as long as nobody knows whether it arrived.';
COMMENT ON COLUMN phase_intent.state IS 'recorded: certainly not done; sent: on its way; unknown: nobody knows whether it arrived; superseded: a later one took its place.';
CREATE INDEX phase_intent_by_phase ON phase_intent (tenant_id, phase_id, id);
CREATE INDEX phase_intent_by_integration ON phase_intent (tenant_id, integration_id);
-- One write at a time per phase.
CREATE UNIQUE INDEX phase_intent_one_open_per_phase ON phase_intent (tenant_id, phase_id) WHERE state IN ('recorded', 'sent', 'unknown');
ALTER TABLE phase_intent ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY phase_intent_read ON phase_intent FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY phase_intent_write ON phase_intent TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE ON phase_intent TO stellwerk_app;
