-- Roles are cluster-wide, so another database may have made them already, even in this moment.
DO $$
BEGIN
    -- Serves requests: owns nothing, bypasses nothing, sees the tenant that its transaction names.
    CREATE ROLE stellwerk_app NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    -- Claims and settles outbox messages: functions over the queue's columns, no tables at all.
    CREATE ROLE stellwerk_worker NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    -- A login takes stellwerk_app, and for the queue's transactions stellwerk_worker.
    GRANT stellwerk_worker TO stellwerk_app;
EXCEPTION WHEN unique_violation THEN NULL;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO stellwerk_app, stellwerk_worker;
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE tenant (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    default_practitioner_id uuid,
    booking_url text,
    time_zone text NOT NULL DEFAULT 'Europe/Berlin',
    phone_region text NOT NULL DEFAULT 'DE',
    webhook_limit_per_minute integer NOT NULL DEFAULT 100,
    hold_duration_s integer NOT NULL DEFAULT 600,
    event_retention_months integer NOT NULL DEFAULT 24,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_webhook_limit_positive CHECK (webhook_limit_per_minute > 0),
    CONSTRAINT tenant_hold_duration_bounded CHECK (hold_duration_s BETWEEN 10 AND 3600),
    CONSTRAINT tenant_event_retention_bounded CHECK (event_retention_months BETWEEN 1 AND 120));
COMMENT ON TABLE tenant IS 'Owns everything below it. The nil UUID is the house: it holds the operators'' API keys and nothing else.';
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON tenant FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY tenant_write ON tenant TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE ON tenant TO stellwerk_app;
INSERT INTO tenant (tenant_id, name) VALUES ('00000000-0000-0000-0000-000000000000', 'house');

CREATE TABLE tenant_key (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    root_key_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_key_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT tenant_key_one_per_tenant UNIQUE (tenant_id),
    CONSTRAINT tenant_key_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE tenant_key IS 'The data key of a tenant, wrapped by a root key from the environment; it wraps record keys.';
ALTER TABLE tenant_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_key_system ON tenant_key TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT ON tenant_key TO stellwerk_app;

-- Which migrations a database has, for a service that may not read the migrations' own table.
CREATE FUNCTION stellwerk_schema_versions() RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT version::text FROM __diesel_schema_migrations;
END $$;
-- For doctor: which root keys a server must be given, and how many tenants need each.
CREATE FUNCTION stellwerk_root_keys() RETURNS TABLE (root_key_id text, tenants bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT root_key_id, count(*) FROM tenant_key GROUP BY root_key_id;
$$;
REVOKE ALL ON FUNCTION stellwerk_root_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_root_keys() TO stellwerk_app;
