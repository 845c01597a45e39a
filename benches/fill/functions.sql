-- Ids of the bench's rows follow from numbers, so that the load generators and pgbench's scripts can name any row without
-- having read it. They have the form of a UUIDv7.
CREATE FUNCTION bench_id(kind integer, tenant integer, number bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('019a0000-' || lpad(to_hex(kind), 4, '0') || '-7' || lpad(to_hex(tenant), 3, '0')
        || '-8000-' || lpad(to_hex(number), 12, '0'))::uuid;
$$;
-- The id of an event that arrived then; events of one tenant share no number.
CREATE FUNCTION bench_event_id(at timestamptz, number bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(number & 4095), 3, '0') || '8' || lpad(to_hex(number), 15, '0'))::uuid;
$$;
-- The same from two halves that pgbench makes; it has no type for a UUID.
CREATE FUNCTION bench_uuid(head bigint, tail bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(head), 16, '0') || to_hex(tail))::uuid;
$$;
-- When a booking begins that stands at this minute of its two hours, and half a minute: whole ones are the server's.
CREATE FUNCTION bench_slot(booking integer, minute integer) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT date_trunc('day', now(), 'UTC') + interval '30 days' + booking / 4 * interval '2 hours'
        + minute * interval '1 minute' + interval '30 seconds';
$$;
