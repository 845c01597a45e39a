DROP INDEX time_entry_missing;
ALTER TABLE time_entry DROP COLUMN missing_time;
DROP INDEX absence_missing;
ALTER TABLE absence DROP COLUMN missing_time;
