DROP FUNCTION stellwerk_engine_standing();
DROP FUNCTION stellwerk_alert_measures(timestamptz, integer);
DROP FUNCTION stellwerk_is_calendars_answer(text);
DROP FUNCTION stellwerk_alert_turn();
DROP TABLE alert;
DROP TABLE alert_destination;
