CREATE TABLE practitioner (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    name text NOT NULL,
    aliases text[] NOT NULL DEFAULT '{}',
    archived boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT practitioner_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT practitioner_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE practitioner IS 'Somebody whose time is booked.';
ALTER TABLE practitioner ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY practitioner_read ON practitioner FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY practitioner_write ON practitioner TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE ON practitioner TO stellwerk_app;

CREATE TABLE practitioner_name (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    folded_name text NOT NULL,
    practitioner_id uuid NOT NULL,
    CONSTRAINT practitioner_name_pkey PRIMARY KEY (tenant_id, folded_name),
    CONSTRAINT practitioner_name_practitioner FOREIGN KEY (tenant_id, practitioner_id)
        REFERENCES practitioner (tenant_id, id) ON DELETE CASCADE);
COMMENT ON TABLE practitioner_name IS 'Every spelling that means a practitioner, folded; unique, so that a name never means two.';
CREATE INDEX practitioner_name_by_practitioner ON practitioner_name (tenant_id, practitioner_id);
ALTER TABLE practitioner_name ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY practitioner_name_read ON practitioner_name FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY practitioner_name_write ON practitioner_name TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, DELETE ON practitioner_name TO stellwerk_app;

ALTER TABLE tenant ADD CONSTRAINT tenant_default_practitioner
    FOREIGN KEY (tenant_id, default_practitioner_id) REFERENCES practitioner (tenant_id, id);
CREATE INDEX tenant_by_default_practitioner ON tenant (tenant_id, default_practitioner_id);

CREATE TABLE service (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    name text NOT NULL,
    aliases text[] NOT NULL DEFAULT '{}',
    duration_s integer NOT NULL,
    buffer_before_s integer NOT NULL DEFAULT 0,
    buffer_after_s integer NOT NULL DEFAULT 0,
    archived boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT service_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT service_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT service_duration_bounded CHECK (duration_s BETWEEN 60 AND 86400),
    CONSTRAINT service_buffers_bounded CHECK (buffer_before_s BETWEEN 0 AND 14400 AND buffer_after_s BETWEEN 0 AND 14400));
COMMENT ON TABLE service IS 'Something that can be booked.';
ALTER TABLE service ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY service_read ON service FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY service_write ON service TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE ON service TO stellwerk_app;

CREATE TABLE service_name (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    folded_name text NOT NULL,
    service_id uuid NOT NULL,
    CONSTRAINT service_name_pkey PRIMARY KEY (tenant_id, folded_name),
    CONSTRAINT service_name_service FOREIGN KEY (tenant_id, service_id)
        REFERENCES service (tenant_id, id) ON DELETE CASCADE);
COMMENT ON TABLE service_name IS 'Every spelling that means a service, folded.';
CREATE INDEX service_name_by_service ON service_name (tenant_id, service_id);
ALTER TABLE service_name ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY service_name_read ON service_name FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY service_name_write ON service_name TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, DELETE ON service_name TO stellwerk_app;

CREATE TABLE api_key (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    secret_hash bytea NOT NULL,
    role text NOT NULL,
    scopes text[] NOT NULL DEFAULT '{}',
    origin text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz,
    revoke_time timestamptz,
    last_use_time timestamptz,
    CONSTRAINT api_key_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_key_secret_is_unique UNIQUE (secret_hash),
    CONSTRAINT api_key_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT api_key_role_known CHECK (role IN ('operator', 'admin', 'hr', 'practitioner', 'patient', 'service')),
    CONSTRAINT api_key_origin_known CHECK (origin IN ('retell', 'admin', 'api')),
    CONSTRAINT api_key_operator_iff_of_the_house
        CHECK ((role = 'operator') = (tenant_id = '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT api_key_scopes_only_for_services CHECK ((role = 'service') = (scopes <> '{}')));
COMMENT ON TABLE api_key IS 'A caller''s key. The secret is random and only its SHA-256 is kept.';
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY api_key_tenant_admins ON api_key TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'operator', 'system'));
GRANT SELECT, INSERT, UPDATE ON api_key TO stellwerk_app;

CREATE TABLE idempotency_record (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    subject text NOT NULL,
    rpc text NOT NULL,
    key_hash bytea NOT NULL,
    request_hash bytea NOT NULL,
    resource_id uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_record_pkey PRIMARY KEY (tenant_id, subject, rpc, key_hash),
    CONSTRAINT idempotency_record_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE idempotency_record IS 'What a caller''s idempotency key did. It names the record, so a replay reads it again under the caller''s own rights.';
CREATE INDEX idempotency_record_by_age ON idempotency_record (tenant_id, create_time);
ALTER TABLE idempotency_record ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_record_own ON idempotency_record TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND (subject = current_setting('stellwerk.subject') OR current_setting('stellwerk.role') = 'system'));
GRANT SELECT, INSERT, DELETE ON idempotency_record TO stellwerk_app;
