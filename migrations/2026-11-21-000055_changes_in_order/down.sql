DROP TRIGGER appointment_change_comes_last ON appointment_change;
DROP FUNCTION stellwerk_change_comes_last();
