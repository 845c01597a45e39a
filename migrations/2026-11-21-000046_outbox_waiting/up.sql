-- Whether a message of this lane and kind says the same and was never begun, so that it does for another one, too. Nobody begins it until
-- the transaction of who asked has ended.
CREATE FUNCTION stellwerk_outbox_waits(of_lane text, of_kind text, other jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    PERFORM stellwerk_outbox_lock(current_setting('stellwerk.tenant_id')::uuid, of_lane);
    PERFORM FROM outbox WHERE lane = of_lane AND kind = of_kind AND state = 'pending' AND NOT is_leased AND lease_epoch = 0
        AND payload = other ORDER BY position LIMIT 1 FOR UPDATE;
    RETURN FOUND;
END $$;
-- Lets a message of this lane and kind that waits for another try do for a new one, too: with as many tries as a new one, and at run_at,
-- unless its own try is sooner. Null: none waits.
CREATE FUNCTION stellwerk_outbox_revive(of_lane text, of_kind text, other_cause text, run_at timestamptz) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    revived uuid;
BEGIN
    PERFORM stellwerk_outbox_lock(current_setting('stellwerk.tenant_id')::uuid, of_lane);
    UPDATE outbox SET attempts = 0, cause = other_cause, run_time = least(run_time, run_at)
        WHERE id = (SELECT id FROM outbox WHERE lane = of_lane AND kind = of_kind AND state = 'pending' AND NOT is_leased
            AND attempts > 0 ORDER BY position LIMIT 1 FOR UPDATE)
        RETURNING id INTO revived;
    IF revived IS NOT NULL THEN
        PERFORM pg_notify('stellwerk_outbox', '');
    END IF;
    RETURN revived;
END $$;
REVOKE ALL ON FUNCTION stellwerk_outbox_waits(text, text, jsonb), stellwerk_outbox_revive(text, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_outbox_waits(text, text, jsonb), stellwerk_outbox_revive(text, text, text, timestamptz)
    TO stellwerk_app;
