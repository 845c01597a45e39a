DROP POLICY outbox_phase_push ON outbox;
DROP TABLE phase_conflict, phase_change, time_entry, absence, phase_project, phase, project, external_user, area_mapping, planning_settings;
DROP INDEX practitioner_by_email;
ALTER TABLE practitioner DROP COLUMN email, DROP COLUMN email_folded;
