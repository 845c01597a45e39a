ALTER TABLE patient_link
    ADD COLUMN former_patient_id uuid,
    ADD CONSTRAINT patient_link_former_patient FOREIGN KEY (tenant_id, former_patient_id)
        REFERENCES patient (tenant_id, id) ON DELETE CASCADE;
COMMENT ON COLUMN patient_link.former_patient_id IS
    'Whom the record stood for until the tool deleted it: forgetting that person forgets it too.';
CREATE INDEX patient_link_by_former_patient ON patient_link (tenant_id, former_patient_id) WHERE former_patient_id IS NOT NULL;
