DROP FUNCTION stellwerk_sweep_secrets();
DROP INDEX webhook_secret_expired;
