-- One tenant of the bench: {tenant} is its number; what is sealed or hashed comes from the bench.
INSERT INTO tenant (tenant_id, name, booking_url)
    VALUES (bench_id(1, {tenant}, 0), 'Praxis {tenant}', 'https://booking.example.org/praxis');
INSERT INTO tenant_key (tenant_id, id, root_key_id, wrapped_key)
    VALUES (bench_id(1, {tenant}, 0), '{tenant_key_id}', '{root_key_id}', '\x{wrapped_tenant_key}');
INSERT INTO api_key (tenant_id, id, name, prefix, secret_hash, role, origin)
    VALUES (bench_id(1, {tenant}, 0), bench_id(3, {tenant}, 0), 'bench', 'swk_bench', '\x{api_key_hash}', 'admin', 'admin');
INSERT INTO integration (tenant_id, id, provider, name)
    VALUES (bench_id(1, {tenant}, 0), bench_id(4, {tenant}, 0), 'booking', 'Terminbuchung');
INSERT INTO webhook_endpoint
        (tenant_id, id, integration_id, provider, name, token_hash, sealed_token, scheme, limit_per_minute)
    VALUES (bench_id(1, {tenant}, 0), bench_id(7, {tenant}, 0), bench_id(4, {tenant}, 0), 'booking', 'Terminbuchung',
        '\x{token_hash}', '\x{sealed_token}', 'standard', 1000000);
INSERT INTO webhook_activity (tenant_id, webhook_endpoint_id, integration_id)
    VALUES (bench_id(1, {tenant}, 0), bench_id(7, {tenant}, 0), bench_id(4, {tenant}, 0));
INSERT INTO webhook_secret (tenant_id, id, webhook_endpoint_id, sealed_secret)
    VALUES (bench_id(1, {tenant}, 0), bench_id(8, {tenant}, 0), bench_id(7, {tenant}, 0), '\x{sealed_secret}');

INSERT INTO practitioner (tenant_id, id, name)
    SELECT bench_id(1, {tenant}, 0), bench_id(5, {tenant}, p), 'Max Beispiel ' || p
    FROM generate_series(0, {practitioners} - 1) AS p;
INSERT INTO practitioner_name (tenant_id, folded_name, practitioner_id)
    SELECT bench_id(1, {tenant}, 0), 'max beispiel ' || p, bench_id(5, {tenant}, p)
    FROM generate_series(0, {practitioners} - 1) AS p;
INSERT INTO service (tenant_id, id, name, duration_s)
    VALUES (bench_id(1, {tenant}, 0), bench_id(6, {tenant}, 0), 'Behandlung', 1800);
INSERT INTO service_name (tenant_id, folded_name, service_id)
    VALUES (bench_id(1, {tenant}, 0), 'behandlung', bench_id(6, {tenant}, 0));
UPDATE tenant SET default_practitioner_id = bench_id(5, {tenant}, 0) WHERE tenant_id = bench_id(1, {tenant}, 0);

INSERT INTO patient (tenant_id, id, first_name, last_name, booking_email, practitioner_id, origin,
        first_name_folded, last_name_folded, booking_email_folded)
    SELECT bench_id(1, {tenant}, 0), bench_id(9, {tenant}, n), 'Erika', 'Muster ' || n, 'erika' || n || '@example.org',
        bench_id(5, {tenant}, n % {practitioners}), 'booking_tool', 'erika', 'muster ' || n, 'erika' || n || '@example.org'
    FROM generate_series(0, {patients} - 1) AS n;
INSERT INTO patient_link (tenant_id, id, integration_id, external_id, patient_id, origin, first_name, last_name, email,
        state_time, state_rank)
    SELECT bench_id(1, {tenant}, 0), bench_id(10, {tenant}, n), bench_id(4, {tenant}, 0), 'p' || n,
        bench_id(9, {tenant}, n), 'created', 'Erika', 'Muster ' || n, 'erika' || n || '@example.org',
        now() - interval '1 day', 1
    FROM generate_series(0, {patients} - 1) AS n;
