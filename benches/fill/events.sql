-- Events {from} to {until} of this month, with what every kept event brings along: its body's key, its delivery id, and
-- the change that it made. Spread over tenants 1 to {tenants}, oldest first.
CREATE TEMPORARY TABLE arrival ON COMMIT DROP AS
    SELECT n, 1 + n % {tenants} AS tenant, (n / {tenants}) % {bookings} AS booking, at, bench_event_id(at, n) AS id
    FROM generate_series({from}, {until}) AS n,
        LATERAL (SELECT date_trunc('month', now(), 'UTC')
            + (now() - date_trunc('month', now(), 'UTC')) * ((n - {from})::float8 / ({until} - {from} + 1)) AS at) AS moment;
INSERT INTO webhook_event (tenant_id, id, webhook_endpoint_id, integration_id, provider, event_type, delivery_id, status,
        cause, receive_time, occurred_time, patient_id, appointment_id, body_size_bytes, sealed_body)
    SELECT bench_id(1, tenant, 0), id, bench_id(7, tenant, 0), bench_id(4, tenant, 0), 'booking', 'appointment.updated',
        'evt_' || n, 'success', 'delivery', at, at, bench_id(9, tenant, booking), bench_id(11, tenant, booking), 300,
        decode(repeat(md5(n::text), 21), 'hex')
    FROM arrival ORDER BY n;
INSERT INTO webhook_body_key (tenant_id, webhook_event_id, patient_id, external_patient_id, wrapped_key, create_time)
    SELECT bench_id(1, tenant, 0), id, bench_id(9, tenant, booking), 'p' || booking, decode(repeat(md5(n::text), 5), 'hex'), at
    FROM arrival ORDER BY n;
INSERT INTO webhook_dedupe (tenant_id, webhook_endpoint_id, delivery_hash, webhook_event_id, status, create_time)
    SELECT bench_id(1, tenant, 0), bench_id(7, tenant, 0), sha256(convert_to(n::text, 'UTF8')), id, 'success', at
    FROM arrival ORDER BY n;
INSERT INTO appointment_change (tenant_id, id, appointment_id, kind, origin, cause, status, start_time, end_time,
        practitioner_id, change_time)
    SELECT bench_id(1, tenant, 0), id, bench_id(11, tenant, booking), 'moved', 'booking_tool', 'webhook_event/' || id,
        'booked', at + interval '30 days', at + interval '30 days 30 minutes', bench_id(5, tenant, booking % {practitioners}), at
    FROM arrival ORDER BY n;
