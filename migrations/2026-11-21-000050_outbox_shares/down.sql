DROP FUNCTION stellwerk_outbox_claim(uuid, integer, integer, uuid);
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
REVOKE ALL ON FUNCTION stellwerk_outbox_claim(uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_claim(uuid, integer, integer) TO stellwerk_worker;
