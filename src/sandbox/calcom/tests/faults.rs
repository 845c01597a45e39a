//! What goes wrong on purpose.

use super::*;

/// A request sent bare, because its answer may never come.
async fn attempt(stage: &Stage, start: &str) -> Result<u16, reqwest::Error> {
    let url = format!("{}/v2/bookings", stage.calcom.url());
    let request = stage.client.post(url).bearer_auth(&stage.host.api_key);
    let request = request.header("cal-api-version", "2024-08-13").json(&erika(stage.visit, start));
    Ok(request.send().await?.status().as_u16())
}

const START: &str = "2026-10-14T07:30:00Z";

#[tokio::test]
async fn an_answer_can_be_lost_after_the_change() {
    let stage = Stage::start().await;
    stage.calcom.add_fault(Rule::next(1, Fault::AnswerLost { hold: false }));

    let lost = attempt(&stage, START).await;
    let second = attempt(&stage, START).await;

    assert!(lost.is_err());
    assert_eq!((second.unwrap(), stage.calcom.bookings().len()), (400, 1));
    assert_eq!(stage.calcom.requests()[0].status, None);
}

#[tokio::test]
async fn an_answer_can_be_held_until_the_caller_gives_up() {
    let stage = Stage::start().await;
    stage.calcom.add_fault(Rule::next(1, Fault::AnswerLost { hold: true }));

    let mut held = std::pin::pin!(attempt(&stage, START));
    let booked = async {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while stage.calcom.bookings().is_empty() {
            assert!(std::time::Instant::now() < deadline, "nothing was booked");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut held => panic!("{answer:?}"),
        () = booked => {}
    }
    stage.calcom.quiet().await;

    assert_eq!(stage.get("/v2/bookings").await.data().as_array().unwrap().len(), 1);
    assert!(futures::poll!(&mut held).is_pending());
}

#[tokio::test]
async fn a_reset_comes_before_anything_happens() {
    let stage = Stage::start().await;
    stage.calcom.add_fault(Rule::next(1, Fault::Reset));

    let reset = attempt(&stage, START).await.unwrap_err();

    let mut causes = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&reset);
    while let Some(error) = cause {
        causes.extend(error.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
        cause = error.source();
    }
    assert!(causes.contains(&std::io::ErrorKind::ConnectionReset), "{reset:?}");
    assert!(stage.calcom.bookings().is_empty());
}

#[tokio::test]
async fn errors_come_before_or_after_the_change() {
    let stage = Stage::start().await;
    stage.calcom.add_fault(Rule::next(1, Fault::ErrorBefore { status: 502 }));
    let before = stage.post("/v2/bookings", erika(stage.visit, START)).await;
    let none = stage.calcom.bookings().len();
    stage.calcom.add_fault(Rule::next(1, Fault::ErrorAfter { status: 500 }));

    let after = stage.post("/v2/bookings", erika(stage.visit, START)).await;

    assert_eq!((before.refusal().0, none), (502, 0));
    assert_eq!(after.refusal(), (500, 'B', "Internal server error"));
    assert_eq!(stage.calcom.bookings().len(), 1);
}

#[tokio::test]
async fn a_429_can_be_forced_with_and_without_a_time() {
    let stage = Stage::start().await;
    stage.calcom.add_fault(Rule::next(1, Fault::Throttled { retry_after_seconds: Some(7) }));
    let told = stage.get("/v2/me").await;
    stage.calcom.add_fault(Rule::next(1, Fault::Throttled { retry_after_seconds: None }));

    let untold = stage.get("/v2/me").await;

    assert_eq!((told.refusal().0, &told.headers["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!((untold.refusal().0, untold.headers.get("retry-after")), (429, None));
    assert_eq!(untold.body["path"], "/v2/me");
    assert_eq!(stage.get("/v2/me").await.status, 200);
}

#[tokio::test]
async fn a_race_is_lost_to_another_attendee_who_is_told_of() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);
    stage.calcom.add_fault(Rule::next(1, Fault::LostRace));

    let lost = stage.post("/v2/bookings", erika(stage.visit, START)).await;

    assert_eq!(lost.refusal(), (409, 'B', "booking_conflict_error"));
    let winner = stage.calcom.bookings().remove(0);
    assert_eq!(winner.attendees[0].name, "Rita Rival");
    assert_eq!(subscriber.told(), [("BOOKING_CREATED".to_owned(), winner.uid)]);
}

#[tokio::test]
async fn a_read_can_lag_behind_once() {
    let stage = Stage::start().await;
    let uid = stage.book(START).await.uid;
    stage.calcom.cancel_as_host(&uid, None).await.unwrap();
    stage.calcom.add_fault(Rule::next(2, Fault::StaleRead));
    let path = format!("/v2/bookings/{uid}");

    let (stale, stale_list) = (stage.get(&path).await, stage.get("/v2/bookings").await);
    let current = stage.get(&path).await;
    let new = stage.book("2026-10-15T07:30:00Z").await.uid;
    stage.calcom.add_fault(Rule::next(1, Fault::StaleRead));
    let unseen = stage.get(&format!("/v2/bookings/{new}")).await;

    assert_eq!(stale.data()["status"], "accepted");
    assert_eq!(stale_list.data()[0]["status"], "accepted");
    assert_eq!(current.data()["status"], "cancelled");
    assert_eq!(unseen.refusal().0, 404);
}

#[tokio::test]
async fn an_answer_can_take_its_time() {
    let stage = Stage::start().await;
    stage.calcom.add_fault(Rule::next(1, Fault::AnswerDelayed { millis: 50 }));
    let begun = std::time::Instant::now();

    let made = stage.post("/v2/bookings", erika(stage.visit, START)).await;

    assert_eq!(made.status, 201);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn any_refusal_can_be_put_in_the_script() {
    let stage = Stage::start().await;
    let refusal = Refusal::framework(422, "Cannot book a team event without hosts");
    stage.calcom.add_fault(Rule::next(1, Fault::Refused { refusal: refusal.clone() }));

    let refused = stage.post("/v2/bookings", erika(stage.visit, START)).await;

    assert_eq!(refused.refusal(), (422, 'A', refusal.message.as_str()));
}

#[tokio::test]
async fn a_fault_strikes_the_requests_it_names() {
    let stage = Stage::start().await;
    let rule = Rule::next(1, Fault::ErrorBefore { status: 503 }).on(Operation::CancelBooking);
    let id = stage.calcom.add_fault(rule.clone());

    let made = stage.post("/v2/bookings", erika(stage.visit, START)).await;
    let left = stage.calcom.faults();
    let cancelled = stage.post(&format!("/v2/bookings/{}/cancel", made.uid()), json!({})).await;

    assert_eq!((made.status, left), (201, vec![(id, rule)]));
    assert_eq!((cancelled.refusal().0, stage.calcom.faults()), (503, vec![]));
}

#[tokio::test]
async fn chance_draws_the_same_for_the_same_seed() {
    let draws = async |seed: u64| {
        let stage = Stage::start().await;
        stage.calcom.add_fault(Rule::chance(0.5, seed, Fault::ErrorBefore { status: 503 }));
        let mut statuses = Vec::new();
        for _ in 0..32 {
            statuses.push(stage.get("/v2/me").await.status);
        }
        statuses
    };

    let (one, same, other) = (draws(7).await, draws(7).await, draws(8).await);

    assert_eq!(one, same);
    assert_ne!(one, other);
    let struck = one.iter().filter(|status| **status == 503).count();
    assert!((8..=24).contains(&struck), "{struck} of 32");
}

#[tokio::test]
async fn webhooks_are_lost_and_doubled() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);
    stage.calcom.add_fault(Rule::next(1, Fault::WebhookLost));
    let lost = stage.book(START).await;
    stage.calcom.add_fault(Rule::next(1, Fault::WebhookTwice));

    let doubled = stage.book("2026-10-14T08:30:00Z").await;

    let twice = ("BOOKING_CREATED".to_owned(), doubled.uid);
    assert_eq!(subscriber.told(), [twice.clone(), twice]);
    let kept = stage.calcom.deliveries();
    assert_eq!((kept[0].outcome, &kept[0].booking_uid), (Outcome::Lost, &Some(lost.uid)));
    assert_eq!(subscriber.seen()[0].1, subscriber.seen()[1].1);
}

#[tokio::test]
async fn a_webhook_is_passed_by_the_next_one() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);
    stage.calcom.add_fault(Rule::next(1, Fault::WebhookPassed));

    let first = stage.book(START).await.uid;
    let before = subscriber.seen().len();
    stage.calcom.cancel_as_attendee(&first, None).await.unwrap();

    assert_eq!(before, 0);
    assert_eq!(subscriber.triggers(), ["BOOKING_CANCELLED", "BOOKING_CREATED"]);
}

#[tokio::test]
async fn webhooks_of_one_trigger_are_held_until_released() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);
    stage.calcom.add_fault(Rule::always(Fault::WebhookHeld).about(Trigger::BookingCreated));

    let first = stage.book(START).await.uid;
    stage.calcom.cancel_as_attendee(&first, None).await.unwrap();
    stage.book(START).await;
    let before = subscriber.triggers();
    let released = stage.calcom.release_webhooks().await;

    assert_eq!((before, released), (vec!["BOOKING_CANCELLED".to_owned()], 2));
    assert_eq!(subscriber.triggers(), ["BOOKING_CANCELLED", "BOOKING_CREATED", "BOOKING_CREATED"]);
}

#[tokio::test]
async fn a_delayed_webhook_holds_nobody_up() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);
    stage.calcom.add_fault(Rule::next(1, Fault::WebhookDelayed { millis: 800 }));

    let first = stage.book(START).await.uid;
    let second = stage.book("2026-10-14T08:30:00Z").await.uid;
    stage.calcom.quiet().await;

    let told: Vec<String> = subscriber.told().into_iter().map(|(_, uid)| uid).collect();
    assert_eq!(told, [second, first]);
}

#[tokio::test]
async fn a_gate_stops_a_request_after_its_change_and_the_caller_may_be_gone() {
    let stage = Stage::start().await;
    let mut gate = stage.calcom.pause_next(Point::AfterApplying, Operation::CreateBooking);
    {
        let request = attempt(&stage, START);
        let mut request = std::pin::pin!(request);
        tokio::select! {
            answer = &mut request => panic!("{answer:?}"),
            reached = gate.reached() => reached.unwrap(),
        }
    }

    let meanwhile = stage.calcom.bookings().len();
    gate.open();
    stage.calcom.quiet().await;

    assert_eq!((meanwhile, stage.calcom.bookings().len()), (1, 1));
}

#[tokio::test]
async fn what_has_begun_goes_on_when_the_caller_hangs_up() {
    let stage = Stage::start().await;
    for (operation, path, body) in [
        (Operation::CreateBooking, "/v2/bookings".to_owned(), erika(stage.visit, "2026-10-16T07:30:00Z")),
        (
            Operation::CancelBooking,
            format!("/v2/bookings/{}/cancel", stage.book(START).await.uid),
            json!({ "cancellationReason": "ill" }),
        ),
        (
            Operation::RescheduleBooking,
            format!("/v2/bookings/{}/reschedule", stage.book("2026-10-15T07:30:00Z").await.uid),
            json!({ "start": "2026-10-15T09:30:00Z" }),
        ),
    ] {
        let before = stage.calcom.bookings();
        let mut gate = stage.calcom.pause_next(Point::BeforeApplying, operation);
        {
            let request = stage.post(&path, body);
            let mut request = std::pin::pin!(request);
            tokio::select! {
                answer = &mut request => panic!("{answer:?}"),
                reached = gate.reached() => reached.unwrap(),
            }
        }
        let meanwhile = stage.calcom.bookings();
        gate.open();
        stage.calcom.quiet().await;

        assert_eq!(before, meanwhile, "{operation:?}");
        assert_ne!(stage.calcom.bookings(), meanwhile, "{operation:?}");
    }
}
