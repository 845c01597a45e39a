COMMENT ON COLUMN webhook_endpoint.limit_per_minute IS NULL;
ALTER TABLE webhook_endpoint DROP CONSTRAINT webhook_endpoint_limit_not_negative;
ALTER TABLE webhook_endpoint ADD CONSTRAINT webhook_endpoint_limit_positive CHECK (limit_per_minute > 0);
ALTER TABLE webhook_endpoint DROP CONSTRAINT webhook_endpoint_scheme_known;
ALTER TABLE webhook_endpoint ADD CONSTRAINT webhook_endpoint_scheme_known CHECK (scheme IN ('legacy', 'standard'));
DROP TABLE subscription;
DROP TABLE booking;
DROP TABLE event_type;
DROP TABLE integration_flow;
DROP TABLE credential;
DROP POLICY integration_write ON integration;
CREATE POLICY integration_write ON integration TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
ALTER TABLE integration DROP CONSTRAINT integration_state_known,
    DROP COLUMN state, DROP COLUMN state_reason, DROP COLUMN instance_url, DROP COLUMN account_id, DROP COLUMN account_name,
    DROP COLUMN inbound_paused, DROP COLUMN outbound_paused, DROP COLUMN read_only, DROP COLUMN update_time;
