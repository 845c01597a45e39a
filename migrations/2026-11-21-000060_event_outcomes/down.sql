CREATE INDEX webhook_event_quarantined ON webhook_event (tenant_id, id) WHERE status = 'quarantined';
DROP INDEX webhook_event_by_outcome;
