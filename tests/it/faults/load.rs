//! Senders and callers who repeat what they were not told to be done, and remember what they were told.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::Utc;
use serde_json::json;
use stellwerk::proto;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval},
};
use tonic::Code;

use crate::support::{
    PATIENCE,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    database::Session,
    desk::{in_days, person},
    reason,
    said::{said_at, written},
    server::Server,
    wait_until,
};

const SENDERS: u64 = 6;
const CALLERS: u64 = 2;

/// Who sends and calls at this moment, until the end.
pub(crate) struct Load {
    shared: Arc<Shared>,
    doors: watch::Sender<Doors>,
    running: JoinSet<()>,
}

/// Where the server is, and a connection to it.
#[derive(Clone)]
struct Doors {
    tool: TestBookingTool,
    caller: TestCaller,
    secret: String,
}

#[derive(Default)]
struct Shared {
    next_event: AtomicU64,
    next_call: AtomicU64,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    unavailable_to_senders: AtomicU64,
    unavailable_to_callers: AtomicU64,
    odd_answers: Mutex<Vec<String>>,
}

/// What senders and callers were told in the end.
pub(crate) struct Told {
    /// Everything up to here was sent or called, and all of it acknowledged.
    events: u64,
    calls: u64,
    pub(crate) odd_answers: Vec<String>,
}

impl Load {
    pub(crate) fn begin(tool: TestBookingTool, secret: String, server: &Server) -> Self {
        let doors = Doors { tool, caller: TestCaller::new(server.channel(), Some(&secret)), secret };
        let (doors, seen) = watch::channel(doors);
        let shared = Arc::new(Shared::default());
        let mut running = JoinSet::new();
        for number in 0..SENDERS + CALLERS {
            let (shared, seen) = (shared.clone(), seen.clone());
            running.spawn(async move {
                while !shared.is_over.load(Ordering::SeqCst) {
                    if number < SENDERS { shared.send(&seen).await } else { shared.call(&seen).await }
                }
            });
        }
        Self { shared, doors, running }
    }

    /// The server is somewhere else now.
    pub(crate) fn move_to(&self, server: &Server) {
        self.doors.send_modify(|doors| {
            doors.tool = doors.tool.at(server.http);
            doors.caller = TestCaller::new(server.channel(), Some(&doors.secret));
        });
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    /// How often senders were answered 503, and callers UNAVAILABLE.
    pub(crate) fn unavailable(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        (count(&self.shared.unavailable_to_senders), count(&self.shared.unavailable_to_callers))
    }

    pub(crate) async fn until_acknowledged(&self, count: u64) {
        wait_until("enough was acknowledged", PATIENCE, async || self.acknowledged() >= count).await;
    }

    /// Lets everybody finish what they began.
    pub(crate) async fn end(mut self) -> Told {
        self.shared.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.running.join_next().await {
            ended.expect("nobody gave up");
        }
        let [events, calls] =
            [&self.shared.next_event, &self.shared.next_call].map(|next| next.load(Ordering::SeqCst));
        assert_eq!(self.acknowledged(), events + calls);
        let odd_answers = std::mem::take(&mut *self.shared.odd());
        Told { events, calls, odd_answers }
    }
}

impl Shared {
    /// Delivers the next event until it is acknowledged, under one id, as the tool does: every even one
    /// registers a person, for whom the next one books.
    async fn send(&self, doors: &watch::Receiver<Doors>) {
        let number = self.next_event.fetch_add(1, Ordering::SeqCst);
        let (name, data) = if number.is_multiple_of(2) {
            let data = json!({ "id": format!("p-{number}"), "nachname": format!("Muster {number}") });
            ("patient.created", data)
        } else {
            let data = json!({ "id": format!("a-{number}"), "patient_id": format!("p-{}", number - 1),
                "duration_minutes": 30, "scheduled_at": written(in_days(7)) });
            ("appointment.created", data)
        };
        let event = said_at(&format!("e-{number}"), name, Utc::now(), data);
        let mut attempts = Attempts::begin();
        loop {
            attempts.next().await;
            let tool = doors.borrow().tool.clone();
            let body = event.to_string().into_bytes();
            let headers = tool.signed(&format!("msg_{number}"), Utc::now().timestamp(), &body);
            match tool.try_post(headers, body).await.map(|answer| answer.status.as_u16()) {
                Ok(200) => break,
                Ok(503) => _ = self.unavailable_to_senders.fetch_add(1, Ordering::SeqCst),
                Ok(other) => self.odd().push(format!("HTTP {other}")),
                // Nobody there, or gone midway.
                Err(_) => {}
            }
        }
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    /// Adds a patient until that is answered, under one idempotency key.
    async fn call(&self, doors: &watch::Receiver<Doors>) {
        let number = self.next_call.fetch_add(1, Ordering::SeqCst);
        let request = proto::CreatePatientRequest {
            idempotency_key: format!("k-{number}"),
            ..person("Max", &format!("Beispiel {number}"))
        };
        let mut attempts = Attempts::begin();
        loop {
            attempts.next().await;
            let caller = doors.borrow().caller.clone();
            match caller.patients().create_patient(request.clone()).await {
                Ok(_) => break,
                Err(status)
                    if ["DATABASE_UNAVAILABLE", "COMMIT_UNKNOWN"].contains(&reason(&status).as_str())
                        && status.code() == Code::Unavailable =>
                {
                    self.unavailable_to_callers.fetch_add(1, Ordering::SeqCst);
                }
                // The connection broke: it carries no reason of ours.
                Err(status) if reason(&status).is_empty() && is_of_transport(&status) => {}
                Err(status) => self.odd().push(format!("gRPC {:?} {}", status.code(), status.message())),
            }
        }
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    fn odd(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.odd_answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts at one thing, a moment apart, for as long as there is patience.
struct Attempts {
    begin: Instant,
    moments: Interval,
}

impl Attempts {
    fn begin() -> Self {
        let mut moments = interval(Duration::from_millis(10));
        moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { begin: Instant::now(), moments }
    }

    async fn next(&mut self) {
        self.moments.tick().await;
        assert!(self.begin.elapsed() < PATIENCE, "waited too long until it was acknowledged");
    }
}

/// tonic makes these of a connection that could not be made, or broke.
fn is_of_transport(status: &tonic::Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

impl Told {
    /// Every acknowledged event is there once, and so is its effect; likewise every call.
    pub(crate) async fn check_what_is_kept(&self, owner: &Session, context: &str) {
        let numbers = async |sql: &str| {
            let mut numbers: Vec<u64> =
                owner.lines(sql).await.iter().map(|line| line.parse().expect("a number")).collect();
            numbers.sort_unstable();
            numbers
        };
        let events = "SELECT substr(delivery_id, 3) FROM webhook_event WHERE status = 'success'";
        let registered = "SELECT substr(last_name, 8) FROM patient WHERE last_name LIKE 'Muster %'";
        let booked = "SELECT substr(external_id, 3) FROM appointment";
        let called = "SELECT substr(last_name, 10) FROM patient WHERE last_name LIKE 'Beispiel %'";

        let all: Vec<u64> = (0..self.events).collect();
        assert_eq!(numbers(events).await, all, "{context}: events");
        let (even, odd): (Vec<u64>, Vec<u64>) = all.into_iter().partition(|number| number % 2 == 0);
        assert_eq!(numbers(registered).await, even, "{context}: people");
        assert_eq!(numbers(booked).await, odd, "{context}: appointments");
        assert_eq!(numbers(called).await, (0..self.calls).collect::<Vec<_>>(), "{context}: calls");
        let others = "SELECT status FROM webhook_event WHERE status NOT IN ('success', 'duplicate')";
        assert_eq!(owner.lines(others).await, [""; 0], "{context}");
    }
}
