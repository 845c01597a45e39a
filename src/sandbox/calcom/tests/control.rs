//! The control surface, as a person drives it.

use super::*;

impl Stage {
    async fn hand(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}/sandbox{path}", self.calcom.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

#[tokio::test]
async fn people_book_move_and_cancel() {
    let stage = Stage::start().await;
    let wish = json!({ "event_type_id": stage.visit, "start": "2026-10-14T07:30:00Z", "name": "Erika Muster",
                       "email": "erika@example.org" });

    let (status, made) = stage.hand(Method::POST, "/bookings", Some(wish.clone())).await;
    let path = |uid: &Value, verb: &str| format!("/bookings/{}/{verb}", uid.as_str().unwrap());
    let (taken, why) = stage.hand(Method::POST, "/bookings", Some(wish)).await;
    let start = json!({ "start": "2026-10-15T07:30:00Z", "by": "host" });
    let (_, moved) = stage.hand(Method::POST, &path(&made["uid"], "reschedule"), Some(start)).await;
    let (_, ended) = stage.hand(Method::POST, &path(&moved["uid"], "cancel"), None).await;
    let (_, listed) = stage.hand(Method::GET, "/bookings", None).await;

    assert_eq!((status, taken), (200, 400));
    assert!(why["error"].as_str().unwrap().contains("not available"), "{why}");
    assert_eq!(moved["rescheduled_by"], "mara.vogt@example.com");
    assert_eq!(
        (&ended["status"], &ended["cancelled_by"]),
        (&json!("cancelled"), &json!("erika@example.org"))
    );
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn people_decide_and_mark() {
    let stage = Stage::start().await;
    let options = json!({ "requires_confirmation": true });
    let kind = json!({ "user_id": stage.host.id, "slug": "request", "title": "Request", "length_minutes": 30,
                       "options": options });
    let (_, kind) = stage.hand(Method::POST, "/event-types", Some(kind)).await;
    let id = kind["id"].as_i64().unwrap();
    let confirmed = stage.post("/v2/bookings", erika(id, "2026-10-14T07:30:00Z")).await.uid();
    let declined = stage.post("/v2/bookings", erika(id, "2026-10-15T07:30:00Z")).await.uid();
    let act = async |uid: &str, verb: &str, body| {
        stage.hand(Method::POST, &format!("/bookings/{uid}/{verb}"), body).await
    };

    assert_eq!(act(&confirmed, "confirm", None).await.1["status"], "accepted");
    assert_eq!(act(&declined, "reject", Some(json!({ "reason": "full" }))).await.1["status"], "rejected");
    assert_eq!(act(&confirmed, "start-meeting", None).await.0, 200);
    stage.hand(Method::POST, "/clock", Some(json!({ "advance_seconds": 14 * 24 * 3600 }))).await;
    assert_eq!(act(&confirmed, "no-show", None).await.1["attendees"][0]["absent"], true);
    assert_eq!(act(&confirmed, "pay", None).await.0, 400);
    assert_eq!(act(&confirmed, "dance", None).await.0, 404);
    assert_eq!(act(&confirmed, "reschedule", None).await.0, 422);
}

#[tokio::test]
async fn people_stock_the_instance_and_see_who_is_told() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let user = json!({ "name": "Jonas Probe", "email": "jonas@example.org", "time_zone": "Europe/Berlin" });

    let (_, user) = stage.hand(Method::POST, "/users", Some(user)).await;
    let id = user["id"].as_i64().unwrap();
    let (_, key) = stage.hand(Method::POST, &format!("/users/{id}/keys"), None).await;
    let hours = json!([{ "days": ["Mon"], "from_minute": 480, "to_minute": 600 }]);
    let (set, _) = stage.hand(Method::PUT, &format!("/users/{id}/hours"), Some(hours)).await;
    let webhook = json!({ "scope": { "user": stage.host.id }, "url": subscriber.url, "secret": "hush",
                          "triggers": ["BOOKING_CREATED"] });
    let (_, webhook) = stage.hand(Method::POST, "/webhooks", Some(webhook)).await;
    let (_, ticked) = stage.hand(Method::POST, "/tick", None).await;
    let ping = format!("/webhooks/{}/ping", webhook["id"].as_str().unwrap());
    let (_, pinged) = stage.hand(Method::POST, &ping, None).await;
    let (_, again) = stage.hand(Method::POST, "/deliveries/1/again", None).await;
    let send = format!("/webhooks/{}/send", webhook["id"].as_str().unwrap());
    let (_, sent) = stage.hand(Method::POST, &send, Some(json!({ "triggerEvent": "OOO_CREATED" }))).await;

    assert_eq!((set, stage.calcom.users()[1].hours.len()), (200, 1));
    assert!(key["api_key"].as_str().unwrap().starts_with("cal_live_"));
    assert_eq!(pinged["outcome"], json!({ "answered": 200 }));
    assert_eq!((&again["booking_uid"], &sent["trigger"]), (&ticked["uid"], &json!("OOO_CREATED")));
    assert_eq!(subscriber.triggers(), ["BOOKING_CREATED", "PING", "BOOKING_CREATED", "OOO_CREATED"]);
    assert_eq!(stage.hand(Method::GET, "/deliveries", None).await.1.as_array().unwrap().len(), 4);
    assert_eq!(stage.hand(Method::GET, "/event-types", None).await.1[0]["slug"], "visit");
}

#[tokio::test]
async fn people_script_faults_and_settings() {
    let stage = Stage::start().await;
    let rule = json!({ "fault": { "kind": "error_before", "status": 503 }, "when": { "next": 2 },
                       "on": ["get_me"] });
    let chance = json!({ "fault": { "kind": "webhook_held" }, "about": ["BOOKING_CREATED"],
                         "when": { "chance": { "probability": 1.0, "seed": 7 } } });

    let (_, added) = stage.hand(Method::POST, "/faults", Some(rule)).await;
    stage.hand(Method::POST, "/faults", Some(chance)).await;
    let struck = stage.get("/v2/me").await.status;
    let (_, left) = stage.hand(Method::GET, "/faults", None).await;
    let (removed, _) = stage.hand(Method::DELETE, &format!("/faults/{}", added["id"]), None).await;
    let settings = json!({ "generation": "queued", "limits": { "per_key": 2 } });
    let (_, changed) = stage.hand(Method::PUT, "/settings", Some(settings)).await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);
    stage.book("2026-10-14T07:30:00Z").await;
    stage.calcom.quiet().await;
    let (_, released) = stage.hand(Method::POST, "/release", None).await;

    assert_eq!((struck, removed, &left[0]["when"]), (503, 200, &json!({ "next": 1 })));
    assert_eq!((&changed["generation"], &changed["limits"]["block_seconds"]), (&json!("queued"), &json!(60)));
    assert_eq!((released, subscriber.seen().len()), (json!({ "released": 1 }), 1));
    assert_eq!(stage.hand(Method::DELETE, "/faults", None).await.0, 200);
    assert_eq!(stage.hand(Method::DELETE, "/faults/1", None).await.0, 404);
    assert!(stage.calcom.faults().is_empty());
    let unknown = json!({ "fault": { "kind": "explode" }, "when": "always" });
    assert_eq!(stage.hand(Method::POST, "/faults", Some(unknown)).await.0, 422);
}

#[tokio::test]
async fn it_explains_itself_and_keeps_out_of_the_record() {
    let stage = Stage::start().await;

    for path in ["/", "/sandbox"] {
        let response = stage.client.get(format!("{}{path}", stage.calcom.url())).send().await.unwrap();
        assert!(response.text().await.unwrap().contains("POST /sandbox/tick"));
    }
    let (status, problem) = stage.hand(Method::GET, "/nothing", None).await;

    assert_eq!((status, problem["error"].is_string()), (404, true));
    assert_eq!(stage.hand(Method::GET, "/requests", None).await.1, json!([]));
    stage.get("/v2/me").await;
    assert_eq!(stage.hand(Method::GET, "/requests", None).await.1[0]["operation"], "get_me");
    stage.hand(Method::DELETE, "/requests", None).await;
    assert!(stage.calcom.requests().is_empty());
}

#[tokio::test]
async fn the_demo_fills_a_diary_without_overlaps() {
    let stage = Stage::start().await;
    let demo = stage.calcom.add_demo().unwrap();

    for seed in 0..20 {
        stage.calcom.invent_booking(demo.consultation, seed).await.unwrap();
    }

    let mut bookings = stage.calcom.bookings();
    bookings.sort_by_key(|one| one.start);
    assert!(bookings.len() >= 15, "{}", bookings.len());
    assert!(bookings.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(stage.calcom.event_types().iter().any(|kind| kind.id == demo.house_visit));
}
