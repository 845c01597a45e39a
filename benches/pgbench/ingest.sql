-- One delivery of `appointment.updated` that moves a booking, as the server sends it to PostgreSQL: the same statements in
-- the same round trips over as many connections, as the same role with row-level security in force.
--
-- Given: -D begin_ms (the time, in ms) and -D n=0. The rows are those of `fill/tenant.sql` and `fill/bookings.sql`.
\set tenant random(1, 50)
-- Six bookings in each tenant are this client's own: nobody else moves them.
\set booking :client_id + 32 * random(0, 5)
\set practitioner :booking % 4
\set n :n + 1
\set minute :n % 30
-- UUIDv7s in two halves: milliseconds, version and 12 random bits; variant and 62 random bits.
\set ms :begin_ms + 10 * :n
\set event_head :ms * 65536 + 28672 + random(0, 4095)
\set event_tail random(-9223372036854775807, -4611686018427387905)
\set change_tail random(-9223372036854775807, -4611686018427387905)

-- Who is meant by this address, and which secrets does it have?
SELECT * FROM stellwerk_resolve_endpoint(sha256(convert_to('bench-endpoint-' || :tenant, 'UTF8')));
-- The server sends BEGIN and its four SET LOCAL with the first statement; they take no parameters, hence set_config.
\startpipeline
BEGIN;
SELECT set_config('stellwerk.tenant_id', bench_id(1, :tenant::integer, 0)::text, true),
    set_config('stellwerk.role', 'system', true), set_config('stellwerk.subject', 'system', true),
    set_config('stellwerk.person_id', '', true);
-- The shared limit.
UPDATE webhook_activity SET last_delivery_time = now(),
    window_start_time = CASE WHEN window_start_time <= clock_timestamp() - interval '60 s'
        THEN clock_timestamp() ELSE window_start_time END,
    window_count = CASE WHEN window_start_time <= clock_timestamp() - interval '60 s' THEN 1 ELSE window_count + 1 END
    WHERE webhook_endpoint_id = bench_id(7, :tenant::integer, 0)
    RETURNING stellwerk_endpoint_takes(bench_id(7, :tenant::integer, 0), ARRAY[bench_id(8, :tenant::integer, 0)]) AS is_open,
        window_count <= 1000000 AS admitted,
        greatest(1, ceil(60 - extract(epoch FROM clock_timestamp() - window_start_time)))::integer AS retry_after_s,
        clock_timestamp() AS admit_time;
\endpipeline
-- Was this delivery taken before?
SELECT webhook_endpoint_id, delivery_hash, webhook_event_id, status, reason, field FROM webhook_dedupe
    WHERE webhook_endpoint_id = bench_id(7, :tenant::integer, 0)
        AND delivery_hash = sha256(int8send(:event_head::bigint) || int8send(:event_tail::bigint)) LIMIT 1;
SAVEPOINT part_1;
SELECT id, integration_id, external_id, patient_id, origin, first_name, last_name, email, phone, birth_date, state_time,
        state_rank, state_fingerprint, delete_time, link_time, former_patient_id, patient_before
    FROM patient_link
    WHERE integration_id = bench_id(4, :tenant::integer, 0) AND external_id = 'p' || :booking::integer
        AND patient_id IS NOT NULL LIMIT 1 FOR SHARE;
SELECT id, integration_id, external_id, appointment_id, external_patient_id, start_time, duration_minutes, time_zone,
        therapist_name, service_name, status, state_time, state_rank, state_fingerprint, cancel_time, cancel_fingerprint,
        cancel_reason, wait_time
    FROM appointment_link
    WHERE integration_id = bench_id(4, :tenant::integer, 0) AND external_id = 'a' || :booking::integer LIMIT 1 FOR UPDATE;
SELECT id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time, provider_sync, provider_sync_attempts,
        provider_sync_time, provider_sync_cause, provider_sync_message_id, provider_sync_reason, provider_sync_review_time
    FROM appointment WHERE id = bench_id(11, :tenant::integer, :booking::integer) LIMIT 1;
-- The practitioner's time is locked, run-out holds are released, and the appointment is locked.
SELECT pg_advisory_xact_lock(hashtextextended(bench_id(1, :tenant::integer, 0) || '/practitioner/'
    || bench_id(5, :tenant::integer, :practitioner::integer), 0));
UPDATE appointment SET status = 'cancelled', hold_expire_time = NULL, last_change_origin = 'system', update_time = now()
    WHERE practitioner_id = bench_id(5, :tenant::integer, :practitioner::integer) AND appointment.status = 'held'
        AND hold_expire_time <= now()
    RETURNING id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time, provider_sync, provider_sync_attempts,
        provider_sync_time, provider_sync_cause, provider_sync_message_id, provider_sync_reason, provider_sync_review_time;
SELECT id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time, provider_sync, provider_sync_attempts,
        provider_sync_time, provider_sync_cause, provider_sync_message_id, provider_sync_reason, provider_sync_review_time
    FROM appointment WHERE id = bench_id(11, :tenant::integer, :booking::integer) LIMIT 1 FOR UPDATE;
SAVEPOINT part_2;
UPDATE appointment SET patient_id = bench_id(9, :tenant::integer, :booking::integer),
    practitioner_id = bench_id(5, :tenant::integer, :practitioner::integer), service_id = bench_id(6, :tenant::integer, 0),
    therapist_name = 'Max Beispiel ' || :practitioner::integer, service_name = 'Behandlung', status = 'booked',
    start_time = bench_slot(:booking::integer, :minute::integer),
    end_time = bench_slot(:booking::integer, :minute::integer) + interval '30 minutes',
    occupied_start_time = bench_slot(:booking::integer, :minute::integer),
    occupied_end_time = bench_slot(:booking::integer, :minute::integer) + interval '30 minutes', time_zone = '+00:00',
    hold_expire_time = NULL, origin = 'booking_tool', last_change_origin = 'booking_tool',
    integration_id = bench_id(4, :tenant::integer, 0), external_id = 'a' || :booking::integer, sync_time = now(),
    cancel_reason = NULL, create_time = timestamptz '2026-01-01 00:00:00Z', update_time = now()
    WHERE id = bench_id(11, :tenant::integer, :booking::integer);
RELEASE SAVEPOINT part_2;
INSERT INTO appointment_change
        (id, appointment_id, kind, origin, cause, status, start_time, end_time, practitioner_id, change_time)
    VALUES (bench_uuid(:event_head::bigint, :change_tail::bigint), bench_id(11, :tenant::integer, :booking::integer),
        'moved', 'booking_tool', 'webhook_event/' || bench_uuid(:event_head::bigint, :event_tail::bigint), 'booked',
        bench_slot(:booking::integer, :minute::integer),
        bench_slot(:booking::integer, :minute::integer) + interval '30 minutes',
        bench_id(5, :tenant::integer, :practitioner::integer), now());
-- Who waits for the time that is free now?
SELECT id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time, provider_sync, provider_sync_attempts,
        provider_sync_time, provider_sync_cause, provider_sync_message_id, provider_sync_reason, provider_sync_review_time
    FROM appointment
    WHERE practitioner_id = bench_id(5, :tenant::integer, :practitioner::integer) AND appointment.status = 'conflicting'
        AND occupied_start_time < bench_slot(:booking::integer, 30)
        AND occupied_start_time >= bench_slot(:booking::integer, 0) - interval '48 hours'
        AND occupied_end_time > bench_slot(:booking::integer, 0)
    ORDER BY id LIMIT 100 FOR UPDATE;
UPDATE appointment_link SET integration_id = bench_id(4, :tenant::integer, 0), external_id = 'a' || :booking::integer,
    appointment_id = bench_id(11, :tenant::integer, :booking::integer), external_patient_id = 'p' || :booking::integer,
    start_time = bench_slot(:booking::integer, :minute::integer), duration_minutes = 30, time_zone = '+00:00',
    therapist_name = 'Max Beispiel ' || :practitioner::integer, service_name = 'Behandlung', status = 'booked',
    state_time = now(), state_rank = 2, state_fingerprint = sha256(int8send(:event_head::bigint)), cancel_time = NULL,
    cancel_fingerprint = NULL, cancel_reason = NULL, wait_time = NULL
    WHERE id = bench_id(12, :tenant::integer, :booking::integer);
RELEASE SAVEPOINT part_1;
INSERT INTO webhook_body_key (webhook_event_id, patient_id, external_patient_id, wrapped_key)
    VALUES (bench_uuid(:event_head::bigint, :event_tail::bigint), bench_id(9, :tenant::integer, :booking::integer),
        'p' || :booking::integer, decode(repeat('5a', 77), 'hex'));
INSERT INTO webhook_event (id, webhook_endpoint_id, integration_id, provider, event_type, delivery_id, status, reason, field,
        will_retry, cause, original_id, receive_time, occurred_time, patient_id, appointment_id, body_size_bytes, sealed_body)
    VALUES (bench_uuid(:event_head::bigint, :event_tail::bigint), bench_id(7, :tenant::integer, 0),
        bench_id(4, :tenant::integer, 0), 'booking', 'appointment.updated', 'evt_' || :event_tail::bigint, 'success', NULL, NULL,
        false, 'delivery', NULL, now(), now(), bench_id(9, :tenant::integer, :booking::integer),
        bench_id(11, :tenant::integer, :booking::integer), 290, decode(repeat('5a', 319), 'hex'));
INSERT INTO webhook_dedupe (webhook_endpoint_id, delivery_hash, webhook_event_id, status, reason, field)
    VALUES (bench_id(7, :tenant::integer, 0), sha256(int8send(:event_head::bigint) || int8send(:event_tail::bigint)),
        bench_uuid(:event_head::bigint, :event_tail::bigint), 'success', NULL, NULL);
COMMIT;
