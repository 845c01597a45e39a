-- The head of a lane is marked when it becomes one, so that claiming costs the same with a million messages waiting.
-- run_time is also the end of a lease: a claimed message is not due before.
DROP FUNCTION stellwerk_outbox_claim(integer);
DROP FUNCTION stellwerk_outbox_extend(uuid, uuid, bigint, integer);
DROP FUNCTION stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text);
DROP FUNCTION stellwerk_outbox_next_run();
DROP INDEX outbox_by_run_time;
UPDATE outbox SET run_time = greatest(run_time, lease_until) WHERE lease_until IS NOT NULL;
ALTER TABLE outbox
    DROP COLUMN lease_until,
    ADD COLUMN is_head boolean NOT NULL DEFAULT false,
    ADD COLUMN is_leased boolean NOT NULL DEFAULT false,
    ADD COLUMN integration_id uuid,
    ADD COLUMN update_time timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT outbox_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import', 'appointment_push',
        'booking_refresh', 'sync_run', 'reconcile', 'subscription_check', 'disconnect', 'alert_delivery'));
COMMENT ON COLUMN outbox.run_time IS 'Not before; while leased, when the lease ends.';
COMMENT ON COLUMN outbox.is_head IS 'Nothing of its lane is before it.';
COMMENT ON COLUMN outbox.integration_id IS 'Whose work it is; absent for work that asks no provider.';
UPDATE outbox o SET is_head = true WHERE state = 'pending' AND NOT EXISTS (SELECT FROM outbox earlier
    WHERE earlier.tenant_id = o.tenant_id AND earlier.lane = o.lane AND earlier.id < o.id AND earlier.state = 'pending');
CREATE INDEX outbox_heads ON outbox (tenant_id, run_time) WHERE is_head;
CREATE INDEX outbox_heads_by_run_time ON outbox (run_time) WHERE is_head;
CREATE INDEX outbox_by_integration ON outbox (tenant_id, integration_id);
CREATE INDEX outbox_dead ON outbox (tenant_id, id) WHERE state = 'dead';
GRANT UPDATE, DELETE ON outbox TO stellwerk_app;
-- Merging a debounced message, and an admin's requeueing of dead ones.
CREATE POLICY outbox_change ON outbox FOR UPDATE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
CREATE POLICY outbox_remove ON outbox FOR DELETE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system') AND state = 'dead');

-- Whoever adds to a lane or takes from it has the lane's lock until the transaction ends.
CREATE FUNCTION stellwerk_outbox_lock(of_tenant uuid, of_lane text) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('outbox/' || of_tenant || '/' || of_lane, 0));
$$;
CREATE FUNCTION stellwerk_outbox_enter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM stellwerk_outbox_lock(NEW.tenant_id, NEW.lane);
    NEW.is_head := NEW.state = 'pending' AND NOT EXISTS (SELECT FROM outbox
        WHERE tenant_id = NEW.tenant_id AND lane = NEW.lane AND state = 'pending');
    RETURN NEW;
END $$;
CREATE TRIGGER outbox_enters_its_lane BEFORE INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION stellwerk_outbox_enter();
-- A requeued message goes to the end of what its lane is, which is its front when the lane is empty.
CREATE FUNCTION stellwerk_outbox_reenter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM stellwerk_outbox_lock(NEW.tenant_id, NEW.lane);
    NEW.is_head := NOT EXISTS (SELECT FROM outbox
        WHERE tenant_id = NEW.tenant_id AND lane = NEW.lane AND state = 'pending' AND id <> NEW.id);
    PERFORM pg_notify('stellwerk_outbox', '');
    RETURN NEW;
END $$;
CREATE TRIGGER outbox_enters_its_lane_again BEFORE UPDATE ON outbox
    FOR EACH ROW WHEN (OLD.state = 'dead' AND NEW.state = 'pending') EXECUTE FUNCTION stellwerk_outbox_reenter();

-- The worker's whole view: whose message, which one, which kind, and how often it was tried. Tenants take turns, one message each,
-- in the ring of their ids from the one after after_tenant on; at_most messages at once.
CREATE FUNCTION stellwerk_outbox_claim(after_tenant uuid, at_most integer, lease_s integer)
RETURNS TABLE (tenant_id uuid, id uuid, kind text, attempts integer, lease_epoch bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    turn uuid := after_tenant;
    is_whole_lap boolean := false;
    lap_found boolean := false;
    given integer := 0;
    head uuid;
BEGIN
    WHILE given < at_most LOOP
        -- From tenant to tenant along the index, whatever the number of messages.
        SELECT o.tenant_id INTO turn FROM outbox o WHERE o.is_head AND o.tenant_id > turn ORDER BY o.tenant_id LIMIT 1;
        IF turn IS NULL THEN
            EXIT WHEN is_whole_lap AND NOT lap_found;
            turn := '00000000-0000-0000-0000-000000000000';
            is_whole_lap := true;
            lap_found := false;
            CONTINUE;
        END IF;
        SELECT o.id INTO head FROM outbox o
            WHERE o.is_head AND o.tenant_id = turn AND o.run_time <= clock_timestamp()
            ORDER BY o.run_time LIMIT 1 FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        lap_found := true;
        given := given + 1;
        RETURN QUERY UPDATE outbox o SET run_time = clock_timestamp() + make_interval(secs => lease_s), is_leased = true,
                lease_epoch = o.lease_epoch + 1, attempts = o.attempts + 1, update_time = clock_timestamp()
            WHERE o.tenant_id = turn AND o.id = head
            RETURNING o.tenant_id, o.id, o.kind, o.attempts, o.lease_epoch;
    END LOOP;
END $$;
-- Keeps a long piece of work: true while the lease is still the caller's.
CREATE FUNCTION stellwerk_outbox_extend(of_tenant uuid, of_id uuid, of_epoch bigint, lease_s integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE outbox SET run_time = clock_timestamp() + make_interval(secs => lease_s)
        WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND is_leased;
    RETURN FOUND;
END $$;
-- outcome: done deletes, retry runs again after delay_s, release does so without an attempt used up, dead stays to be seen. False: the
-- lease had gone to somebody else.
CREATE FUNCTION stellwerk_outbox_settle(of_tenant uuid, of_id uuid, of_epoch bigint, outcome text, delay_s double precision, why text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    of_lane text;
BEGIN
    SELECT lane INTO of_lane FROM outbox
        WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND is_leased;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF outcome IN ('retry', 'release') THEN
        UPDATE outbox SET run_time = clock_timestamp() + make_interval(secs => delay_s), is_leased = false,
            attempts = CASE outcome WHEN 'release' THEN attempts - 1 ELSE attempts END, reason = coalesce(why, reason),
            update_time = clock_timestamp()
            WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND is_leased;
        RETURN FOUND;
    END IF;
    PERFORM stellwerk_outbox_lock(of_tenant, of_lane);
    IF outcome = 'done' THEN
        DELETE FROM outbox WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND is_leased;
    ELSIF outcome = 'dead' THEN
        UPDATE outbox SET state = 'dead', is_head = false, is_leased = false, reason = why, update_time = clock_timestamp()
            WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND is_leased;
    ELSE
        RAISE EXCEPTION 'unknown outcome %', outcome;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE outbox SET is_head = true WHERE tenant_id = of_tenant AND id = (SELECT id FROM outbox
        WHERE tenant_id = of_tenant AND lane = of_lane AND state = 'pending' ORDER BY id LIMIT 1);
    RETURN true;
END $$;
-- When the next message comes due, so that a worker need not poll for it.
CREATE FUNCTION stellwerk_outbox_next_run() RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT run_time FROM outbox WHERE is_head ORDER BY run_time LIMIT 1);
END $$;
REVOKE ALL ON FUNCTION stellwerk_outbox_claim(uuid, integer, integer), stellwerk_outbox_extend(uuid, uuid, bigint, integer),
    stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text), stellwerk_outbox_next_run(),
    stellwerk_outbox_lock(uuid, text), stellwerk_outbox_enter(), stellwerk_outbox_reenter() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_claim(uuid, integer, integer), stellwerk_outbox_extend(uuid, uuid, bigint, integer),
    stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text), stellwerk_outbox_next_run() TO stellwerk_worker;
