-- Whoever has done what a dead letter asked for takes it away, with every write that succeeds.
CREATE INDEX outbox_dead_by_lane ON outbox (tenant_id, lane) WHERE state = 'dead';
