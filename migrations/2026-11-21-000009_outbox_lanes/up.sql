-- The head of a lane is marked when it becomes one, so that claiming costs the same with a million messages waiting.
-- run_time is also the end of a lease: a claimed message is not due before.
DROP FUNCTION stellwerk_outbox_claim(integer);
DROP FUNCTION stellwerk_outbox_extend(uuid, uuid, bigint, integer);
DROP FUNCTION stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text);
DROP FUNCTION stellwerk_outbox_next_run();
DROP INDEX outbox_by_run_time, outbox_by_lane;
UPDATE outbox SET run_time = greatest(run_time, lease_until) WHERE lease_until IS NOT NULL;
CREATE SEQUENCE stellwerk_outbox_position;
ALTER TABLE outbox
    DROP COLUMN lease_until,
    ADD COLUMN is_head boolean NOT NULL DEFAULT false,
    ADD COLUMN is_leased boolean NOT NULL DEFAULT false,
    ADD COLUMN integration_id uuid,
    ADD COLUMN update_time timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN position bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT outbox_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import', 'appointment_push',
        'booking_refresh', 'sync_run', 'reconcile', 'subscription_check', 'disconnect', 'alert_delivery'));
COMMENT ON COLUMN outbox.run_time IS 'Not before; while leased, when the lease ends.';
COMMENT ON COLUMN outbox.is_head IS 'Nothing of its lane is before it.';
COMMENT ON COLUMN outbox.integration_id IS 'Whose work it is; absent for work that asks no provider.';
COMMENT ON COLUMN outbox.update_time IS 'When it was last claimed or settled: of a dead one, when it died.';
COMMENT ON COLUMN outbox.position IS 'Its place in the lane, given when it enters: ids follow the clocks of several machines.';
COMMENT ON COLUMN outbox.lease_epoch IS 'Tells the claims apart; a worker whose lease was taken over settles nothing.';
COMMENT ON TABLE outbox IS 'Work that was promised in the transaction that wrote it. Done messages are deleted, dead ones stay to be seen.';
UPDATE outbox o SET position = numbered.position
    FROM (SELECT tenant_id, id, row_number() OVER (ORDER BY id) AS position FROM outbox) AS numbered
    WHERE numbered.tenant_id = o.tenant_id AND numbered.id = o.id;
SELECT setval('stellwerk_outbox_position', (SELECT coalesce(max(position), 0) + 1 FROM outbox));
UPDATE outbox o SET is_head = true WHERE state = 'pending' AND NOT EXISTS (SELECT FROM outbox earlier
    WHERE earlier.tenant_id = o.tenant_id AND earlier.lane = o.lane AND earlier.position < o.position AND earlier.state = 'pending');
-- A queue is empty most of the time, and that is how its statistics see it. A plan made then would read the whole table once there are
-- thousands; so the queue's functions are planned without scans and sorts, and no two indexes serve the same question: hence the
-- conditions below that hold anyway.
CREATE INDEX outbox_by_lane ON outbox (tenant_id, lane, position) WHERE state = 'pending';
CREATE INDEX outbox_heads ON outbox (tenant_id, run_time) WHERE is_head;
CREATE INDEX outbox_heads_by_run_time ON outbox (run_time) WHERE is_head AND state = 'pending';
CREATE INDEX outbox_by_integration ON outbox (tenant_id, integration_id) WHERE integration_id IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (tenant_id, update_time, id) WHERE state = 'dead';
-- What was settled lies in front of what is due, in every index, until it is cleared away.
ALTER TABLE outbox SET (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.01);
GRANT UPDATE, DELETE ON outbox TO stellwerk_app;
-- Merging a debounced message, and requeueing dead ones.
CREATE POLICY outbox_change ON outbox FOR UPDATE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
DROP POLICY outbox_read ON outbox;
CREATE POLICY outbox_read ON outbox FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
CREATE POLICY outbox_remove ON outbox FOR DELETE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system') AND state = 'dead');

-- Whoever adds to a lane or takes from it has the lane's lock until the transaction ends.
CREATE FUNCTION stellwerk_outbox_lock(of_tenant uuid, of_lane text) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('outbox/' || of_tenant || '/' || of_lane, 0));
$$;
CREATE FUNCTION stellwerk_outbox_enter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    PERFORM stellwerk_outbox_lock(NEW.tenant_id, NEW.lane);
    -- Not before the lock: nobody else gives numbers of this lane now.
    NEW.position := nextval('stellwerk_outbox_position');
    NEW.is_head := NEW.state = 'pending' AND NOT EXISTS (SELECT FROM outbox
        WHERE tenant_id = NEW.tenant_id AND lane = NEW.lane AND state = 'pending');
    RETURN NEW;
END $$;
CREATE TRIGGER outbox_enters_its_lane BEFORE INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION stellwerk_outbox_enter();
-- A requeued message goes to the end of its lane, which is the front when the lane is empty.
CREATE FUNCTION stellwerk_outbox_reenter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    PERFORM stellwerk_outbox_lock(NEW.tenant_id, NEW.lane);
    NEW.position := nextval('stellwerk_outbox_position');
    NEW.is_head := NOT EXISTS (SELECT FROM outbox
        WHERE tenant_id = NEW.tenant_id AND lane = NEW.lane AND state = 'pending');
    PERFORM pg_notify('stellwerk_outbox', '');
    RETURN NEW;
END $$;
CREATE TRIGGER outbox_enters_its_lane_again BEFORE UPDATE ON outbox
    FOR EACH ROW WHEN (OLD.state = 'dead' AND NEW.state = 'pending') EXECUTE FUNCTION stellwerk_outbox_reenter();

-- The worker's whole view: whose message, which one, which kind, and how often it was tried; at most at_most at once. Tenants take turns,
-- one message each, in the ring of their ids: turn is where the next claim goes on. One claim looks at a stretch of the ring only, so that
-- tenants by the thousand whose messages are not due yet do not make it slow, and takes the oldest messages where the stretch gives too few.
CREATE FUNCTION stellwerk_outbox_claim(after_tenant uuid, at_most integer, lease_s integer)
RETURNS TABLE (tenant_id uuid, id uuid, kind text, attempts integer, lease_epoch bigint, turn uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    stretch CONSTANT integer := 100;
    -- Searching an index takes a value that stays: clock_timestamp() itself would be asked again for every row of the tenant.
    asked timestamptz := clock_timestamp();
    -- Greater than those of claims that a crash of the database undid: their workers settle nothing.
    epoch bigint := extract(epoch FROM asked) * 1000000;
    whose uuid := after_tenant;
    fruitless_since uuid;
    given integer := 0;
    head record;
BEGIN
    PERFORM FROM outbox o WHERE o.is_head AND o.state = 'pending' AND o.run_time <= asked ORDER BY o.run_time LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR step IN 1..stretch LOOP
        EXIT WHEN given >= at_most;
        SELECT o.tenant_id INTO head FROM outbox o WHERE o.is_head AND o.tenant_id > whose ORDER BY o.tenant_id LIMIT 1;
        IF NOT FOUND THEN
            SELECT o.tenant_id INTO head FROM outbox o WHERE o.is_head ORDER BY o.tenant_id LIMIT 1;
            EXIT WHEN NOT FOUND;
        END IF;
        whose := head.tenant_id;
        SELECT o.id INTO head FROM outbox o WHERE o.is_head AND o.tenant_id = whose AND o.run_time <= asked
            ORDER BY o.run_time LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            given := given + 1;
            fruitless_since := NULL;
            RETURN QUERY UPDATE outbox o SET run_time = asked + make_interval(secs => lease_s), is_leased = true,
                    lease_epoch = greatest(o.lease_epoch + 1, epoch), attempts = o.attempts + 1, update_time = asked
                WHERE o.tenant_id = whose AND o.id = head.id
                RETURNING o.tenant_id, o.id, o.kind, o.attempts, o.lease_epoch, whose;
        ELSE
            -- Once around the ring: what is due is somebody else's by now.
            EXIT WHEN whose = fruitless_since;
            fruitless_since := coalesce(fruitless_since, whose);
        END IF;
    END LOOP;
    FOR head IN SELECT o.tenant_id, o.id FROM outbox o WHERE o.is_head AND o.state = 'pending' AND o.run_time <= asked
        ORDER BY o.run_time LIMIT at_most - given FOR UPDATE SKIP LOCKED
    LOOP
        RETURN QUERY UPDATE outbox o SET run_time = asked + make_interval(secs => lease_s), is_leased = true,
                lease_epoch = greatest(o.lease_epoch + 1, epoch), attempts = o.attempts + 1, update_time = asked
            WHERE o.tenant_id = head.tenant_id AND o.id = head.id
            RETURNING o.tenant_id, o.id, o.kind, o.attempts, o.lease_epoch, whose;
    END LOOP;
END $$;
-- Keeps a long piece of work: true while the lease is still the caller's.
CREATE FUNCTION stellwerk_outbox_extend(of_tenant uuid, of_id uuid, of_epoch bigint, lease_s integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    UPDATE outbox SET run_time = clock_timestamp() + make_interval(secs => lease_s)
        WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND is_leased;
    RETURN FOUND;
END $$;
-- outcome: done deletes, retry runs again after delay_s, release does so without an attempt used up, dead stays to be seen. False: the
-- lease had gone to somebody else.
CREATE FUNCTION stellwerk_outbox_settle(of_tenant uuid, of_id uuid, of_epoch bigint, outcome text, delay_s double precision, why text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
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
        WHERE tenant_id = of_tenant AND lane = of_lane AND state = 'pending' ORDER BY position LIMIT 1);
    RETURN true;
END $$;
-- What a message is about, for the worker whose lease it is, as in the transaction that asks.
CREATE FUNCTION stellwerk_outbox_payload(of_id uuid, of_epoch bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN (SELECT payload FROM outbox WHERE id = of_id AND lease_epoch = of_epoch AND is_leased);
END $$;
-- Lets a message of this lane and kind that waits untried do for another one, too: it runs at run_at, or cap_s after it was pushed if that
-- is earlier, but no sooner than it would have. What the waiting one says beyond the other stays. Null: none waits.
CREATE FUNCTION stellwerk_outbox_merge(of_lane text, of_kind text, other jsonb, other_cause text, run_at timestamptz, cap_s double precision)
RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    merged uuid;
BEGIN
    -- First, as everybody else: who settles what is before it has the lock and wants the row.
    PERFORM stellwerk_outbox_lock(current_setting('stellwerk.tenant_id')::uuid, of_lane);
    UPDATE outbox SET payload = payload || other, cause = other_cause,
        run_time = greatest(run_time, least(create_time + make_interval(secs => cap_s), run_at))
        WHERE id = (SELECT id FROM outbox WHERE lane = of_lane AND kind = of_kind AND state = 'pending' AND NOT is_leased
            AND attempts = 0 ORDER BY position LIMIT 1 FOR UPDATE)
        RETURNING id INTO merged;
    RETURN merged;
END $$;
-- When the next message comes due, so that a worker need not poll for it.
CREATE FUNCTION stellwerk_outbox_next_run() RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN (SELECT run_time FROM outbox WHERE is_head AND state = 'pending' ORDER BY run_time LIMIT 1);
END $$;
REVOKE ALL ON FUNCTION stellwerk_outbox_claim(uuid, integer, integer), stellwerk_outbox_extend(uuid, uuid, bigint, integer),
    stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text), stellwerk_outbox_next_run(),
    stellwerk_outbox_payload(uuid, bigint), stellwerk_outbox_merge(text, text, jsonb, text, timestamptz, double precision),
    stellwerk_outbox_lock(uuid, text), stellwerk_outbox_enter(), stellwerk_outbox_reenter() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_claim(uuid, integer, integer), stellwerk_outbox_extend(uuid, uuid, bigint, integer),
    stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text), stellwerk_outbox_next_run() TO stellwerk_worker;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_lock(uuid, text), stellwerk_outbox_payload(uuid, bigint),
    stellwerk_outbox_merge(text, text, jsonb, text, timestamptz, double precision) TO stellwerk_app;
