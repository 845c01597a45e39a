//! The double and the adapter that talks to it: every call gets across and keeps to the description, and
//! every refusal is read for what it is.

use secrecy::SecretString;
use url::Url;

use super::*;
use crate::egress::{Egress, EgressConfig};
use crate::provider::calcom as adapter;
use crate::provider::calcom::{CallError, Found, Refusal, SubscriptionScope};

struct Line {
    stage: Stage,
    egress: Egress,
    instance: Url,
    key: SecretString,
}

impl Line {
    async fn start() -> Self {
        let stage = Stage::start().await;
        let instance = format!("{}/v2", stage.calcom.url());
        let at: Url = instance.parse().unwrap();
        let allowed = format!("{}:{}", at.host_str().unwrap(), at.port().unwrap());
        let allow_private = vec![allowed.parse().unwrap()];
        let egress = Egress::new(EgressConfig { allow_private, ..EgressConfig::default() }).unwrap();
        let instance = adapter::parse_instance(&instance, &egress).unwrap();
        let key = stage.host.api_key.as_str().into();
        Self { stage, egress, instance, key }
    }

    fn adapter(&self) -> adapter::Calcom<'_> {
        adapter::Calcom::new(&self.egress, &self.instance, &self.key)
    }

    fn wish(&self, event_type_id: i64, start: &str) -> adapter::NewBooking {
        adapter::NewBooking {
            event_type_id,
            start: at(start),
            length_minutes: None,
            attendee: adapter::NewAttendee {
                name: "Erika Muster".to_owned(),
                email: Some("erika@example.org".to_owned()),
                phone: Some("+493023125123".to_owned()),
                time_zone: "Europe/Berlin".to_owned(),
                language: Some("de".to_owned()),
            },
            metadata: [("write_id".to_owned(), "wr_1".to_owned())].into(),
            booking_fields: [("notes".to_owned(), json!("Parking space needed"))].into(),
        }
    }

    async fn refused(&self, event_type_id: i64, start: &str) -> Refusal {
        match self.adapter().create_booking(&self.wish(event_type_id, start)).await {
            Err(CallError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn check_requests(&self) {
        for request in self.stage.calcom.requests() {
            super::super::spec::check_request(&request).unwrap();
        }
    }
}

fn only(found: Found) -> adapter::Booking {
    found.into_bookings().remove(0)
}

#[tokio::test]
async fn every_call_gets_across() {
    let line = Line::start().await;
    let (calcom, visit) = (line.adapter(), line.stage.visit);

    let me = calcom.me().await.unwrap();
    let kinds = calcom.event_types("mara-vogt").await.unwrap();
    let kind = calcom.event_type(visit).await.unwrap().unwrap();
    let day = at("2026-10-14T00:00:00Z");
    let query = adapter::SlotQuery {
        event_type_id: visit,
        start: day,
        end: day + TimeDelta::days(1),
        duration_minutes: None,
        rescheduling: None,
    };
    let slots = calcom.slots(&query).await.unwrap();
    let request = adapter::SlotRequest {
        event_type_id: visit,
        start: slots[3].start,
        duration_minutes: None,
        reservation_minutes: Some(10),
    };
    let reservation = calcom.reserve_slot(&request).await.unwrap();
    let made = only(calcom.create_booking(&line.wish(visit, "2026-10-14T07:30:00Z")).await.unwrap());
    calcom.release_reservation(&reservation.uid).await.unwrap();
    let shown = only(calcom.booking(&made.uid).await.unwrap().unwrap());
    let host = Some("mara.vogt@example.com");
    let moved =
        calcom.reschedule_booking(&made.uid, at("2026-10-15T07:30:00Z"), host, Some("ill")).await.unwrap();
    let ended = only(calcom.cancel_booking(&moved.uid, "ill").await.unwrap());
    let none = calcom.booking("nothing").await.unwrap();

    assert_eq!((me.id, kinds.len(), kind.length_minutes), (line.stage.host.id, 1, 30));
    assert_eq!((slots.len(), kind.obstacles().len()), (48, 0));
    assert_eq!(reservation.until, at("2026-10-01T08:10:00Z"));
    assert_eq!((shown.uid, &shown.metadata["write_id"]), (made.uid.clone(), &"wr_1".to_owned()));
    assert_eq!(moved.rescheduled_from_uid, Some(made.uid));
    assert_eq!((ended.status, none), (adapter::BookingStatus::Cancelled, None));
    line.check_requests();
}

#[tokio::test]
async fn lists_are_paged_through() {
    let line = Line::start().await;
    for hour in 8..13 {
        line.stage.book(&format!("2026-10-14T{hour:02}:00:00Z")).await;
    }
    let mut query = adapter::BookingQuery {
        statuses: vec![adapter::ListStatus::Upcoming],
        attendee_email: Some("erika@example.org".to_owned()),
        event_type_ids: vec![line.stage.visit],
        after_start: Some(at("2026-10-14T00:00:00Z")),
        before_end: Some(at("2026-10-15T00:00:00Z")),
        after_updated_at: Some(at("2026-10-01T00:00:00Z")),
        before_updated_at: Some(at("2026-10-02T00:00:00Z")),
        sort: Some(adapter::Sort::UpdatedAt),
        take: 2,
        skip: 0,
    };

    let mut uids = Vec::new();
    loop {
        let page = line.adapter().bookings(&query).await.unwrap();
        uids.extend(page.bookings.into_iter().map(|one| one.uid));
        match page.next_skip {
            Some(skip) => query.skip = skip,
            None => break,
        }
    }

    let made: Vec<String> = line.stage.calcom.bookings().into_iter().map(|one| one.uid).collect();
    assert_eq!(uids, made);
    line.check_requests();
}

#[tokio::test]
async fn subscriptions_are_kept() {
    let line = Line::start().await;
    let (calcom, secret) = (line.adapter(), SecretString::from("hush"));
    let url: Url = "https://example.org/hook".parse().unwrap();
    let triggers = adapter::SUBSCRIBED_TRIGGERS;
    let wish = adapter::SubscriptionWish { url: &url, secret: &secret, triggers, is_active: true };

    for scope in [SubscriptionScope::User, SubscriptionScope::EventType(line.stage.visit)] {
        let made = calcom.create_subscription(scope, &wish).await.unwrap();
        let twice = calcom.create_subscription(scope, &wish).await.unwrap_err();
        let changed = calcom.update_subscription(scope, &made.id, &wish).await.unwrap();
        let listed = calcom.subscriptions(scope, 0).await.unwrap();
        calcom.delete_subscription(scope, &made.id).await.unwrap();
        let gone = calcom.delete_subscription(scope, &made.id).await.unwrap_err();

        assert_eq!(twice, CallError::Refused(Refusal::Duplicate));
        assert_eq!((changed.id == made.id, changed.has_template, listed.len()), (true, false, 1));
        assert_eq!(gone, CallError::Refused(Refusal::NotFound));
    }
    line.check_requests();
}

#[tokio::test]
async fn refusals_are_read_for_what_they_are() {
    let line = Line::start().await;
    let (stage, calcom) = (&line.stage, line.adapter());
    let kind = |slug: &str, options| stage.event_type(slug, 30, options);
    let none = EventTypeOptions::default;
    let limited = kind("limited", EventTypeOptions { attendee_booking_limit: Some(1), ..none() });
    let class = kind("class", EventTypeOptions { seats: Some(1), ..none() });
    let verified = kind("verified", EventTypeOptions { verifies_email: true, ..none() });
    let fixed = kind("fixed", EventTypeOptions { disable_cancelling: true, ..none() });
    let asked = EventTypeOptions { required_fields: vec!["insurance".to_owned()], ..none() };
    let asked = kind("asked", asked);
    let taken = stage.book("2026-10-14T07:30:00Z").await.uid;
    let moved = stage.book("2026-10-14T08:30:00Z").await.uid;
    let new = stage.calcom.reschedule_as_host(&moved, at("2026-10-14T09:30:00Z")).await.unwrap().uid;
    for (event_type_id, start) in [(limited, "2026-10-20T08:00:00Z"), (class, "2026-10-21T08:00:00Z")] {
        calcom.create_booking(&line.wish(event_type_id, start)).await.unwrap();
    }
    let standing = only(calcom.create_booking(&line.wish(fixed, "2026-10-22T08:00:00Z")).await.unwrap()).uid;

    assert_eq!(line.refused(stage.visit, "2026-10-14T07:30:00Z").await, Refusal::SlotTaken);
    assert_eq!(line.refused(stage.visit, "2026-09-14T07:30:00Z").await, Refusal::OutsideBookingWindow);
    assert_eq!(line.refused(limited, "2026-10-20T10:00:00Z").await, Refusal::AttendeeLimit);
    assert_eq!(line.refused(class, "2026-10-21T08:00:00Z").await, Refusal::NoSeats);
    assert_eq!(line.refused(verified, "2026-10-23T08:00:00Z").await, Refusal::EmailVerification);
    assert_eq!(line.refused(1, "2026-10-23T08:00:00Z").await, Refusal::NotFound);
    assert!(matches!(
        line.refused(asked, "2026-10-23T08:00:00Z").await,
        Refusal::Validation { .. } | Refusal::Other { status: 400 }
    ));
    stage.calcom.add_fault(Rule::next(1, Fault::LostRace));
    assert_eq!(line.refused(stage.visit, "2026-10-23T08:00:00Z").await, Refusal::RaceLost);
    stage.calcom.block_attendee("erika@example.org");
    assert_eq!(line.refused(stage.visit, "2026-10-24T08:00:00Z").await, Refusal::AttendeeBlocked);
    let again = calcom.reschedule_booking(&moved, at("2026-10-25T08:00:00Z"), None, None).await.unwrap_err();
    assert_eq!(again, CallError::Refused(Refusal::AlreadyRescheduled { successor: Some(new) }));
    let gone = calcom.cancel_booking(&moved, "ill").await.unwrap_err();
    assert_eq!(gone, CallError::Refused(Refusal::AlreadyCancelled));
    let kept = calcom.cancel_booking(&standing, "ill").await.unwrap_err();
    assert_eq!(kept, CallError::Refused(Refusal::ChangeDisabled));
    let request = adapter::SlotRequest {
        event_type_id: stage.visit,
        start: at("2026-10-26T08:00:00Z"),
        duration_minutes: None,
        reservation_minutes: None,
    };
    calcom.reserve_slot(&request).await.unwrap();
    let reserved = calcom.reserve_slot(&request).await.unwrap_err();
    assert_eq!(reserved, CallError::Refused(Refusal::ReservationOverlap));
    stage.calcom.clock().advance(at("2026-10-14T08:00:00Z") - stage.calcom.clock().now());
    let over = calcom.cancel_booking(&taken, "ill").await.unwrap_err();
    assert_eq!(over, CallError::Refused(Refusal::AlreadyEnded));
}

#[tokio::test]
async fn trouble_on_the_way_is_told_apart() {
    let line = Line::start().await;
    let (stage, calcom) = (&line.stage, line.adapter());
    let create =
        async || calcom.create_booking(&line.wish(stage.visit, "2026-10-14T07:30:00Z")).await.unwrap_err();
    let strike = |fault: Fault| stage.calcom.add_fault(Rule::next(1, fault));

    strike(Fault::Throttled { retry_after_seconds: Some(7) });
    assert_eq!(create().await, CallError::Throttled { retry_after: Duration::from_secs(7) });
    strike(Fault::ErrorBefore { status: 503 });
    assert!(matches!(create().await, CallError::Unknown(_)));
    strike(Fault::Reset);
    assert!(matches!(create().await, CallError::Unknown(_)));
    strike(Fault::AnswerLost { hold: false });
    assert!(matches!(create().await, CallError::Unknown(_)));
    assert_eq!(stage.calcom.bookings().len(), 1, "the last one was done");
    stage.calcom.stop().await;
    assert!(matches!(create().await, CallError::NotSent(_)));
    stage.calcom.start_again().await.unwrap();
    stage.calcom.revoke_key(&stage.host.api_key);
    assert_eq!(calcom.me().await.unwrap_err(), CallError::Credential);
}

#[tokio::test]
async fn both_generations_of_webhooks_are_read() {
    use crate::provider::calcom::webhook::parse;
    for generation in [Generation::Inline, Generation::Queued] {
        let stage = Stage::with(Settings { generation, ..Settings::default() }).await;
        let subscriber = Subscriber::start().await;
        stage.subscribe(&subscriber);

        let old = stage.book("2026-10-14T07:30:00Z").await;
        stage.calcom.quiet().await;
        let new = stage.calcom.reschedule_as_attendee(&old.uid, at("2026-10-15T07:30:00Z")).await.unwrap();
        stage.calcom.quiet().await;
        stage.calcom.end_meeting(&new.uid).await.unwrap();
        stage.calcom.cancel_as_host(&new.uid, Some("ill")).await.unwrap();
        stage.calcom.quiet().await;

        let events: Vec<_> = subscriber.seen().iter().map(|(_, body)| parse(body).unwrap()).collect();
        let uids: Vec<_> = events.iter().map(|event| event.uid.clone().unwrap()).collect();
        assert_eq!(uids, [&old.uid, &new.uid, &new.uid, &new.uid].map(Clone::clone));
        assert!(events.iter().all(|event| event.event_type_id == Some(stage.visit)));
        assert_eq!(events[1].reschedule_uid.as_ref(), Some(&old.uid));
        let start = |nth: usize| events[nth].booking.as_ref().unwrap().start;
        assert_eq!((start(0), start(3)), (old.start, new.start));
    }
}
