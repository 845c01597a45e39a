DROP FUNCTION stellwerk_tenants_with_integrations();
DROP TABLE alert;
DROP TABLE alert_destination;
