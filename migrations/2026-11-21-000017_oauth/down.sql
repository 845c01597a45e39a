DELETE FROM outbox WHERE kind = 'credential_refresh';
ALTER TABLE outbox
    DROP CONSTRAINT outbox_kind_known,
    ADD CONSTRAINT outbox_kind_known CHECK (kind IN ('webhook_event_retry', 'patient_import', 'appointment_push',
        'booking_refresh', 'sync_run', 'reconcile', 'subscription_check', 'disconnect', 'alert_delivery'));
DROP FUNCTION stellwerk_schedule_refreshes(text, timestamptz);
DROP FUNCTION stellwerk_sweep_authorizations();
DROP FUNCTION stellwerk_resolve_authorization(bytea);
ALTER TABLE tenant DROP COLUMN return_urls;
DROP TABLE oauth_authorization;
DROP TABLE oauth_client;
DROP TABLE credential_history;
DELETE FROM credential WHERE kind = 'oauth2';
ALTER TABLE credential
    DROP CONSTRAINT credential_lease_is_whole,
    DROP CONSTRAINT credential_kind_known,
    ADD CONSTRAINT credential_kind_known CHECK (kind IN ('api_key')),
    DROP COLUMN refresh_lease_until,
    DROP COLUMN refresh_lease_id,
    DROP COLUMN refresh_due_time,
    DROP COLUMN expire_time,
    DROP COLUMN scopes;
DROP INDEX integration_account_belongs_to_one_tenant;
ALTER TABLE integration
    DROP COLUMN granted_account_id,
    DROP COLUMN placeholders;
