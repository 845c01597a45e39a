ALTER TABLE practitioner
    ADD COLUMN email text,
    ADD COLUMN email_folded text COLLATE "C";
COMMENT ON COLUMN practitioner.email IS 'By which the users of other tools are suggested to be this person; never proof of it.';
CREATE INDEX practitioner_by_email ON practitioner (tenant_id, email_folded) WHERE email_folded IS NOT NULL;

CREATE TABLE planning_settings (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    workspace_id text COLLATE "C",
    workspace_name text,
    area_field_id text COLLATE "C",
    area_field_name text,
    hours_field_id text COLLATE "C",
    hours_field_name text,
    hours_precision smallint,
    absence_source text NOT NULL DEFAULT 'out_of_office',
    absence_project_id text COLLATE "C",
    absence_kind_field_id text COLLATE "C",
    deletion_guard_percent smallint NOT NULL DEFAULT 20,
    plan text NOT NULL DEFAULT 'free',
    workspace_time timestamptz,
    mapping_time timestamptz,
    initial_sync_time timestamptz,
    webhooks_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT planning_settings_pkey PRIMARY KEY (tenant_id, integration_id),
    CONSTRAINT planning_settings_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT planning_settings_absence_source_known CHECK (absence_source IN ('none', 'out_of_office', 'project')),
    CONSTRAINT planning_settings_absence_project_iff_source CHECK ((absence_source = 'project') = (absence_project_id IS NOT NULL)),
    CONSTRAINT planning_settings_plan_known CHECK (plan IN ('free', 'paid')),
    CONSTRAINT planning_settings_precision_iff_hours CHECK ((hours_field_id IS NULL) = (hours_precision IS NULL)),
    CONSTRAINT planning_settings_precision_bounded CHECK (hours_precision BETWEEN 0 AND 6),
    CONSTRAINT planning_settings_guard_bounded CHECK (deletion_guard_percent BETWEEN 0 AND 100));
COMMENT ON TABLE planning_settings IS 'What of a planning tool is read and written, as the onboarding decided it. The ids of workspace, fields and project are the tool''s.';
COMMENT ON COLUMN planning_settings.hours_precision IS 'Decimal places that the tool keeps of planned hours; it rounds the rest away.';
COMMENT ON COLUMN planning_settings.deletion_guard_percent IS 'More than this share of a project''s phases, or of the projects, vanishing at once waits for a person.';
COMMENT ON COLUMN planning_settings.plan IS 'Which of the tool''s plans the workspace has: it decides how often the tool may be asked, and nothing tells it.';
COMMENT ON COLUMN planning_settings.workspace_time IS 'When this step of the onboarding was done last; likewise the three columns below.';

CREATE TABLE area_mapping (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    integration_id uuid NOT NULL,
    option_id text COLLATE "C" NOT NULL,
    option_name text NOT NULL,
    color text,
    is_enabled boolean NOT NULL DEFAULT true,
    area text,
    CONSTRAINT area_mapping_pkey PRIMARY KEY (tenant_id, integration_id, option_id),
    CONSTRAINT area_mapping_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT area_mapping_area_known CHECK (area IN ('production', 'assembly')));
COMMENT ON TABLE area_mapping IS 'Which area an option of the tool''s area field means; none: it is ignored.';
COMMENT ON COLUMN area_mapping.is_enabled IS 'A disabled option stays readable, but can no longer be written.';

CREATE TABLE external_user (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    name text NOT NULL DEFAULT '',
    email text,
    email_folded text COLLATE "C",
    practitioner_id uuid,
    mapped_by text,
    map_time timestamptz,
    absences_time timestamptz,
    missing_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT external_user_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT external_user_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT external_user_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT external_user_practitioner FOREIGN KEY (tenant_id, practitioner_id) REFERENCES practitioner (tenant_id, id),
    CONSTRAINT external_user_mapped_iff_by_somebody
        CHECK ((practitioner_id IS NULL) = (mapped_by IS NULL) AND (mapped_by IS NULL) = (map_time IS NULL)));
COMMENT ON TABLE external_user IS 'A user of the planning tool, and whose practitioner''s account it is: decided by a person, only suggested by e-mail or name.';
COMMENT ON COLUMN external_user.absences_time IS 'When this user''s absences were read last.';
CREATE INDEX external_user_by_practitioner ON external_user (tenant_id, practitioner_id);
CREATE INDEX external_user_unmapped ON external_user (tenant_id, integration_id, id) WHERE practitioner_id IS NULL;

CREATE TABLE project (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    start_date date,
    due_date date,
    is_archived boolean NOT NULL DEFAULT false,
    has_area_field boolean NOT NULL DEFAULT false,
    has_hours_field boolean NOT NULL DEFAULT false,
    presence text NOT NULL DEFAULT 'present',
    missing_time timestamptz,
    external_update_time timestamptz,
    sync_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT project_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT project_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT project_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT project_presence_known CHECK (presence IN ('present', 'missing', 'detached', 'gone')),
    CONSTRAINT project_missing_since_iff_not_present CHECK ((missing_time IS NULL) = (presence = 'present')));
COMMENT ON TABLE project IS 'A project of the planning tool.';
COMMENT ON COLUMN project.has_area_field IS 'Without it the project''s tasks are no phases.';
COMMENT ON COLUMN project.presence IS 'missing: the last full listing did not have it, and the next one decides; detached: it exists, but not for us; gone: so said the provider.';
COMMENT ON COLUMN project.sync_time IS 'When its phases were read completely last.';

CREATE TABLE phase (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    is_completed boolean NOT NULL DEFAULT false,
    assignee_id uuid,
    start_date date,
    due_date date,
    planned_hours numeric(14, 6),
    area text,
    base_start_date date,
    base_due_date date,
    base_planned_hours numeric(14, 6),
    base_area text,
    start_date_change_time timestamptz,
    due_date_change_time timestamptz,
    planned_hours_change_time timestamptz,
    area_change_time timestamptz,
    area_option_id text COLLATE "C",
    actual_minutes integer,
    counted_minutes integer,
    external_update_time timestamptz,
    presence text NOT NULL DEFAULT 'present',
    missing_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT now(),
    provider_sync text NOT NULL DEFAULT 'synced',
    provider_sync_attempts integer NOT NULL DEFAULT 0,
    provider_sync_time timestamptz,
    provider_sync_cause text,
    provider_sync_reason text,
    CONSTRAINT phase_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT phase_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT phase_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT phase_assignee FOREIGN KEY (tenant_id, assignee_id) REFERENCES external_user (tenant_id, id),
    CONSTRAINT phase_area_known CHECK (area IN ('production', 'assembly')),
    CONSTRAINT phase_base_area_known CHECK (base_area IN ('production', 'assembly')),
    CONSTRAINT phase_hours_not_negative CHECK (planned_hours >= 0),
    CONSTRAINT phase_minutes_not_negative CHECK (actual_minutes >= 0 AND counted_minutes >= 0),
    CONSTRAINT phase_presence_known CHECK (presence IN ('present', 'missing', 'detached', 'gone')),
    CONSTRAINT phase_missing_since_iff_not_present CHECK ((missing_time IS NULL) = (presence = 'present')),
    CONSTRAINT phase_provider_sync_known CHECK (provider_sync IN ('none', 'pending', 'synced', 'failed', 'review')));
COMMENT ON TABLE phase IS 'A phase of one or more projects: a top-level task of the planning tool. One day long, it has a due date and no start date.';
COMMENT ON COLUMN phase.base_start_date IS 'What the tool had when the two sides were last compared, like the other base columns: a side that differs from it has changed the field since.';
COMMENT ON COLUMN phase.start_date_change_time IS 'When the field was changed here; null as soon as both sides agree. Likewise for the other change times.';
COMMENT ON COLUMN phase.area_option_id IS 'The option the tool has; it may be one that is ignored, or one of several that mean the same area.';
COMMENT ON COLUMN phase.actual_minutes IS 'The sum of the time entries, as the tool says it.';
COMMENT ON COLUMN phase.counted_minutes IS 'What actual_minutes was when the time entries were read last; where the two differ, they must be read again.';
COMMENT ON COLUMN phase.provider_sync IS 'Whether the tool has what stands here. failed: a try failed and another follows; review: a person must decide.';
CREATE INDEX phase_by_due_date ON phase (tenant_id, due_date, id);
CREATE INDEX phase_by_assignee ON phase (tenant_id, assignee_id);
CREATE INDEX phase_not_present ON phase (tenant_id, integration_id, presence, id) WHERE presence <> 'present';
CREATE INDEX phase_by_provider_sync ON phase (tenant_id, provider_sync, id) WHERE provider_sync IN ('pending', 'failed', 'review');
CREATE INDEX phase_to_be_counted ON phase (tenant_id, integration_id, id) WHERE actual_minutes IS DISTINCT FROM counted_minutes;

CREATE TABLE phase_project (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    phase_id uuid NOT NULL,
    project_id uuid NOT NULL,
    seen_time timestamptz NOT NULL,
    CONSTRAINT phase_project_pkey PRIMARY KEY (tenant_id, phase_id, project_id),
    CONSTRAINT phase_project_phase FOREIGN KEY (tenant_id, phase_id) REFERENCES phase (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT phase_project_project FOREIGN KEY (tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE);
COMMENT ON TABLE phase_project IS 'That a phase is in a project; it can be in several.';
COMMENT ON COLUMN phase_project.seen_time IS 'When the provider last said so.';
CREATE INDEX phase_project_by_project ON phase_project (tenant_id, project_id, phase_id);

CREATE TABLE absence (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    source text NOT NULL,
    user_id uuid NOT NULL,
    kind text,
    start_date date NOT NULL,
    end_date date NOT NULL,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT absence_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT absence_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT absence_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT absence_user FOREIGN KEY (tenant_id, user_id) REFERENCES external_user (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT absence_source_known CHECK (source IN ('out_of_office', 'project')),
    CONSTRAINT absence_ends_after_it_starts CHECK (end_date >= start_date));
COMMENT ON TABLE absence IS 'Whole days on which somebody is away, the last one included.';
COMMENT ON COLUMN absence.kind IS 'As the tool says it; out-of-office entries have none.';
CREATE INDEX absence_by_user ON absence (tenant_id, user_id, end_date);
CREATE INDEX absence_by_end_date ON absence (tenant_id, end_date, id);

CREATE TABLE time_entry (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    phase_id uuid NOT NULL,
    user_id uuid,
    entry_date date NOT NULL,
    minutes integer NOT NULL,
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT time_entry_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT time_entry_is_unique_at_its_source UNIQUE (tenant_id, integration_id, external_id),
    CONSTRAINT time_entry_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT time_entry_phase FOREIGN KEY (tenant_id, phase_id) REFERENCES phase (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT time_entry_user FOREIGN KEY (tenant_id, user_id) REFERENCES external_user (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT time_entry_minutes_not_negative CHECK (minutes >= 0));
COMMENT ON TABLE time_entry IS 'Time that somebody spent on a phase.';
CREATE INDEX time_entry_by_phase ON time_entry (tenant_id, phase_id, entry_date);
CREATE INDEX time_entry_by_user ON time_entry (tenant_id, user_id, entry_date);
CREATE INDEX time_entry_by_date ON time_entry (tenant_id, entry_date, id);

CREATE TABLE phase_change (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    phase_id uuid NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    cause text NOT NULL,
    start_date date,
    due_date date,
    planned_hours numeric(14, 6),
    area text,
    presence text NOT NULL,
    provider_sync text NOT NULL,
    reason text,
    change_time timestamptz NOT NULL DEFAULT now(),
    xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    CONSTRAINT phase_change_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT phase_change_phase FOREIGN KEY (tenant_id, phase_id) REFERENCES phase (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT phase_change_kind_known CHECK (kind IN ('created', 'fields', 'presence', 'sync')),
    CONSTRAINT phase_change_origin_known CHECK (origin IN ('asana', 'retell', 'admin', 'api', 'system')));
COMMENT ON TABLE phase_change IS 'Every change of a phase, and how it stood after it; append-only.';
CREATE INDEX phase_change_by_phase ON phase_change (tenant_id, phase_id, id);
CREATE INDEX phase_change_by_xact ON phase_change (tenant_id, xact, id);
CREATE TRIGGER phase_change_is_not_rewritten BEFORE UPDATE ON phase_change
    FOR EACH ROW EXECUTE FUNCTION stellwerk_refuse_change();

CREATE TABLE phase_conflict (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    phase_id uuid NOT NULL,
    field text NOT NULL,
    base_value text,
    our_value text,
    our_time timestamptz NOT NULL,
    their_value text,
    their_time timestamptz NOT NULL,
    winner text NOT NULL,
    reason text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    revert_time timestamptz,
    reverted_by text,
    CONSTRAINT phase_conflict_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT phase_conflict_phase FOREIGN KEY (tenant_id, phase_id) REFERENCES phase (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT phase_conflict_field_known CHECK (field IN ('start_date', 'due_date', 'planned_hours', 'area')),
    CONSTRAINT phase_conflict_winner_known CHECK (winner IN ('ours', 'theirs')),
    CONSTRAINT phase_conflict_reason_known CHECK (reason IN ('newer', 'same_time')),
    CONSTRAINT phase_conflict_reverted_iff_by_somebody CHECK ((revert_time IS NULL) = (reverted_by IS NULL)));
COMMENT ON TABLE phase_conflict IS 'A field that both sides had changed, and which of them prevailed; a person can let the other one prevail after all.';
COMMENT ON COLUMN phase_conflict.our_value IS 'The values are texts: a date, hours, an area; null is no value.';
CREATE INDEX phase_conflict_by_phase ON phase_conflict (tenant_id, phase_id, id);

ALTER TABLE planning_settings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY planning_settings_planners ON planning_settings TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE ON planning_settings TO stellwerk_app;

ALTER TABLE area_mapping ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY area_mapping_planners ON area_mapping TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON area_mapping TO stellwerk_app;

-- Who changes a phase again before it was written finds the message of the first time.
CREATE POLICY outbox_phase_push ON outbox TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'hr' AND kind = 'phase_push');

-- Planners say whose account it is; who there is, the planning tool says.
ALTER TABLE external_user ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY external_user_read ON external_user FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY external_user_map ON external_user FOR UPDATE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY external_user_add ON external_user FOR INSERT TO stellwerk_app
    WITH CHECK (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
CREATE POLICY external_user_remove ON external_user FOR DELETE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
CREATE POLICY external_user_own ON external_user FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND practitioner_id = nullif(current_setting('stellwerk.person_id'), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON external_user TO stellwerk_app;

ALTER TABLE project ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY project_read ON project FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY project_write ON project TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON project TO stellwerk_app;

ALTER TABLE phase ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY phase_read ON phase FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY phase_edit ON phase FOR UPDATE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY phase_add ON phase FOR INSERT TO stellwerk_app
    WITH CHECK (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
CREATE POLICY phase_remove ON phase FOR DELETE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON phase TO stellwerk_app;

ALTER TABLE phase_project ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY phase_project_read ON phase_project FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY phase_project_write ON phase_project TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON phase_project TO stellwerk_app;

ALTER TABLE absence ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY absence_read ON absence FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY absence_own ON absence FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND EXISTS (SELECT FROM external_user u WHERE u.tenant_id = absence.tenant_id AND u.id = absence.user_id));
CREATE POLICY absence_write ON absence TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON absence TO stellwerk_app;

ALTER TABLE time_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY time_entry_read ON time_entry FOR SELECT TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
CREATE POLICY time_entry_write ON time_entry TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, UPDATE, DELETE ON time_entry TO stellwerk_app;

ALTER TABLE phase_change ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY phase_change_planners ON phase_change TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
GRANT SELECT, INSERT ON phase_change TO stellwerk_app;

ALTER TABLE phase_conflict ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY phase_conflict_planners ON phase_conflict TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service', 'system'));
GRANT SELECT, INSERT, UPDATE ON phase_conflict TO stellwerk_app;
