DROP FUNCTION stellwerk_sweep_sync_logs();
DROP FUNCTION stellwerk_expired_holds(integer);
