-- Whose holds have run out, so that their time is given back though nobody asks for it.
CREATE FUNCTION stellwerk_expired_holds(at_most integer) RETURNS TABLE (tenant_id uuid, practitioner_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT a.tenant_id, a.practitioner_id FROM appointment a
    WHERE a.status = 'held' AND a.hold_expire_time <= now() AND a.practitioner_id IS NOT NULL LIMIT at_most;
$$;
-- Runs that nobody looks at any longer. One without events every five minutes tells nothing after a week.
CREATE FUNCTION stellwerk_sweep_sync_logs() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    DELETE FROM sync_log WHERE end_time < now() - CASE
        WHEN kind = 'incremental' AND state = 'succeeded' THEN interval '7 days' ELSE interval '90 days' END;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_expired_holds(integer), stellwerk_sweep_sync_logs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_expired_holds(integer), stellwerk_sweep_sync_logs() TO stellwerk_worker;
