ALTER TABLE integration
    ADD COLUMN state text NOT NULL DEFAULT 'connected',
    ADD COLUMN state_reason text,
    ADD COLUMN instance_url text,
    ADD COLUMN account_id text COLLATE "C",
    ADD COLUMN account_name text,
    ADD COLUMN inbound_paused boolean NOT NULL DEFAULT false,
    ADD COLUMN outbound_paused boolean NOT NULL DEFAULT false,
    ADD COLUMN read_only boolean NOT NULL DEFAULT false,
    ADD COLUMN update_time timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT integration_state_known CHECK (state IN ('connected', 'needs_reconnect', 'disconnecting', 'disconnected'));
COMMENT ON COLUMN integration.state_reason IS 'The reason code of a state that is not connected.';
COMMENT ON COLUMN integration.instance_url IS 'Where the provider''s API is, for providers that can be self-hosted; without a trailing slash.';
DROP POLICY integration_write ON integration;
CREATE POLICY integration_write ON integration TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));

CREATE TABLE credential (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    kind text NOT NULL,
    sealed_secret bytea NOT NULL,
    version integer NOT NULL DEFAULT 1,
    cause text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credential_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT credential_one_per_integration UNIQUE (tenant_id, integration_id),
    CONSTRAINT credential_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT credential_kind_known CHECK (kind IN ('api_key')));
COMMENT ON TABLE credential IS 'What opens a provider''s API to us, sealed. Destroyed when the integration is disconnected.';
ALTER TABLE credential ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY credential_system ON credential TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON credential TO stellwerk_app;

CREATE TABLE integration_flow (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    capacity double precision NOT NULL,
    refill_per_s double precision NOT NULL,
    tokens double precision NOT NULL,
    refill_time timestamptz NOT NULL DEFAULT now(),
    pause_until timestamptz,
    breaker text NOT NULL DEFAULT 'closed',
    breaker_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    openings integer NOT NULL DEFAULT 0,
    last_success_time timestamptz,
    last_failure_time timestamptz,
    last_failure_reason text,
    CONSTRAINT integration_flow_pkey PRIMARY KEY (tenant_id, integration_id),
    CONSTRAINT integration_flow_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT integration_flow_breaker_known CHECK (breaker IN ('closed', 'open', 'half_open')),
    CONSTRAINT integration_flow_budget_positive CHECK (capacity > 0 AND refill_per_s > 0))
    WITH (fillfactor = 50);
COMMENT ON TABLE integration_flow IS 'How fast a provider may be asked, and whether it answers: the token bucket and the breaker that all instances share.';
COMMENT ON COLUMN integration_flow.pause_until IS 'The provider said when to come back (Retry-After); nothing is sent before.';
COMMENT ON COLUMN integration_flow.failures IS 'In a row; the breaker opens after some.';
COMMENT ON COLUMN integration_flow.openings IS 'In a row; each opening is longer than the one before.';
ALTER TABLE integration_flow ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY integration_flow_read ON integration_flow FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY integration_flow_write ON integration_flow TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE ON integration_flow TO stellwerk_app;

CREATE TABLE event_type (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    instance_url text NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    slug text NOT NULL,
    title text NOT NULL,
    service_id uuid,
    practitioner_id uuid,
    length_minutes integer NOT NULL,
    length_options integer[] NOT NULL DEFAULT '{}',
    requires_confirmation boolean NOT NULL DEFAULT false,
    is_seated boolean NOT NULL DEFAULT false,
    is_recurring boolean NOT NULL DEFAULT false,
    unsupported_reason text,
    archived boolean NOT NULL DEFAULT false,
    check_time timestamptz NOT NULL,
    CONSTRAINT event_type_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT event_type_belongs_to_one_integration UNIQUE (instance_url, external_id),
    CONSTRAINT event_type_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT event_type_service FOREIGN KEY (tenant_id, service_id) REFERENCES service (tenant_id, id),
    CONSTRAINT event_type_practitioner FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id));
COMMENT ON TABLE event_type IS 'What a provider lets be booked, and which service of which practitioner it is here.';
COMMENT ON COLUMN event_type.unsupported_reason IS 'Why nothing is booked there from here; what is booked there is still taken over.';
CREATE INDEX event_type_by_external_id ON event_type (tenant_id, integration_id, external_id);
CREATE INDEX event_type_by_service ON event_type (tenant_id, service_id, practitioner_id);
CREATE INDEX event_type_by_practitioner ON event_type (tenant_id, practitioner_id);
ALTER TABLE event_type ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY event_type_read ON event_type FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'practitioner', 'service', 'system'));
CREATE POLICY event_type_write ON event_type TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON event_type TO stellwerk_app;

CREATE TABLE booking (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    appointment_id uuid,
    external_event_type_id text COLLATE "C",
    status text NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    successor_external_id text COLLATE "C",
    is_current boolean NOT NULL,
    confirmed_time timestamptz,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT booking_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT booking_is_unique_at_its_provider UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT booking_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT booking_appointment FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointment (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT booking_status_known CHECK (status IN ('unknown', 'pending', 'accepted', 'rescheduled', 'cancelled', 'rejected')));
COMMENT ON TABLE booking IS 'One provider record of an appointment, as last known there. Those of one appointment are its lineage; one of them is current.';
COMMENT ON COLUMN booking.status IS 'unknown: only its id is known, from a successor that came first. rescheduled: retired, its successor lives on.';
COMMENT ON COLUMN booking.confirmed_time IS 'The provider''s own version (updatedAt) when it was last read there; absent while only webhooks spoke.';
CREATE INDEX booking_by_appointment ON booking (tenant_id, appointment_id);
CREATE INDEX booking_by_successor ON booking (tenant_id, integration_id, successor_external_id);
CREATE UNIQUE INDEX booking_one_current_per_appointment ON booking (tenant_id, appointment_id) WHERE is_current;
ALTER TABLE booking ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY booking_tenant ON booking TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'practitioner', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON booking TO stellwerk_app;

CREATE TABLE subscription (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    resource text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    state text NOT NULL,
    reason text,
    check_time timestamptz,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscription_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT subscription_one_per_resource UNIQUE (tenant_id, integration_id, resource),
    CONSTRAINT subscription_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT subscription_endpoint FOREIGN KEY (tenant_id, webhook_endpoint_id) REFERENCES webhook_endpoint (tenant_id, id),
    CONSTRAINT subscription_state_known CHECK (state IN ('pending', 'active', 'failed', 'removing', 'removed')));
COMMENT ON TABLE subscription IS 'A webhook that we registered at the provider, or want to: resource is what it is about, as in user or event_type/123.';
CREATE INDEX subscription_by_endpoint ON subscription (tenant_id, webhook_endpoint_id);
ALTER TABLE subscription ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY subscription_read ON subscription FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY subscription_write ON subscription TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON subscription TO stellwerk_app;

ALTER TABLE webhook_endpoint DROP CONSTRAINT webhook_endpoint_scheme_known;
ALTER TABLE webhook_endpoint ADD CONSTRAINT webhook_endpoint_scheme_known CHECK (scheme IN ('legacy', 'standard', 'calcom'));
-- A provider that never repeats must not be told to come back later.
ALTER TABLE webhook_endpoint DROP CONSTRAINT webhook_endpoint_limit_positive;
ALTER TABLE webhook_endpoint ADD CONSTRAINT webhook_endpoint_limit_not_negative CHECK (limit_per_minute >= 0);
COMMENT ON COLUMN webhook_endpoint.limit_per_minute IS 'Authentic deliveries per minute; 0 is no limit.';
