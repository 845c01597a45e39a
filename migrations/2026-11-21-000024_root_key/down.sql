REVOKE UPDATE ON tenant_key FROM stellwerk_app;
DROP FUNCTION stellwerk_tenants_not_under(text, uuid, integer);
DROP FUNCTION stellwerk_root_key_activate(text);
DROP FUNCTION stellwerk_instances();
DROP FUNCTION stellwerk_root_key_leave(uuid);
DROP FUNCTION stellwerk_root_key_report(uuid, text[], text);
DROP FUNCTION stellwerk_root_key_active();
DROP TABLE instance;
DROP TABLE root_key;
