-- A write that was given up is a failure, though nobody refused it; one that is tried again is none.
CREATE OR REPLACE FUNCTION stellwerk_alert_measures(at timestamptz, at_least integer)
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
            -- Its tries are used up: a person must look.
            UNION ALL SELECT i.integration_id, 0 FROM intent i
                JOIN appointment a ON a.tenant_id = i.tenant_id AND a.id = i.appointment_id AND a.provider_sync = 'review'
                WHERE i.id >= day_floor AND i.state IN ('recorded', 'sent', 'unknown')
            UNION ALL SELECT l.integration_id, CASE l.state WHEN 'succeeded' THEN 1 ELSE 0 END FROM sync_log l
                WHERE l.id >= day_floor AND l.state IN ('succeeded', 'failed')) AS s
        GROUP BY s.integration_id HAVING count(*) >= at_least;
    RETURN QUERY SELECT 'review_queue', NULL::uuid, count(*)::double precision FROM review_item WHERE state = 'open';
    -- More is not counted.
    RETURN QUERY SELECT 'outbox_depth', NULL::uuid, count(*)::double precision
        FROM (SELECT FROM outbox WHERE state = 'pending' AND kind <> 'alert_delivery' LIMIT 10000) AS waiting;
    RETURN QUERY SELECT 'freshness', i.id, extract(epoch FROM at - greatest(i.create_time, c.last_run_time))::double precision
        FROM integration i LEFT JOIN sync_cursor c ON c.integration_id = i.id AND c.noun IN ('bookings', 'phases')
        -- Those whose provider is asked, and on purpose not those that a person paused.
        WHERE i.instance_url IS NOT NULL AND (i.provider = 'calcom' OR i.provider = 'asana' AND EXISTS (SELECT FROM planning_settings p
                WHERE p.tenant_id = i.tenant_id AND p.integration_id = i.id AND p.initial_sync_time IS NOT NULL))
            AND (NOT i.consent_required OR EXISTS (SELECT FROM consent k
                WHERE k.tenant_id = i.tenant_id AND k.integration_id = i.id AND k.patient_id IS NULL AND k.revoke_time IS NULL
                    AND CASE i.provider WHEN 'asana' THEN 'planning' ELSE 'appointments' END = ANY (k.scopes))) AND i.state IN ('connected', 'needs_reconnect') AND NOT i.inbound_paused;
END $$;
CREATE OR REPLACE FUNCTION stellwerk_engine_standing() RETURNS TABLE (measure text, provider text, label text, value double precision)
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
            ON c.tenant_id = i.tenant_id AND c.integration_id = i.id AND c.noun IN ('bookings', 'phases')
        WHERE i.instance_url IS NOT NULL AND (i.provider = 'calcom' OR i.provider = 'asana' AND EXISTS (SELECT FROM planning_settings p
                WHERE p.tenant_id = i.tenant_id AND p.integration_id = i.id AND p.initial_sync_time IS NOT NULL))
            AND (NOT i.consent_required OR EXISTS (SELECT FROM consent k
                WHERE k.tenant_id = i.tenant_id AND k.integration_id = i.id AND k.patient_id IS NULL AND k.revoke_time IS NULL
                    AND CASE i.provider WHEN 'asana' THEN 'planning' ELSE 'appointments' END = ANY (k.scopes))) AND i.state IN ('connected', 'needs_reconnect') AND NOT i.inbound_paused
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
            -- Its tries are used up: a person must look.
            UNION ALL SELECT 'failure', count(*) FROM intent n
                JOIN integration i ON i.tenant_id = n.tenant_id AND i.id = n.integration_id AND i.provider = p.provider
                JOIN appointment a ON a.tenant_id = n.tenant_id AND a.id = n.appointment_id AND a.provider_sync = 'review'
            WHERE n.tenant_id = p.tenant_id AND n.id >= day_floor AND n.state IN ('recorded', 'sent', 'unknown')
            HAVING count(*) > 0
            UNION ALL SELECT CASE l.state WHEN 'succeeded' THEN 'success' ELSE 'failure' END, count(*)
            FROM sync_log l JOIN integration i ON i.tenant_id = l.tenant_id AND i.id = l.integration_id AND i.provider = p.provider
            WHERE l.tenant_id = p.tenant_id AND l.id >= day_floor AND l.state IN ('succeeded', 'failed')
            GROUP BY 1) AS o
        GROUP BY p.provider, o.outcome;
END $$;
