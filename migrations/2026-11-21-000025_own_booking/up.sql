-- A practitioner meets the bookings of own appointments, as with everything else of them.
DROP POLICY booking_tenant ON booking;
CREATE POLICY booking_tenant ON booking TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'service', 'system'));
CREATE POLICY booking_of_own_appointment ON booking TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') = 'practitioner'
        AND EXISTS (SELECT FROM appointment a WHERE a.tenant_id = booking.tenant_id AND a.id = booking.appointment_id));
