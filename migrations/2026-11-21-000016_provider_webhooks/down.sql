DROP FUNCTION stellwerk_resolve_endpoint(bytea);
CREATE FUNCTION stellwerk_resolve_endpoint(hash bytea)
RETURNS TABLE (tenant_id uuid, id uuid, integration_id uuid, provider text, scheme text, limit_per_minute integer,
    tenant_key_id uuid, root_key_id text, wrapped_tenant_key bytea, secret_ids uuid[], sealed_secrets bytea[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT e.tenant_id, e.id, e.integration_id, e.provider, e.scheme, e.limit_per_minute, k.id, k.root_key_id, k.wrapped_key,
        coalesce(array_agg(s.id ORDER BY s.id) FILTER (WHERE s.id IS NOT NULL), '{}'),
        coalesce(array_agg(s.sealed_secret ORDER BY s.id) FILTER (WHERE s.id IS NOT NULL), '{}')
    FROM webhook_endpoint e
        JOIN tenant_key k ON k.tenant_id = e.tenant_id
        LEFT JOIN webhook_secret s ON s.tenant_id = e.tenant_id AND s.webhook_endpoint_id = e.id
            AND (s.expire_time IS NULL OR s.expire_time > now())
    WHERE e.token_hash = hash AND e.disable_time IS NULL
    GROUP BY e.tenant_id, e.id, k.tenant_id, k.id;
END $$;
REVOKE ALL ON FUNCTION stellwerk_resolve_endpoint(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_resolve_endpoint(bytea) TO stellwerk_app;

ALTER TABLE webhook_secret DROP COLUMN show_time;
DROP INDEX webhook_endpoint_one_of_client;
ALTER TABLE webhook_endpoint DROP COLUMN base_url, DROP COLUMN is_clients;
ALTER TABLE webhook_endpoint DROP CONSTRAINT webhook_endpoint_scheme_known;
ALTER TABLE webhook_endpoint ADD CONSTRAINT webhook_endpoint_scheme_known CHECK (scheme IN ('legacy', 'standard', 'calcom'));
