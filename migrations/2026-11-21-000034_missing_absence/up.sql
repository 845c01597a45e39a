ALTER TABLE absence ADD COLUMN missing_time timestamptz;
COMMENT ON COLUMN absence.missing_time IS 'Since when the tool does not tell it any more; it is forgotten when the reading is through, or when a person says that so much was meant to go.';
CREATE INDEX absence_missing ON absence (tenant_id, integration_id) WHERE missing_time IS NOT NULL;
ALTER TABLE time_entry ADD COLUMN missing_time timestamptz;
COMMENT ON COLUMN time_entry.missing_time IS 'As of absences.';
CREATE INDEX time_entry_missing ON time_entry (tenant_id, integration_id) WHERE missing_time IS NOT NULL;
