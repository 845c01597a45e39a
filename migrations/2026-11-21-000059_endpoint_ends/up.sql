-- Secrets end with their endpoint; those of endpoints that were disabled before would never have been swept.
UPDATE webhook_secret s SET expire_time = e.disable_time FROM webhook_endpoint e
    WHERE e.tenant_id = s.tenant_id AND e.id = s.webhook_endpoint_id AND e.disable_time IS NOT NULL
        AND (s.expire_time IS NULL OR s.expire_time > e.disable_time);
-- Whether an endpoint takes what was judged by these secrets of its own. A volatile function sees what was committed while the statement
-- that calls it waited for a lock, which the statement itself does not.
CREATE FUNCTION stellwerk_endpoint_takes(endpoint uuid, judged_by uuid[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM webhook_endpoint WHERE id = endpoint AND disable_time IS NULL)
        AND cardinality(judged_by) = (SELECT count(*) FROM webhook_secret WHERE webhook_endpoint_id = endpoint
            AND id = ANY (judged_by) AND (expire_time IS NULL OR expire_time > clock_timestamp()));
END $$;
REVOKE ALL ON FUNCTION stellwerk_endpoint_takes(uuid, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_endpoint_takes(uuid, uuid[]) TO stellwerk_app;
