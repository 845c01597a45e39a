//! Bookings of other shapes: shared by many, repeated, or of somebody without an address.

use stellwerk::{
    proto::{AppointmentStatus::*, RescheduleAppointmentRequest},
    sandbox::calcom::{Booking, EventTypeOptions, Frequency, NewBooking, Recurrence, Status, Trigger},
};

use super::{delivered, open, standing};
use crate::{calcom::practice::Practice, support::desk};

/// Trap 23. P9.
#[tokio::test]
async fn one_seat_given_back_leaves_the_appointment_standing() {
    let practice = open().await;
    let group = import(&practice, EventTypeOptions { seats: Some(3), ..EventTypeOptions::default() }).await;
    let mut shared = None;
    for (name, email) in [("Max Beispiel", "max@example.org"), ("Petra Neuling", "petra@example.org")] {
        let wish = NewBooking::new(group, practice.slot(0), name, email);
        shared = Some(practice.calcom.book_as_attendee(wish).await.unwrap());
    }
    practice.work_through().await;
    let shared = shared.unwrap();
    let seats: Vec<String> =
        shared.attendees.iter().filter_map(|one| one.seat.as_ref()).map(|seat| seat.uid.clone()).collect();

    practice.calcom.cancel_seat(&shared.uid, &seats[1]).await.unwrap();
    practice.work_through().await;
    let with_one_less = desk::only_appointment(&practice.acme.admin).await.status();
    practice.calcom.cancel_seat(&shared.uid, &seats[0]).await.unwrap();
    practice.work_through().await;

    assert_eq!(with_one_less, Booked);
    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), Cancelled);
}

/// Trap 24. P9.
#[tokio::test]
async fn the_end_of_a_series_is_told_once_and_ends_all_its_appointments() {
    let practice = open().await;
    let recurrence = Recurrence { frequency: Frequency::Weekly, interval: 1, occurrences: 3 };
    let options = EventTypeOptions { recurrence: Some(recurrence), ..EventTypeOptions::default() };
    let course = import(&practice, options).await;
    let wish = NewBooking::new(course, practice.slot(0), "Max Beispiel", "max@example.org");
    let first: Booking = practice.calcom.book_as_attendee(wish).await.unwrap();
    practice.work_through().await;
    let before: Vec<_> =
        desk::appointments(&practice.acme.admin).await.iter().map(|one| one.status()).collect();

    practice.calcom.cancel_as_host(first.recurring_uid.as_deref().unwrap(), None).await.unwrap();
    practice.work_through().await;

    let told =
        practice.calcom.deliveries().into_iter().filter(|one| one.trigger == Trigger::BookingCancelled);
    assert_eq!((before, told.count()), (vec![Booked; 3], 1));
    let after: Vec<_> =
        desk::appointments(&practice.acme.admin).await.iter().map(|one| one.status()).collect();
    assert_eq!(after, [Cancelled; 3]);
}

/// Trap 37. P11.
#[tokio::test]
async fn an_address_that_cal_com_made_of_a_number_is_nobodys() {
    let practice = open().await;
    let by_phone = |slot| {
        let event_type = practice.visit.event_type;
        NewBooking::by_phone(event_type, practice.slot(slot), "Lena Vorlage", "+493023125043")
    };

    for slot in [0, 1] {
        practice.calcom.book_as_attendee(by_phone(slot)).await.unwrap();
    }
    practice.work_through().await;

    assert!(delivered(&practice, Trigger::BookingCreated).body.contains("@sms.cal.com"));
    let lena = desk::only_patient(&practice.acme.admin).await;
    assert_eq!((&*lena.email, &*lena.phone), ("", "+493023125043"));
    let everything = "SELECT count(*) FROM patient p WHERE p::text LIKE '%sms.cal.com%'";
    assert_eq!(practice.app.database.owner().await.value(everything).await, "0");
}

/// Traps 30, 31, 32: every request of a whole story says which contract it is under, and is one of those that
/// Cal.com describes.
#[tokio::test]
async fn every_request_of_a_whole_story_is_one_that_cal_com_describes() {
    let practice = open().await;
    let patient = practice.patient("Lena", "Vorlage", "", "+49 30 23125043").await;
    let booked = practice.booked(&patient, practice.slot(0)).await;
    let request = RescheduleAppointmentRequest {
        appointment_id: booked.appointment_id.clone(),
        start_time: Some(desk::timestamp(practice.slot(1))),
        ..Default::default()
    };
    practice.acme.admin.appointments().reschedule_appointment(request).await.expect("moved");
    practice.work_through().await;
    desk::cancel(&practice.acme.admin, &booked.appointment_id).await;
    practice.work_through().await;
    let consultation = practice.wish(&practice.consultation, &patient, practice.slot(2));
    desk::book(&practice.acme.admin, consultation).await.expect("booked");
    practice.work_through().await;
    practice.sync().await;

    practice.check_requests();
    let versioned = practice.calcom.requests().into_iter().filter(|one| {
        ["/v2/bookings", "/v2/slots", "/v2/event-types"].iter().any(|family| one.path.starts_with(family))
            && !one.path.ends_with("/webhooks")
    });
    let unversioned: Vec<_> = versioned.filter(|one| one.version.is_none()).map(|one| one.path).collect();
    assert_eq!(unversioned, [""; 0]);
    assert_eq!(standing(&practice).len(), 1);
    let pending = practice.calcom.bookings().into_iter().filter(|one| one.status == Status::Pending);
    assert_eq!(pending.count(), 1);
}

/// A further event type, known here.
async fn import(practice: &Practice, options: EventTypeOptions) -> i64 {
    let id = practice.calcom.add_event_type(practice.host.id, "further", "Further", 30, options).unwrap();
    practice.sync().await;
    id
}
