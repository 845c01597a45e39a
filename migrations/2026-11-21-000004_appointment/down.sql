DROP TABLE appointment_change;
DROP TABLE appointment_link;
DROP POLICY patient_of_practitioner ON patient;
DROP TABLE appointment;
