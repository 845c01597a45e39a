DO $$
DECLARE
    of_function regprocedure;
BEGIN
    FOREACH of_function IN ARRAY ARRAY['stellwerk_alert_measures(timestamptz, integer)', 'stellwerk_engine_standing()']::regprocedure[] LOOP
        EXECUTE replace(pg_get_functiondef(of_function), 'c.noun IN (''bookings'', ''phases'')', 'c.noun = ''bookings''');
    END LOOP;
END $$;
DELETE FROM outbox WHERE kind IN ('planning_refresh', 'phase_push');
ALTER TABLE outbox
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import', 'appointment_push',
        'booking_refresh', 'sync_run', 'reconcile', 'subscription_check', 'disconnect', 'alert_delivery', 'credential_refresh'));
ALTER TABLE sync_log DROP COLUMN expect_end_time;
DROP TABLE planning_health, unheard_change, project_cursor;
ALTER TABLE phase DROP COLUMN read_time;
