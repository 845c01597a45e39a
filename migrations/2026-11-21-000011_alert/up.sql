CREATE TABLE alert_destination (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    url_host text NOT NULL,
    sealed_target bytea NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now(),
    last_success_time timestamptz,
    last_failure_time timestamptz,
    last_failure_reason text,
    CONSTRAINT alert_destination_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT alert_destination_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT alert_destination_kind_known CHECK (kind IN ('webhook', 'slack')));
COMMENT ON TABLE alert_destination IS 'Where alerts go. The URL and its headers are secrets and sealed; url_host is shown.';
ALTER TABLE alert_destination ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY alert_destination_tenant ON alert_destination TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_destination TO stellwerk_app;

CREATE TABLE alert (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    id uuid NOT NULL,
    rule text NOT NULL,
    integration_id uuid,
    state text NOT NULL,
    value double precision NOT NULL,
    threshold double precision NOT NULL,
    pending_checks integer NOT NULL DEFAULT 0,
    begin_time timestamptz NOT NULL,
    notify_time timestamptz,
    end_time timestamptz,
    CONSTRAINT alert_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT alert_tenant FOREIGN KEY (tenant_id) REFERENCES tenant (tenant_id),
    CONSTRAINT alert_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id),
    CONSTRAINT alert_rule_known CHECK (rule IN ('failures', 'sync_success', 'review_queue', 'outbox_depth', 'freshness')),
    CONSTRAINT alert_state_known CHECK (state IN ('pending', 'firing', 'ended')),
    CONSTRAINT alert_ended_iff_over CHECK ((state = 'ended') = (end_time IS NOT NULL)));
COMMENT ON TABLE alert IS 'What is, or was, wrong. pending: seen, but not often enough in a row to tell anybody.';
CREATE INDEX alert_by_integration ON alert (tenant_id, integration_id);
-- One at a time per rule and integration.
CREATE UNIQUE INDEX alert_one_open ON alert (tenant_id, rule, coalesce(integration_id, tenant_id)) WHERE state <> 'ended';
ALTER TABLE alert ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY alert_tenant ON alert TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'system'));
GRANT SELECT, INSERT, UPDATE, DELETE ON alert TO stellwerk_app;
-- What ended is listed and swept by its end.
CREATE INDEX alert_ended ON alert (tenant_id, end_time) WHERE state = 'ended';

-- Takes this minute's look at the rules, for whoever comes first: the tenants with an integration, or with an alert that must end.
CREATE FUNCTION stellwerk_alert_turn() RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO schedule_run (schedule, occurrence_time) VALUES ('check-alerts', date_trunc('minute', now(), 'UTC'))
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM schedule_run WHERE schedule = 'check-alerts' AND occurrence_time < now() - interval '1 hour';
    RETURN QUERY SELECT tenant_id FROM integration WHERE state <> 'disconnected'
        UNION SELECT tenant_id FROM alert WHERE state <> 'ended';
END $$;
-- Whether a refusal says only how full a calendar is, and nothing against how we keep in step with it.
CREATE FUNCTION stellwerk_is_calendars_answer(reason text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(reason, '') IN ('SLOT_TAKEN', 'RACE_LOST', 'OUTSIDE_BOOKING_WINDOW', 'NO_SEATS', 'ATTENDEE_LIMIT',
        'RESERVATION_OVERLAP', 'ALREADY_CANCELLED', 'ALREADY_RESCHEDULED', 'ALREADY_ENDED');
$$;
-- What the rules are about, of the transaction's own tenant. A share of fewer than at_least is no share.
CREATE FUNCTION stellwerk_alert_measures(at timestamptz, at_least integer)
RETURNS TABLE (rule text, integration_id uuid, value double precision)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
-- Tables that are empty most of the time are planned as if they always were.
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    since_hour timestamptz := at - interval '1 hour';
    -- Ids begin with the time they were made.
    hour_floor uuid := stellwerk_uuid_floor(since_hour);
    day_floor uuid := stellwerk_uuid_floor(at - interval '1 day');
BEGIN
    RETURN QUERY SELECT 'failures', f.integration_id, count(*)::double precision FROM (
            SELECT l.integration_id FROM sync_log l WHERE l.id >= day_floor AND l.state = 'failed' AND l.end_time > since_hour
            UNION ALL SELECT r.integration_id FROM review_item r
                WHERE r.id >= hour_floor AND r.kind = 'requires_manual_review' AND r.open_time > since_hour
            -- A notice that cannot be delivered must not make another one.
            UNION ALL SELECT o.integration_id FROM outbox o
                WHERE o.state = 'dead' AND o.update_time > since_hour AND o.kind <> 'alert_delivery') AS f
        GROUP BY f.integration_id;
    RETURN QUERY SELECT 'sync_success', s.integration_id, avg(s.success)::double precision FROM (
            SELECT i.integration_id, CASE i.state WHEN 'done' THEN 1 ELSE 0 END AS success FROM intent i
                WHERE i.id >= day_floor AND (i.state = 'done' OR i.state = 'refused' AND NOT stellwerk_is_calendars_answer(i.reason))
            UNION ALL SELECT l.integration_id, CASE l.state WHEN 'succeeded' THEN 1 ELSE 0 END FROM sync_log l
                WHERE l.id >= day_floor AND l.state IN ('succeeded', 'failed')) AS s
        GROUP BY s.integration_id HAVING count(*) >= at_least;
    RETURN QUERY SELECT 'review_queue', NULL::uuid, count(*)::double precision FROM review_item WHERE state = 'open';
    -- More is not counted.
    RETURN QUERY SELECT 'outbox_depth', NULL::uuid, count(*)::double precision
        FROM (SELECT FROM outbox WHERE state = 'pending' AND kind <> 'alert_delivery' LIMIT 10000) AS waiting;
    RETURN QUERY SELECT 'freshness', i.id, extract(epoch FROM at - greatest(i.create_time, c.last_run_time))::double precision
        FROM integration i LEFT JOIN sync_cursor c ON c.integration_id = i.id AND c.noun = 'bookings'
        -- Those whose provider is asked, and on purpose not those that a person paused.
        WHERE i.instance_url IS NOT NULL AND i.state IN ('connected', 'needs_reconnect') AND NOT i.inbound_paused;
END $$;
-- For metrics: how all integrations of a provider stand together. Nothing of a tenant's.
CREATE FUNCTION stellwerk_engine_standing() RETURNS TABLE (measure text, provider text, label text, value double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    day_floor uuid := stellwerk_uuid_floor(now() - interval '1 day');
BEGIN
    RETURN QUERY SELECT 'breaker', i.provider, f.breaker, count(*)::double precision
        FROM integration i JOIN integration_flow f ON f.tenant_id = i.tenant_id AND f.integration_id = i.id
        WHERE i.state <> 'disconnected' GROUP BY i.provider, f.breaker;
    RETURN QUERY SELECT 'review_items', NULL::text, kind, count(*)::double precision FROM review_item WHERE state = 'open'
        GROUP BY kind;
    RETURN QUERY SELECT 'freshness', i.provider, NULL::text,
            max(extract(epoch FROM now() - greatest(i.create_time, c.last_run_time)))::double precision
        FROM integration i LEFT JOIN sync_cursor c
            ON c.tenant_id = i.tenant_id AND c.integration_id = i.id AND c.noun = 'bookings'
        WHERE i.instance_url IS NOT NULL AND i.state IN ('connected', 'needs_reconnect') AND NOT i.inbound_paused
        GROUP BY i.provider;
    -- Tenant by tenant: only so a day is a stretch of an index.
    RETURN QUERY SELECT 'sync', p.provider, o.outcome, sum(o.count)::double precision
        FROM (SELECT DISTINCT tenant_id, provider FROM integration WHERE instance_url IS NOT NULL) AS p
        CROSS JOIN LATERAL (
            SELECT CASE n.state WHEN 'done' THEN 'success' ELSE 'failure' END AS outcome, count(*) AS count
            FROM intent n JOIN integration i ON i.tenant_id = n.tenant_id AND i.id = n.integration_id AND i.provider = p.provider
            WHERE n.tenant_id = p.tenant_id AND n.id >= day_floor
                AND (n.state = 'done' OR n.state = 'refused' AND NOT stellwerk_is_calendars_answer(n.reason))
            GROUP BY 1
            UNION ALL SELECT CASE l.state WHEN 'succeeded' THEN 'success' ELSE 'failure' END, count(*)
            FROM sync_log l JOIN integration i ON i.tenant_id = l.tenant_id AND i.id = l.integration_id AND i.provider = p.provider
            WHERE l.tenant_id = p.tenant_id AND l.id >= day_floor AND l.state IN ('succeeded', 'failed')
            GROUP BY 1) AS o
        GROUP BY p.provider, o.outcome;
END $$;
REVOKE ALL ON FUNCTION stellwerk_alert_turn(), stellwerk_alert_measures(timestamptz, integer), stellwerk_engine_standing() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stellwerk_alert_turn() TO stellwerk_worker;
GRANT EXECUTE ON FUNCTION stellwerk_alert_measures(timestamptz, integer), stellwerk_engine_standing() TO stellwerk_app;
