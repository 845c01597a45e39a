ALTER TABLE subscription
    DROP COLUMN provider_success_time, DROP COLUMN provider_failure_time, DROP COLUMN provider_removal_time;
ALTER TABLE webhook_endpoint DROP COLUMN handshake_expire_time;
