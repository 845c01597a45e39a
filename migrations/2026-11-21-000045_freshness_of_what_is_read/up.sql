-- Only what is read grows old: a provider that is never asked does not, nor a planning tool before its first reading, nor what waits
-- for a consent.
DO $$
DECLARE
    of_function regprocedure;
BEGIN
    FOREACH of_function IN ARRAY ARRAY['stellwerk_alert_measures(timestamptz, integer)', 'stellwerk_engine_standing()']::regprocedure[] LOOP
        EXECUTE replace(pg_get_functiondef(of_function), 'i.instance_url IS NOT NULL AND i.state IN', 'i.instance_url IS NOT NULL AND (i.provider = ''calcom'' OR i.provider = ''asana'' AND EXISTS (SELECT FROM planning_settings p
                WHERE p.tenant_id = i.tenant_id AND p.integration_id = i.id AND p.initial_sync_time IS NOT NULL))
            AND (NOT i.consent_required OR EXISTS (SELECT FROM consent k
                WHERE k.tenant_id = i.tenant_id AND k.integration_id = i.id AND k.patient_id IS NULL AND k.revoke_time IS NULL
                    AND CASE i.provider WHEN ''asana'' THEN ''planning'' ELSE ''appointments'' END = ANY (k.scopes))) AND i.state IN');
    END LOOP;
END $$;
