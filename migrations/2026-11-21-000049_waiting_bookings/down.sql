DROP FUNCTION stellwerk_tell_waiting();
