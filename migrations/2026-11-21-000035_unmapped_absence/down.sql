DROP POLICY absence_unmap ON absence;
