use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn row(status: AppointmentStatus) -> Appointment {
    let (start, end) = (at("2027-03-01T09:00:00Z"), at("2027-03-01T09:30:00Z"));
    Appointment {
        id: AppointmentId::new(),
        patient_id: None,
        practitioner_id: None,
        service_id: None,
        therapist_name: None,
        service_name: None,
        status,
        start_time: start,
        end_time: end,
        occupied_start_time: start,
        occupied_end_time: end,
        time_zone: "Europe/Berlin".into(),
        hold_expire_time: None,
        origin: Origin::Calcom,
        last_change_origin: Origin::Calcom,
        integration_id: None,
        external_id: None,
        sync_time: None,
        cancel_reason: None,
        create_time: start,
        update_time: start,
        sync: SyncStanding::default(),
    }
}

fn head(status: BookingStatus, start: &str) -> Head {
    Head { uid: "uid-1".into(), status, start: Some(at(start)), end: None, event_type_id: None }
}

#[test]
fn an_appointment_agrees_with_a_booking_that_lives_at_its_time_or_with_it_over() {
    let same = "2027-03-01T09:00:00Z";
    let other = "2027-03-01T10:00:00Z";
    let agrees = |status, booking, start| agrees(&row(status), &head(booking, start), None);

    assert!(agrees(AppointmentStatus::Booked, BookingStatus::Accepted, same));
    assert!(agrees(AppointmentStatus::NoShow, BookingStatus::Accepted, same));
    assert!(agrees(AppointmentStatus::Requested, BookingStatus::Pending, same));
    assert!(agrees(AppointmentStatus::Cancelled, BookingStatus::Cancelled, other));
    assert!(agrees(AppointmentStatus::Cancelled, BookingStatus::Rejected, other));
    assert!(!agrees(AppointmentStatus::Booked, BookingStatus::Accepted, other));
    assert!(!agrees(AppointmentStatus::Booked, BookingStatus::Cancelled, same));
    assert!(!agrees(AppointmentStatus::Cancelled, BookingStatus::Accepted, same));
}

#[test]
fn who_did_not_come_was_absent_until_the_mark_is_taken_back() {
    let before = at("2027-03-01T09:10:00Z");
    let after = at("2027-03-01T10:00:00Z");

    for was in [AppointmentStatus::Booked, AppointmentStatus::Conflicting, AppointmentStatus::Completed] {
        assert_eq!(marked(&row(was), true, before), Some(AppointmentStatus::NoShow), "{was}");
        assert_eq!(marked(&row(was), false, before), None, "{was}");
    }
    let absent = row(AppointmentStatus::NoShow);
    assert_eq!(marked(&absent, false, before), Some(AppointmentStatus::Booked));
    assert_eq!(marked(&absent, false, after), Some(AppointmentStatus::Completed));
    assert_eq!(marked(&row(AppointmentStatus::Cancelled), true, before), None);
}
