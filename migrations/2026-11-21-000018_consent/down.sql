DROP TABLE consent;
ALTER TABLE integration DROP COLUMN consent_required;
