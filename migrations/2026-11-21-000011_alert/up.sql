CREATE TABLE alert_destination (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    url_host text NOT NULL,
    sealed_target bytea NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now(),
    last_success_time timestamptz,
    last_failure_time timestamptz,
    last_failure_reason text,
    CONSTRAINT alert_destination_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT alert_destination_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT alert_destination_kind_known CHECK (kind IN ('webhook', 'slack')));
COMMENT ON TABLE alert_destination IS 'Where alerts go. The URL and its headers are secrets and sealed; url_host is shown.';
ALTER TABLE alert_destination ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY alert_destination_tenant ON alert_destination TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_destination TO stellwerk_app;

CREATE TABLE alert (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    rule text NOT NULL,
    integration_id uuid,
    state text NOT NULL,
    value double precision NOT NULL,
    threshold double precision NOT NULL,
    pending_checks integer NOT NULL DEFAULT 0,
    begin_time timestamptz NOT NULL,
    notify_time timestamptz,
    end_time timestamptz,
    CONSTRAINT alert_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT alert_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT alert_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT alert_rule_known CHECK (rule IN ('failures', 'sync_success', 'review_queue', 'outbox_depth', 'freshness')),
    CONSTRAINT alert_state_known CHECK (state IN ('pending', 'firing', 'ended')),
    CONSTRAINT alert_ended_iff_over CHECK ((state = 'ended') = (end_time IS NOT NULL)));
COMMENT ON TABLE alert IS 'What is, or was, wrong. pending: seen, but not often enough in a row to tell anybody.';
CREATE INDEX alert_by_integration ON alert (tenant_id, integration_id);
-- One at a time per rule and integration.
CREATE UNIQUE INDEX alert_one_open ON alert (tenant_id, rule, coalesce(integration_id, tenant_id)) WHERE state <> 'ended';
ALTER TABLE alert ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY alert_tenant ON alert TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON alert TO stellwerk_app;
-- Whose rules are worth a look: tenants with an integration.
CREATE FUNCTION stellwerk_tenants_with_integrations() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT tenant_id FROM integration WHERE state <> 'disconnected';
$$;
REVOKE ALL ON FUNCTION stellwerk_tenants_with_integrations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_tenants_with_integrations() TO stellwerk_worker;
