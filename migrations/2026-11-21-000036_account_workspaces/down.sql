ALTER TABLE oauth_authorization DROP COLUMN is_another;

DROP INDEX integration_of_an_account_is_one;
ALTER TABLE integration DROP CONSTRAINT integration_account_belongs_to_one_tenant;
-- The rule so far knows one integration of an account: the first one keeps it, the others are to be connected again by hand.
UPDATE integration i SET granted_account_id = NULL
WHERE EXISTS (SELECT FROM integration o WHERE o.provider = i.provider AND coalesce(o.instance_url, '') = coalesce(i.instance_url, '')
    AND o.granted_account_id = i.granted_account_id AND (o.tenant_id, o.id) < (i.tenant_id, i.id));
CREATE UNIQUE INDEX integration_account_belongs_to_one_tenant
    ON integration (provider, coalesce(instance_url, ''), granted_account_id) WHERE granted_account_id IS NOT NULL;
