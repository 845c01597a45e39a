//! The tool itself: its records, and an event for every change of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use super::courier::Courier;
use super::{
    Appointment, AppointmentData, Delivered, Error, Patient, PatientData, Pause, Status, ToolEvent, invent,
};
use crate::provider::signature::Scheme;

const MAX_RECORDS: usize = 10_000;
/// Events repeated in the background at once. A person clicking against a stopped stellwerk stays below.
const MAX_REPEATS: usize = 256;

/// What the tool does wrong on purpose; all of it is within its contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Delivers every event twice.
    pub duplicate: bool,
    /// Holds an event back until the next one has passed it.
    pub reorder: bool,
    /// Speaks like the old versions: neither `id` nor `occurred_at`.
    pub drop_id: bool,
}

/// A changed record and the answer to each delivery it caused, in order; none if it is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent<T> {
    pub record: T,
    pub answers: Vec<Delivered>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Ticked {
    RegisteredPatient(Sent<Patient>),
    BookedAppointment(Sent<Appointment>),
}

pub struct BookingTool {
    courier: Courier,
    therapists: Vec<String>,
    state: Mutex<State>,
    /// Where a control surface is served, people get the first answer and the repeats go on in here.
    repeats: Option<Mutex<JoinSet<()>>>,
}

struct State {
    patients: Vec<Patient>,
    appointments: Vec<Appointment>,
    faults: Faults,
    held: Option<ToolEvent>,
    last_change: DateTime<Utc>,
    rng: StdRng,
}

impl BookingTool {
    /// A tool that tells `target`, a webhook endpoint on loopback. `secret` as stellwerk showed it once.
    pub fn new(target: Url, scheme: Scheme, secret: SecretString) -> Result<Self, Error> {
        let state = State {
            patients: Vec::new(),
            appointments: Vec::new(),
            faults: Faults::default(),
            held: None,
            last_change: DateTime::UNIX_EPOCH,
            rng: StdRng::seed_from_u64(0),
        };
        Ok(Self {
            courier: Courier::new(target, scheme, &secret)?,
            therapists: vec!["Dr. Anna Beispiel".to_owned(), "Jonas Muster".to_owned()],
            state: Mutex::new(state),
            repeats: None,
        })
    }

    /// Decides what [`Self::tick`] invents. Ids are always new, so that a second run meets no first one.
    pub fn with_seed(self, seed: u64) -> Self {
        self.state().rng = StdRng::seed_from_u64(seed);
        self
    }

    /// Whom [`Self::tick`] books with.
    pub fn with_therapists(self, therapists: Vec<String>) -> Self {
        Self { therapists, ..self }
    }

    /// Replaces the sleep between two attempts.
    pub fn with_pause(self, pause: Pause) -> Self {
        Self { courier: self.courier.with_pause(pause), ..self }
    }

    /// From now on the first answer is reported and repeats go on behind the caller's back, until
    /// [`Self::give_up`].
    pub(super) fn repeating_in_background(self) -> Self {
        Self { repeats: Some(Mutex::default()), ..self }
    }

    pub(super) fn give_up(&self) {
        if let Some(repeats) = &self.repeats {
            locked(repeats).abort_all();
        }
    }

    pub fn patients(&self) -> Vec<Patient> {
        self.state().patients.clone()
    }

    pub fn appointments(&self) -> Vec<Appointment> {
        self.state().appointments.clone()
    }

    pub fn faults(&self) -> Faults {
        self.state().faults
    }

    /// Holds for events made from now on. An event already held back goes out with the next one, or
    /// with [`Self::release`].
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    pub async fn register_patient(&self, data: PatientData) -> Result<Sent<Patient>, Error> {
        let patient = Patient { id: new_id("pat"), data };
        let event = {
            let mut state = self.state();
            room_for_one_more(&state.patients)?;
            state.patients.push(patient.clone());
            state.event("patient.created", json!(patient))
        };
        Ok(Sent { record: patient, answers: self.tell(event).await })
    }

    pub async fn update_patient(&self, id: &str, data: PatientData) -> Result<Sent<Patient>, Error> {
        let (patient, event) = {
            let mut state = self.state();
            let found = state.patients.iter_mut().find(|patient| patient.id == id);
            let patient = found.ok_or(Error::Unknown { noun: "patient" })?;
            patient.data = data;
            let patient = patient.clone();
            let event = state.event("patient.updated", json!(patient));
            (patient, event)
        };
        Ok(Sent { record: patient, answers: self.tell(event).await })
    }

    /// Forgets the patient; their appointments stay in the tool's diary.
    pub async fn delete_patient(&self, id: &str) -> Result<Sent<Patient>, Error> {
        let (patient, event) = {
            let mut state = self.state();
            let place = state.patients.iter().position(|patient| patient.id == id);
            let patient = state.patients.remove(place.ok_or(Error::Unknown { noun: "patient" })?);
            let event = state.event("patient.deleted", json!({ "id": id }));
            (patient, event)
        };
        Ok(Sent { record: patient, answers: self.tell(event).await })
    }

    /// Books whatever is asked for, overlaps and unknown patients included.
    pub async fn book(&self, data: AppointmentData) -> Result<Sent<Appointment>, Error> {
        let appointment = Appointment { id: new_id("apt"), data, status: Status::Scheduled };
        let event = {
            let mut state = self.state();
            room_for_one_more(&state.appointments)?;
            state.appointments.push(appointment.clone());
            state.event("appointment.created", json!(appointment))
        };
        Ok(Sent { record: appointment, answers: self.tell(event).await })
    }

    pub async fn move_appointment(
        &self,
        id: &str,
        scheduled_at: DateTime<FixedOffset>,
    ) -> Result<Sent<Appointment>, Error> {
        let (appointment, event) = {
            let mut state = self.state();
            let appointment = state.appointment(id)?;
            appointment.data.scheduled_at = scheduled_at;
            let appointment = appointment.clone();
            let event = state.event("appointment.updated", json!(appointment));
            (appointment, event)
        };
        Ok(Sent { record: appointment, answers: self.tell(event).await })
    }

    pub async fn cancel(&self, id: &str, reason: Option<String>) -> Result<Sent<Appointment>, Error> {
        let (appointment, event) = {
            let mut state = self.state();
            let appointment = state.appointment(id)?;
            appointment.status = Status::Cancelled;
            let appointment = appointment.clone();
            let cancelled_at = written(state.next_moment());
            let data = json!({ "id": id, "cancelled_at": cancelled_at, "reason": reason });
            (appointment, state.event("appointment.cancelled", data))
        };
        Ok(Sent { record: appointment, answers: self.tell(event).await })
    }

    pub async fn ping(&self) -> Vec<Delivered> {
        let event = self.event("ping", json!({}));
        self.tell(event).await
    }

    /// Registers an invented patient, or books one of those there are into a free slot.
    pub async fn tick(&self) -> Result<Ticked, Error> {
        let booking = self.state().invent_booking(&self.therapists);
        if let Some(data) = booking {
            return Ok(Ticked::BookedAppointment(self.book(data).await?));
        }
        let data = invent::patient(&mut self.state().rng);
        Ok(Ticked::RegisteredPatient(self.register_patient(data).await?))
    }

    /// An event as the tool would send it now, of any name and data; nothing is recorded.
    pub fn event(&self, name: &str, data: Value) -> ToolEvent {
        self.state().event(name, data)
    }

    /// Delivers one event, faults aside, until it is kept or the tool gives up after a day of pauses.
    pub async fn deliver(&self, event: &ToolEvent) -> Delivered {
        self.courier.deliver(event).await
    }

    /// Delivers what is held back for reordering.
    pub async fn release(&self) -> Vec<Delivered> {
        let held = self.state().held.take();
        match held {
            Some(event) => self.carry(vec![event]).await,
            None => Vec::new(),
        }
    }

    async fn tell(&self, event: ToolEvent) -> Vec<Delivered> {
        let due = self.state().due(event);
        self.carry(due).await
    }

    async fn carry(&self, events: Vec<ToolEvent>) -> Vec<Delivered> {
        let times = if self.faults().duplicate { 2 } else { 1 };
        let mut answers = Vec::new();
        for event in &events {
            for _ in 0..times {
                answers.push(match &self.repeats {
                    None => self.courier.deliver(event).await,
                    Some(repeats) => self.first_answer(event, repeats).await,
                });
            }
        }
        answers
    }

    async fn first_answer(&self, event: &ToolEvent, repeats: &Mutex<JoinSet<()>>) -> Delivered {
        let first = self.courier.attempt(event).await;
        let answer = first.answer.clone();
        let mut repeats = locked(repeats);
        while repeats.try_join_next().is_some() {}
        if !answer.is_kept() && repeats.len() < MAX_REPEATS {
            let (courier, event) = (self.courier.clone(), event.clone());
            repeats.spawn(async move {
                courier.repeat(&event, first).await;
            });
        }
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    fn appointment(&mut self, id: &str) -> Result<&mut Appointment, Error> {
        let found = self.appointments.iter_mut().find(|appointment| appointment.id == id);
        found.ok_or(Error::Unknown { noun: "appointment" })
    }

    fn event(&mut self, name: &str, data: Value) -> ToolEvent {
        let delivery_id = new_id("evt");
        let mut body = json!({ "event": name, "data": data });
        if !self.faults.drop_id {
            body["id"] = json!(delivery_id);
            body["occurred_at"] = json!(written(self.next_moment()));
        }
        ToolEvent::raw(delivery_id, body.to_string())
    }

    /// The time, never twice the same: it is what tells an older change from a newer one.
    fn next_moment(&mut self) -> DateTime<Utc> {
        self.last_change = Utc::now().max(self.last_change + TimeDelta::microseconds(1));
        self.last_change
    }

    /// The events to deliver now that one more has happened.
    fn due(&mut self, event: ToolEvent) -> Vec<ToolEvent> {
        match (self.faults.reorder, self.held.take()) {
            (true, None) => {
                self.held = Some(event);
                Vec::new()
            }
            (true, Some(earlier)) => vec![event, earlier],
            (false, earlier) => earlier.into_iter().chain([event]).collect(),
        }
    }

    /// None while there are few patients, now and then afterwards, and where no slot is free.
    fn invent_booking(&mut self, therapists: &[String]) -> Option<AppointmentData> {
        if self.patients.len() < 2 || self.rng.random_ratio(1, 3) {
            return None;
        }
        let place = self.rng.random_range(0..self.patients.len());
        let patient = self.patients.get(place)?;
        invent::booking(&mut self.rng, Utc::now(), &patient.id, therapists, &self.appointments)
    }
}

fn room_for_one_more<T>(records: &[T]) -> Result<(), Error> {
    if records.len() < MAX_RECORDS { Ok(()) } else { Err(Error::Full { most: MAX_RECORDS }) }
}

fn new_id(noun: &str) -> String {
    format!("{noun}_{}", Uuid::now_v7().simple())
}

fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A panic elsewhere leaves records that are still whole: each change is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
