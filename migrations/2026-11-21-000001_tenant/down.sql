DROP FUNCTION stellwerk_root_keys();
DROP FUNCTION stellwerk_schema_versions();
DROP TABLE tenant_key;
DROP TABLE tenant;
DROP EXTENSION btree_gist;
REVOKE USAGE ON SCHEMA public FROM stellwerk_app, stellwerk_worker;
-- The roles stay: they belong to the cluster, and another database may use them.
