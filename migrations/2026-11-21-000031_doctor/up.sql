-- What `doctor` and `outbox status` tell of the whole house: counts, ages, states and reason codes, no payloads.

-- What waits and what was given up, per tenant and kind, what has waited longest first. What is held waits for an integration that is
-- paused, out or to be connected again, and apart from the rest: it hides nothing that nobody works on.
CREATE FUNCTION stellwerk_outbox_standing(at_most integer)
RETURNS TABLE (tenant_id uuid, kind text, is_held boolean, waiting bigint, dead bigint, oldest_age_s double precision, lane text,
    attempts integer, reason text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH message AS MATERIALIZED (
        SELECT o.tenant_id, o.kind, o.state, o.lane, o.attempts, o.reason, o.create_time, o.position,
            o.state = 'pending' AND i.id IS NOT NULL AND (i.state = 'needs_reconnect' OR i.inbound_paused OR i.outbound_paused
                OR coalesce(f.breaker <> 'closed', false)) AS is_held
        FROM outbox o LEFT JOIN integration i ON i.tenant_id = o.tenant_id AND i.id = o.integration_id
            LEFT JOIN integration_flow f ON f.tenant_id = i.tenant_id AND f.integration_id = i.id),
    counted AS (
        SELECT tenant_id, kind, is_held, count(*) FILTER (WHERE state = 'pending') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead
        FROM message GROUP BY tenant_id, kind, is_held),
    oldest AS (
        SELECT DISTINCT ON (tenant_id, kind, is_held) tenant_id, kind, is_held, lane, attempts, reason, create_time
        FROM message WHERE state = 'pending' ORDER BY tenant_id, kind, is_held, create_time, position)
    SELECT c.tenant_id, c.kind, c.is_held, c.waiting, c.dead, extract(epoch FROM now() - o.create_time)::double precision, o.lane,
        o.attempts, o.reason
    FROM counted c LEFT JOIN oldest o USING (tenant_id, kind, is_held)
    ORDER BY o.create_time NULLS LAST, c.tenant_id, c.kind LIMIT at_most;
$$;
-- Integrations that need a person, or whose provider does not answer.
CREATE FUNCTION stellwerk_integrations_in_trouble(at_most integer)
RETURNS TABLE (tenant_id uuid, id uuid, provider text, state text, breaker text, reason text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.tenant_id, i.id, i.provider, i.state, coalesce(f.breaker, 'closed'),
        CASE i.state WHEN 'needs_reconnect' THEN i.state_reason ELSE f.last_failure_reason END
    FROM integration i LEFT JOIN integration_flow f ON f.tenant_id = i.tenant_id AND f.integration_id = i.id
    WHERE i.state = 'needs_reconnect' OR i.state = 'connected' AND f.breaker <> 'closed'
    ORDER BY i.state DESC, i.tenant_id, i.id LIMIT at_most;
$$;
-- Where the providers of connected integrations are; is_granted: by the provider's own consent page.
CREATE FUNCTION stellwerk_provider_places(at_most integer)
RETURNS TABLE (provider text, instance_url text, is_granted boolean, integrations bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT provider, instance_url, granted_account_id IS NOT NULL, count(*) FROM integration
    WHERE state = 'connected' AND instance_url IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3 LIMIT at_most;
$$;
REVOKE ALL ON FUNCTION stellwerk_outbox_standing(integer), stellwerk_integrations_in_trouble(integer),
    stellwerk_provider_places(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_standing(integer), stellwerk_integrations_in_trouble(integer),
    stellwerk_provider_places(integer) TO stellwerk_app;
