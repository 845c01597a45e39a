CREATE OR REPLACE FUNCTION stellwerk_tell_waiting() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    told bigint;
BEGIN
    WITH waiting AS (
            SELECT tenant_id, integration_id, max(stellwerk_uuid_time(id)) AS newest_time FROM appointment_link
            WHERE appointment_id IS NULL AND status = 'booked' AND start_time > now()
                AND (cancel_time IS NULL OR cancel_time < state_time)
                -- Ids begin with the time they were made.
                AND id < stellwerk_uuid_floor(now() - interval '1 hour')
            GROUP BY tenant_id, integration_id),
        asked AS (
            SELECT * FROM review_item WHERE kind = 'unmatched' AND appointment_id IS NULL AND reason = 'PATIENT_UNKNOWN'),
        settled AS (
            UPDATE review_item r SET state = 'resolved', resolution = 'settled', resolver = 'system', resolve_time = now()
            FROM asked a WHERE r.tenant_id = a.tenant_id AND r.id = a.id AND r.state = 'open' AND NOT EXISTS (
                SELECT FROM waiting w WHERE w.tenant_id = a.tenant_id AND w.integration_id = a.integration_id))
    INSERT INTO review_item (tenant_id, id, kind, integration_id, reason)
        SELECT w.tenant_id, overlay(gen_random_uuid()::text PLACING left(stellwerk_uuid_floor(clock_timestamp())::text, 14) || '7'
                FROM 1 FOR 15)::uuid, 'unmatched', w.integration_id, 'PATIENT_UNKNOWN'
        FROM waiting w WHERE NOT EXISTS (
            SELECT FROM asked a WHERE a.tenant_id = w.tenant_id AND a.integration_id = w.integration_id
                AND (a.state = 'open' OR a.open_time - interval '1 hour' >= w.newest_time));
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN told;
END $$;
DROP INDEX appointment_link_waiting;
CREATE INDEX appointment_link_waiting ON appointment_link (tenant_id, integration_id, external_patient_id)
    WHERE appointment_id IS NULL;
ALTER TABLE appointment_link DROP COLUMN wait_time;
