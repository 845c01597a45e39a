-- Messages that are due: ten to a lane, spread over all tenants. Triggers are off, so that the first of each lane is marked here.
INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, is_head, position)
    SELECT bench_id(1, 1 + n % {tenants}, 0), bench_id(12, 1 + n % {tenants}, n), 'sync_run', 'bench/' || n / {tenants} / 10,
        '{}', 'bench', n / {tenants} % 10 = 0, n
    FROM generate_series(0, {messages} - 1) AS n;
