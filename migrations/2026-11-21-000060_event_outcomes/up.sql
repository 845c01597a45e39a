-- Events by what became of them, for who looks for those that were not applied: most are, and cost nothing here.
CREATE INDEX webhook_event_by_outcome ON webhook_event (tenant_id, status, id) WHERE status <> 'success';
DROP INDEX webhook_event_quarantined;
