DROP TABLE slot_reservation;
