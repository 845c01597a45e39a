DROP TABLE idempotency_record;
DROP TABLE api_key;
DROP TABLE service_name;
DROP TABLE service;
ALTER TABLE tenant DROP CONSTRAINT tenant_default_practitioner;
DROP INDEX tenant_by_default_practitioner;
DROP TABLE practitioner_name;
DROP TABLE practitioner;
