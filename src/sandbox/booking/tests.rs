use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use chrono::Utc;
use futures::FutureExt as _;
use http::{HeaderMap, StatusCode};
use secrecy::{SecretSlice, SecretString};
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use super::*;
use crate::provider::booking_tool::{self, Event, LEGACY, STANDARD, ToolStatus};
use crate::provider::signature::{self, Refusal, Scheme, Verified};

mod repeats;
mod surface;

/// A webhook endpoint on a free port: verifies, keeps what came, answers by script and then 200.
struct Receiver {
    url: Url,
    secret: SecretString,
    scheme: Scheme,
    inbox: Arc<Inbox>,
    server: tokio::task::JoinHandle<()>,
}

struct Inbox {
    scheme: Scheme,
    key: SecretSlice<u8>,
    script: Mutex<VecDeque<(u16, &'static str)>>,
    seen: Mutex<Vec<Seen>>,
    count: watch::Sender<usize>,
}

#[derive(Clone)]
struct Seen {
    signature: Result<Verified, Refusal>,
    body: Bytes,
}

impl Receiver {
    async fn start(scheme: Scheme) -> Self {
        let secret = signature::generate_secret(&scheme);
        let inbox = Arc::new(Inbox {
            scheme,
            key: scheme.key(&secret).unwrap(),
            script: Mutex::default(),
            seen: Mutex::default(),
            count: watch::Sender::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        let router =
            axum::Router::new().route("/hook", axum::routing::post(receive)).with_state(inbox.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, secret, scheme, inbox, server }
    }

    /// Answers with these statuses (and `Retry-After`, where not empty) before it is content.
    fn answering(self, script: &[(u16, &'static str)]) -> Self {
        self.inbox.script.lock().unwrap().extend(script);
        self
    }

    fn tool(&self) -> BookingTool {
        BookingTool::new(self.url.clone(), self.scheme, self.secret.clone()).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.inbox.seen.lock().unwrap().clone()
    }

    async fn has_seen(&self, count: usize) {
        let mut seen = self.inbox.count.subscribe();
        let wait = seen.wait_for(|seen| *seen >= count);
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap().unwrap();
    }

    /// Every delivery as stellwerk would read it.
    fn events(&self) -> Vec<(booking_tool::Envelope, Event)> {
        self.seen().iter().map(|seen| booking_tool::parse(&seen.body).unwrap()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(inbox): State<Arc<Inbox>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 2], String) {
    let keys = std::slice::from_ref(&inbox.key);
    let request = signature::Request { headers: &headers, body: &body, address: "" };
    let signature = signature::verify(&inbox.scheme, &request, keys, Utc::now().timestamp());
    let (status, retry_after) = match &signature {
        Ok(_) => inbox.script.lock().unwrap().pop_front().unwrap_or((200, "")),
        Err(_) => (401, ""),
    };
    inbox.seen.lock().unwrap().push(Seen { signature, body });
    inbox.count.send_modify(|count| *count += 1);
    let headers = [("retry-after", retry_after), ("location", "/elsewhere")];
    (StatusCode::from_u16(status).unwrap(), headers, format!(r#"{{"answer":{status}}}"#))
}

/// A pause that takes no time and notes how long it should have been, in seconds.
fn noted() -> (Pause, Arc<Mutex<Vec<u64>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let taken = notes.clone();
    let pause: Pause = Arc::new(move |pause| {
        taken.lock().unwrap().push(pause.as_secs());
        async {}.boxed()
    });
    (pause, notes)
}

fn erika() -> PatientData {
    PatientData {
        vorname: Some("Erika".to_owned()),
        nachname: "Muster".to_owned(),
        email: Some("erika@example.org".to_owned()),
        telefon: None,
        geburtsdatum: Some("1984-02-29".to_owned()),
    }
}

fn monday(patient_id: &str) -> AppointmentData {
    AppointmentData {
        patient_id: patient_id.to_owned(),
        scheduled_at: "2026-03-02T09:30:00+01:00".parse().unwrap(),
        duration_minutes: 50,
        therapist_name: Some("Dr. Anna Beispiel".to_owned()),
        service_name: None,
    }
}

fn statuses(answers: &[Delivered]) -> Vec<Option<u16>> {
    answers.iter().map(|answer| answer.status).collect()
}

#[tokio::test]
async fn every_change_is_told_signed_and_as_the_contract_says() {
    for scheme in [LEGACY, STANDARD] {
        let receiver = Receiver::start(scheme).await;
        let tool = receiver.tool();

        let patient = tool.register_patient(erika()).await.unwrap().record;
        let renamed = PatientData { nachname: "Beispiel".to_owned(), ..erika() };
        tool.update_patient(&patient.id, renamed).await.unwrap();
        let booked = tool.book(monday(&patient.id)).await.unwrap().record;
        let tuesday = "2026-03-03T09:30:00+01:00".parse().unwrap();
        tool.move_appointment(&booked.id, tuesday).await.unwrap();
        tool.cancel(&booked.id, Some("krank".to_owned())).await.unwrap();
        tool.delete_patient(&patient.id).await.unwrap();
        assert_eq!(statuses(&tool.ping().await), [Some(200)]);

        let events = receiver.events();
        assert!(receiver.seen().iter().all(|seen| seen.signature.is_ok()));
        assert!(events.is_sorted_by(|(one, _), (next, _)| one.occurred_time < next.occurred_time));
        let ids: std::collections::HashSet<_> = events.iter().map(|(event, _)| event.id.clone()).collect();
        assert_eq!((ids.len(), ids.contains(&None)), (7, false));
        let events: Vec<&Event> = events.iter().map(|(_, event)| event).collect();
        let [
            Event::PatientUpserted { created: true, patient: first },
            Event::PatientUpserted { created: false, patient: second },
            Event::AppointmentUpserted { created: true, appointment: third },
            Event::AppointmentUpserted { created: false, appointment: fourth },
            Event::AppointmentCancelled { id: fifth, cancelled_time: Some(_), reason: Some(reason) },
            Event::PatientDeleted { id: sixth },
            Event::Ping,
        ] = events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((first.last_name.as_str(), second.last_name.as_str()), ("Muster", "Beispiel"));
        assert_eq!((&first.id, &second.id, sixth), (&patient.id, &patient.id, &patient.id));
        assert_eq!((&third.patient_id, third.status), (&patient.id, ToolStatus::Booked));
        assert_eq!((&fourth.id, fifth), (&third.id, &booked.id));
        assert_eq!((fourth.start_time - third.start_time).num_hours(), 24);
        assert_eq!((fourth.utc_offset_minutes, reason.as_str()), (60, "krank"));
    }
}

#[tokio::test]
async fn an_old_version_sends_neither_id_nor_time() {
    let receiver = Receiver::start(STANDARD).await;
    let tool = receiver.tool();
    tool.set_faults(Faults { drop_id: true, ..Faults::default() });

    tool.register_patient(erika()).await.unwrap();

    let (envelope, _) = receiver.events().remove(0);
    assert_eq!((envelope.id, envelope.occurred_time), (None, None));
}

#[tokio::test]
async fn duplicates_are_the_same_delivery_twice() {
    let receiver = Receiver::start(STANDARD).await;
    let tool = receiver.tool();
    tool.set_faults(Faults { duplicate: true, ..Faults::default() });

    let sent = tool.register_patient(erika()).await.unwrap();

    let seen = receiver.seen();
    assert_eq!(statuses(&sent.answers), [Some(200), Some(200)]);
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
    let ids: Vec<_> = seen.iter().map(|seen| seen.signature.clone().unwrap().delivery_id).collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_reordered_event_is_passed_by_the_next_one() {
    let receiver = Receiver::start(LEGACY).await;
    let tool = receiver.tool();
    tool.set_faults(Faults { reorder: true, ..Faults::default() });

    let held = tool.register_patient(erika()).await.unwrap();
    let passing = tool.book(monday(&held.record.id)).await.unwrap();
    tool.cancel(&passing.record.id, None).await.unwrap();
    let released = tool.release().await;

    assert_eq!((held.answers.len(), passing.answers.len(), released.len()), (0, 2, 1));
    let events = receiver.events();
    assert!(matches!(events[0].1, Event::AppointmentUpserted { .. }));
    assert!(matches!(events[1].1, Event::PatientUpserted { .. }));
    assert!(matches!(events[2].1, Event::AppointmentCancelled { .. }));
    assert!(events[1].0.occurred_time < events[0].0.occurred_time);
}

#[tokio::test]
async fn a_raw_event_goes_out_as_it_is() {
    let receiver = Receiver::start(STANDARD).await.answering(&[(400, ""), (200, "")]);
    let (pause, _) = noted();

    let answer = receiver.tool().with_pause(pause).deliver(&ToolEvent::raw("evt_1", "not json")).await;

    let seen = receiver.seen();
    assert_eq!((answer.status, seen.len(), &seen[0].body[..]), (Some(200), 2, b"not json".as_slice()));
}

#[tokio::test]
async fn what_the_tool_does_not_know_it_cannot_change() {
    let receiver = Receiver::start(LEGACY).await;
    let tool = receiver.tool();
    let moment = Utc::now().fixed_offset();

    assert!(matches!(tool.update_patient("p", erika()).await, Err(Error::Unknown { noun: "patient" })));
    assert!(matches!(tool.delete_patient("p").await, Err(Error::Unknown { .. })));
    assert!(matches!(tool.move_appointment("a", moment).await, Err(Error::Unknown { .. })));
    assert!(matches!(tool.cancel("a", None).await, Err(Error::Unknown { noun: "appointment" })));
    assert_eq!(receiver.seen().len(), 0);
}
