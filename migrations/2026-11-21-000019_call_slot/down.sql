ALTER TABLE integration_flow DROP COLUMN pace_time, DROP COLUMN pace;
DROP TABLE call_slot;
