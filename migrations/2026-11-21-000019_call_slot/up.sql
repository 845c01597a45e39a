CREATE TABLE call_slot (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    is_write boolean NOT NULL,
    number integer NOT NULL,
    holder uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    CONSTRAINT call_slot_pkey PRIMARY KEY (tenant_id, integration_id, is_write, number),
    CONSTRAINT call_slot_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT call_slot_number_positive CHECK (number > 0))
    WITH (fillfactor = 50);
COMMENT ON TABLE call_slot IS 'Calls to a provider that are under way, of all instances, where the provider bounds how many may be at once.';
COMMENT ON COLUMN call_slot.is_write IS 'Reads and writes are bounded apart.';
COMMENT ON COLUMN call_slot.holder IS 'One call. Whoever lost the slot to another cannot give it back.';
COMMENT ON COLUMN call_slot.lease_until IS 'From then on the slot is free, whether or not its holder said so: it may have been killed.';
ALTER TABLE call_slot ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY call_slot_system ON call_slot TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE ON call_slot TO stellwerk_app;

ALTER TABLE integration_flow
    ADD COLUMN pace double precision NOT NULL DEFAULT 1,
    ADD COLUMN pace_time timestamptz,
    ADD CONSTRAINT integration_flow_pace_is_a_part CHECK (pace > 0 AND pace <= 1);
COMMENT ON COLUMN integration_flow.pace IS 'The part of the budget that is used since the provider last said it is too much; it grows back by itself.';
COMMENT ON COLUMN integration_flow.pace_time IS 'When the provider said so.';
