-- Which integrations have an account at a provider, as the provider itself named it beside a grant. Asked only after the delivery
-- that names the account was verified with our client's own secret.
CREATE FUNCTION stellwerk_resolve_account(wanted_provider text, wanted_accounts text[])
RETURNS TABLE (account_id text, tenant_id uuid, integration_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT i.granted_account_id, i.tenant_id, i.id
    FROM integration i
    WHERE i.provider = wanted_provider AND i.granted_account_id = ANY (wanted_accounts)
        AND i.state IN ('connected', 'needs_reconnect')
    ORDER BY i.tenant_id, i.id;
END $$;
REVOKE ALL ON FUNCTION stellwerk_resolve_account(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_resolve_account(text, text[]) TO stellwerk_app;
