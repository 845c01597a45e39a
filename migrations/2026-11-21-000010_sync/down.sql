DROP TRIGGER integration_is_told ON integration;
DROP TRIGGER sync_log_is_told ON sync_log;
DROP FUNCTION stellwerk_tell();
DROP FUNCTION stellwerk_schedule_run(text, timestamptz, text, text, jsonb);
DROP TABLE schedule_run;
DROP TABLE review_item;
DROP TABLE sync_cursor;
DROP TABLE sync_log;
DROP TABLE intent;
DELETE FROM appointment_change WHERE kind = 'sync';
DROP INDEX appointment_change_by_xact;
ALTER TABLE appointment_change DROP COLUMN xact, DROP COLUMN provider_sync, DROP COLUMN intent_id, DROP COLUMN reason,
    DROP CONSTRAINT appointment_change_kind_known,
    ADD CONSTRAINT appointment_change_kind_known CHECK (kind IN ('created', 'moved', 'status', 'details', 'patient'));
DROP INDEX appointment_by_status, appointment_by_provider_sync;
ALTER TABLE appointment DROP CONSTRAINT appointment_provider_sync_known,
    DROP COLUMN provider_sync, DROP COLUMN provider_sync_attempts, DROP COLUMN provider_sync_time, DROP COLUMN provider_sync_cause,
    DROP COLUMN provider_sync_message_id, DROP COLUMN provider_sync_reason, DROP COLUMN provider_sync_review_time;
