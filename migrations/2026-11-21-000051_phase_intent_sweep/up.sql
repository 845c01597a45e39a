-- Writes of phases that ended a month ago. What they changed is in the phase's history; only for some minutes is it from here that a late
-- echo is recognised. At most ten thousand at a time.
CREATE INDEX phase_intent_settled ON phase_intent (settle_time) WHERE settle_time IS NOT NULL;
CREATE FUNCTION stellwerk_sweep_phase_intents() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    WITH old AS (SELECT tenant_id, id FROM phase_intent WHERE settle_time < now() - interval '30 days' ORDER BY settle_time LIMIT 10000)
    DELETE FROM phase_intent i USING old o WHERE i.tenant_id = o.tenant_id AND i.id = o.id;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_sweep_phase_intents() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_sweep_phase_intents() TO stellwerk_app;
