DROP INDEX patient_link_by_former_patient;
ALTER TABLE patient_link DROP CONSTRAINT patient_link_former_patient, DROP COLUMN former_patient_id;
