use chrono::TimeDelta;

use super::*;
use crate::{
    ids::{AppointmentId, BookingId, EventTypeId, IntegrationId, PractitionerId, ServiceId},
    store::appointment::SyncStanding,
    words::Origin,
};

fn at(hour: u32) -> DateTime<Utc> {
    format!("2026-03-02T{hour:02}:00:00Z").parse().unwrap()
}

fn booked(hour: u32) -> Appointment {
    Appointment {
        id: AppointmentId::new(),
        patient_id: None,
        practitioner_id: Some(PractitionerId::new()),
        service_id: Some(ServiceId::new()),
        therapist_name: None,
        service_name: None,
        status: AppointmentStatus::Booked,
        start_time: at(hour),
        end_time: at(hour) + TimeDelta::minutes(30),
        occupied_start_time: at(hour),
        occupied_end_time: at(hour) + TimeDelta::minutes(30),
        time_zone: "Europe/Berlin".into(),
        hold_expire_time: None,
        origin: Origin::Admin,
        last_change_origin: Origin::Admin,
        integration_id: None,
        external_id: None,
        sync_time: None,
        cancel_reason: None,
        create_time: at(0),
        update_time: at(0),
        sync: SyncStanding::default(),
    }
}

fn with(status: AppointmentStatus) -> Appointment {
    Appointment { status, ..booked(9) }
}

fn event_type(length_minutes: i32) -> EventType {
    EventType {
        id: EventTypeId::new(),
        integration_id: IntegrationId::new(),
        instance_url: "https://cal.example.org/v2".into(),
        external_id: "7".into(),
        slug: "visit".into(),
        title: "Visit".into(),
        service_id: None,
        practitioner_id: None,
        length_minutes,
        length_options: Vec::new(),
        requires_confirmation: false,
        is_seated: false,
        is_recurring: false,
        unsupported_reason: None,
        archived: false,
        check_time: at(0),
    }
}

fn living(hour: u32) -> Living {
    let booking = Booking {
        id: BookingId::new(),
        integration_id: IntegrationId::new(),
        external_id: "uid".into(),
        appointment_id: None,
        external_event_type_id: None,
        status: BookingStatus::Accepted,
        start_time: Some(at(hour)),
        end_time: Some(at(hour) + TimeDelta::minutes(30)),
        successor_external_id: None,
        is_current: true,
        confirmed_time: None,
        create_time: at(0),
        update_time: at(0),
    };
    Living { booking, fits: true, is_shared: false }
}

fn stray(hour: u32) -> Living {
    let Living { booking, .. } = living(hour);
    Living { booking: Booking { is_current: false, ..booking }, fits: false, is_shared: false }
}

fn has(living: impl IntoIterator<Item = Living>) -> Standing {
    Standing { living: living.into_iter().collect(), ..Standing::default() }
}

fn wants(length_minutes: i32) -> Standing {
    Standing { target: Some(event_type(length_minutes)), ..Standing::default() }
}

#[test]
fn what_is_booked_here_and_nowhere_else_is_created() {
    let standing = wants(30);

    assert!(matches!(next(&booked(9), &standing, at(8)), Step::Create(_)));
}

#[test]
fn what_nobody_connected_or_what_has_begun_is_not_created() {
    assert_eq!(next(&booked(9), &Standing::default(), at(8)), Step::Nothing);
    assert_eq!(next(&booked(9), &wants(30), at(9)), Step::Nothing);
}

#[test]
fn a_length_that_is_not_offered_is_a_persons_to_decide() {
    let offering = Standing {
        target: Some(EventType { length_options: vec![15, 30], ..event_type(60) }),
        ..Standing::default()
    };

    assert_eq!(next(&booked(9), &wants(45), at(8)), Step::Unfit("DURATION_NOT_OFFERED"));
    assert!(matches!(next(&booked(9), &offering, at(8)), Step::Create(_)));
}

#[test]
fn a_start_that_the_provider_would_cut_is_a_persons_to_decide() {
    let finer = |hour| Appointment { start_time: at(hour) + TimeDelta::microseconds(1), ..booked(hour) };
    let exact = Appointment {
        start_time: at(9) + TimeDelta::milliseconds(1),
        end_time: at(9) + TimeDelta::milliseconds(1) + TimeDelta::minutes(30),
        ..booked(9)
    };
    let as_long = |row: Appointment| Appointment { end_time: row.start_time + TimeDelta::minutes(30), ..row };

    assert_eq!(next(&as_long(finer(9)), &wants(30), at(8)), Step::Unfit("START_TOO_FINE"));
    assert_eq!(next(&as_long(finer(10)), &has([living(9)]), at(8)), Step::Unfit("START_TOO_FINE"));
    assert!(matches!(next(&exact, &wants(30), at(8)), Step::Create(_)));
}

#[test]
fn another_time_is_a_move_and_the_same_one_is_nothing() {
    let standing = has([living(9)]);
    let head = &standing.living[0].booking;

    assert_eq!(next(&booked(10), &standing, at(8)), Step::Reschedule(head));
    assert_eq!(next(&booked(9), &standing, at(8)), Step::Nothing);
}

#[test]
fn another_length_cannot_be_written() {
    let longer = Appointment { end_time: at(10), ..booked(9) };
    let moved_too = Appointment { start_time: at(11), end_time: at(12), ..booked(9) };

    for row in [longer, moved_too] {
        assert_eq!(next(&row, &has([living(9)]), at(8)), Step::Unfit("DURATION_DIFFERS"));
    }
}

#[test]
fn what_waits_for_the_host_there_waits_here() {
    let mut standing = has([living(9)]);
    standing.living[0].booking.status = BookingStatus::Pending;

    assert_eq!(next(&booked(9), &standing, at(8)), Step::Follow);
    assert_eq!(next(&with(AppointmentStatus::Requested), &standing, at(8)), Step::Nothing);
}

#[test]
fn a_cancelled_one_takes_every_booking_with_it() {
    let standing = has([stray(9), living(9)]);
    let cancelled = with(AppointmentStatus::Cancelled);

    assert_eq!(next(&cancelled, &standing, at(8)), Step::Cancel(&standing.living[0].booking));
    assert_eq!(next(&cancelled, &has([]), at(8)), Step::Nothing);
}

#[test]
fn somebody_elses_booking_is_replaced_before_it_is_given_up() {
    let old = || Living { fits: false, ..living(9) };
    let begun = Standing { living: vec![old()], ..wants(30) };
    let done = has([stray(9), living(9)]);
    let nowhere_to_go = has([old()]);

    assert!(matches!(next(&booked(9), &begun, at(8)), Step::Create(_)));
    assert_eq!(next(&booked(9), &done, at(8)), Step::Cancel(&done.living[0].booking));
    assert_eq!(next(&booked(9), &nowhere_to_go, at(8)), Step::Cancel(&nowhere_to_go.living[0].booking));
}

#[test]
fn seats_of_others_are_neither_moved_nor_cancelled() {
    let standing = has([Living { is_shared: true, ..living(9) }]);

    assert_eq!(next(&booked(10), &standing, at(8)), Step::Unfit("SEATS_OF_OTHERS"));
    let cancelled = with(AppointmentStatus::Cancelled);
    assert_eq!(next(&cancelled, &standing, at(8)), Step::Unfit("SEATS_OF_OTHERS"));
    assert_eq!(next(&booked(9), &standing, at(8)), Step::Nothing);
}

#[test]
fn what_is_no_booking_here_and_what_may_not_be_written_to_is_left_alone() {
    let standing = has([living(9)]);
    let bound = Standing { bound: Some("READ_ONLY"), ..has([living(9)]) };
    let quiet = AppointmentStatus::ALL
        .iter()
        .filter(|status| !matches!(status, AppointmentStatus::Booked | AppointmentStatus::Cancelled));

    for status in quiet {
        let row = Appointment { start_time: at(10), ..with(*status) };
        assert_eq!(next(&row, &standing, at(8)), Step::Nothing, "{status}");
    }
    assert_eq!(next(&with(AppointmentStatus::Cancelled), &bound, at(8)), Step::Nothing);
    assert_eq!(next(&booked(10), &bound, at(8)), Step::Nothing);
}

#[test]
fn a_booking_of_which_only_the_id_is_known_is_waited_for() {
    let mut standing = has([living(9)]);
    standing.living[0].booking.status = BookingStatus::Unknown;
    standing.living[0].booking.start_time = None;

    assert_eq!(next(&booked(10), &standing, at(8)), Step::Nothing);
}
