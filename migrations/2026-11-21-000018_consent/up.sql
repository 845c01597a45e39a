ALTER TABLE integration ADD COLUMN consent_required boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN integration.consent_required IS 'Nothing is asked of the provider, and nothing it sends is kept, without a consent that lives.';

CREATE TABLE consent (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    patient_id uuid,
    subject text NOT NULL,
    scopes text[] NOT NULL,
    text_version text NOT NULL,
    address text,
    user_agent text,
    grant_time timestamptz NOT NULL DEFAULT now(),
    revoke_time timestamptz,
    revoker text,
    CONSTRAINT consent_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT consent_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT consent_patient FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT consent_scopes_known
        CHECK (scopes <> '{}' AND scopes <@ ARRAY['appointments', 'planning', 'absences', 'time_entries']),
    CONSTRAINT consent_revoked_by_somebody CHECK ((revoke_time IS NULL) = (revoker IS NULL)));
COMMENT ON TABLE consent IS 'Who agreed that data flow between here and a provider, to which text, and from where. Revoked, never changed.';
COMMENT ON COLUMN consent.patient_id IS 'Whose records it is about; the house''s, which opens the integration, when absent.';
COMMENT ON COLUMN consent.address IS 'The address the call came from.';
CREATE INDEX consent_by_integration ON consent (tenant_id, integration_id, id);
CREATE INDEX consent_by_patient ON consent (tenant_id, patient_id);
ALTER TABLE consent ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY consent_tenant ON consent TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
CREATE POLICY consent_of_the_house ON consent TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'hr' AND patient_id IS NULL);
CREATE POLICY consent_own ON consent TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'patient'
        AND patient_id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON consent TO stellwerk_app;
