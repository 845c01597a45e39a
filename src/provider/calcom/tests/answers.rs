//! How answers are read: tolerantly, but never as another contract.

use super::*;

fn booking(uid: &str) -> Value {
    let (start, end) = ("2026-10-14T07:30:00Z", "2026-10-14T08:00:00Z");
    json!({ "uid": uid, "status": "accepted", "start": start, "end": end })
}

fn page(data: Value, pagination: Value) -> Reply {
    reply(200, json!({ "status": "success", "data": data, "pagination": pagination }))
}

async fn read(reply: Reply) -> Result<Option<Found>, CallError> {
    Double::answering([reply]).await.calcom().booking(UID).await
}

async fn read_one(value: Value) -> Booking {
    read(success(value)).await.unwrap().unwrap().into_bookings().remove(0)
}

fn unexpected<T>(what: &'static str) -> Result<T, CallError> {
    Err(CallError::UnexpectedShape { what, may_be_done: false })
}

#[tokio::test]
async fn a_booking_is_read_with_all_that_it_says() {
    let created = Double::answering([sample("create-booking.201.json")]).await;

    let booking = created.calcom().create_booking(&new_booking()).await.unwrap().into_bookings().remove(0);

    let attendee = Attendee {
        name: Some("Jonas Keller".to_owned()),
        email: Some("jonas.keller@example.net".to_owned()),
        phone: Some("+4915550100200".to_owned()),
        time_zone: Some("Europe/Berlin".to_owned()),
        language: Some("de".to_owned()),
        absent: Some(false),
        seat_uid: None,
    };
    let host = Host {
        id: Some(70412),
        name: Some("Mara Vogt".to_owned()),
        email: Some("mara.vogt@example.com".to_owned()),
        username: Some("mara-vogt".to_owned()),
        time_zone: Some("Europe/Berlin".to_owned()),
    };
    let metadata = [("appointment_id", "apt_01J8Z3Q4"), ("write_id", "wr_01J8Z3Q5")];
    let expected = Booking {
        uid: UID.to_owned(),
        id: Some(9_000_101),
        status: BookingStatus::Accepted,
        start: at("2026-10-14T07:30:00Z"),
        end: at("2026-10-14T08:00:00Z"),
        event_type_id: Some(481_207),
        event_type_slug: Some("first-consultation".to_owned()),
        title: Some("First consultation between Mara Vogt and Jonas Keller".to_owned()),
        location: Some(format!("https://video.example.com/{UID}")),
        attendees: vec![attendee],
        guests: Vec::new(),
        hosts: vec![host],
        metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        rescheduled_from_uid: None,
        rescheduled_to_uid: None,
        rescheduling_reason: None,
        rescheduled_by_email: None,
        cancellation_reason: None,
        cancelled_by_email: None,
        absent_host: false,
        created_at: Some(at("2026-10-02T09:15:03.870Z")),
        updated_at: Some(at("2026-10-02T09:15:04.120Z")),
        ics_uid: Some(format!("{UID}@Cal.com")),
        seat_uid: None,
        recurring_uid: None,
    };
    assert_eq!(booking, expected);
    assert!(!booking.is_seated());
}

#[tokio::test]
async fn a_moved_bookings_old_uid_reads_as_cancelled_and_names_its_successor() {
    let found = read(sample("get-booking.old-uid-after-reschedule.200.json")).await.unwrap().unwrap();

    let old = &found.bookings()[0];
    assert_eq!((&old.status, old.rescheduled_to_uid.as_deref()), (&BookingStatus::Cancelled, Some(MOVED)));
    assert_eq!(old.rescheduled_by_email.as_deref(), Some("mara.vogt@example.com"));
}

#[tokio::test]
async fn nulls_new_fields_and_changed_types_do_not_spoil_a_booking() {
    let odd = json!({
        "uid": UID, "status": "awaiting_host", "start": "2026-10-14T09:30:00+02:00",
        "end": "2026-10-14T08:00:00.000Z", "id": "9000101", "eventTypeId": 481207.0,
        "eventType": null, "description": null, "location": null,
        "hosts": [{ "id": "unknown", "name": null }, "nobody"], "attendees": null,
        "updatedAt": null, "rating": {},
        "metadata": { "a": 1, "b": true, "c": null, "d": {}, "e": "text" }, "guests": {}, "absentHost": "no",
        "inventedLater": [1, 2],
    });

    let booking = read_one(odd).await;

    assert_eq!((booking.id, booking.event_type_id), (Some(9_000_101), Some(481_207)));
    assert_eq!((&booking.status, booking.start), (&BookingStatus::AwaitingHost, at("2026-10-14T07:30:00Z")));
    assert_eq!((booking.hosts.len(), booking.hosts[0].id, booking.absent_host), (1, None, false));
    let metadata = [("a", "1"), ("b", "true"), ("e", "text")];
    assert_eq!(booking.metadata, metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    assert!(booking.attendees.is_empty() && booking.updated_at.is_none() && booking.location.is_none());
}

#[tokio::test]
async fn an_unknown_status_is_kept_as_it_is() {
    let mut odd = booking(UID);
    odd["status"] = "Frozen".into();

    assert_eq!(read_one(odd).await.status, BookingStatus::Other("frozen".to_owned()));
}

#[tokio::test]
async fn a_placeholder_address_is_nobodys_email() {
    let mut value = booking(UID);
    value["attendees"] = json!([
        { "name": "Erika Muster", "email": "4915550100200@sms.cal.com" },
        { "name": "Jonas Keller", "email": "4915550100201@SMS.cal.com", "phoneNumber": "+49 1555 0100201" },
        { "name": "Mara Vogt", "email": "sms.cal.com@example.org" },
    ]);

    let attendees = read_one(value).await.attendees;

    let contact = |index: usize| (attendees[index].email.as_deref(), attendees[index].phone.as_deref());
    assert_eq!(contact(0), (None, Some("+4915550100200")));
    assert_eq!(contact(1), (None, Some("+49 1555 0100201")));
    assert_eq!(contact(2), (Some("sms.cal.com@example.org"), None));
    assert!(is_placeholder_email(&placeholder_email("+4915550100200")));
    assert_eq!(placeholder_email("+4915550100200"), "4915550100200@sms.cal.com");
}

#[tokio::test]
async fn a_seated_booking_is_recognised() {
    let mut value = booking(UID);
    value["attendees"] = json!([{ "name": "Erika Muster", "seatUid": "seat-1" }]);

    let booking = read_one(value).await;

    assert!(booking.is_seated());
    assert_eq!(booking.attendees[0].seat_uid.as_deref(), Some("seat-1"));
}

#[tokio::test]
async fn a_series_is_told_from_one_booking() {
    let mut second = booking(MOVED);
    second["recurringBookingUid"] = "series-1".into();

    let series = read(success(json!([booking(UID), second]))).await.unwrap().unwrap();
    let empty = read(success(json!([]))).await;

    let Found::Series(bookings) = series else { panic!("{series:?}") };
    assert_eq!(bookings.len(), 2);
    assert_eq!(bookings[1].recurring_uid.as_deref(), Some("series-1"));
    assert_eq!(empty, unexpected("data.uid"));
}

#[tokio::test]
async fn the_oldest_contract_is_never_taken_for_ours() {
    let old_booking =
        json!({ "uid": UID, "startTime": "2026-10-14T07:30:00Z", "endTime": "2026-10-14T08:00:00Z" });
    let old_list = json!({ "bookings": [], "totalCount": 0, "recurringInfo": [], "nextCursor": null });
    let old_types = json!({ "eventTypeGroups": [], "profiles": [] });
    let old_slots = json!({ "slots": { "2026-10-14": [{ "time": "2026-10-14T07:30:00Z" }] } });
    let double = Double::answering([old_booking, old_list, old_types, old_slots].map(success)).await;
    let calcom = double.calcom();
    let slots = SlotQuery {
        event_type_id: 1,
        start: at("2026-10-14T00:00:00Z"),
        end: at("2026-10-15T00:00:00Z"),
        duration_minutes: None,
        rescheduling: None,
    };

    assert_eq!(calcom.booking(UID).await, unexpected("data.uid"));
    assert_eq!(calcom.bookings(&BookingQuery::default()).await, unexpected("data"));
    assert_eq!(calcom.event_types("mara-vogt").await, unexpected("data"));
    assert_eq!(calcom.slots(&slots).await, unexpected("data[]"));
}

#[tokio::test]
async fn what_is_not_the_success_envelope_is_no_answer() {
    for body in ["", "<html>maintenance</html>", "[]", "{}", r#"{"status":"error"}"#, r#"{"data":{}}"#] {
        assert_eq!(read(reply(200, body)).await, unexpected("status"), "{body}");
    }
    assert_eq!(read(reply(200, r#"{"status":"success"}"#)).await, unexpected("data"));
}

#[tokio::test]
async fn a_write_whose_answer_cannot_be_read_was_perhaps_done() {
    let double = Double::answering([reply(201, "<html>"), success(json!({ "id": 1 }))]).await;
    let calcom = double.calcom();

    let unreadable = calcom.create_booking(&new_booking()).await.unwrap_err();
    let of_another_form =
        calcom.reschedule_booking(UID, at("2026-10-15T13:00:00Z"), None, None).await.unwrap_err();

    assert_eq!((unreadable.class(), of_another_form.class()), (Class::Unknown, Class::Unknown));
}

#[tokio::test]
async fn pages_follow_each_other_by_what_was_asked_for_not_by_what_came() {
    let two_of_three = json!({ "totalItems": 300, "itemsPerPage": 100, "hasNextPage": true });
    let double = Double::answering([page(json!([booking(UID), booking(MOVED)]), two_of_three)]).await;

    let page =
        double.calcom().bookings(&BookingQuery { skip: 100, ..BookingQuery::default() }).await.unwrap();

    assert_eq!((page.bookings.len(), page.next_skip, page.total), (2, Some(200), Some(300)));
}

#[tokio::test]
async fn the_last_page_and_an_empty_list_end() {
    let double =
        Double::answering(["list-bookings.200.json", "list-bookings.empty.200.json"].map(sample)).await;
    let query = BookingQuery::default();

    let last = double.calcom().bookings(&query).await.unwrap();
    let empty = double.calcom().bookings(&query).await.unwrap();

    assert_eq!((last.bookings.len(), last.next_skip, last.unreadable), (1, None, 0));
    assert_eq!((empty.bookings.len(), empty.next_skip, empty.total), (0, None, Some(0)));
}

#[tokio::test]
async fn one_odd_row_does_not_hide_the_others_and_is_counted() {
    let paging = json!({ "hasNextPage": false });
    let rows = json!([booking(UID), { "uid": MOVED, "status": "accepted" }, null]);
    let double = Double::answering([page(rows, paging.clone()), page(json!([null]), paging)]).await;
    let query = BookingQuery::default();

    let some = double.calcom().bookings(&query).await.unwrap();
    let none = double.calcom().bookings(&query).await;

    assert_eq!((some.bookings.len(), some.unreadable), (1, 2));
    assert_eq!(none, unexpected("data[].uid"));
}

#[tokio::test]
async fn a_list_that_does_not_say_whether_it_goes_on_is_no_answer() {
    let double = Double::answering([success(json!([])), page(json!([]), json!({}))]).await;
    let query = BookingQuery::default();

    assert_eq!(double.calcom().bookings(&query).await, unexpected("pagination"));
    assert_eq!(double.calcom().bookings(&query).await, unexpected("pagination.hasNextPage"));
}

#[tokio::test]
async fn slots_beyond_the_edges_are_left_out_and_the_rest_is_in_order() {
    let days = json!({
        "2026-10-15": [{ "start": "2026-10-15T10:00:00.000+02:00", "end": "2026-10-15T10:30:00.000+02:00" }],
        "2026-10-14": [
            { "start": "2026-10-14T07:59:59Z" }, { "start": "2026-10-14T08:30:00Z", "seatsRemaining": 3 },
            { "start": "2026-10-14T08:00:00Z" }, { "start": "2026-10-14T10:00:00+02:00" },
        ],
        "2026-10-16": [{ "start": "2026-10-16T08:00:00Z" }],
    });
    let double = Double::answering([success(days), sample("slots.200.json")]).await;
    let query = SlotQuery {
        event_type_id: 481_207,
        start: at("2026-10-14T08:00:00Z"),
        end: at("2026-10-16T08:00:00Z"),
        duration_minutes: None,
        rescheduling: None,
    };

    let slots = double.calcom().slots(&query).await.unwrap();
    let recorded = double.calcom().slots(&query).await.unwrap();

    let starts: Vec<_> = slots.iter().map(|slot| slot.start).collect();
    let expected = ["2026-10-14T08:00:00Z", "2026-10-14T08:30:00Z", "2026-10-15T08:00:00Z"].map(at);
    assert_eq!(starts, expected);
    assert_eq!((slots[1].seats_remaining, slots[2].end), (Some(3), Some(at("2026-10-15T08:30:00Z"))));
    assert_eq!(recorded.len(), 2);
}

#[tokio::test]
async fn an_event_type_says_what_stands_in_the_way() {
    let plain = json!({
        "id": 1, "slug": "first", "title": "First", "lengthInMinutes": 30, "lengthInMinutesOptions": [30, 45],
        "ownerId": 70412, "recurrence": null, "seatsPerTimeSlot": null, "price": 0,
        "seats": { "disabled": true }, "confirmationPolicy": { "disabled": true },
        "disableCancelling": { "disabled": false }, "beforeEventBuffer": 5,
        "bookingFields": [
            { "type": "name", "slug": "name", "required": true, "isDefault": true },
            { "type": "select", "slug": "insurance", "required": true, "isDefault": false },
        ],
    });
    let difficult = json!({
        "id": 2, "slug": "class", "lengthInMinutes": 60, "recurrence": { "frequency": "weekly" },
        "price": 4900, "seats": { "seatsPerTimeSlot": 8 }, "confirmationPolicy": { "type": "always" },
        "schedulingType": "managed",
        "requiresBookerEmailVerification": true, "disableCancelling": { "disabled": true },
        "disableRescheduling": { "disabled": true },
    });
    let short_notice = json!({
        "id": 3, "slug": "c", "lengthInMinutes": 60, "confirmationPolicy": { "type": "time" },
        "schedulingType": "MANAGED", "parentEventTypeId": 2,
    });
    let double = Double::answering([success(json!([plain, difficult, short_notice]))]).await;

    let found = double.calcom().event_types("mara-vogt").await.unwrap();

    assert_eq!((found[0].obstacles(), found[0].confirmation), (vec![], Confirmation::Never));
    assert_eq!((&found[0].length_options, found[0].before_buffer_minutes), (&vec![30, 45], Some(5)));
    let required: Vec<_> = found[0].required_fields().map(|field| field.slug.as_str()).collect();
    assert_eq!(required, ["insurance"]);
    let all = vec![
        Obstacle::EmailVerification,
        Obstacle::Payment,
        Obstacle::Seats,
        Obstacle::Recurrence,
        Obstacle::ManagedParent,
        Obstacle::CancellingDisabled,
        Obstacle::ReschedulingDisabled,
    ];
    assert_eq!((found[1].obstacles(), found[1].confirmation), (all, Confirmation::Always));
    assert_eq!(found[1].title, "class");
    assert_eq!((found[2].obstacles(), found[2].confirmation), (vec![], Confirmation::ShortNotice));
}

#[tokio::test]
async fn an_event_type_of_somebody_else_is_none_of_ours() {
    let foreign = "User with ID=70412 does not own event type with ID=5";
    let double = Double::answering([framework(403, "ForbiddenException", foreign)]).await;

    assert_eq!(double.calcom().event_type(5).await, Ok(None));
}

#[tokio::test]
async fn a_subscription_is_read_with_its_secret_and_whether_it_has_a_template() {
    use secrecy::ExposeSecret;

    let ours = json!({
        "id": "6a0b1c2d", "subscriberUrl": "https://hub.example.org/x", "active": true,
        "secret": "whsec-example",
        "triggers": ["BOOKING_CREATED", "INVENTED_LATER"], "payloadTemplate": null, "userId": 70412,
    });
    let theirs = json!({
        "id": 7, "subscriberUrl": "https://hub.example.org/y", "secret": "", "payloadTemplate": "{}",
    });
    let double = Double::answering([success(json!([ours, theirs]))]).await;

    let found = double.calcom().subscriptions(SubscriptionScope::User, 0).await.unwrap();

    let secret = found[0].secret.as_ref().map(|secret| secret.expose_secret());
    assert_eq!(
        (found[0].id.as_str(), secret, found[0].has_template),
        ("6a0b1c2d", Some("whsec-example"), false)
    );
    let later = webhook::Trigger::Other("INVENTED_LATER".to_owned());
    assert_eq!(found[0].triggers, [webhook::Trigger::BookingCreated, later]);
    assert_eq!((found[1].id.as_str(), found[1].is_active, found[1].has_template), ("7", false, true));
    assert!(found[1].secret.is_none());
    assert!(!format!("{found:?}").contains("hub.example.org"));
}

#[tokio::test]
async fn the_id_of_the_newest_answer_is_at_hand_for_logs() {
    let told = success(booking(UID)).with("x-request-id", "req-1");
    let refused = engine(409, "booking_conflict_error").with("x-request-id", "req-2");
    let double = Double::answering([told, refused, success(booking(UID))]).await;
    let calcom = double.calcom();
    let exchange = |status, id: Option<&str>| Some(Exchange { status, request_id: id.map(str::to_owned) });

    assert_eq!(calcom.newest_exchange(), None);
    calcom.booking(UID).await.unwrap();
    assert_eq!(calcom.newest_exchange(), exchange(200, Some("req-1")));
    calcom.create_booking(&new_booking()).await.unwrap_err();
    assert_eq!(calcom.newest_exchange(), exchange(409, Some("req-2")));
    calcom.booking(UID).await.unwrap();
    assert_eq!(calcom.newest_exchange(), exchange(200, None));
}
