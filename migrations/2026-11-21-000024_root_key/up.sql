CREATE TABLE root_key (
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    id text NOT NULL,
    active boolean NOT NULL DEFAULT false,
    activate_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT root_key_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT root_key_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE root_key IS 'Which root key seals; the keys themselves are never here. Belongs to the house.';
CREATE UNIQUE INDEX root_key_one_active ON root_key (tenant_id) WHERE active;
ALTER TABLE root_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY root_key_house ON root_key FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') IN ('operator', 'system'));
GRANT SELECT ON root_key TO stellwerk_app;
-- What most is sealed by already; an empty database takes the first key that an instance brings.
INSERT INTO root_key (id, active) SELECT root_key_id, true FROM tenant_key GROUP BY 1 ORDER BY count(*) DESC LIMIT 1;

CREATE TABLE instance (
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    id uuid NOT NULL,
    root_key_ids text[] NOT NULL,
    sealing_root_key_id text NOT NULL,
    report_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT instance_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT instance_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE instance IS 'The processes that serve, and the ids of the root keys each one holds. One that has not reported for a minute is gone.';
COMMENT ON COLUMN instance.sealing_root_key_id IS 'What it seals with; behind the active one for as long as its next report takes.';
ALTER TABLE instance ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY instance_house ON instance FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') IN ('operator', 'system'));
GRANT SELECT ON instance TO stellwerk_app;

CREATE FUNCTION stellwerk_root_key_active() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id FROM root_key WHERE active;
$$;
-- An instance says what it holds and what it seals with, and learns what it is to seal with.
CREATE FUNCTION stellwerk_root_key_report(of_instance uuid, held text[], sealing text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- Not while somebody switches: who comes meanwhile is seen by the switch, or sees it.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('stellwerk_root_key', 0));
    INSERT INTO instance (id, root_key_ids, sealing_root_key_id) VALUES (of_instance, held, sealing)
        ON CONFLICT (tenant_id, id) DO UPDATE SET root_key_ids = held, sealing_root_key_id = sealing, report_time = now();
    DELETE FROM instance WHERE report_time < now() - interval '1 day';
    INSERT INTO root_key (id, active) SELECT sealing, true WHERE NOT EXISTS (SELECT FROM root_key WHERE active)
        ON CONFLICT DO NOTHING;
    RETURN stellwerk_root_key_active();
END $$;
CREATE FUNCTION stellwerk_root_key_leave(of_instance uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM instance WHERE id = of_instance;
$$;
-- Those that live.
CREATE FUNCTION stellwerk_instances() RETURNS TABLE (id uuid, root_key_ids text[], sealing_root_key_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id, root_key_ids, sealing_root_key_id FROM instance WHERE report_time > now() - interval '60 seconds' ORDER BY id;
$$;
-- Switches, unless an instance that lives would meet a key that it does not hold. Returns whether it did.
CREATE FUNCTION stellwerk_root_key_activate(new_id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_root_key', 0));
    IF EXISTS (SELECT FROM stellwerk_instances() i WHERE new_id <> ALL (i.root_key_ids)) THEN
        RETURN false;
    END IF;
    IF new_id IS DISTINCT FROM stellwerk_root_key_active() THEN
        UPDATE root_key SET active = false WHERE active;
        INSERT INTO root_key (id, active) VALUES (new_id, true)
            ON CONFLICT (tenant_id, id) DO UPDATE SET active = true, activate_time = now();
    END IF;
    RETURN true;
END $$;
-- Tenants whose key is wrapped by another root key than this one, in their order; of no root key, all that have one.
CREATE FUNCTION stellwerk_tenants_not_under(of_root_key text, after uuid, at_most integer) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT tenant_id FROM tenant_key WHERE root_key_id <> of_root_key AND (after IS NULL OR tenant_id > after) ORDER BY tenant_id LIMIT at_most;
$$;
REVOKE ALL ON FUNCTION stellwerk_root_key_active(), stellwerk_root_key_report(uuid, text[], text), stellwerk_root_key_leave(uuid),
    stellwerk_instances(), stellwerk_root_key_activate(text), stellwerk_tenants_not_under(text, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_root_key_active(), stellwerk_root_key_report(uuid, text[], text), stellwerk_root_key_leave(uuid),
    stellwerk_instances(), stellwerk_root_key_activate(text), stellwerk_tenants_not_under(text, uuid, integer) TO stellwerk_app;

GRANT UPDATE ON tenant_key TO stellwerk_app;
