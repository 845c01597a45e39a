//! What each failed answer means for a write and for a read.

use std::time::Duration;

use super::*;

async fn created(reply: Reply) -> CallError {
    Double::answering([reply]).await.calcom().create_booking(&new_booking()).await.unwrap_err()
}

async fn moved(reply: Reply) -> CallError {
    let double = Double::answering([reply]).await;
    double.calcom().reschedule_booking(UID, at("2026-10-15T13:00:00Z"), None, None).await.unwrap_err()
}

async fn cancelled(reply: Reply) -> CallError {
    Double::answering([reply]).await.calcom().cancel_booking(UID, "closed").await.unwrap_err()
}

async fn read(reply: Reply) -> CallError {
    Double::answering([reply]).await.calcom().me().await.unwrap_err()
}

fn refused(refusal: Refusal) -> CallError {
    CallError::Refused(refusal)
}

const OUT_OF_BOUNDS: &str = "The event type can't be booked at the \"start\" time provided. This could be \
    because it's too soon (violating the minimum booking notice) or too far in the future (outside the \
    event's scheduling window). Try fetching available slots first using the GET /v2/slots endpoint";
const TOO_MANY: &str = "Attendee with this email can't book because the maximum number of active bookings \
    has been reached. You can reschedule your existing booking (k3Qm9ZtWvB2xLr7NpYd4Hs) instead.";
const NO_HOSTS: &str = "Can't book this team event type because it has no hosts. Please, add at least 1 \
    host to event type with id=5 belonging to team with id=6 and try again.";

#[tokio::test]
async fn a_refused_booking_is_understood_in_every_form_it_takes() {
    for (reply, refusal) in [
        (sample("error.slot-taken.400.json"), Refusal::SlotTaken),
        (
            framework(
                400,
                "BadRequestException",
                "One of the hosts either already has booking at this time or is not available",
            ),
            Refusal::SlotTaken,
        ),
        (engine(409, "no_available_users_found_error"), Refusal::SlotTaken),
        (engine(409, "fixed_hosts_unavailable_for_booking"), Refusal::SlotTaken),
        (engine(500, "fixed_hosts_unavailable_for_booking"), Refusal::SlotTaken),
        (engine(500, "round_robin_host_unavailable_for_booking"), Refusal::SlotTaken),
        (sample("error.booking-conflict.409.json"), Refusal::RaceLost),
        (framework(400, "BadRequestException", OUT_OF_BOUNDS), Refusal::OutsideBookingWindow),
        (
            framework(400, "BadRequestException", "Attempting to book a meeting in the past."),
            Refusal::OutsideBookingWindow,
        ),
        (engine(400, "booking_time_out_of_bounds_error"), Refusal::OutsideBookingWindow),
        (framework(400, "BadRequestException", TOO_MANY), Refusal::AttendeeLimit),
        (engine(400, "booker_limit_exceeded_error"), Refusal::AttendeeLimit),
        (framework(409, "ConflictException", "No more seats left at this seated booking."), Refusal::NoSeats),
        (engine(409, "booking_seats_full_error"), Refusal::NoSeats),
        (engine(400, "email_verification_required"), Refusal::EmailVerification),
        (engine(400, "invalid_verification_code"), Refusal::EmailVerification),
        (engine(403, "Cannot use this email to create the booking."), Refusal::AttendeeBlocked),
        (engine(400, "booker_email_blocked"), Refusal::AttendeeBlocked),
        (engine(403, "something about the attendee"), Refusal::AttendeeBlocked),
        (framework(404, "NotFoundException", "Event type with id 481207 not found."), Refusal::NotFound),
        (framework(422, "UnprocessableEntityException", NO_HOSTS), Refusal::NoHosts),
        (framework(409, "CONFLICT", "Unique constraint failed"), Refusal::Duplicate),
        (engine(409, "already_signed_up_for_this_booking_error"), Refusal::Duplicate),
        (engine(409, "payment_not_created_error"), Refusal::Other { status: 409 }),
        (engine(402, "payment_required"), Refusal::Other { status: 402 }),
        (framework(400, "BadRequestException", "something new"), Refusal::Other { status: 400 }),
    ] {
        let body = reply.body.clone();
        let error = created(reply).await;
        assert_eq!((&error, error.class()), (&refused(refusal), Class::Permanent), "{body}");
    }
}

#[tokio::test]
async fn a_slot_that_is_reserved_or_booked_cannot_be_reserved() {
    let already_booked = "Can't reserve a slot if the event is already booked.";
    let full = "Booking with id=5 at 2026-10-14T07:30:00Z has no more seats left.";
    let double = Double::answering([
        sample("error.reservation-taken.422.json"),
        framework(422, "UnprocessableEntityException", already_booked),
        framework(422, "UnprocessableEntityException", full),
    ])
    .await;
    let wanted = SlotRequest {
        event_type_id: 5,
        start: at("2026-10-14T07:30:00Z"),
        duration_minutes: None,
        reservation_minutes: None,
    };

    for refusal in [Refusal::ReservationOverlap, Refusal::SlotTaken, Refusal::NoSeats] {
        assert_eq!(double.calcom().reserve_slot(&wanted).await, Err(refused(refusal)));
    }
}

#[tokio::test]
async fn a_move_of_a_moved_booking_names_the_successor() {
    let without = "Can't reschedule booking with uid=a because it has been cancelled and rescheduled already \
        to booking with uid=undefined. You probably want to reschedule undefined instead";
    let successor =
        |uid: Option<&str>| refused(Refusal::AlreadyRescheduled { successor: uid.map(str::to_owned) });

    let named = moved(sample("error.already-rescheduled.400.json")).await;
    let asked_for_a_new_time = moved(framework(400, "BadRequestException", without)).await;

    let CallError::Refused(Refusal::AlreadyRescheduled { successor: uid }) = &named else {
        panic!("{named}")
    };
    assert_eq!(uid.as_deref(), Some(MOVED));
    assert_eq!(asked_for_a_new_time, successor(None));
}

#[tokio::test]
async fn what_is_cancelled_or_over_cannot_be_changed() {
    let not_movable = "Can't reschedule booking with uid=a because it has been cancelled. Please provide \
        uid of a booking that is not cancelled.";

    assert_eq!(
        moved(framework(400, "BadRequestException", not_movable)).await,
        refused(Refusal::AlreadyCancelled)
    );
    let error = moved(engine(400, "cancelled_bookings_cannot_be_rescheduled")).await;
    assert_eq!(error, refused(Refusal::AlreadyCancelled));
    let error = moved(engine(404, "Could not find original booking")).await;
    assert_eq!(error, refused(Refusal::NotFound));
    for (reply, refusal) in [
        (sample("error.already-cancelled.400.json"), Refusal::AlreadyCancelled),
        (engine(400, "This booking has already been cancelled."), Refusal::AlreadyCancelled),
        (engine(400, "Cannot cancel a booking that has already ended"), Refusal::AlreadyEnded),
        (engine(400, "This event type does not allow cancellations"), Refusal::ChangeDisabled),
        (sample("error.reason-required.400.json"), Refusal::ReasonRequired),
        (engine(401, "User not a host of this event"), Refusal::NotAllowed),
        (sample("error.not-found.404.json"), Refusal::NotFound),
    ] {
        assert_eq!(cancelled(reply).await, refused(refusal));
    }
}

#[tokio::test]
async fn a_validation_names_fields_and_nothing_that_was_in_them() {
    let errors = json!([
        { "property": "start", "value": "jonas@example.net", "constraints": {}, "children": [] },
        { "property": "attendee", "children": [{ "property": "phoneNumber", "value": "0151" }] },
        { "path": ["responses", 0, "email"], "message": "Invalid" },
    ]);
    let details = json!({ "errors": errors });
    let error =
        json!({ "code": "BadRequestException", "message": "Bad Request Exception", "details": details });
    let missing = "Missing required booking field response: insurance - it is required by the event type";
    let invalid =
        "Invalid option 'jonas@example.net' for booking field 'insurance'. Allowed options are: a, b.";
    let phone = "Missing attendee phone number - it is required by the event type.";
    let length =
        "Can't specify 'lengthInMinutes' because event type does not have multiple possible lengths.";
    let bad = |message| framework(400, "BadRequestException", message);

    for (reply, expected) in [
        (
            reply(400, json!({ "status": "error", "error": error })),
            &["start", "attendee.phoneNumber", "responses.0.email"][..],
        ),
        (bad(missing), &["bookingFieldsResponses.insurance"]),
        (bad(invalid), &["bookingFieldsResponses.insurance"]),
        (bad(phone), &["attendee.phoneNumber"]),
        (bad(length), &["lengthInMinutes"]),
        (bad("start property is wrong,start must be a valid ISO 8601 date string "), &["start"]),
        (engine(400, "request_body_invalid_error"), &[]),
    ] {
        let fields = expected.iter().map(|&field| field.to_owned()).collect();
        let error = created(reply).await;
        assert_eq!(error, refused(Refusal::Validation { fields }));
        assert_eq!(error.to_string(), "the provider does not accept what was sent");
    }
}

#[tokio::test]
async fn an_outcome_nobody_tells_is_unknown_for_a_write_and_transient_for_a_read() {
    for status in [500, 502, 503, 504, 524, 408] {
        let html = || reply(status, "<html>bad gateway</html>");
        assert_eq!(created(html()).await, CallError::Unknown(NoAnswer::Status(status)));
        assert_eq!(read(html()).await, CallError::Transient(NoAnswer::Status(status)));
    }
    assert_eq!(created(sample("error.unhandled.500.json")).await, CallError::Unknown(NoAnswer::Status(500)));
}

#[tokio::test]
async fn a_blocked_credential_waits_as_long_as_it_is_told_or_a_minute() {
    let seconds = |seconds| CallError::Throttled { retry_after: Duration::from_secs(seconds) };
    let block = || sample("error.rate-limited.429.json");
    let dated = block()
        .with("date", "Fri, 02 Oct 2026 09:15:00 GMT")
        .with("retry-after", "Fri, 02 Oct 2026 09:15:30 GMT");

    assert_eq!(created(block()).await, seconds(60));
    assert_eq!(created(block()).await.class(), Class::Throttled);
    assert_eq!(created(block().with("retry-after", "17")).await, seconds(17));
    assert_eq!(created(dated).await, seconds(30));
    assert_eq!(read(reply(429, "error code: 1015").with("retry-after", "0")).await, seconds(1));
    assert_eq!(read(reply(429, "").with("retry-after", "999999")).await, seconds(3600));
    assert_eq!(read(reply(429, "").with("retry-after", "soon")).await, seconds(60));
    assert_eq!(read(reply(429, "").with("retry-after", "18446744073709551615")).await, seconds(3600));
}

#[tokio::test]
async fn a_refused_key_is_told_from_a_foreign_record() {
    let unauthorized = |message| framework(401, "UnauthorizedException", message);
    let forbidden = |message| framework(403, "ForbiddenException", message);

    for reply in [
        unauthorized("Your api key is not valid"),
        unauthorized("Your api key is expired"),
        reply(401, "Unauthorized"),
        reply(401, r#"{"statusCode":401,"message":"Unauthorized"}"#),
        forbidden("insufficient_scope: token does not have the required scopes. Required: BOOKING_READ"),
        forbidden("Forbidden resource"),
        reply(403, r#"{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}"#),
    ] {
        let body = reply.body.clone();
        let error = read(reply).await;
        assert_eq!((&error, error.class()), (&CallError::Credential, Class::Credential), "{body}");
    }
    let foreign = "checkBookingRequiresAuthentication - user is not authorized to access this event type.";
    assert_eq!(created(forbidden(foreign)).await, refused(Refusal::NotAllowed));
}

#[tokio::test]
async fn a_wrong_address_is_not_taken_for_a_missing_booking() {
    let no_route = framework(404, "NotFoundException", "Cannot GET /v2/bookings/a");
    let moved_away = reply(301, "").with("location", "https://cal.example.org/");

    for reply in
        [no_route, reply(404, "<html>not found</html>"), reply(403, "<html>blocked</html>"), moved_away]
    {
        let double = Double::answering([reply]).await;
        let error = double.calcom().booking(UID).await.unwrap_err();
        assert_eq!(error, CallError::UnexpectedShape { what: "error", may_be_done: false });
        assert_eq!(error.class(), Class::Permanent);
    }
    let missing = Double::answering([sample("error.not-found.404.json")]).await;
    assert_eq!(missing.calcom().booking(UID).await, Ok(None));
}

#[test]
fn only_refusals_that_we_may_have_caused_are_doubted() {
    let doubted = [Refusal::SlotTaken, Refusal::RaceLost, Refusal::AlreadyCancelled, Refusal::AttendeeLimit];
    let believed = [Refusal::OutsideBookingWindow, Refusal::EmailVerification, Refusal::NoHosts];

    assert!(doubted.iter().all(Refusal::may_be_our_own_doing));
    assert!(!believed.iter().any(Refusal::may_be_our_own_doing));
    assert!(Refusal::AlreadyRescheduled { successor: None }.may_be_our_own_doing());
    assert!(Refusal::Other { status: 400 }.may_be_our_own_doing());
}
