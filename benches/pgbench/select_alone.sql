-- The appointment alone, without asking who calls and what screens show beside it.
\set tenant random(1, 50)
\set booking random(0, 191)

\startpipeline
BEGIN;
SELECT set_config('stellwerk.tenant_id', bench_id(1, :tenant::integer, 0)::text, true),
    set_config('stellwerk.role', 'admin', true),
    set_config('stellwerk.subject', 'api_key|' || bench_id(3, :tenant::integer, 0), true),
    set_config('stellwerk.person_id', '', true);
\endpipeline
SELECT id, patient_id, practitioner_id, service_id, therapist_name, service_name, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, hold_expire_time, origin, last_change_origin, integration_id,
        external_id, sync_time, cancel_reason, create_time, update_time, provider_sync, provider_sync_attempts,
        provider_sync_time, provider_sync_cause, provider_sync_message_id, provider_sync_reason, provider_sync_review_time
    FROM appointment WHERE id = bench_id(11, :tenant::integer, :booking::integer) LIMIT 1;
COMMIT;
