-- When a UUIDv7 was made.
CREATE FUNCTION stellwerk_uuid_time(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
$$;
-- Makes a month's partition and moves there what the default one has caught of it. Attached at the end, so that the parent is locked
-- against other owners only. Nobody but the owner may call it: it alone gets past the trigger, and keeps writers out meanwhile.
CREATE FUNCTION stellwerk_make_partition(month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    name text := 'webhook_event_' || to_char(month, 'YYYY_MM');
    lower_bound uuid := stellwerk_uuid_floor(month);
    upper_bound uuid := stellwerk_uuid_floor(month + interval '1 month');
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE webhook_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name);
    IF EXISTS (SELECT FROM webhook_event_default WHERE id >= lower_bound AND id < upper_bound) THEN
        ALTER TABLE webhook_event_default DISABLE TRIGGER webhook_event_is_append_only;
        EXECUTE format('WITH moved AS (DELETE FROM webhook_event_default WHERE id >= $1 AND id < $2 RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved', name) USING lower_bound, upper_bound;
        ALTER TABLE webhook_event_default ENABLE TRIGGER webhook_event_is_append_only;
    END IF;
    EXECUTE format('ALTER TABLE webhook_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, lower_bound, upper_bound);
END $$;
-- Partitions from this month on, and of every earlier month that the default one has caught something of: there retention would never
-- reach it. A month that cannot be made is tried again with the next call.
CREATE OR REPLACE FUNCTION stellwerk_make_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    this_month timestamptz := date_trunc('month', now());
    -- At once: a query under way would keep the default partition from being changed.
    months timestamptz[] := ARRAY(
        SELECT generate_series(this_month, this_month + make_interval(months => least(months_ahead, 24)), '1 month')
        UNION
        SELECT date_trunc('month', stellwerk_uuid_time(id)) FROM webhook_event_default WHERE id < stellwerk_uuid_floor(this_month)
        ORDER BY 1);
    month timestamptz;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_make_partitions', 0));
    FOREACH month IN ARRAY months LOOP
        CONTINUE WHEN to_regclass('webhook_event_' || to_char(month, 'YYYY_MM')) IS NOT NULL;
        BEGIN
            PERFORM stellwerk_make_partition(month);
            made := made + 1;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'webhook_event has no partition for %: %', to_char(month, 'YYYY-MM'), SQLERRM;
        END;
    END LOOP;
    RETURN made;
END $$;
-- Deliveries that lie in no month.
CREATE FUNCTION stellwerk_default_events() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM webhook_event_default;
$$;
REVOKE ALL ON FUNCTION stellwerk_make_partition(timestamptz), stellwerk_default_events() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_default_events() TO stellwerk_app;
