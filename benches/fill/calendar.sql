-- Appointments {from} to {until} of tenant {tenant}: {practitioners} calendars, an hour for each appointment, every tenth
-- one still booked; without a source, so that what a list costs is the list.
INSERT INTO appointment (tenant_id, id, patient_id, practitioner_id, service_id, status, start_time, end_time,
        occupied_start_time, occupied_end_time, time_zone, origin, last_change_origin)
    SELECT bench_id(1, {tenant}, 0), bench_id(11, {tenant}, n), bench_id(9, {tenant}, n % {patients}),
        bench_id(5, {tenant}, n % {practitioners}), bench_id(6, {tenant}, 0),
        CASE WHEN hour % 10 = 0 THEN 'booked' ELSE 'completed' END, at, at + interval '30 minutes',
        at, at + interval '30 minutes', 'Europe/Berlin', 'admin', 'admin'
    FROM generate_series({from}, {until}) AS n,
        LATERAL (SELECT n / {practitioners} AS hour,
            timestamptz '{calendar_start}' + n / {practitioners} * interval '1 hour' AS at) AS moment;
