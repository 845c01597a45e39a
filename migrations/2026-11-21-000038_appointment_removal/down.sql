DROP TABLE appointment_removal;
