CREATE TABLE slot_reservation (
    tenant_id uuid NOT NULL DEFAULT current_setting('stellwerk.tenant_id')::uuid,
    appointment_id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    expire_time timestamptz NOT NULL,
    CONSTRAINT slot_reservation_pkey PRIMARY KEY (tenant_id, appointment_id),
    CONSTRAINT slot_reservation_appointment FOREIGN KEY (tenant_id, appointment_id)
        REFERENCES appointment (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT slot_reservation_integration FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id));
COMMENT ON TABLE slot_reservation IS 'What a provider keeps from its booking page while the slot is held here. A hint there, no lock.';
COMMENT ON COLUMN slot_reservation.expire_time IS 'When the provider forgets it by itself; from then on the row means nothing.';
CREATE INDEX slot_reservation_by_integration ON slot_reservation (tenant_id, integration_id);
CREATE INDEX slot_reservation_by_expiry ON slot_reservation (tenant_id, expire_time);
ALTER TABLE slot_reservation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY slot_reservation_system ON slot_reservation TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid AND current_setting('stellwerk.role') = 'system');
GRANT SELECT, INSERT, DELETE ON slot_reservation TO stellwerk_app;
