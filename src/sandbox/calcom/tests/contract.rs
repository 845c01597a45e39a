//! Keys, versions, limits, and what every request has in common.

use super::*;

#[tokio::test]
async fn a_key_stands_for_its_user() {
    let stage = Stage::start().await;

    let me = stage.get("/v2/me").await;

    assert_eq!(me.data()["id"], stage.host.id);
    assert_eq!(me.data()["email"], "mara.vogt@example.com");
    assert_eq!(me.data()["timeZone"], "Europe/Berlin");
}

#[tokio::test]
async fn a_key_that_is_not_known_or_was_revoked_is_401() {
    let stage = Stage::start().await;
    let second = stage.calcom.add_key(stage.host.id).unwrap();
    let me = async |key: Option<&str>| stage.call_as(key, None, Method::GET, "/v2/me", None).await;
    let before = me(Some(&second)).await.status;

    assert!(stage.calcom.revoke_key(&second));

    let replies = [me(Some(&second)).await, me(Some("cal_live_nothing")).await, me(None).await];
    assert_eq!(before, 200);
    assert!(replies.iter().all(|reply| (reply.refusal().0, reply.refusal().1) == (401, 'A')));
    let body = Some(erika(stage.visit, "2026-10-14T07:30:00Z"));
    let version = Some("2024-08-13");
    let public = stage.call_as(Some(&second), version, Method::POST, "/v2/bookings", body).await;
    assert_eq!(public.refusal().0, 401, "worse than no key");
}

#[tokio::test]
async fn without_its_version_a_request_meets_the_old_contract_and_no_error() {
    let stage = Stage::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    let key = Some(stage.host.api_key.as_str());
    let old = async |version, path: &str| stage.call_as(key, version, Method::GET, path, None).await;

    for version in [None, Some("2024-08-14"), Some("2024-06-14")] {
        let one = old(version, &format!("/v2/bookings/{uid}")).await;
        let list = old(version, "/v2/bookings").await;
        assert_eq!((one.status, &one.body["status"]), (200, &json!("success")));
        assert_eq!((&one.data()["status"], &one.data()["start"]), (&json!("ACCEPTED"), &Value::Null));
        assert_eq!(list.data()["bookings"][0]["uid"], uid);
        assert_eq!(list.body["pagination"], Value::Null);
    }
    let kinds = old(None, "/v2/event-types").await;
    assert_eq!(kinds.data()["eventTypeGroups"][0]["eventTypes"][0]["id"], stage.visit);
    assert_eq!(old(Some("2024-08-13"), "/v2/event-types").await.refusal().0, 404);
    let slots = old(None, "/v2/slots?start=2026-10-14&end=2026-10-14").await;
    assert_eq!((slots.refusal().0, slots.refusal().1), (404, 'A'));
}

#[tokio::test]
async fn the_old_contract_wants_other_fields_and_cancels_with_201() {
    let stage = Stage::start().await;
    let key = Some(stage.host.api_key.as_str());
    let post = async |path: &str, body| stage.call_as(key, None, Method::POST, path, Some(body)).await;
    let old = json!({
        "eventTypeId": stage.visit, "start": "2026-10-14T07:30:00Z", "timeZone": "Europe/Berlin",
        "language": "de", "metadata": {},
        "responses": { "name": "Erika Muster", "email": "erika@example.org" },
    });

    let new_body = post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;
    let made = post("/v2/bookings", old).await;
    let path = format!("/v2/bookings/{}/cancel", made.uid());
    let ended = post(&path, json!({ "cancellationReason": "ill" })).await;

    assert_eq!(new_body.refusal().0, 400);
    assert_eq!(made.data()["startTime"], "2026-10-14T07:30:00.000Z");
    assert_eq!((ended.status, &ended.data()["onlyRemovedAttendee"]), (201, &json!(false)));
}

#[tokio::test]
async fn beyond_the_limit_a_key_is_refused_for_a_minute() {
    let limits = Limits { per_key: Some(3), ..Limits::default() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    let remaining =
        |reply: &Reply| reply.headers["x-ratelimit-remaining-default"].to_str().unwrap().to_owned();

    let first = stage.get("/v2/me").await;
    stage.get("/v2/me").await;
    stage.get("/v2/me").await;
    let refused = stage.get("/v2/me").await;
    stage.calcom.clock().advance(TimeDelta::seconds(59));
    let still = stage.get("/v2/me").await;
    let other = stage.anonymous(Method::GET, "/v2/event-types?username=mara-vogt", None).await;
    stage.calcom.clock().advance(TimeDelta::seconds(1));
    let again = stage.get("/v2/me").await;

    assert_eq!((first.status, remaining(&first).as_str()), (200, "2"));
    assert_eq!(first.headers["x-ratelimit-limit-default"], "3");
    let (status, envelope, message) = refused.refusal();
    assert_eq!((status, envelope), (429, 'A'));
    assert_eq!(refused.body["error"]["code"], "ThrottlerException");
    assert_eq!(refused.body["error"]["details"], message);
    assert_eq!(refused.headers["x-ratelimit-reset-default"], "60");
    assert!(!refused.headers.contains_key("retry-after"));
    assert_eq!((still.status, other.status, again.status), (429, 200, 200));
    assert_eq!(remaining(&again), "2");
}

#[tokio::test]
async fn a_window_ends_and_limits_can_be_lifted() {
    let limits = Limits { per_key: Some(2), ..Limits::default() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;

    stage.get("/v2/me").await;
    stage.get("/v2/me").await;
    stage.calcom.clock().advance(TimeDelta::seconds(60));
    let next_window = stage.get("/v2/me").await;
    stage.calcom.set_limits(Limits::none());
    for _ in 0..10 {
        assert_eq!(stage.get("/v2/me").await.status, 200);
    }

    assert_eq!(next_window.status, 200);
    assert!(!stage.get("/v2/me").await.headers.contains_key("x-ratelimit-limit-default"));
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let stage = Stage::start().await;

    let (one, other) = (stage.get("/v2/me").await, stage.get("/v2/nothing").await);

    assert_eq!((other.refusal().0, other.refusal().2), (404, "Cannot GET /v2/nothing"));
    assert_ne!(one.headers["x-request-id"], other.headers["x-request-id"]);
}

#[tokio::test]
async fn requests_are_kept_as_they_came_and_without_the_key() {
    let stage = Stage::with(Settings { kept_requests: 2, ..Settings::default() }).await;
    stage.get("/v2/me").await;

    stage.get("/v2/bookings?take=5&status=upcoming").await;
    stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;

    let kept = stage.calcom.requests();
    let [listed, made] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((listed.id, listed.operation), (2, Some(Operation::ListBookings)));
    assert_eq!(listed.query[0], ("take".to_owned(), "5".to_owned()));
    assert_eq!((made.method.as_str(), made.path.as_str(), made.status), ("POST", "/v2/bookings", Some(201)));
    assert_eq!(made.version.as_deref(), Some("2024-08-13"));
    assert_eq!((made.user_id, made.key_id), (Some(stage.host.id), Some(1)));
    assert_eq!(made.body["metadata"]["write_id"], "wr_1");
    assert!(!serde_json::to_string(&kept).unwrap().contains(&stage.host.api_key));
    assert!(kept.iter().all(|request| super::super::spec::check_request(request).is_ok()));
    stage.calcom.forget_requests();
    assert!(stage.calcom.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_json_is_400() {
    let stage = Stage::start().await;

    let request = stage.client.post(format!("{}/v2/bookings", stage.calcom.url())).body("{");
    let response = request.header("cal-api-version", "2024-08-13").send().await.unwrap();

    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "BadRequestException");
}

#[tokio::test]
async fn event_types_show_what_a_booker_must_know_and_strangers_see_the_open_ones() {
    let stage = Stage::start().await;
    let stranger = stage.calcom.add_user("Max Beispiel", "max@example.org", Berlin);
    let options = EventTypeOptions {
        requires_confirmation: true,
        seats: Some(8),
        recurrence: Some(Recurrence { frequency: Frequency::Weekly, interval: 1, occurrences: 4 }),
        notice_minutes: 120,
        window_days: Some(30),
        hidden: true,
        required_fields: vec!["insurance".to_owned()],
        length_options_minutes: vec![30, 60],
        ..EventTypeOptions::default()
    };
    let class = stage.event_type("class", 60, options);

    let own = stage.get("/v2/event-types").await;
    let one = stage.get(&format!("/v2/event-types/{class}")).await;
    let open = stage.anonymous(Method::GET, "/v2/event-types?username=mara-vogt", None).await;
    let path = format!("/v2/event-types/{}", stage.visit);
    let foreign = stage.call_as(Some(&stranger.api_key), Some("2024-06-14"), Method::GET, &path, None).await;

    assert_eq!(own.data().as_array().unwrap().len(), 2);
    let class = one.data();
    assert_eq!(class["confirmationPolicy"]["type"], "always");
    assert_eq!(class["seats"]["seatsPerTimeSlot"], 8);
    assert_eq!(class["recurrence"]["frequency"], "weekly");
    assert_eq!((&class["minimumBookingNotice"], &class["ownerId"]), (&json!(120), &json!(stage.host.id)));
    assert!(class["bookingFields"].as_array().unwrap().iter().any(|field| field["slug"] == "insurance"));
    let plain = stage.get(&path).await;
    assert_eq!(plain.data()["seats"], json!({ "disabled": true }));
    assert_eq!(open.data().as_array().unwrap().len(), 1);
    assert_eq!(foreign.refusal().0, 404);
}

#[tokio::test]
async fn two_hundred_requests_a_second_are_nothing() {
    let limits = Limits::none();
    let stage = Stage::with(Settings { limits, kept_requests: 100, ..Settings::default() }).await;
    let begun = std::time::Instant::now();

    for nth in 0..400 {
        let start = at("2026-10-02T00:00:00Z") + TimeDelta::minutes(30 * nth);
        let made = stage.post("/v2/bookings", erika(stage.visit, &start.to_rfc3339())).await;
        assert_eq!(made.status, 201);
    }

    assert!(begun.elapsed() < Duration::from_secs(10), "{:?} for 400", begun.elapsed());
    assert_eq!((stage.calcom.bookings().len(), stage.calcom.requests().len()), (400, 100));
}
