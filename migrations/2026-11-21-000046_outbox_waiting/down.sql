DROP FUNCTION stellwerk_outbox_revive(text, text, text, timestamptz);
DROP FUNCTION stellwerk_outbox_waits(text, text, jsonb);
