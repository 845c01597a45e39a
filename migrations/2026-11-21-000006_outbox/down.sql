DROP FUNCTION stellwerk_outbox_next_run();
DROP FUNCTION stellwerk_outbox_depth();
DROP FUNCTION stellwerk_outbox_settle(uuid, uuid, bigint, text, double precision, text);
DROP FUNCTION stellwerk_outbox_extend(uuid, uuid, bigint, integer);
DROP FUNCTION stellwerk_outbox_claim(integer);
DROP TABLE outbox;
DROP FUNCTION stellwerk_outbox_wake();
