//! The control surface over real HTTP, and what a tick invents.

use chrono::{Datelike as _, TimeDelta, TimeZone as _, Timelike as _, Weekday};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::{courier, invent};
use super::*;

struct Surface {
    base: String,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Surface {
    async fn of(tool: BookingTool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(tool.serve(listener, stopped.map(|_| ())));
        Self { base, client: courier::client().unwrap(), stop: Some(stop), serving }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn send(&self, verb: http::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(verb, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(http::Method::POST, path, Some(body)).await
    }

    async fn stop(mut self) -> Result<(), Error> {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.serving).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn people_can_register_book_and_cancel() {
    let receiver = Receiver::start(STANDARD).await;
    let surface = Surface::of(receiver.tool()).await;

    let english = json!({ "first_name": "Max", "last_name": "Beispiel" });
    let (_, registered) = surface.post("/patients", english).await;
    let patient_id = registered["record"]["id"].clone();
    let (_, booked) = surface
        .post(
            "/appointments",
            json!({ "patient_id": patient_id, "scheduled_at": "2026-03-02T09:30:00+01:00",
                    "duration_minutes": 50 }),
        )
        .await;
    let cancel = format!("/appointments/{}/cancel", booked["record"]["id"].as_str().unwrap());
    let (status, cancelled) = surface.send(http::Method::POST, &cancel, None).await;

    assert_eq!(registered["record"]["nachname"], "Beispiel");
    assert_eq!(registered["answers"][0]["body"], json!({ "answer": 200 }));
    assert_eq!((status, &cancelled["record"]["status"]), (200, &json!("cancelled")));
    assert_eq!(receiver.events().len(), 3);
    assert!(surface.get("/patients").await.1.contains("Beispiel"));
    assert!(surface.get("/appointments").await.1.contains("cancelled"));
    assert!(surface.get("/").await.1.contains("POST /tick"));
    surface.stop().await.unwrap();
}

#[tokio::test]
async fn the_first_answer_is_shown_and_the_repeat_follows() {
    let receiver = Receiver::start(LEGACY).await.answering(&[(503, "3")]);
    let (pause, notes) = noted();
    let surface = Surface::of(receiver.tool().with_pause(pause)).await;

    let (status, pinged) = surface.send(http::Method::POST, "/ping", None).await;

    assert_eq!((status, &pinged["answers"][0]["status"]), (200, &json!(503)));
    receiver.has_seen(2).await;
    assert_eq!(*notes.lock().unwrap(), [3]);
    surface.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_gives_up_what_is_still_repeated() {
    let receiver = Receiver::start(LEGACY).await.answering(&[(503, "")]);
    let (held, mut holding) = tokio::sync::mpsc::unbounded_channel();
    let pause: Pause = Arc::new(move |_| {
        // The guard travels with the pause and is dropped with it.
        let (guard, dropped) = oneshot::channel::<()>();
        held.send(dropped).unwrap();
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }
        .boxed()
    });
    let surface = Surface::of(receiver.tool().with_pause(pause)).await;
    surface.send(http::Method::POST, "/ping", None).await;
    let dropped = holding.recv().await.unwrap();

    surface.stop().await.unwrap();

    let end = tokio::time::timeout(Duration::from_secs(10), dropped).await.unwrap();
    assert!(end.is_err(), "the sender was dropped, not used");
}

#[tokio::test]
async fn faults_are_set_by_hand_and_held_events_let_go() {
    let receiver = Receiver::start(LEGACY).await;
    let surface = Surface::of(receiver.tool()).await;
    let set = async |faults| surface.send(http::Method::PUT, "/faults", Some(faults)).await;

    set(json!({ "reorder": true })).await;
    let (_, pinged) = surface.send(http::Method::POST, "/ping", None).await;
    let (_, shown) = surface.send(http::Method::GET, "/faults", None).await;
    let (_, released) = set(json!({ "duplicate": true })).await;

    assert_eq!(pinged["answers"], json!([]));
    assert_eq!(shown, json!({ "duplicate": false, "reorder": true, "drop_id": false }));
    assert_eq!(released["answers"].as_array().unwrap().len(), 2);
    assert_eq!(set(json!({ "lose": true })).await.0, 422);
    surface.stop().await.unwrap();
}

#[tokio::test]
async fn what_people_get_wrong_is_answered_in_json() {
    let receiver = Receiver::start(LEGACY).await;
    let surface = Surface::of(receiver.tool()).await;

    let nameless = surface.post("/patients", json!({})).await;
    let unknown = surface.post("/appointments/apt_0/cancel", json!({ "reason": "krank" })).await;
    let bodyless = surface.send(http::Method::POST, "/appointments", None).await;

    assert_eq!((nameless.0, unknown.0, bodyless.0), (422, 404, 415));
    for (_, body) in [nameless, unknown, bodyless] {
        assert!(body["error"].is_string(), "{body}");
    }
    assert_eq!(receiver.seen().len(), 0);
    surface.stop().await.unwrap();
}

#[tokio::test]
async fn ticks_fill_a_diary_without_overlaps_that_stellwerk_can_read() {
    let receiver = Receiver::start(LEGACY).await;
    let therapists = vec!["Dr. Anna Beispiel".to_owned(), "Karl Probe".to_owned()];
    let tool = receiver.tool().with_seed(7).with_therapists(therapists.clone());

    for _ in 0..60 {
        tool.tick().await.unwrap();
    }

    let (patients, appointments) = (tool.patients(), tool.appointments());
    assert_eq!(patients.len() + appointments.len(), 60);
    assert_eq!(receiver.events().len(), 60);
    assert!(patients.len() >= 5 && appointments.len() >= 20, "{}", patients.len());
    for patient in &patients {
        assert!(patient.data.email.as_ref().unwrap().ends_with("@example.org"));
    }
    for (place, one) in appointments.iter().enumerate() {
        assert!(patients.iter().any(|patient| patient.id == one.data.patient_id));
        assert!(therapists.contains(one.data.therapist_name.as_ref().unwrap()));
        for other in &appointments[..place] {
            let [first, second] = [&one.data, &other.data];
            let end =
                |data: &AppointmentData| data.scheduled_at + TimeDelta::minutes(data.duration_minutes.into());
            let apart = end(first) <= second.scheduled_at || end(second) <= first.scheduled_at;
            assert!(apart || first.therapist_name != second.therapist_name);
        }
    }
}

#[test]
fn the_same_seed_invents_the_same() {
    let now = Utc.with_ymd_and_hms(2026, 3, 20, 23, 30, 0).unwrap();
    let invented = |seed| {
        let rng = &mut StdRng::seed_from_u64(seed);
        let therapists = ["Karl Probe".to_owned()];
        (invent::patient(rng), invent::booking(rng, now, "pat_1", &therapists, &[]).unwrap())
    };

    assert_eq!(invented(1), invented(1));
    assert_ne!(invented(1), invented(2));
}

#[test]
fn invented_slots_are_office_hours_of_the_next_two_weeks_across_a_clock_change() {
    let now = Utc.with_ymd_and_hms(2026, 3, 20, 23, 30, 0).unwrap();
    let mut rng = StdRng::seed_from_u64(3);

    let slots: Vec<_> = (0..200).filter_map(|_| invent::booking(&mut rng, now, "pat_1", &[], &[])).collect();

    assert_eq!(slots.len(), 200);
    for slot in &slots {
        let start = slot.scheduled_at;
        assert!(!matches!(start.weekday(), Weekday::Sat | Weekday::Sun));
        assert!((8..=16).contains(&start.hour()) && [0, 30].contains(&start.minute()), "{start}");
        assert!((0..15).contains(&(start.to_utc() - now).num_days()), "{start}");
    }
    let offsets = |seconds| slots.iter().any(|slot| slot.scheduled_at.offset().local_minus_utc() == seconds);
    assert!(offsets(3600) && offsets(7200));
}

#[test]
fn a_full_diary_has_no_slot() {
    let now = Utc::now();
    let data = AppointmentData {
        scheduled_at: now.fixed_offset(),
        duration_minutes: 60 * 24 * 30,
        ..monday("pat_1")
    };
    let therapists = [data.therapist_name.clone().unwrap()];
    let taken = Appointment { id: "apt_1".to_owned(), data, status: Status::Scheduled };
    let cancelled = Appointment { status: Status::Cancelled, ..taken.clone() };
    let mut rng = StdRng::seed_from_u64(0);

    assert_eq!(invent::booking(&mut rng, now, "pat_1", &therapists, &[taken]), None);
    assert!(invent::booking(&mut rng, now, "pat_1", &therapists, &[cancelled]).is_some());
}
