-- Whoever says that a user is nobody here takes along what was kept of that user.
CREATE POLICY absence_unmap ON absence FOR DELETE TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('admin', 'hr', 'service')
        AND source = 'out_of_office');
