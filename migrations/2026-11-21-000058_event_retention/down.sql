DROP FUNCTION stellwerk_sweep_events(), stellwerk_sweep_body_keys(), stellwerk_sweep_delivery_ids(),
    stellwerk_sweep_idempotency_records();
CREATE OR REPLACE FUNCTION stellwerk_drop_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    keep_from timestamptz := date_trunc('month', now(), 'UTC')
        - make_interval(months => (SELECT coalesce(max(event_retention_months), 24) FROM tenant));
    partition record;
    dropped integer := 0;
BEGIN
    -- First, because dropping a partition locks the whole table until the end.
    DELETE FROM webhook_body_key k USING tenant t
        WHERE t.tenant_id = k.tenant_id AND k.create_time < now() - make_interval(months => t.event_retention_months);
    DELETE FROM webhook_dedupe d USING tenant t
        WHERE t.tenant_id = d.tenant_id AND d.create_time < now() - make_interval(months => t.event_retention_months);
    DELETE FROM idempotency_record WHERE create_time < now() - interval '7 days';
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_make_partitions', 0));
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'webhook_event'::regclass AND c.relname ~ '^webhook_event_\d{4}_\d{2}$'
            AND to_date(right(c.relname, 7), 'YYYY_MM') < (keep_from AT TIME ZONE 'UTC')::date
    LOOP
        EXECUTE format('DROP TABLE %I', partition.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
