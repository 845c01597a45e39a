-- Every try at a webhook of Asana takes an address. One that was closed more than a day ago and never had a delivery says nothing; at most
-- a thousand at a time.
CREATE FUNCTION stellwerk_sweep_endpoints() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    swept bigint;
BEGIN
    WITH unused AS (SELECT tenant_id, id FROM webhook_endpoint e WHERE provider = 'asana' AND disable_time < now() - interval '1 day'
            AND NOT EXISTS (SELECT FROM subscription s WHERE s.tenant_id = e.tenant_id AND s.webhook_endpoint_id = e.id)
            AND NOT EXISTS (SELECT FROM webhook_event v WHERE v.tenant_id = e.tenant_id AND v.webhook_endpoint_id = e.id)
            AND NOT EXISTS (SELECT FROM webhook_dedupe d WHERE d.tenant_id = e.tenant_id AND d.webhook_endpoint_id = e.id)
            LIMIT 1000),
        secrets AS (DELETE FROM webhook_secret s USING unused u WHERE s.tenant_id = u.tenant_id AND s.webhook_endpoint_id = u.id),
        activity AS (DELETE FROM webhook_activity a USING unused u WHERE a.tenant_id = u.tenant_id AND a.webhook_endpoint_id = u.id)
    DELETE FROM webhook_endpoint e USING unused u WHERE e.tenant_id = u.tenant_id AND e.id = u.id;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_sweep_endpoints() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_sweep_endpoints() TO stellwerk_app;
