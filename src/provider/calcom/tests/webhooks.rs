//! Every recorded body of both generations of the sender, and what is no body of Cal.com's.

use super::webhook::{Absence, BookingFacts, Event, Handling, ParseError, Trigger, parse};
use super::*;

const HOUSE_VISIT: &str = "t5Hb2LsNdC8vYk3RfJe7Wu";

fn event(name: &str) -> Event {
    parse(data(name).as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn facts(name: &str) -> BookingFacts {
    event(name).booking.unwrap_or_else(|| panic!("{name} has a booking"))
}

/// A recorded body with one thing changed.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Result<Event, ParseError> {
    let mut body: Value = serde_json::from_str(&data(name)).unwrap();
    change(&mut body);
    parse(body.to_string().as_bytes())
}

/// Trigger, event type, uid and former uid.
fn keys(event: &Event) -> (&Trigger, Option<i64>, Option<&str>, Option<&str>) {
    (&event.trigger, event.event_type_id, event.uid.as_deref(), event.reschedule_uid.as_deref())
}

#[test]
fn every_recorded_body_names_its_trigger_event_type_and_booking() {
    use Trigger::*;

    let (first, visit, paid) = (Some(481_207), Some(481_208), Some("n7Ks4ZpWcY2hVt6JbRd9Qm"));
    let requested_move = Some("x1Ga7PmZqS4nBj9VtKc6Ed");
    for (name, expected) in [
        ("booking-created", (&BookingCreated, first, Some(UID), None)),
        ("booking-created.queued", (&BookingCreated, first, Some(UID), None)),
        (
            "booking-created.phone-only-attendee",
            (&BookingCreated, first, Some("m6Yc3DkQxT9rWz5HbLn2Fs"), None),
        ),
        ("booking-created.after-confirmation", (&BookingCreated, visit, Some(HOUSE_VISIT), None)),
        ("booking-requested", (&BookingRequested, visit, Some(HOUSE_VISIT), None)),
        ("booking-requested.from-reschedule", (&BookingRequested, visit, requested_move, Some(HOUSE_VISIT))),
        ("booking-requested.from-reschedule.no-link", (&BookingRequested, visit, requested_move, None)),
        ("booking-rescheduled", (&BookingRescheduled, first, Some(MOVED), Some(UID))),
        ("booking-rescheduled.queued", (&BookingRescheduled, first, Some(MOVED), Some(UID))),
        ("booking-cancelled", (&BookingCancelled, first, Some(MOVED), None)),
        ("booking-cancelled.via-api", (&BookingCancelled, first, Some(MOVED), None)),
        ("booking-cancelled.queued", (&BookingCancelled, first, Some(MOVED), None)),
        ("booking-cancelled.request-reschedule", (&BookingCancelled, first, Some(MOVED), None)),
        (
            "booking-cancelled.one-seat",
            (&BookingCancelled, Some(481_209), Some("r9Fj6WvMkX3tQc8LzSa2Bn"), None),
        ),
        ("booking-rejected", (&BookingRejected, visit, Some(HOUSE_VISIT), None)),
        ("booking-payment-initiated", (&BookingPaymentInitiated, Some(481_210), paid, None)),
        ("booking-paid", (&BookingPaid, Some(481_210), paid, None)),
        ("booking-no-show-updated", (&BookingNoShowUpdated, None, Some(MOVED), None)),
        ("meeting-started", (&MeetingStarted, first, Some(MOVED), Some(UID))),
        ("meeting-ended", (&MeetingEnded, first, Some(MOVED), Some(UID))),
        ("instant-meeting", (&InstantMeeting, Some(481_211), Some("w2Xr8NbVmT5kLq9ZcHf4Js"), None)),
        ("after-hosts-cal-video-no-show", (&AfterHostsCalVideoNoShow, first, Some(MOVED), None)),
        ("after-guests-cal-video-no-show", (&AfterGuestsCalVideoNoShow, first, Some(MOVED), None)),
        ("recording-ready", (&RecordingReady, None, Some(MOVED), None)),
        ("recording-transcription-generated", (&RecordingTranscriptionGenerated, None, Some(MOVED), None)),
        ("wrong-assignment-report", (&WrongAssignmentReport, first, Some(MOVED), None)),
        ("ooo-created", (&OooCreated, None, None, None)),
        ("form-submitted", (&FormSubmitted, None, None, None)),
        ("form-submitted-no-event", (&FormSubmittedNoEvent, None, None, None)),
        ("delegation-credential-error", (&DelegationCredentialError, None, None, None)),
        ("ping", (&Ping, None, None, None)),
    ] {
        let event = event(&format!("{name}.json"));
        assert_eq!(keys(&event), expected, "{name}");
        assert_eq!(event.uid.is_some(), event.trigger.is_about_a_booking(), "{name}");
    }
}

#[test]
fn no_recorded_body_is_left_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/calcom");
    let files =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let bodies: Vec<_> =
        files.filter(|name| name.ends_with(".json") && name != "signature-vectors.json").collect();

    let is_refused = |name: &&str| parse(data(name).as_bytes()).is_err();
    let refused: Vec<_> = bodies.iter().map(String::as_str).filter(is_refused).collect();

    assert_eq!((bodies.len(), refused), (32, vec!["custom-template.json"]));
}

#[test]
fn a_new_booking_is_read_with_its_facts() {
    let facts = facts("booking-created.json");

    assert_eq!((facts.start, facts.end), (at("2026-10-14T07:30:00Z"), at("2026-10-14T08:00:00Z")));
    assert_eq!((facts.status, facts.length_minutes), (Some(BookingStatus::Accepted), Some(30)));
    assert_eq!(facts.title.as_deref(), Some("First consultation between Mara Vogt and Jonas Keller"));
    assert_eq!(facts.event_type_slug.as_deref(), Some("first-consultation"));
    assert_eq!((facts.ical_uid, facts.ical_sequence), (Some(format!("{UID}@Cal.com")), Some(0)));
    assert_eq!(facts.metadata["write_id"], "wr_01J8Z3Q5");
    let organizer = facts.organizer.unwrap();
    assert_eq!((organizer.id, organizer.email.as_deref()), (Some(70412), Some("mara.vogt@example.com")));
    let attendee = &facts.attendees[0];
    assert_eq!(attendee.email.as_deref(), Some("jonas.keller@example.net"));
    assert_eq!(
        (attendee.time_zone.as_deref(), attendee.language.as_deref()),
        (Some("Europe/Berlin"), Some("de"))
    );
    assert!(!facts.recurring && !facts.request_reschedule && facts.seats_per_slot.is_none());
}

#[test]
fn both_generations_and_all_three_time_formats_tell_the_same_instants() {
    for pair in [
        ["booking-created.json", "booking-created.queued.json"],
        ["booking-rescheduled.json", "booking-rescheduled.queued.json"],
        ["booking-cancelled.json", "booking-cancelled.queued.json"],
    ] {
        let [inline, queued] = pair.map(facts);
        assert_eq!((inline.start, inline.end), (queued.start, queued.end), "{pair:?}");
        assert_eq!((inline.status, inline.former_start), (queued.status, queued.former_start), "{pair:?}");
    }
    let formats = ["2026-10-15T13:00:00Z", "2026-10-15T13:00:00.000Z", "2026-10-15T15:00:00+02:00"];
    let starts = formats.map(|format| {
        let changed = changed("booking-created.json", |body| {
            body["payload"]["startTime"] = format.into();
            body["payload"]["endTime"] = "2026-10-15T15:00:00Z".into();
        });
        changed.unwrap().booking.unwrap().start
    });
    assert_eq!(starts, [at("2026-10-15T13:00:00Z"); 3]);
}

#[test]
fn a_placeholder_address_is_no_email_and_its_number_is_a_phone() {
    let attendee = facts("booking-created.phone-only-attendee.json").attendees.remove(0);

    assert_eq!((attendee.email, attendee.phone.as_deref()), (None, Some("+4915550100200")));
}

#[test]
fn a_confirmed_booking_has_lost_what_its_maker_wrote() {
    assert!(facts("booking-created.after-confirmation.json").metadata.is_empty());
}

#[test]
fn a_move_tells_who_moved_it_and_where_from() {
    let facts = facts("booking-rescheduled.json");

    assert_eq!(facts.rescheduled_by.as_deref(), Some("jonas.keller@example.net"));
    let former = (facts.former_start, facts.former_end);
    assert_eq!(former, (Some(at("2026-10-14T07:30:00Z")), Some(at("2026-10-14T08:00:00Z"))));
    assert_eq!((facts.ical_uid, facts.ical_sequence), (None, Some(1)));
}

#[test]
fn a_request_is_pending() {
    assert_eq!(facts("booking-requested.json").status, Some(BookingStatus::Pending));
    assert_eq!(facts("booking-requested.json").requires_confirmation, Some(true));
}

#[test]
fn a_cancellation_tells_by_whom_and_why_where_it_knows() {
    let by_attendee = facts("booking-cancelled.json");
    let by_api = facts("booking-cancelled.via-api.json");
    let rejected = facts("booking-rejected.json");

    assert_eq!(by_attendee.cancelled_by.as_deref(), Some("jonas.keller@example.net"));
    assert_eq!(by_attendee.cancellation_reason.as_deref(), Some("Unable to attend"));
    assert_eq!((by_api.cancelled_by, by_api.status), (None, Some(BookingStatus::Cancelled)));
    assert_eq!(rejected.rejection_reason.as_deref(), Some("No capacity that afternoon"));
    assert_eq!(rejected.status, Some(BookingStatus::Rejected));
}

#[test]
fn a_wish_for_a_new_time_is_told_from_a_cancellation() {
    assert!(facts("booking-cancelled.request-reschedule.json").request_reschedule);
    assert!(!facts("booking-cancelled.json").request_reschedule);
}

#[test]
fn one_seats_cancellation_shows_that_there_are_seats() {
    let facts = facts("booking-cancelled.one-seat.json");

    assert_eq!((facts.seats_per_slot, facts.attendees.len()), (Some(8), 1));
}

#[test]
fn a_series_is_recognised_in_either_form() {
    let with = |name: &str, key: &'static str, value: Value| {
        let event = changed(name, |body| match body.get_mut("payload") {
            Some(payload) => payload[key] = value,
            None => body[key] = value,
        });
        event.unwrap().booking.unwrap().recurring
    };

    assert!(with("booking-cancelled.json", "recurringEvent", json!({ "freq": 2, "count": 4 })));
    assert!(with("meeting-ended.json", "recurringEventId", json!("series-1")));
    assert!(!with("booking-cancelled.json", "recurringEvent", Value::Null));
}

#[test]
fn a_meeting_is_flat_and_its_creation_time_is_not_the_deliverys() {
    let event = event("meeting-ended.json");

    assert_eq!((event.created_at, event.booking_id), (None, Some(9_000_103)));
    let facts = event.booking.unwrap();
    assert_eq!((facts.end, facts.creation_source.as_deref()), (at("2026-10-15T13:30:00Z"), Some("API_V2")));
    assert_eq!(facts.organizer.unwrap().username.as_deref(), Some("mara-vogt"));
    assert_eq!(facts.attendees[0].language.as_deref(), Some("de"));
}

#[test]
fn a_delivery_tells_when_it_was_sent() {
    assert_eq!(event("booking-created.json").created_at, Some(at("2026-10-02T09:15:04.311Z")));
}

#[test]
fn absences_are_read_from_marks_and_observations() {
    let marked = event("booking-no-show-updated.json");
    let hosts = event("after-hosts-cal-video-no-show.json").no_show.unwrap();
    let guests = event("after-guests-cal-video-no-show.json").no_show.unwrap();
    let taken_back = changed("booking-no-show-updated.json", |body| {
        body["payload"]["attendees"][0]["noShow"] = false.into();
    });

    let absence = |absent| Absence { email: "jonas.keller@example.net".to_owned(), absent };
    assert_eq!(marked.no_show.unwrap().attendees, [absence(true)]);
    assert_eq!((hosts.host_absent, hosts.attendees), (Some(true), vec![absence(false)]));
    assert_eq!((guests.host_absent, guests.attendees), (None, vec![absence(true)]));
    assert_eq!(taken_back.unwrap().no_show.unwrap().attendees, [absence(false)]);
    assert!(marked.booking.is_none());
}

#[test]
fn nulls_new_fields_and_changed_types_do_not_spoil_a_delivery() {
    let event = changed("booking-cancelled.json", |body| {
        let payload = &mut body["payload"];
        payload["eventTypeId"] = Value::Null;
        payload["organizer"] = Value::Null;
        payload["attendees"] = json!({});
        payload["metadata"] = json!([]);
        payload["iCalSequence"] = json!("3");
        payload["destinationCalendar"] = json!({ "id": 1 });
        payload["inventedLater"] = json!([1]);
        body["createdAt"] = Value::Null;
    });

    let event = event.unwrap();
    assert_eq!((event.event_type_id, event.created_at), (None, None));
    let facts = event.booking.unwrap();
    assert!(facts.organizer.is_none() && facts.attendees.is_empty() && facts.metadata.is_empty());
    assert_eq!(facts.ical_sequence, Some(3));
}

#[test]
fn a_missing_key_is_named() {
    for (name, key, expected) in [
        ("booking-created", "uid", "payload.uid"),
        ("booking-created", "startTime", "payload.startTime"),
        ("booking-requested", "endTime", "payload.endTime"),
        ("booking-rescheduled", "rescheduleUid", "payload.rescheduleUid"),
        ("booking-cancelled", "uid", "payload.uid"),
        ("booking-no-show-updated", "bookingUid", "payload.bookingUid"),
        ("booking-no-show-updated", "attendees", "payload.attendees"),
        ("after-hosts-cal-video-no-show", "bookingUid", "payload.bookingUid"),
        ("recording-ready", "uid", "payload.uid"),
        ("wrong-assignment-report", "booking", "payload.booking.uid"),
        ("meeting-ended", "uid", "uid"),
        ("meeting-started", "startTime", "startTime"),
    ] {
        let outcome = changed(&format!("{name}.json"), |body| {
            let object = if body.get("payload").is_some() { &mut body["payload"] } else { body };
            object.as_object_mut().unwrap().remove(key).unwrap();
        });
        let Err(ParseError::Unfit { field, .. }) = outcome else {
            panic!("{name} without {key}: {outcome:?}")
        };
        assert_eq!(field, expected, "{name}");
    }
}

#[test]
fn a_booking_that_ends_before_it_begins_is_unfit() {
    let outcome = changed("booking-created.json", |body| {
        body["payload"]["endTime"] = "2026-10-14T07:29:59Z".into();
    });

    let field = "payload.endTime".to_owned();
    assert_eq!(outcome, Err(ParseError::Unfit { trigger: Trigger::BookingCreated, field }));
}

#[test]
fn an_owners_template_is_recognised_whatever_it_says() {
    let recorded = data("custom-template.json");
    for body in [
        recorded.as_str(),
        "{}",
        "[]",
        "\"booked\"",
        "1",
        r#"{"triggerEvent":"BOOKING_CREATED","title":"First consultation"}"#,
        r#"{"triggerEvent":"BOOKING_CREATED","payload":"First consultation"}"#,
        r#"{"triggerEvent":7,"payload":{}}"#,
        r#"{"triggerEvent":" ","payload":{}}"#,
    ] {
        assert_eq!(parse(body.as_bytes()), Err(ParseError::CustomTemplate), "{body}");
    }
}

#[test]
fn what_is_not_json_is_told_from_a_template() {
    let form = "triggerEvent=BOOKING_CREATED&payload%5Buid%5D=abc";
    for body in [b"".as_slice(), form.as_bytes(), b"{", b"\xff\xfe", b"{}{}"] {
        assert_eq!(parse(body), Err(ParseError::NotJson));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(parse(deep.as_bytes()), Err(ParseError::NotJson));
}

#[test]
fn an_unknown_trigger_is_kept_by_its_name() {
    let body =
        format!(r#"{{"triggerEvent":"BOOKING_INVENTED\u0000","payload":{{"uid":"{UID}","eventTypeId":5}}}}"#);

    let event = parse(body.as_bytes()).unwrap();

    let trigger = Trigger::Other("BOOKING_INVENTED".to_owned());
    assert_eq!(keys(&event), (&trigger, Some(5), Some(UID), None));
    assert_eq!(trigger.handling(), Handling::Record);
}

#[test]
fn a_routing_form_that_fell_back_has_no_booking() {
    let body =
        br#"{"triggerEvent":"ROUTING_FORM_FALLBACK_HIT","createdAt":"2026-10-01T12:00:00Z","payload":{}}"#;

    assert_eq!(keys(&parse(body).unwrap()), (&Trigger::RoutingFormFallbackHit, None, None, None));
}

#[test]
fn a_test_delivery_has_no_booking_although_it_names_times_and_people() {
    assert!(event("ping.json").booking.is_none());
}

#[test]
fn a_uid_with_blanks_or_control_characters_is_no_uid() {
    for uid in ["", " ", "a b", "a\u{0}b", "a\nb", &"x".repeat(201)] {
        let outcome = changed("booking-created.json", |body| body["payload"]["uid"] = uid.into());
        assert!(matches!(outcome, Err(ParseError::Unfit { .. })), "{uid:?}");
    }
}

#[test]
fn what_is_kept_has_no_control_characters_and_bounds() {
    let facts = changed("booking-created.json", |body| {
        body["payload"]["title"] = format!(" a\u{0}b\n{}", "c".repeat(5000)).into();
    });

    let title = facts.unwrap().booking.unwrap().title.unwrap();
    assert_eq!((title.chars().count(), title.starts_with("ab\nc")), (2000, true));
}

#[test]
fn every_trigger_has_its_own_name_and_what_we_ask_for_is_not_thrown_away() {
    for trigger in Trigger::KNOWN {
        assert_eq!(&Trigger::of(trigger.as_str()), trigger);
    }
    assert_eq!(Trigger::KNOWN.len(), 22);
    assert!(SUBSCRIBED_TRIGGERS.iter().all(|trigger| trigger.handling() != Handling::Ignore));
    assert!(SUBSCRIBED_TRIGGERS.iter().all(Trigger::is_about_a_booking));
    let acted_on: Vec<_> =
        Trigger::KNOWN.iter().filter(|trigger| trigger.handling() == Handling::Act).collect();
    assert!(acted_on.iter().all(|trigger| SUBSCRIBED_TRIGGERS.contains(trigger)), "{acted_on:?}");
}
