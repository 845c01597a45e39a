-- The appointments of tenant {tenant} that its booking tool and its desk keep moving: each has two hours of its
-- practitioner's time to itself, so that no two ever want the same.
CREATE TEMPORARY TABLE booking ON COMMIT DROP AS
    SELECT n, bench_id(5, {tenant}, n % {practitioners}) AS practitioner_id, 'Max Beispiel ' || n % {practitioners} AS name,
        date_trunc('day', now(), 'UTC') + interval '30 days' + n / {practitioners} * interval '2 hours' AS start_time
    FROM generate_series(0, {bookings} - 1) AS n;
INSERT INTO appointment (tenant_id, id, patient_id, practitioner_id, service_id, therapist_name, service_name, status,
        start_time, end_time, occupied_start_time, occupied_end_time, time_zone, origin, last_change_origin,
        integration_id, external_id, sync_time)
    SELECT bench_id(1, {tenant}, 0), bench_id(11, {tenant}, n), bench_id(9, {tenant}, n), practitioner_id,
        bench_id(6, {tenant}, 0), name, 'Behandlung', 'booked', start_time, start_time + interval '30 minutes',
        start_time, start_time + interval '30 minutes', '+00:00', 'booking_tool', 'booking_tool',
        bench_id(4, {tenant}, 0), 'a' || n, now()
    FROM booking;
INSERT INTO appointment_link (tenant_id, id, integration_id, external_id, appointment_id, external_patient_id,
        start_time, duration_minutes, time_zone, therapist_name, service_name, status, state_time, state_rank)
    SELECT bench_id(1, {tenant}, 0), bench_id(12, {tenant}, n), bench_id(4, {tenant}, 0), 'a' || n,
        bench_id(11, {tenant}, n), 'p' || n, start_time, 30, '+00:00', name, 'Behandlung', 'booked',
        now() - interval '1 day', 2
    FROM booking;
