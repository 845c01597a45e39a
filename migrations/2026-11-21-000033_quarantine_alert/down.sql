DROP INDEX webhook_event_quarantined;
DELETE FROM alert WHERE rule = 'quarantine';
ALTER TABLE alert DROP CONSTRAINT alert_rule_known;
ALTER TABLE alert ADD CONSTRAINT alert_rule_known
    CHECK (rule IN ('failures', 'sync_success', 'review_queue', 'outbox_depth', 'freshness'));
