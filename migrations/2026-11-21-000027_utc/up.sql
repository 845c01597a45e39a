-- A month added in another zone ends at another hour, or on another day.
ALTER FUNCTION stellwerk_make_partitions(integer) SET timezone TO 'UTC';
ALTER FUNCTION stellwerk_drop_partitions() SET timezone TO 'UTC';
