//! What leaves: method, path, query, version, credential and body of every call.

use super::spec::Spec;
use super::*;
use webhook::Trigger;

/// A booking's shape, with everything that is needed of it.
fn booking() -> Value {
    let (start, end) = ("2026-10-14T07:30:00Z", "2026-10-14T08:00:00Z");
    json!({ "uid": UID, "status": "accepted", "start": start, "end": end })
}

fn subscription() -> Value {
    json!({ "id": "6a0b1c2d-3e4f-4051-8263-748596a7b8c9", "subscriberUrl": "https://hub.example.org/x" })
}

fn version(asked: &Asked) -> Option<&str> {
    asked.headers.get("cal-api-version").map(|value| value.to_str().unwrap())
}

fn body(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

fn query(asked: &Asked) -> Vec<(String, String)> {
    url::form_urlencoded::parse(asked.uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Checks what every request has in common, and the request against the official description.
fn check(asked: &Asked, method: Method, path: &str, contract: Option<&str>) {
    assert_eq!((&asked.method, asked.uri.path(), version(asked)), (&method, path, contract));
    assert_eq!(asked.headers["authorization"], "Bearer cal_test_key");
    assert_eq!(asked.headers.contains_key("content-type"), !asked.body.is_empty());
    let Some(spec) = Spec::at_hand() else { return };
    spec.check(asked);
}

#[tokio::test]
async fn asking_who_one_is_names_no_version() {
    let double = Double::answering([success(json!({ "id": 70412, "username": "mara-vogt" }))]).await;

    let me = double.calcom().me().await.unwrap();

    check(&double.the_one(), Method::GET, "/v2/me", None);
    assert_eq!((me.id, me.username.as_deref()), (70412, Some("mara-vogt")));
}

#[tokio::test]
async fn event_types_are_asked_for_by_user_name_or_id() {
    let event_type = json!({ "id": 481207, "slug": "first", "title": "First", "lengthInMinutes": 30 });
    let double = Double::answering([success(json!([event_type])), success(event_type)]).await;

    let listed = double.calcom().event_types("mara+vogt").await.unwrap();
    let one = double.calcom().event_type(481_207).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/v2/event-types", Some("2024-06-14"));
    check(&asked[1], Method::GET, "/v2/event-types/481207", Some("2024-06-14"));
    assert_eq!(query(&asked[0]), [("username".to_owned(), "mara+vogt".to_owned())]);
    assert_eq!(Some(&listed[0]), one.as_ref());
}

#[tokio::test]
async fn a_booking_is_made_with_utc_times_and_what_was_given() {
    let double = Double::answering([success(booking()), success(booking())]).await;
    let plain = new_booking();
    let full = NewBooking {
        start: at("2026-10-14T09:30:00+02:00"),
        length_minutes: Some(45),
        attendee: NewAttendee { email: None, language: Some("tlh".to_owned()), ..new_booking().attendee },
        metadata: [].into(),
        booking_fields: [("insurance".to_owned(), json!("public"))].into(),
        ..new_booking()
    };

    double.calcom().create_booking(&plain).await.unwrap();
    double.calcom().create_booking(&full).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::POST, "/v2/bookings", Some("2024-08-13"));
    check(&asked[1], Method::POST, "/v2/bookings", Some("2024-08-13"));
    let attendee = json!({
        "name": "Erika Muster", "email": "erika@example.org", "phoneNumber": "+4915550100200",
        "timeZone": "Europe/Berlin", "language": "de",
    });
    let expected = json!({
        "eventTypeId": 481207, "start": "2026-10-14T07:30:00Z", "attendee": attendee,
        "metadata": { "write_id": "wr_1" },
    });
    assert_eq!(body(&asked[0]), expected);
    let attendee =
        json!({ "name": "Erika Muster", "phoneNumber": "+4915550100200", "timeZone": "Europe/Berlin" });
    let expected = json!({
        "eventTypeId": 481207, "start": "2026-10-14T07:30:00Z", "attendee": attendee, "metadata": {},
        "lengthInMinutes": 45, "bookingFieldsResponses": { "insurance": "public" },
    });
    assert_eq!(body(&asked[1]), expected);
}

#[tokio::test]
async fn conflict_checks_are_never_switched_off() {
    let double = Double::answering([success(booking()), success(booking())]).await;

    double.calcom().create_booking(&new_booking()).await.unwrap();
    double.calcom().reschedule_booking(UID, at("2026-10-15T13:00:00Z"), None, None).await.unwrap();

    for asked in double.asked() {
        let body = body(&asked).to_string();
        assert!(!body.contains("allowConflicts") && !body.contains("allowBookingOutOfBounds"), "{body}");
    }
}

#[tokio::test]
async fn what_cal_com_would_refuse_in_any_case_is_not_sent() {
    let double = Double::answering([]).await;
    let nobody = NewAttendee { name: " ".to_owned(), email: None, phone: None, ..new_booking().attendee };
    let value = "ä".repeat(501);
    let metadata = [("note".to_owned(), value.clone())].into();
    let unfit = NewBooking { attendee: nobody, metadata, ..new_booking() };
    let longest = [("k".repeat(40), value[2..].to_owned())].into();

    let refused = double.calcom().create_booking(&unfit).await;
    let sent = double.calcom().create_booking(&NewBooking { metadata: longest, ..new_booking() }).await;

    let fields = ["attendee.name", "attendee.email", "metadata"].map(str::to_owned).to_vec();
    assert_eq!(refused, Err(CallError::Refused(Refusal::Validation { fields })));
    assert!(matches!(sent, Err(CallError::Unknown(_))), "{sent:?}");
    double.the_one();
}

#[tokio::test]
async fn a_booking_is_read_by_uid() {
    let double = Double::answering([success(booking())]).await;

    let found = double.calcom().booking(UID).await.unwrap().unwrap();

    check(&double.the_one(), Method::GET, &format!("/v2/bookings/{UID}"), Some("2024-08-13"));
    assert_eq!(found.bookings()[0].uid, UID);
}

#[tokio::test]
async fn a_uid_cannot_lead_to_another_path() {
    let double = Double::answering([engine(404, "none")]).await;
    let calcom = double.calcom();

    for uid in ["", ".", "..", "a b", "a\nb"] {
        assert_eq!(calcom.booking(uid).await, Ok(None), "{uid:?}");
        assert_eq!(calcom.newest_exchange(), None);
    }
    assert_eq!(calcom.booking("../me?x=1#y").await, Ok(None));

    assert_eq!(double.the_one().uri.path(), "/v2/bookings/..%2Fme%3Fx=1%23y");
}

#[tokio::test]
async fn a_list_is_filtered_sorted_and_paged_as_asked() {
    let double =
        Double::answering([sample("list-bookings.200.json"), sample("list-bookings.empty.200.json")]).await;
    let asked_for = BookingQuery {
        statuses: vec![ListStatus::Upcoming, ListStatus::Unconfirmed],
        attendee_email: Some("erika+1@example.org".to_owned()),
        event_type_ids: vec![481_207, 481_208],
        after_start: Some(at("2026-10-14T09:00:00+02:00")),
        before_end: Some(at("2026-10-15T00:00:00Z")),
        after_updated_at: Some(at("2026-10-01T08:00:00.123456Z")),
        before_updated_at: Some(at("2026-10-02T08:00:00Z")),
        sort: Some(Sort::UpdatedAt),
        take: 1000,
        skip: 500,
    };
    let sorted_by_start = BookingQuery { sort: Some(Sort::Start), take: 0, ..BookingQuery::default() };

    double.calcom().bookings(&asked_for).await.unwrap();
    double.calcom().bookings(&sorted_by_start).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/v2/bookings", Some("2024-08-13"));
    check(&asked[1], Method::GET, "/v2/bookings", Some("2024-08-13"));
    let expected = [
        ("status", "upcoming,unconfirmed"),
        ("attendeeEmail", "erika+1@example.org"),
        ("eventTypeIds", "481207,481208"),
        ("afterStart", "2026-10-14T07:00:00Z"),
        ("beforeEnd", "2026-10-15T00:00:00Z"),
        ("afterUpdatedAt", "2026-10-01T08:00:00.123Z"),
        ("beforeUpdatedAt", "2026-10-02T08:00:00Z"),
        ("sortUpdatedAt", "asc"),
        ("take", "250"),
        ("skip", "500"),
    ];
    assert_eq!(query(&asked[0]), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let expected = [("sortStart", "asc"), ("take", "1"), ("skip", "0")];
    assert_eq!(query(&asked[1]), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_booking_is_moved_in_one_request() {
    let double = Double::answering([sample("reschedule-booking.201.json"), success(booking())]).await;
    let start = at("2026-10-15T13:00:00Z");

    let by_host = double
        .calcom()
        .reschedule_booking(UID, start, Some("mara@example.org"), Some("Original time no longer works"))
        .await
        .unwrap();
    double.calcom().reschedule_booking(UID, start, None, None).await.unwrap();

    let asked = double.asked();
    let path = format!("/v2/bookings/{UID}/reschedule");
    check(&asked[0], Method::POST, &path, Some("2024-08-13"));
    check(&asked[1], Method::POST, &path, Some("2024-08-13"));
    let expected = json!({
        "start": "2026-10-15T13:00:00Z", "rescheduledBy": "mara@example.org",
        "reschedulingReason": "Original time no longer works",
    });
    assert_eq!(body(&asked[0]), expected);
    assert_eq!(body(&asked[1]), json!({ "start": "2026-10-15T13:00:00Z" }));
    assert_eq!((by_host.uid.as_str(), by_host.rescheduled_from_uid.as_deref()), (MOVED, Some(UID)));
}

#[tokio::test]
async fn a_cancellation_always_gives_a_reason() {
    let double = Double::answering([sample("cancel-booking.200.json")]).await;

    let cancelled = double.calcom().cancel_booking(MOVED, "Cancelled by practice").await.unwrap();

    let asked = double.the_one();
    check(&asked, Method::POST, &format!("/v2/bookings/{MOVED}/cancel"), Some("2024-08-13"));
    assert_eq!(body(&asked), json!({ "cancellationReason": "Cancelled by practice" }));
    assert_eq!(cancelled.bookings()[0].status, BookingStatus::Cancelled);
}

#[tokio::test]
async fn slots_are_asked_for_as_ranges() {
    let double = Double::answering([success(json!({})), success(json!({}))]).await;
    let plain = SlotQuery {
        event_type_id: 481_207,
        start: at("2026-10-14T00:00:00Z"),
        end: at("2026-10-16T00:00:00Z"),
        duration_minutes: None,
        rescheduling: None,
    };
    let for_a_move = SlotQuery { duration_minutes: Some(45), rescheduling: Some(UID), ..plain.clone() };

    double.calcom().slots(&plain).await.unwrap();
    double.calcom().slots(&for_a_move).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/v2/slots", Some("2024-09-04"));
    check(&asked[1], Method::GET, "/v2/slots", Some("2024-09-04"));
    let mut expected = vec![
        ("eventTypeId".to_owned(), "481207".to_owned()),
        ("start".to_owned(), "2026-10-14T00:00:00Z".to_owned()),
        ("end".to_owned(), "2026-10-16T00:00:00Z".to_owned()),
        ("format".to_owned(), "range".to_owned()),
    ];
    assert_eq!(query(&asked[0]), expected);
    expected.push(("duration".to_owned(), "45".to_owned()));
    expected.push(("bookingUidToReschedule".to_owned(), UID.to_owned()));
    assert_eq!(query(&asked[1]), expected);
}

#[tokio::test]
async fn a_slot_is_reserved_and_given_back() {
    let double =
        Double::answering([sample("reserve-slot.201.json"), reply(200, r#"{"status":"success"}"#)]).await;
    let wanted = SlotRequest {
        event_type_id: 481_207,
        start: at("2026-10-14T07:30:00Z"),
        duration_minutes: Some(30),
        reservation_minutes: Some(10),
    };

    let reservation = double.calcom().reserve_slot(&wanted).await.unwrap();
    double.calcom().release_reservation(&reservation.uid).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::POST, "/v2/slots/reservations", Some("2024-09-04"));
    check(
        &asked[1],
        Method::DELETE,
        &format!("/v2/slots/reservations/{}", reservation.uid),
        Some("2024-09-04"),
    );
    let expected = json!({
        "eventTypeId": 481207, "slotStart": "2026-10-14T07:30:00Z", "slotDuration": 30,
        "reservationDuration": 10,
    });
    assert_eq!(body(&asked[0]), expected);
    assert_eq!(reservation.until, at("2026-10-02T09:19:58Z"));
}

#[tokio::test]
async fn subscriptions_are_listed_made_changed_and_removed_in_either_scope() {
    for (scope, path) in [
        (SubscriptionScope::User, "/v2/webhooks"),
        (SubscriptionScope::EventType(481_207), "/v2/event-types/481207/webhooks"),
    ] {
        let replies = [json!([subscription()]), subscription(), subscription(), subscription()];
        let double = Double::answering(replies.map(success)).await;
        let (url, secret) = ("https://hub.example.org/x".parse().unwrap(), "whsec-example".into());
        let wish = SubscriptionWish {
            url: &url,
            secret: &secret,
            triggers: &[Trigger::BookingCreated, Trigger::BookingNoShowUpdated],
            is_active: true,
        };

        let listed = double.calcom().subscriptions(scope, 250).await.unwrap();
        let id = listed[0].id.as_str();
        double.calcom().create_subscription(scope, &wish).await.unwrap();
        double.calcom().update_subscription(scope, id, &wish).await.unwrap();
        double.calcom().delete_subscription(scope, id).await.unwrap();

        let asked = double.asked();
        let own = format!("{path}/{id}");
        check(&asked[0], Method::GET, path, None);
        check(&asked[1], Method::POST, path, None);
        check(&asked[2], Method::PATCH, &own, None);
        check(&asked[3], Method::DELETE, &own, None);
        assert_eq!(asked[0].uri.query(), Some("take=250&skip=250"));
        let expected = json!({
            "active": true, "subscriberUrl": "https://hub.example.org/x", "secret": "whsec-example",
            "triggers": ["BOOKING_CREATED", "BOOKING_NO_SHOW_UPDATED"], "version": "2021-10-20",
        });
        assert_eq!((body(&asked[1]), body(&asked[2])), (expected.clone(), expected));
    }
}

#[tokio::test]
async fn every_trigger_we_subscribe_to_is_one_the_api_takes() {
    let double = Double::answering([success(subscription())]).await;
    let (url, secret) = ("https://hub.example.org/x".parse().unwrap(), "whsec-example".into());
    let wish =
        SubscriptionWish { url: &url, secret: &secret, triggers: SUBSCRIBED_TRIGGERS, is_active: true };

    double.calcom().create_subscription(SubscriptionScope::User, &wish).await.unwrap();

    let asked = double.the_one();
    check(&asked, Method::POST, "/v2/webhooks", None);
    assert_eq!(body(&asked)["triggers"].as_array().map(Vec::len), Some(SUBSCRIBED_TRIGGERS.len()));
}
