-- An appointment that the booking tool gives to a patient whom it has not told of waits for that patient, as one does that is nobody's yet;
-- after an hour a person is asked about both.
ALTER TABLE appointment_link ADD COLUMN wait_time timestamptz;
COMMENT ON COLUMN appointment_link.wait_time IS 'Since when an appointment that was somebody''s waits for the patient it was given to; NULL when it does not.';
DROP INDEX appointment_link_waiting;
CREATE INDEX appointment_link_waiting ON appointment_link (tenant_id, integration_id, external_patient_id)
    WHERE appointment_id IS NULL OR wait_time IS NOT NULL;
CREATE OR REPLACE FUNCTION stellwerk_tell_waiting() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    told bigint;
BEGIN
    WITH waiting AS (
            -- Ids begin with the time they were made.
            SELECT tenant_id, integration_id, max(coalesce(wait_time, stellwerk_uuid_time(id))) AS newest_time FROM appointment_link
            WHERE (appointment_id IS NULL OR wait_time IS NOT NULL) AND status = 'booked' AND start_time > now()
                AND (cancel_time IS NULL OR cancel_time < state_time)
                AND coalesce(wait_time, stellwerk_uuid_time(id)) < now() - interval '1 hour'
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
