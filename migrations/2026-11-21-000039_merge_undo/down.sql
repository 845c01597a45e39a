ALTER TABLE patient_link DROP COLUMN patient_before;
DROP INDEX link_candidate_by_merged_patient;
ALTER TABLE link_candidate
    DROP CONSTRAINT link_candidate_merged_patient, DROP COLUMN known_before, DROP COLUMN merged_patient_id;
