CREATE TABLE integration (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    provider text NOT NULL,
    name text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT integration_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT integration_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE integration IS 'A tenant''s link with one provider; the ids of the provider''s records are unique inside it.';
ALTER TABLE integration ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY integration_read ON integration FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid);
CREATE POLICY integration_write ON integration TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE ON integration TO stellwerk_app;

CREATE TABLE patient (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    first_name text NOT NULL DEFAULT '',
    last_name text NOT NULL,
    email text,
    booking_email text,
    phone text,
    birth_date date,
    practitioner_id uuid,
    origin text NOT NULL,
    merged_into_id uuid,
    first_name_folded text COLLATE "C" NOT NULL,
    last_name_folded text COLLATE "C" NOT NULL,
    email_folded text COLLATE "C",
    booking_email_folded text COLLATE "C",
    phone_folded text COLLATE "C",
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT patient_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT patient_practitioner FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
    CONSTRAINT patient_merged_into FOREIGN KEY (tenant_id, merged_into_id) REFERENCES patient (tenant_id, id),
    CONSTRAINT patient_origin_known CHECK (origin IN ('calcom', 'booking_tool', 'retell', 'admin', 'api', 'system')),
    CONSTRAINT patient_is_not_merged_into_itself CHECK (merged_into_id <> id));
COMMENT ON TABLE patient IS 'A person who is treated here.';
COMMENT ON COLUMN patient.booking_email IS 'Follows the booking tool; email is the practice''s own and is never overwritten by a tool.';
COMMENT ON COLUMN patient.last_name_folded IS 'Folded values are compared with = only: under row-level security a query may use an index for leakproof operators alone.';
CREATE INDEX patient_by_name ON patient (tenant_id, last_name_folded, first_name_folded, id);
CREATE INDEX patient_by_email ON patient (tenant_id, email_folded);
CREATE INDEX patient_by_booking_email ON patient (tenant_id, booking_email_folded);
CREATE INDEX patient_by_phone ON patient (tenant_id, phone_folded);
CREATE INDEX patient_by_birth_date ON patient (tenant_id, birth_date);
CREATE INDEX patient_by_practitioner ON patient (tenant_id, practitioner_id, last_name_folded, first_name_folded, id);
CREATE INDEX patient_by_merged_into ON patient (tenant_id, merged_into_id);

CREATE TABLE patient_link (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    patient_id uuid,
    origin text,
    first_name text NOT NULL DEFAULT '',
    last_name text NOT NULL DEFAULT '',
    email text,
    phone text,
    birth_date date,
    state_time timestamptz,
    state_rank smallint NOT NULL DEFAULT 0,
    state_fingerprint bytea,
    delete_time timestamptz,
    link_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_link_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT patient_link_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT patient_link_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT patient_link_patient FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id),
    CONSTRAINT patient_link_origin_known CHECK (origin IN ('created', 'email', 'merge', 'unlink', 'import')),
    CONSTRAINT patient_link_origin_iff_linked CHECK ((origin IS NULL) = (patient_id IS NULL)));
COMMENT ON TABLE patient_link IS 'A booking tool''s record of a person: its last applied state, and whom it stands for. Kept without a patient when the tool has deleted the person.';
COMMENT ON COLUMN patient_link.state_time IS 'When the applied state was true at the tool (or arrived, if the tool did not say); an older one never overwrites it.';
CREATE INDEX patient_link_by_patient ON patient_link (tenant_id, patient_id);

CREATE TABLE link_candidate (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    patient_id uuid NOT NULL,
    known_patient_id uuid NOT NULL,
    score smallint NOT NULL,
    reasons text[] NOT NULL,
    state text NOT NULL DEFAULT 'open',
    moved_links uuid[] NOT NULL DEFAULT '{}',
    moved_appointments uuid[] NOT NULL DEFAULT '{}',
    decided_by text,
    create_time timestamptz NOT NULL DEFAULT now(),
    decide_time timestamptz,
    CONSTRAINT link_candidate_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT link_candidate_pair_is_unique UNIQUE (tenant_id, patient_id, known_patient_id),
    CONSTRAINT link_candidate_patient FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT link_candidate_known_patient FOREIGN KEY (tenant_id, known_patient_id)
        REFERENCES patient (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT link_candidate_state_known CHECK (state IN ('open', 'merged', 'kept_apart', 'undone')),
    CONSTRAINT link_candidate_decided_iff_not_open CHECK ((decide_time IS NULL) = (state = 'open')),
    CONSTRAINT link_candidate_is_about_two CHECK (patient_id <> known_patient_id));
COMMENT ON TABLE link_candidate IS 'Two people who may be one; an admin decides. What a merge moved is kept, so that it can be undone.';
CREATE INDEX link_candidate_by_state ON link_candidate (tenant_id, state, id);
CREATE INDEX link_candidate_by_known_patient ON link_candidate (tenant_id, known_patient_id);

CREATE TABLE patient_tombstone (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    fingerprint bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_tombstone_pkey PRIMARY KEY (tenant_id, fingerprint),
    CONSTRAINT patient_tombstone_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id));
COMMENT ON TABLE patient_tombstone IS 'Keyed hash of a tool''s patient id whose person was deleted here: late events must not bring the person back.';

CREATE TABLE subject_link (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    practitioner_id uuid,
    patient_id uuid,
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subject_link_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT subject_link_subject_is_unique UNIQUE (tenant_id, issuer, subject),
    CONSTRAINT subject_link_practitioner FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
    CONSTRAINT subject_link_patient FOREIGN KEY (tenant_id, patient_id) REFERENCES patient (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT subject_link_is_one_person CHECK ((practitioner_id IS NULL) <> (patient_id IS NULL)));
COMMENT ON TABLE subject_link IS 'Which practitioner or patient a signed-in subject is; made by an admin, never taken from an e-mail claim.';
CREATE INDEX subject_link_by_practitioner ON subject_link (tenant_id, practitioner_id);
CREATE INDEX subject_link_by_patient ON subject_link (tenant_id, patient_id);

ALTER TABLE patient_link ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY patient_link_read ON patient_link FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('practitioner', 'patient')
        AND EXISTS (SELECT FROM patient p WHERE p.tenant_id = patient_link.tenant_id AND p.id = patient_link.patient_id));
CREATE POLICY patient_link_write ON patient_link TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON patient_link TO stellwerk_app;

ALTER TABLE link_candidate ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY link_candidate_tenant ON link_candidate TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE ON link_candidate TO stellwerk_app;

ALTER TABLE patient_tombstone ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY patient_tombstone_tenant ON patient_tombstone TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
GRANT SELECT, INSERT ON patient_tombstone TO stellwerk_app;

ALTER TABLE subject_link ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY subject_link_admins ON subject_link TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, DELETE ON subject_link TO stellwerk_app;

ALTER TABLE patient ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY patient_tenant ON patient TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
CREATE POLICY patient_own_record ON patient FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'patient'
        AND id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON patient TO stellwerk_app;

-- Whom a person was merged into, or the person itself. Asked when a subject signs in, so that undoing a merge undoes this, too.
CREATE FUNCTION stellwerk_survivor(of_tenant uuid, of_patient uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE chain AS (
        SELECT p.id, p.merged_into_id, 1 AS length FROM patient p WHERE p.tenant_id = of_tenant AND p.id = of_patient
        UNION ALL
        SELECT p.id, p.merged_into_id, chain.length + 1 FROM chain
            JOIN patient p ON p.tenant_id = of_tenant AND p.id = chain.merged_into_id WHERE chain.length < 16)
    SELECT id FROM chain ORDER BY length DESC LIMIT 1;
$$;
-- Who presents this key or token, and who are they to their tenant? Answers for one secret or subject, nothing else.
CREATE FUNCTION stellwerk_resolve_api_key(hash bytea)
RETURNS TABLE (tenant_id uuid, id uuid, role text, scopes text[], origin text, expire_time timestamptz,
    revoke_time timestamptz, practitioner_id uuid, patient_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT k.tenant_id, k.id, k.role, k.scopes, k.origin, k.expire_time, k.revoke_time, l.practitioner_id,
            CASE WHEN l.patient_id IS NOT NULL THEN stellwerk_survivor(l.tenant_id, l.patient_id) END
        FROM api_key k LEFT JOIN subject_link l
            ON l.tenant_id = k.tenant_id AND l.issuer = 'api_key' AND l.subject = k.id::text
        WHERE k.secret_hash = hash;
    -- To the minute: a key that is used a thousand times a second is written once a minute.
    UPDATE api_key k SET last_use_time = now()
        WHERE k.secret_hash = hash AND (k.last_use_time IS NULL OR k.last_use_time < now() - interval '1 minute')
            AND k.revoke_time IS NULL AND (k.expire_time IS NULL OR k.expire_time > now());
END $$;
CREATE FUNCTION stellwerk_resolve_subject(of_tenant uuid, of_issuer text, of_subject text)
RETURNS TABLE (practitioner_id uuid, patient_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT l.practitioner_id, CASE WHEN l.patient_id IS NOT NULL THEN stellwerk_survivor(l.tenant_id, l.patient_id) END
    FROM tenant t LEFT JOIN subject_link l
        ON l.tenant_id = t.tenant_id AND l.issuer = of_issuer AND l.subject = of_subject
    WHERE t.tenant_id = of_tenant AND t.tenant_id <> '00000000-0000-0000-0000-000000000000';
END $$;
COMMENT ON FUNCTION stellwerk_resolve_subject IS 'No row: no such tenant. A row of nulls: an unlinked subject.';
REVOKE ALL ON FUNCTION stellwerk_survivor(uuid, uuid), stellwerk_resolve_api_key(bytea),
    stellwerk_resolve_subject(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_resolve_api_key(bytea), stellwerk_resolve_subject(uuid, text, text) TO stellwerk_app;
