-- An undo has to know whom a merge really merged, and what the known person was before: until now it left the
-- one's address and phone on the other.
ALTER TABLE link_candidate
    ADD COLUMN merged_patient_id uuid,
    ADD COLUMN known_before jsonb,
    ADD CONSTRAINT link_candidate_merged_patient FOREIGN KEY (tenant_id, merged_patient_id)
        REFERENCES patient (tenant_id, id) ON DELETE CASCADE;
COMMENT ON COLUMN link_candidate.merged_patient_id IS
    'Who was merged, while it lasts: patient_id, or whom that one had been merged into before.';
COMMENT ON COLUMN link_candidate.known_before IS 'The data of the person who was kept, as they were before the merge.';
CREATE INDEX link_candidate_by_merged_patient ON link_candidate (tenant_id, merged_patient_id)
    WHERE merged_patient_id IS NOT NULL;
-- The first merge of a pair's newer person was theirs; every later one merged whom they had become by then.
UPDATE link_candidate c SET merged_patient_id = m.merged_patient_id
    FROM (SELECT tenant_id, id, coalesce(lag(known_patient_id) OVER (
            PARTITION BY tenant_id, patient_id ORDER BY decide_time, id), patient_id) AS merged_patient_id
        FROM link_candidate WHERE state = 'merged' AND moved_links <> '{}') m
    WHERE m.tenant_id = c.tenant_id AND m.id = c.id;
ALTER TABLE patient_link ADD COLUMN patient_before jsonb;
COMMENT ON COLUMN patient_link.patient_before IS
    'The data of the known person whom the record found by e-mail, as they were before.';
