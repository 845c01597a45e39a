ALTER FUNCTION stellwerk_drop_partitions() RESET timezone;
ALTER FUNCTION stellwerk_make_partitions(integer) RESET timezone;
