CREATE TABLE patient_import (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid,
    state text NOT NULL DEFAULT 'uploading',
    dry_run boolean NOT NULL DEFAULT false,
    run integer NOT NULL DEFAULT 0,
    received_bytes bigint NOT NULL DEFAULT 0,
    processed_rows bigint NOT NULL DEFAULT 0,
    created_rows bigint NOT NULL DEFAULT 0,
    matched_rows bigint NOT NULL DEFAULT 0,
    candidate_rows bigint NOT NULL DEFAULT 0,
    refused_rows bigint NOT NULL DEFAULT 0,
    failure_reason text NOT NULL DEFAULT '',
    delimiter text NOT NULL DEFAULT '',
    encoding text NOT NULL DEFAULT '',
    ignored_columns text[] NOT NULL DEFAULT '{}',
    origin text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz,
    CONSTRAINT patient_import_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT patient_import_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT patient_import_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT patient_import_state_known CHECK (state IN ('uploading', 'running', 'succeeded', 'failed')));
COMMENT ON TABLE patient_import IS 'A CSV file of people on its way in. processed_rows is the checkpoint that a worker resumes from.';
CREATE INDEX patient_import_by_integration ON patient_import (tenant_id, integration_id);
ALTER TABLE patient_import ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY patient_import_tenant ON patient_import TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE ON patient_import TO stellwerk_app;

CREATE TABLE patient_import_chunk (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    patient_import_id uuid NOT NULL,
    offset_bytes bigint NOT NULL,
    size_bytes integer NOT NULL,
    sealed_data bytea NOT NULL,
    CONSTRAINT patient_import_chunk_pkey PRIMARY KEY (tenant_id, patient_import_id, offset_bytes),
    CONSTRAINT patient_import_chunk_import FOREIGN KEY (tenant_id, patient_import_id)
        REFERENCES patient_import (tenant_id, id) ON DELETE CASCADE);
COMMENT ON TABLE patient_import_chunk IS 'The file, sealed; deleted after the run for real, or after 7 days.';
ALTER TABLE patient_import_chunk ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY patient_import_chunk_tenant ON patient_import_chunk TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, DELETE ON patient_import_chunk TO stellwerk_app;

CREATE TABLE patient_import_row (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    patient_import_id uuid NOT NULL,
    run integer NOT NULL,
    row_number bigint NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL DEFAULT '',
    field text NOT NULL DEFAULT '',
    patient_id uuid,
    CONSTRAINT patient_import_row_pkey PRIMARY KEY (tenant_id, patient_import_id, run, row_number),
    CONSTRAINT patient_import_row_import FOREIGN KEY (tenant_id, patient_import_id)
        REFERENCES patient_import (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT patient_import_row_outcome_known CHECK (outcome IN ('created', 'matched', 'candidate', 'refused')));
COMMENT ON TABLE patient_import_row IS 'The report of a run: what became of each row, without what the row said.';
ALTER TABLE patient_import_row ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY patient_import_row_tenant ON patient_import_row TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT ON patient_import_row TO stellwerk_app;

-- Files that nobody will read again. A run for real deletes its own; these were tried only, or never finished.
CREATE FUNCTION stellwerk_sweep_imports() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    UPDATE patient_import SET state = 'failed', failure_reason = 'EXPIRED', end_time = now()
        WHERE state = 'uploading' AND create_time < now() - interval '7 days';
    -- Locked, so that a run which begins at this moment either comes first or finds no file.
    WITH stale AS (
        SELECT i.tenant_id, i.id FROM patient_import i
        WHERE i.state <> 'running' AND i.create_time < now() - interval '7 days'
            AND EXISTS (SELECT FROM patient_import_chunk c WHERE c.tenant_id = i.tenant_id AND c.patient_import_id = i.id)
        FOR UPDATE SKIP LOCKED)
    DELETE FROM patient_import_chunk c USING stale
        WHERE c.tenant_id = stale.tenant_id AND c.patient_import_id = stale.id;
    GET DIAGNOSTICS swept = ROW_COUNT;
    -- Reports of runs that a later run has replaced.
    DELETE FROM patient_import_row r USING patient_import i
        WHERE i.tenant_id = r.tenant_id AND i.id = r.patient_import_id AND r.run < i.run
            AND i.create_time < now() - interval '7 days';
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_sweep_imports() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_sweep_imports() TO stellwerk_app;
