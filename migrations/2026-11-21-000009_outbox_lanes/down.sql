DROP TRIGGER outbox_enters_its_lane_again ON outbox;
DROP TRIGGER outbox_enters_its_lane ON outbox;
DROP FUNCTION stellwerk_outbox_reenter();
DROP FUNCTION stellwerk_outbox_enter();
DROP FUNCTION stellwerk_outbox_next_run();
DROP FUNCTION stellwerk_outbox_merge(text, text, jsonb, text, timestamptz, double precision);
DROP FUNCTION stellwerk_outbox_payload(uuid, bigint);
DROP FUNCTION stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text);
DROP FUNCTION stellwerk_outbox_extend(uuid, uuid, bigint, integer);
DROP FUNCTION stellwerk_outbox_claim(uuid, integer, integer);
DROP FUNCTION stellwerk_outbox_lock(uuid, text);
DROP POLICY outbox_remove ON outbox;
DROP POLICY outbox_change ON outbox;
DROP POLICY outbox_read ON outbox;
CREATE POLICY outbox_read ON outbox FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
REVOKE UPDATE, DELETE ON outbox FROM stellwerk_app;
-- What only the newer version knows cannot wait for the older one.
DELETE FROM outbox WHERE kind NOT IN ('webhook_event_retry', 'patient_import');
ALTER TABLE outbox
    ADD COLUMN lease_until timestamptz,
    DROP CONSTRAINT outbox_integration,
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import'));
DROP INDEX outbox_dead, outbox_by_integration, outbox_heads_by_run_time, outbox_heads, outbox_by_lane;
UPDATE outbox SET lease_until = run_time WHERE is_leased;
ALTER TABLE outbox RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor),
    DROP COLUMN is_head, DROP COLUMN is_leased, DROP COLUMN integration_id, DROP COLUMN update_time, DROP COLUMN position;
DROP SEQUENCE stellwerk_outbox_position;
COMMENT ON COLUMN outbox.run_time IS NULL;
COMMENT ON COLUMN outbox.lease_epoch IS 'Counts the claims; a worker whose lease was taken over settles nothing.';
CREATE INDEX outbox_by_run_time ON outbox (run_time) WHERE state = 'pending';
CREATE INDEX outbox_by_lane ON outbox (tenant_id, lane, id) WHERE state = 'pending';

-- The worker's whole view: whose message, which one, which kind, and until when it is his.
CREATE FUNCTION stellwerk_outbox_claim(lease_s integer)
RETURNS TABLE (tenant_id uuid, id uuid, kind text, attempts integer, lease_epoch bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE outbox o SET lease_until = now() + make_interval(secs => lease_s), lease_epoch = o.lease_epoch + 1,
        attempts = o.attempts + 1
    FROM (
        SELECT c.tenant_id, c.id FROM outbox c
        WHERE c.state = 'pending' AND c.run_time <= now() AND (c.lease_until IS NULL OR c.lease_until < now())
            AND NOT EXISTS (SELECT FROM outbox earlier WHERE earlier.tenant_id = c.tenant_id AND earlier.lane = c.lane
                AND earlier.id < c.id AND earlier.state = 'pending')
        ORDER BY c.run_time LIMIT 1 FOR UPDATE SKIP LOCKED) head
    WHERE o.tenant_id = head.tenant_id AND o.id = head.id
    RETURNING o.tenant_id, o.id, o.kind, o.attempts, o.lease_epoch;
$$;
-- Keeps a long piece of work: true while the lease is still the caller's.
CREATE FUNCTION stellwerk_outbox_extend(of_tenant uuid, of_id uuid, of_epoch bigint, lease_s integer) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH kept AS (
        UPDATE outbox SET lease_until = now() + make_interval(secs => lease_s)
        WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND state = 'pending' RETURNING 1)
    SELECT EXISTS (SELECT FROM kept);
$$;
-- outcome: done deletes, retry runs again after delay_s, release gives the claim back as if it had not been, dead stays to be seen. False: the lease had gone to somebody else.
CREATE FUNCTION stellwerk_outbox_settle(of_tenant uuid, of_id uuid, of_epoch bigint, outcome text, delay_s double precision, why text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF outcome = 'done' THEN
        DELETE FROM outbox WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND state = 'pending';
    ELSIF outcome = 'retry' THEN
        UPDATE outbox SET run_time = now() + make_interval(secs => delay_s), lease_until = NULL, reason = why
            WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND state = 'pending';
    ELSIF outcome = 'release' THEN
        UPDATE outbox SET lease_until = NULL, attempts = attempts - 1
            WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND state = 'pending';
    ELSIF outcome = 'dead' THEN
        UPDATE outbox SET state = 'dead', lease_until = NULL, reason = why
            WHERE tenant_id = of_tenant AND id = of_id AND lease_epoch = of_epoch AND state = 'pending';
    ELSE
        RAISE EXCEPTION 'unknown outcome %', outcome;
    END IF;
    RETURN FOUND;
END $$;
-- When the next message comes due, so that a worker need not poll for it.
CREATE FUNCTION stellwerk_outbox_next_run() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT min(greatest(run_time, coalesce(lease_until, run_time))) FROM outbox head
    WHERE state = 'pending' AND NOT EXISTS (SELECT FROM outbox earlier WHERE earlier.tenant_id = head.tenant_id
        AND earlier.lane = head.lane AND earlier.id < head.id AND earlier.state = 'pending');
$$;
REVOKE ALL ON FUNCTION stellwerk_outbox_claim(integer), stellwerk_outbox_extend(uuid, uuid, bigint, integer),
    stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text), stellwerk_outbox_next_run() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_claim(integer), stellwerk_outbox_extend(uuid, uuid, bigint, integer),
    stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text), stellwerk_outbox_next_run() TO stellwerk_worker;
