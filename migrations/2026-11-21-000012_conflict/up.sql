-- Whoever books, moves or cancels opens and settles the items of conflicts; everything else is the admins' to see.
CREATE POLICY review_item_conflict ON review_item TO stellwerk_app
    USING (tenant_id = current_setting('stellwerk.tenant_id')::uuid
        AND current_setting('stellwerk.role') IN ('practitioner', 'service') AND kind = 'conflict');
