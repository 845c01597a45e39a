-- GetAppointment of a booking, as the server sends it to PostgreSQL: the same statements in the same round trips over as
-- many connections, as the same role with row-level security in force.
\set tenant random(1, 50)
\set booking random(0, 191)

SELECT * FROM stellwerk_resolve_api_key(sha256(convert_to('swk_bench_' || :tenant, 'UTF8')));
-- The server sends BEGIN and its four SET LOCAL as one message; they take no parameters, hence set_config.
\startpipeline
BEGIN;
SELECT set_config('stellwerk.tenant_id', bench_id(1, :tenant::integer, 0)::text, true),
    set_config('stellwerk.role', 'admin', true),
    set_config('stellwerk.subject', 'api_key|' || bench_id(3, :tenant::integer, 0), true),
    set_config('stellwerk.person_id', '', true);
\endpipeline
SELECT id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time
    FROM appointment WHERE id = bench_id(11, :tenant::integer, :booking::integer) LIMIT 1;
-- How old may the copy be?
SELECT integration.id, integration.name, max(webhook_activity.last_delivery_time)
    FROM integration LEFT JOIN webhook_activity ON webhook_activity.integration_id = integration.id
    WHERE integration.provider = ANY (ARRAY['booking']) GROUP BY integration.id, integration.name ORDER BY integration.id;
-- Who wants the same time?
SELECT w.id, o.id AS other_id
    FROM unnest(ARRAY[bench_id(11, :tenant::integer, :booking::integer)],
            ARRAY[bench_id(5, :tenant::integer, :booking::integer % 4)], ARRAY[bench_slot(:booking::integer, 0)],
            ARRAY[bench_slot(:booking::integer, 30)], ARRAY[false])
        AS w(id, practitioner_id, from_time, until_time, conflicting),
    LATERAL (
        (SELECT a.id FROM appointment a WHERE NOT w.conflicting AND a.practitioner_id = w.practitioner_id
            AND a.status = 'conflicting' AND a.occupied_start_time >= w.from_time - interval '48 hours'
            AND a.occupied_start_time < w.until_time AND a.occupied_end_time > w.from_time
         ORDER BY a.occupied_start_time LIMIT 20)
        UNION ALL
        (SELECT a.id FROM appointment a WHERE w.conflicting AND a.practitioner_id = w.practitioner_id
            AND a.status IN ('held', 'booked') AND a.start_time >= w.from_time - interval '48 hours'
            AND a.start_time < w.until_time + interval '48 hours'
            AND a.occupied_start_time < w.until_time AND a.occupied_end_time > w.from_time
         ORDER BY a.start_time LIMIT 20)) o;
COMMIT;
