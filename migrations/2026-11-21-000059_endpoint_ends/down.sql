-- Secrets that have ended stay so: their endpoints take nothing.
DROP FUNCTION stellwerk_endpoint_takes(uuid, uuid[]);
