-- Some providers tell the secret themselves, once, to the address they were given, while they are still asked to make the webhook.
ALTER TABLE webhook_endpoint ADD COLUMN handshake_expire_time timestamptz;
COMMENT ON COLUMN webhook_endpoint.handshake_expire_time IS 'Until when the provider may tell its secret, once; null as soon as it has, and where it never may.';

ALTER TABLE subscription
    ADD COLUMN provider_success_time timestamptz,
    ADD COLUMN provider_failure_time timestamptz,
    ADD COLUMN provider_removal_time timestamptz;
COMMENT ON COLUMN subscription.provider_success_time IS 'When the provider last delivered, as it says itself; likewise the last failure.';
COMMENT ON COLUMN subscription.provider_removal_time IS 'When the provider will give the webhook up unless a delivery succeeds before.';
