//! What people do: at the desk and on the phone here, as attendees and host there.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use stellwerk::{
    proto::{
        self, AppointmentStatus, BookAppointmentRequest, CancelAppointmentRequest, HoldSlotRequest,
        RescheduleAppointmentRequest,
    },
    sandbox::calcom::{Booking, Error, NewBooking, Status},
};
use tonic::Status as Refusal;

use crate::{
    calcom::practice::{Bookable, Practice},
    support::{caller::TestCaller, desk, reason},
};

/// Half hours that are fought over.
const SLOTS: i64 = 20;
/// Refusals that a racer must expect.
const EXPECTED: [&str; 6] = [
    "SLOT_TAKEN",
    "APPOINTMENT_STATUS",
    "HOLD_EXPIRED",
    "OUTSIDE_BOOKING_WINDOW",
    "PROVIDER_REFUSED",
    // It turned out to be another one's earlier booking between the look at the list and the call.
    "APPOINTMENT_NOT_FOUND",
];
const MOVABLE: [AppointmentStatus; 2] = [AppointmentStatus::Booked, AppointmentStatus::Conflicting];
const OPEN: [AppointmentStatus; 3] =
    [AppointmentStatus::Booked, AppointmentStatus::Conflicting, AppointmentStatus::Requested];

/// Both sides, each with a chance of its own, so that what one does hangs on nothing but the seed and on what
/// it finds.
pub(super) struct Actors<'a> {
    pub(super) here: Here<'a>,
    pub(super) there: There<'a>,
    chance: StdRng,
}

impl<'a> Actors<'a> {
    pub(super) async fn new(practice: &'a Practice, seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        // Not always the same time of day.
        let diary = Diary { practice, first: practice.slot(chance.random_range(0..40)) };
        Self {
            here: Here::new(diary, chance.random()).await,
            there: There::new(diary, chance.random()),
            chance,
        }
    }

    /// One of them does something, or both do at the same time; now and then everything comes to rest.
    pub(super) async fn act(&mut self) {
        match self.chance.random_range(0..10) {
            0..=3 => self.here.act().await,
            4..=6 => self.there.act().await,
            _ => {
                tokio::join!(self.here.act(), self.there.act());
            }
        }
        if self.chance.random_bool(0.12) {
            self.here.diary.practice.work_through().await;
        }
    }
}

/// The times that can be chosen, and for what.
#[derive(Clone, Copy)]
struct Diary<'a> {
    practice: &'a Practice,
    first: DateTime<Utc>,
}

impl<'a> Diary<'a> {
    fn time(&self, chance: &mut StdRng) -> DateTime<Utc> {
        self.first + TimeDelta::minutes(30 * chance.random_range(0..SLOTS))
    }

    fn something(&self, chance: &mut StdRng) -> &'a Bookable {
        let Practice { visit, consultation, .. } = self.practice;
        if chance.random_bool(0.7) { visit } else { consultation }
    }

    /// The same with one of the practitioners.
    fn something_of_somebody(&self, chance: &mut StdRng) -> &'a Bookable {
        let of_first = self.something(chance);
        let of_colleague = self.practice.colleague.as_ref().filter(|_| chance.random_bool(0.4));
        match of_colleague {
            Some(other) if of_first.service_id == other.visit.service_id => &other.visit,
            Some(other) => &other.consultation,
            None => of_first,
        }
    }

    /// Nobody: the one who has it.
    fn somebody(&self, chance: &mut StdRng) -> String {
        let Some(colleague) = self.practice.colleague.as_ref().filter(|_| chance.random_bool(0.5)) else {
            return String::new();
        };
        [&self.practice.practitioner_id, &colleague.practitioner_id][chance.random_range(0..2)].clone()
    }
}

/// The desk and the phone.
pub(super) struct Here<'a> {
    diary: Diary<'a>,
    chance: StdRng,
    phone: TestCaller,
    patients: Vec<String>,
    /// Edits that were granted, or may have been.
    pub(super) edits: usize,
    pub(super) refused: usize,
}

impl<'a> Here<'a> {
    async fn new(diary: Diary<'a>, seed: u64) -> Self {
        let mut patients = Vec::new();
        for (first, last, email, phone) in [
            ("Erika", "Muster", "erika@example.org", ""),
            ("Max", "Beispiel", "max@example.org", ""),
            ("Jonas", "Probe", "jonas@example.org", "+4930 23125042"),
            ("Lena", "Vorlage", "", "+49 30 23125043"),
        ] {
            patients.push(diary.practice.patient(first, last, email, phone).await);
        }
        let phone = diary.practice.phone().await;
        Self { diary, chance: StdRng::seed_from_u64(seed), phone, patients, edits: 0, refused: 0 }
    }

    async fn act(&mut self) {
        let (practice, chance) = (self.diary.practice, &mut self.chance);
        let caller = if chance.random_bool(0.4) { &self.phone } else { &practice.acme.admin };
        let patient = self.patients.choose(chance).expect("patients");
        let wish = practice.wish(self.diary.something(chance), patient, self.diary.time(chance));
        let practitioner_id = self.diary.somebody(chance);
        let wish = match practitioner_id.is_empty() {
            true => wish,
            false => BookAppointmentRequest { practitioner_id, ..wish },
        };
        // A second, as if the line were bad.
        let wait = chance.random_bool(0.15).then_some(prost_types::Duration { seconds: 1, nanos: 0 });
        let known = desk::appointments(&practice.acme.admin).await;
        let asked = match chance.random_range(0..12) {
            0..=3 => book(caller, BookAppointmentRequest { wait_for_provider: wait, ..wish }).await,
            4..=5 => book_held(caller, wish).await,
            6..=9 => {
                let Some(appointment_id) = pick(&known, &MOVABLE, chance) else { return };
                let request = RescheduleAppointmentRequest {
                    appointment_id,
                    start_time: wish.start_time,
                    wait_for_provider: wait,
                    practitioner_id: self.diary.somebody(chance),
                    ..Default::default()
                };
                // In another calendar it is one more, and then one less in the old.
                self.edits += usize::from(!request.practitioner_id.is_empty());
                caller.appointments().reschedule_appointment(request).await.map(drop)
            }
            _ => {
                let Some(appointment_id) = pick(&known, &OPEN, chance) else { return };
                let request = CancelAppointmentRequest {
                    appointment_id,
                    reason: "called off".into(),
                    wait_for_provider: wait,
                    ..Default::default()
                };
                caller.appointments().cancel_appointment(request).await.map(drop)
            }
        };
        match asked {
            Ok(()) => self.edits += 1,
            Err(status) => {
                assert!(EXPECTED.contains(&reason(&status).as_str()), "{status:?}");
                self.refused += 1;
                // Refused there after a wait, it was an edit, and its release another.
                self.edits += 2 * usize::from(wait.is_some());
            }
        }
    }
}

fn pick(known: &[proto::Appointment], statuses: &[AppointmentStatus], chance: &mut StdRng) -> Option<String> {
    let fitting: Vec<_> = known.iter().filter(|one| statuses.contains(&one.status())).collect();
    fitting.choose(chance).map(|one| one.appointment_id.clone())
}

async fn book(caller: &TestCaller, wish: BookAppointmentRequest) -> Result<(), Refusal> {
    desk::book(caller, wish).await.map(drop)
}

/// As on the phone: held while the caller thinks about it.
async fn book_held(caller: &TestCaller, wish: BookAppointmentRequest) -> Result<(), Refusal> {
    let hold = HoldSlotRequest {
        practitioner_id: wish.practitioner_id,
        service_id: wish.service_id,
        start_time: wish.start_time,
        ..Default::default()
    };
    let held = caller.appointments().hold_slot(hold).await?.into_inner();
    let hold_appointment_id = held.appointment.expect("shown").appointment_id;
    let patient_id = wish.patient_id;
    book(caller, BookAppointmentRequest { hold_appointment_id, patient_id, ..Default::default() }).await
}

/// Attendees and the host.
pub(super) struct There<'a> {
    diary: Diary<'a>,
    chance: StdRng,
    /// Bookings whose host asked for another time.
    asked: Vec<Booking>,
    pub(super) changes: usize,
    pub(super) refused: usize,
    /// Bookings that stand wherever else something may stand, for nobody looked.
    pub(super) careless: BTreeSet<String>,
}

impl<'a> There<'a> {
    fn new(diary: Diary<'a>, seed: u64) -> Self {
        let (chance, careless) = (StdRng::seed_from_u64(seed), BTreeSet::new());
        Self { diary, chance, asked: Vec::new(), changes: 0, refused: 0, careless }
    }

    pub(super) async fn act(&mut self) {
        let calcom = &self.diary.practice.calcom;
        let chance = &mut self.chance;
        let standing: Vec<Booking> = calcom.bookings().into_iter().filter(Booking::is_active).collect();
        let pending: Vec<&Booking> = standing.iter().filter(|one| one.status == Status::Pending).collect();
        let start = self.diary.time(chance);
        let (some, waiting) = (standing.choose(chance), pending.choose(chance).copied());
        let elsewhere = some.filter(|one| one.start != start);
        let done = match (chance.random_range(0..17), some, elsewhere, waiting) {
            (0..=4, ..) => calcom.book_as_attendee(attendee(self.diary, start, chance)).await,
            (5..=6, _, Some(one), _) => calcom.reschedule_as_attendee(&one.uid, start).await,
            (7..=8, _, Some(one), _) => calcom.reschedule_as_host(&one.uid, start).await,
            (9, _, Some(one), _) => {
                let moved = calcom.reschedule_unchecked(&one.uid, start).await;
                self.careless.extend(moved.iter().map(|one| one.uid.clone()));
                moved
            }
            (10, Some(one), ..) => calcom.cancel_as_attendee(&one.uid, Some("ill")).await,
            (11, Some(one), ..) => calcom.cancel_as_host(&one.uid, None).await,
            (12, Some(one), ..) => {
                self.asked.push(one.clone());
                calcom.request_reschedule(&one.uid, "another time, please").await
            }
            (13, ..) if !self.asked.is_empty() => {
                let one = self.asked.remove(chance.random_range(0..self.asked.len()));
                if one.start == start {
                    return;
                }
                calcom.answer_reschedule_request(&one.uid, start).await
            }
            (14..=15, .., Some(one)) => {
                // Cal.com does not look before it confirms.
                self.careless.insert(one.uid.clone());
                calcom.confirm(&one.uid).await
            }
            (16, .., Some(one)) => calcom.reject(&one.uid, Some("no time")).await,
            _ => return,
        };
        match done {
            Ok(_) => self.changes += 1,
            Err(Error::Refused(_)) => self.refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Some are patients, and one of those has no address.
fn attendee(diary: Diary<'_>, start: DateTime<Utc>, chance: &mut StdRng) -> NewBooking {
    let event_type = diary.something_of_somebody(chance).event_type;
    let people = [
        ("Erika Muster", "erika@example.org"),
        ("Max Beispiel", "max@example.org"),
        ("Petra Neuling", "petra@example.org"),
        ("Ole Anders", "ole@example.org"),
    ];
    match people.get(chance.random_range(0..=people.len())) {
        Some((name, email)) => NewBooking::new(event_type, start, name, email),
        None => NewBooking::by_phone(event_type, start, "Lena Vorlage", "+493023125043"),
    }
}
