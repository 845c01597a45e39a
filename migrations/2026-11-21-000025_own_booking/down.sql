DROP POLICY booking_of_own_appointment ON booking;
DROP POLICY booking_tenant ON booking;
CREATE POLICY booking_tenant ON booking TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'practitioner', 'service', 'system'));
