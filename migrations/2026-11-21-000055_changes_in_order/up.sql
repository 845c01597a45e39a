-- Ids of changes are made by the instances, whose clocks differ. Whoever writes down what happened to an appointment has its row locked, and
-- comes after whoever wrote last: an id that says otherwise is made again, a millisecond later than the last one's.
CREATE FUNCTION stellwerk_change_comes_last() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    last uuid;
BEGIN
    SELECT id INTO last FROM appointment_change
        WHERE tenant_id = NEW.tenant_id AND appointment_id = NEW.appointment_id ORDER BY id DESC LIMIT 1;
    IF last >= NEW.id THEN
        NEW.id := overlay(gen_random_uuid()::text PLACING
            left(stellwerk_uuid_floor(stellwerk_uuid_time(last) + interval '1 ms')::text, 14) || '7' FROM 1 FOR 15)::uuid;
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION stellwerk_change_comes_last() FROM PUBLIC;
CREATE TRIGGER appointment_change_comes_last BEFORE INSERT ON appointment_change
    FOR EACH ROW EXECUTE FUNCTION stellwerk_change_comes_last();
