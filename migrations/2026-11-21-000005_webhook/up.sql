CREATE TABLE webhook_endpoint (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    provider text NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    sealed_token bytea NOT NULL,
    scheme text NOT NULL,
    limit_per_minute integer NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    disable_time timestamptz,
    CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_endpoint_token_is_unique UNIQUE (token_hash),
    CONSTRAINT webhook_endpoint_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT webhook_endpoint_scheme_known CHECK (scheme IN ('legacy', 'standard')),
    CONSTRAINT webhook_endpoint_limit_positive CHECK (limit_per_minute > 0));
COMMENT ON TABLE webhook_endpoint IS 'An address that a provider posts to. Its path is a secret: found by hash, shown from the sealed copy.';
CREATE INDEX webhook_endpoint_by_integration ON webhook_endpoint (tenant_id, integration_id);
ALTER TABLE webhook_endpoint ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_endpoint_admins ON webhook_endpoint TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE ON webhook_endpoint TO stellwerk_app;

CREATE TABLE webhook_secret (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    sealed_secret bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz,
    CONSTRAINT webhook_secret_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_secret_endpoint FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoint (tenant_id, id));
COMMENT ON TABLE webhook_secret IS 'The HMAC keys of an endpoint; after a rotation the old ones overlap until they expire.';
CREATE INDEX webhook_secret_by_endpoint ON webhook_secret (tenant_id, webhook_endpoint_id);
ALTER TABLE webhook_secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_secret_admins ON webhook_secret TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE ON webhook_secret TO stellwerk_app;

CREATE TABLE webhook_activity (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    webhook_endpoint_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    window_start_time timestamptz NOT NULL DEFAULT '-infinity',
    window_count integer NOT NULL DEFAULT 0,
    last_delivery_time timestamptz,
    CONSTRAINT webhook_activity_pkey PRIMARY KEY (tenant_id, webhook_endpoint_id),
    CONSTRAINT webhook_activity_endpoint FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoint (tenant_id, id))
    WITH (fillfactor = 50);
COMMENT ON TABLE webhook_activity IS 'The shared limit and the sign of life of an endpoint: one row, so that the limit is one for all instances.';
CREATE INDEX webhook_activity_by_integration ON webhook_activity (tenant_id, integration_id);
ALTER TABLE webhook_activity ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_activity_read ON webhook_activity FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY webhook_activity_write ON webhook_activity TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE ON webhook_activity TO stellwerk_app;

CREATE TABLE webhook_event (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    provider text NOT NULL,
    event_type text NOT NULL,
    delivery_id text,
    status text NOT NULL,
    reason text,
    field text,
    will_retry boolean NOT NULL DEFAULT false,
    cause text NOT NULL,
    original_id uuid,
    receive_time timestamptz NOT NULL,
    occurred_time timestamptz,
    patient_id uuid,
    appointment_id uuid,
    body_size_bytes integer NOT NULL,
    sealed_body bytea,
    CONSTRAINT webhook_event_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_event_endpoint FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoint (tenant_id, id),
    CONSTRAINT webhook_event_status_known CHECK (status IN ('success', 'error', 'duplicate', 'ignored', 'quarantined')),
    CONSTRAINT webhook_event_cause_known CHECK (cause IN ('delivery', 'retry', 'replay')),
    CONSTRAINT webhook_event_original_iff_repeated CHECK ((original_id IS NULL) = (cause = 'delivery')),
    CONSTRAINT webhook_event_quarantine_keeps_no_body CHECK (status <> 'quarantined' OR sealed_body IS NULL))
    PARTITION BY RANGE (id);
COMMENT ON TABLE webhook_event IS 'Authentic deliveries, append-only, one partition per month of the UUIDv7. patient_id and appointment_id are facts of that day, so they are no foreign keys.';
CREATE INDEX webhook_event_by_endpoint ON webhook_event (tenant_id, webhook_endpoint_id, id);
CREATE INDEX webhook_event_by_original ON webhook_event (tenant_id, original_id, id) WHERE original_id IS NOT NULL;
CREATE INDEX webhook_event_by_patient ON webhook_event (tenant_id, patient_id) WHERE patient_id IS NOT NULL;
CREATE TABLE webhook_event_default PARTITION OF webhook_event DEFAULT;
ALTER TABLE webhook_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_event_admins ON webhook_event TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
-- On the parent only: a partition has no policy of its own.
GRANT SELECT, INSERT ON webhook_event TO stellwerk_app;

CREATE FUNCTION stellwerk_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER webhook_event_is_append_only BEFORE UPDATE OR DELETE ON webhook_event
    FOR EACH ROW EXECUTE FUNCTION stellwerk_refuse_change();
CREATE TRIGGER webhook_event_is_not_truncated BEFORE TRUNCATE ON webhook_event
    FOR EACH STATEMENT EXECUTE FUNCTION stellwerk_refuse_change();
CREATE TRIGGER appointment_change_is_not_rewritten BEFORE UPDATE ON appointment_change
    FOR EACH ROW EXECUTE FUNCTION stellwerk_refuse_change();

CREATE TABLE webhook_body_key (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    webhook_event_id uuid NOT NULL,
    patient_id uuid,
    external_patient_id text COLLATE "C",
    external_appointment_id text COLLATE "C",
    wrapped_key bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_body_key_pkey PRIMARY KEY (tenant_id, webhook_event_id),
    CONSTRAINT webhook_body_key_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE webhook_body_key IS 'The key of one kept body, wrapped. Destroying it erases the body without touching the append-only event.';
CREATE INDEX webhook_body_key_by_patient ON webhook_body_key (tenant_id, patient_id) WHERE patient_id IS NOT NULL;
CREATE INDEX webhook_body_key_by_external_patient ON webhook_body_key (tenant_id, external_patient_id)
    WHERE external_patient_id IS NOT NULL;
COMMENT ON COLUMN webhook_body_key.external_appointment_id IS 'Only where nothing else says whose body it is, as for a cancellation that came before its appointment.';
CREATE INDEX webhook_body_key_by_external_appointment ON webhook_body_key (tenant_id, external_appointment_id)
    WHERE external_appointment_id IS NOT NULL;
ALTER TABLE webhook_body_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_body_key_admins ON webhook_body_key TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_body_key TO stellwerk_app;

CREATE TABLE webhook_dedupe (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    webhook_endpoint_id uuid NOT NULL,
    delivery_hash bytea NOT NULL,
    webhook_event_id uuid NOT NULL,
    status text NOT NULL,
    reason text,
    field text,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_dedupe_pkey PRIMARY KEY (tenant_id, webhook_endpoint_id, delivery_hash),
    CONSTRAINT webhook_dedupe_endpoint FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoint (tenant_id, id));
COMMENT ON TABLE webhook_dedupe IS 'Delivery ids already taken, as keyed hashes, with the answer that was given, so that a repeat gets the same one.';
CREATE INDEX webhook_dedupe_by_age ON webhook_dedupe (tenant_id, create_time);
ALTER TABLE webhook_dedupe ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY webhook_dedupe_system ON webhook_dedupe TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_dedupe TO stellwerk_app;

-- An unguessable address names tenant, integration and secrets; nothing else is shown. PL/pgSQL keeps its plan; a function
-- in SQL is planned anew on every call, which would take eight times as long.
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

-- The least UUIDv7 of an instant, for partition bounds and time filters over ids.
CREATE FUNCTION stellwerk_uuid_floor(at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;
$$;
-- Partitions from this month on; a role that owns nothing cannot make them itself.
CREATE FUNCTION stellwerk_make_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month timestamptz;
    name text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_make_partitions', 0));
    FOR i IN 0..least(months_ahead, 24) LOOP
        month := date_trunc('month', now(), 'UTC') + make_interval(months => i);
        name := 'webhook_event_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF webhook_event FOR VALUES FROM (%L) TO (%L)', name,
                stellwerk_uuid_floor(month),
                stellwerk_uuid_floor(date_trunc('month', month + interval '32 days', 'UTC')));
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
-- Drops whole months that no tenant keeps any longer; a tenant that keeps less has its body keys destroyed before.
CREATE FUNCTION stellwerk_drop_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    keep_from timestamptz := date_trunc('month', now(), 'UTC')
        - make_interval(months => (SELECT coalesce(max(event_retention_months), 24) FROM tenant));
    partition record;
    dropped integer := 0;
BEGIN
    -- First, because dropping a partition locks the whole table until the end.
    DELETE FROM webhook_body_key k USING tenant t
        WHERE t.tenant_id = k.tenant_id AND k.create_time < now() - make_interval(months => t.event_retention_months);
    DELETE FROM webhook_dedupe WHERE create_time < now() - interval '30 days';
    DELETE FROM idempotency_record WHERE create_time < now() - interval '7 days';
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_make_partitions', 0));
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_event'::regclass AND c.relname ~ '^webhook_event_\d{4}_\d{2}$'
            AND to_date(right(c.relname, 7), 'YYYY_MM') < (keep_from AT TIME ZONE 'UTC')::date
    LOOP
        EXECUTE format('DROP TABLE %I', partition.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION stellwerk_make_partitions(integer), stellwerk_drop_partitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_make_partitions(integer), stellwerk_drop_partitions() TO stellwerk_app;
SELECT stellwerk_make_partitions(3);
