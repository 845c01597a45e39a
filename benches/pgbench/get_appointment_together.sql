-- `get_appointment.sql` in as few flights as the server: BEGIN with the first statement, and the two that need its answer.
\set tenant random(1, 50)
\set booking random(0, 191)

SELECT * FROM stellwerk_resolve_api_key(sha256(convert_to('swk_bench_' || :tenant, 'UTF8')));
\startpipeline
BEGIN;
SELECT set_config('stellwerk.tenant_id', bench_id(1, :tenant::integer, 0)::text, true),
    set_config('stellwerk.role', 'admin', true),
    set_config('stellwerk.subject', 'api_key|' || bench_id(3, :tenant::integer, 0), true),
    set_config('stellwerk.person_id', '', true);
SELECT id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time, provider_sync, provider_sync_attempts,
        provider_sync_time, provider_sync_cause, provider_sync_message_id, provider_sync_reason, provider_sync_review_time
    FROM appointment WHERE id = bench_id(11, :tenant::integer, :booking::integer) LIMIT 1;
\endpipeline
\startpipeline
-- How old may the copy be?
SELECT max(last_delivery_time) FROM webhook_activity WHERE integration_id = bench_id(4, :tenant::integer, 0) LIMIT 1;
-- Who wants the same time?
SELECT id FROM appointment
    WHERE practitioner_id = bench_id(5, :tenant::integer, :booking::integer % 4)
        AND occupied_start_time < bench_slot(:booking::integer, 30) AND occupied_end_time > bench_slot(:booking::integer, 0)
        AND appointment.status = 'conflicting'
        AND occupied_start_time >= bench_slot(:booking::integer, 0) - interval '48 hours'
    ORDER BY occupied_start_time LIMIT 20;
\endpipeline
COMMIT;
