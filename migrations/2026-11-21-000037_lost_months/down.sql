DROP FUNCTION stellwerk_default_events();
CREATE OR REPLACE FUNCTION stellwerk_make_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    month timestamptz;
    name text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stellwerk_make_partitions', 0));
    FOR i IN 0..least(months_ahead, 24) LOOP
        month := date_trunc('month', now(), 'UTC') + make_interval(months => i);
        name := 'webhook_event_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF webhook_event FOR VALUES FROM (%L) TO (%L)', name,
                stellwerk_uuid_floor(month),
                stellwerk_uuid_floor(date_trunc('month', month + interval '32 days', 'UTC')));
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
DROP FUNCTION stellwerk_make_partition(timestamptz);
DROP FUNCTION stellwerk_uuid_time(uuid);
