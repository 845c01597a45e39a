-- Secrets of endpoints that stopped being accepted a month ago: nothing is held against them, and nobody is shown them. At most ten thousand
-- at a time.
CREATE INDEX webhook_secret_expired ON webhook_secret (expire_time) WHERE expire_time IS NOT NULL;
CREATE FUNCTION stellwerk_sweep_secrets() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    WITH old AS (SELECT tenant_id, id FROM webhook_secret WHERE expire_time < now() - interval '30 days' ORDER BY expire_time LIMIT 10000)
    DELETE FROM webhook_secret s USING old o WHERE s.tenant_id = o.tenant_id AND s.id = o.id;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_sweep_secrets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_sweep_secrets() TO stellwerk_app;
