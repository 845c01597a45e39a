DROP FUNCTION stellwerk_provider_places(integer);
DROP FUNCTION stellwerk_integrations_in_trouble(integer);
DROP FUNCTION stellwerk_outbox_standing(integer);
