-- What a tenant no longer keeps goes, whatever others keep. The house is no tenant of theirs: it has no events, and what is set for it does not
-- hold anybody's. Each function does a part in a transaction of its own, ten thousand rows at most, and says how much; 0: there is no more.
CREATE OR REPLACE FUNCTION stellwerk_drop_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    keep_from timestamptz := date_trunc('month', now()) - make_interval(months => (
        SELECT coalesce(max(event_retention_months), 24) FROM tenant
        WHERE tenant_id <> '00000000-0000-0000-0000-000000000000'));
    oldest text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_make_partitions', 0));
    SELECT c.relname INTO oldest FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_event'::regclass AND c.relname ~ '^webhook_event_\d{4}_\d{2}$'
            AND to_date(right(c.relname, 7), 'YYYY_MM') < keep_from::date
        ORDER BY c.relname LIMIT 1;
    IF oldest IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE %I', oldest);
    RETURN 1;
END $$;
-- Events of a tenant in months that others still keep. The owner alone gets past the trigger, and nobody else can change the month meanwhile.
CREATE FUNCTION stellwerk_sweep_events() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    partition record;
    whose uuid[];
    swept bigint;
BEGIN
    FOR partition IN
        SELECT c.relname AS name, to_date(right(c.relname, 7), 'YYYY_MM')::timestamptz AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_event'::regclass AND c.relname ~ '^webhook_event_\d{4}_\d{2}$'
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT array_agg(t.tenant_id) FROM tenant t '
            'WHERE $1 < date_trunc(''month'', now()) - make_interval(months => t.event_retention_months) '
            'AND EXISTS (SELECT FROM %I e WHERE e.tenant_id = t.tenant_id)', partition.name)
            INTO whose USING partition.month;
        CONTINUE WHEN whose IS NULL;
        EXECUTE format('ALTER TABLE %I DISABLE TRIGGER webhook_event_is_append_only', partition.name);
        EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY('
            'SELECT ctid FROM %1$I WHERE tenant_id = ANY ($1) LIMIT 10000))', partition.name) USING whose;
        GET DIAGNOSTICS swept = ROW_COUNT;
        EXECUTE format('ALTER TABLE %I ENABLE TRIGGER webhook_event_is_append_only', partition.name);
        RETURN swept;
    END LOOP;
    RETURN 0;
END $$;
-- Bodies, to the day.
CREATE FUNCTION stellwerk_sweep_body_keys() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    WITH old AS (
        SELECT k.tenant_id, k.webhook_event_id FROM tenant t CROSS JOIN LATERAL (
            SELECT tenant_id, webhook_event_id FROM webhook_body_key
            WHERE tenant_id = t.tenant_id
                AND webhook_event_id < stellwerk_uuid_floor(now() - make_interval(months => t.event_retention_months))
            LIMIT 10000) k
        LIMIT 10000)
    DELETE FROM webhook_body_key k USING old o
        WHERE k.tenant_id = o.tenant_id AND k.webhook_event_id = o.webhook_event_id;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
-- A delivery id goes after its event, never before: until then what comes under it is a repeat.
CREATE FUNCTION stellwerk_sweep_delivery_ids() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    swept bigint;
BEGIN
    WITH old AS (
        SELECT d.tenant_id, d.webhook_endpoint_id, d.delivery_hash FROM tenant t CROSS JOIN LATERAL (
            SELECT tenant_id, webhook_endpoint_id, delivery_hash FROM webhook_dedupe w
            WHERE tenant_id = t.tenant_id
                AND create_time < date_trunc('month', now()) - make_interval(months => t.event_retention_months)
                AND NOT EXISTS (SELECT FROM webhook_event e WHERE e.tenant_id = w.tenant_id AND e.id = w.webhook_event_id)
            LIMIT 10000) d
        LIMIT 10000)
    DELETE FROM webhook_dedupe d USING old o WHERE d.tenant_id = o.tenant_id
        AND d.webhook_endpoint_id = o.webhook_endpoint_id AND d.delivery_hash = o.delivery_hash;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
CREATE FUNCTION stellwerk_sweep_idempotency_records() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept bigint;
BEGIN
    DELETE FROM idempotency_record WHERE ctid = ANY (ARRAY(
        SELECT r.place FROM tenant t CROSS JOIN LATERAL (
            SELECT ctid AS place FROM idempotency_record
            WHERE tenant_id = t.tenant_id AND create_time < now() - interval '7 days' LIMIT 10000) r
        LIMIT 10000));
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END $$;
REVOKE ALL ON FUNCTION stellwerk_sweep_events(), stellwerk_sweep_body_keys(), stellwerk_sweep_delivery_ids(),
    stellwerk_sweep_idempotency_records() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_sweep_events(), stellwerk_sweep_body_keys(), stellwerk_sweep_delivery_ids(),
    stellwerk_sweep_idempotency_records() TO stellwerk_app;
