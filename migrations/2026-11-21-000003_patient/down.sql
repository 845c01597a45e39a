DROP FUNCTION stellwerk_resolve_subject(uuid, text, text);
DROP FUNCTION stellwerk_resolve_api_key(bytea);
DROP FUNCTION stellwerk_survivor(uuid, uuid);
DROP TABLE subject_link;
DROP TABLE patient_tombstone;
DROP TABLE link_candidate;
DROP TABLE patient_link;
DROP TABLE patient;
DROP TABLE integration;
