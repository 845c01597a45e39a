-- Connecting by OAuth 2.0: what is under way between us, a person's browser and a provider, and what came of it.
ALTER TABLE integration
    ADD COLUMN placeholders jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN granted_account_id text COLLATE "C";
COMMENT ON COLUMN integration.placeholders IS 'What the tenant said about the parts of the provider''s URLs that differ between tenants, by name.';
COMMENT ON COLUMN integration.granted_account_id IS 'The account as the provider itself named it beside a grant; absent for API keys and once disconnected. It routes deliveries that name nothing else, so it is one tenant''s only.';
CREATE UNIQUE INDEX integration_account_belongs_to_one_tenant
    ON integration (provider, coalesce(instance_url, ''), granted_account_id) WHERE granted_account_id IS NOT NULL;

ALTER TABLE credential
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN expire_time timestamptz,
    ADD COLUMN refresh_due_time timestamptz,
    ADD COLUMN refresh_lease_id uuid,
    ADD COLUMN refresh_lease_until timestamptz,
    DROP CONSTRAINT credential_kind_known,
    ADD CONSTRAINT credential_kind_known CHECK (kind IN ('api_key', 'oauth2')),
    ADD CONSTRAINT credential_lease_is_whole CHECK ((refresh_lease_id IS NULL) = (refresh_lease_until IS NULL));
COMMENT ON COLUMN credential.scopes IS 'What was granted, as far as the provider says; empty for API keys.';
COMMENT ON COLUMN credential.expire_time IS 'When the access token runs out; absent for what does not.';
COMMENT ON COLUMN credential.refresh_due_time IS 'From when on another access token is asked for, ahead of expiry.';
COMMENT ON COLUMN credential.refresh_lease_id IS 'Who of all instances asks for another token at this moment: a refresh token may work only once.';

CREATE TABLE credential_history (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    event text NOT NULL,
    version integer NOT NULL,
    cause text NOT NULL,
    reason text,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credential_history_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT credential_history_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT credential_history_event_known CHECK (event IN ('given', 'replaced', 'refreshed', 'refused', 'revoked', 'destroyed')));
COMMENT ON TABLE credential_history IS 'When a credential changed, why, and by whom. It outlives the credential and holds no secret.';
CREATE INDEX credential_history_by_integration ON credential_history (tenant_id, integration_id, id);
ALTER TABLE credential_history ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY credential_history_read ON credential_history FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY credential_history_write ON credential_history TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT ON credential_history TO stellwerk_app;

CREATE TABLE oauth_client (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    provider text NOT NULL,
    client_id text NOT NULL,
    sealed_secret bytea NOT NULL,
    cause text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oauth_client_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT oauth_client_one_per_provider UNIQUE (tenant_id, provider),
    CONSTRAINT oauth_client_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE oauth_client IS 'A tenant''s own registration with a provider, in place of the installation''s.';
ALTER TABLE oauth_client ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY oauth_client_system ON oauth_client TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_client TO stellwerk_app;

-- `authorization` is a word of SQL's own.
CREATE TABLE oauth_authorization (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    provider text NOT NULL,
    integration_id uuid,
    subject text NOT NULL,
    state text NOT NULL,
    reason text,
    name text NOT NULL,
    read_only boolean NOT NULL,
    scopes text[] NOT NULL,
    placeholders jsonb NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    return_url text NOT NULL,
    state_hash bytea NOT NULL,
    sealed_verifier bytea,
    sealed_code bytea,
    completion_hash bytea,
    made_integration_id uuid,
    create_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz NOT NULL,
    CONSTRAINT oauth_authorization_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT oauth_authorization_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT oauth_authorization_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT oauth_authorization_made_integration FOREIGN KEY (tenant_id, made_integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT oauth_authorization_state_is_unique UNIQUE (state_hash),
    CONSTRAINT oauth_authorization_state_known CHECK (state IN ('started', 'returned', 'exchanging', 'completed', 'failed')),
    CONSTRAINT oauth_authorization_made_iff_completed CHECK ((made_integration_id IS NOT NULL) = (state = 'completed')),
    CONSTRAINT oauth_authorization_code_only_while_needed CHECK (sealed_code IS NULL OR state IN ('returned', 'exchanging')));
COMMENT ON TABLE oauth_authorization IS 'One person''s way through a provider''s consent page. Bound to who began it; swept a day after it has run out.';
COMMENT ON COLUMN oauth_authorization.state_hash IS 'SHA-256 of the random `state` that goes through the browser.';
COMMENT ON COLUMN oauth_authorization.completion_hash IS 'SHA-256 of the one-time code that the frontend completes with.';
COMMENT ON COLUMN oauth_authorization.integration_id IS 'Which integration is connected again; absent for a new one.';
CREATE INDEX oauth_authorization_by_integration ON oauth_authorization (tenant_id, integration_id);
CREATE INDEX oauth_authorization_by_made_integration ON oauth_authorization (tenant_id, made_integration_id);
CREATE INDEX oauth_authorization_by_completion ON oauth_authorization (tenant_id, completion_hash);
ALTER TABLE oauth_authorization ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY oauth_authorization_system ON oauth_authorization TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE ON oauth_authorization TO stellwerk_app;

ALTER TABLE tenant ADD COLUMN return_urls text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN tenant.return_urls IS 'Where people may be sent back to after a provider''s consent page, beside what the installation allows.';

-- A returning browser shows nothing but the random state, which names the attempt and thereby the tenant.
CREATE FUNCTION stellwerk_resolve_authorization(hash bytea) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT a.tenant_id, a.id FROM oauth_authorization a WHERE a.state_hash = hash;
END $$;
REVOKE ALL ON FUNCTION stellwerk_resolve_authorization(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_resolve_authorization(bytea) TO stellwerk_app;

-- Attempts stay for a day after they ran out, so that a late or repeated return is told what happened.
CREATE FUNCTION stellwerk_sweep_authorizations() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    DELETE FROM oauth_authorization WHERE expire_time < now() - interval '1 day';
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_sweep_authorizations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_sweep_authorizations() TO stellwerk_app;

-- Claims an occurrence and queues a look at every grant that can be refreshed, whichever provider gave it.
CREATE FUNCTION stellwerk_schedule_refreshes(of_schedule text, at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    queued bigint;
BEGIN
    INSERT INTO schedule_run (schedule, occurrence_time) VALUES (of_schedule, at) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, integration_id)
        SELECT i.tenant_id, overlay(gen_random_uuid()::text PLACING left(stellwerk_uuid_floor(clock_timestamp())::text, 14) || '7'
                FROM 1 FOR 15)::uuid, 'credential_refresh', 'credential/' || i.id,
            jsonb_build_object('integration_id', i.id), 'schedule/' || of_schedule, i.id
        FROM integration i JOIN credential c ON c.tenant_id = i.tenant_id AND c.integration_id = i.id
        WHERE i.state = 'connected' AND c.kind = 'oauth2' AND c.expire_time IS NOT NULL
            AND NOT EXISTS (SELECT FROM outbox o WHERE o.tenant_id = i.tenant_id AND o.lane = 'credential/' || i.id
                AND o.state = 'pending');
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;
REVOKE ALL ON FUNCTION stellwerk_schedule_refreshes(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_schedule_refreshes(text, timestamptz) TO stellwerk_worker;

ALTER TABLE outbox
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import', 'appointment_push',
        'booking_refresh', 'sync_run', 'reconcile', 'subscription_check', 'disconnect', 'alert_delivery', 'credential_refresh'));
