CREATE OR REPLACE FUNCTION stellwerk_sweep_imports() RETURNS bigint
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
COMMENT ON TABLE patient_import_row IS 'The report of a run: what became of each row, without what the row said.';
