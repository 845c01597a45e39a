-- An account at Asana has several workspaces, each an integration of its own; its deliveries name their endpoint, so that nothing
-- is routed by the account. Everywhere else an account is one integration, and no account is two tenants'.
DROP INDEX integration_account_belongs_to_one_tenant;
ALTER TABLE integration ADD CONSTRAINT integration_account_belongs_to_one_tenant
    EXCLUDE USING gist (provider WITH =, coalesce(instance_url, '') WITH =, granted_account_id WITH =, tenant_id WITH <>)
    WHERE (granted_account_id IS NOT NULL);
CREATE UNIQUE INDEX integration_of_an_account_is_one ON integration (provider, coalesce(instance_url, ''), granted_account_id)
    WHERE granted_account_id IS NOT NULL AND provider <> 'asana';

ALTER TABLE oauth_authorization ADD COLUMN is_another boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN oauth_authorization.is_another IS 'A new integration is asked for though the account may have one: another workspace of it.';
