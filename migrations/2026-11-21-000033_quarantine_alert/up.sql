ALTER TABLE alert DROP CONSTRAINT alert_rule_known;
ALTER TABLE alert ADD CONSTRAINT alert_rule_known
    CHECK (rule IN ('failures', 'sync_success', 'review_queue', 'outbox_depth', 'freshness', 'quarantine'));
-- The few that the rule counts, among the many deliveries of an hour.
CREATE INDEX webhook_event_quarantined ON webhook_event (tenant_id, id) WHERE status = 'quarantined';
