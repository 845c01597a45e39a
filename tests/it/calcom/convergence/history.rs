//! What people do: at the desk and on the phone here, as attendees and host there.

use chrono::{DateTime, Utc};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use stellwerk::{
    proto::{
        self, AppointmentStatus, BookAppointmentRequest, CancelAppointmentRequest, HoldSlotRequest,
        RescheduleAppointmentRequest,
    },
    sandbox::calcom::{Booking, Error, NewBooking, Status},
};

use crate::{
    calcom::practice::{Bookable, Practice},
    support::{caller::TestCaller, desk, reason},
};

/// Half hours that are fought over.
const SLOTS: i64 = 24;
/// Refusals that a racer must expect.
const EXPECTED: [&str; 6] = [
    "SLOT_TAKEN",
    "APPOINTMENT_STATUS",
    "APPOINTMENT_NOT_FOUND",
    "HOLD_EXPIRED",
    "OUTSIDE_BOOKING_WINDOW",
    "PROVIDER_REFUSED",
];

/// What was done, as far as it was granted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) local: usize,
    pub(super) outside: usize,
    pub(super) refused_here: usize,
    pub(super) refused_there: usize,
}

pub(super) struct Actors<'a> {
    practice: &'a Practice,
    phone: TestCaller,
    patients: Vec<String>,
    pub(super) tally: Tally,
    /// Bookings whose host asked for another time.
    asked: Vec<String>,
    base: DateTime<Utc>,
}

impl<'a> Actors<'a> {
    pub(super) async fn new(practice: &'a Practice, chance: &mut StdRng) -> Self {
        let mut patients = Vec::new();
        for (first, last, email, phone) in [
            ("Erika", "Muster", "erika@example.org", ""),
            ("Max", "Beispiel", "max@example.org", ""),
            ("Jonas", "Probe", "jonas@example.org", "+4930 23125042"),
            ("Lena", "Vorlage", "", "+49 30 23125043"),
        ] {
            patients.push(practice.patient(first, last, email, phone).await);
        }
        // Not always the same time of day.
        let base = practice.slot(chance.random_range(0..40));
        let phone = practice.phone().await;
        Self { practice, phone, patients, tally: Tally::default(), asked: Vec::new(), base }
    }

    pub(super) async fn act(&mut self, chance: &mut StdRng) {
        if chance.random_bool(0.5) { self.act_here(chance).await } else { self.act_outside(chance).await }
    }

    async fn act_here(&mut self, chance: &mut StdRng) {
        let practice = self.practice;
        let caller = if chance.random_bool(0.4) { self.phone.clone() } else { practice.acme.admin.clone() };
        let patient = self.patients.choose(chance).expect("patients").clone();
        let wish = practice.wish(self.something(chance), &patient, self.time(chance));
        let wait = chance.random_bool(0.15).then_some(prost_types::Duration { seconds: 1, nanos: 0 });
        let known = desk::appointments(&practice.acme.admin).await;
        let asked = match chance.random_range(0..12) {
            0..=3 => book(&caller, BookAppointmentRequest { wait_for_provider: wait, ..wish }).await,
            4..=5 => book_held(&caller, wish).await,
            6..=9 => match pick(&known, &[AppointmentStatus::Booked, AppointmentStatus::Conflicting], chance)
            {
                Some(id) => {
                    let request = RescheduleAppointmentRequest {
                        appointment_id: id,
                        start_time: wish.start_time,
                        wait_for_provider: wait,
                        ..Default::default()
                    };
                    caller.appointments().reschedule_appointment(request).await.map(drop)
                }
                None => return,
            },
            _ => match pick(&known, &OPEN, chance) {
                Some(id) => {
                    let request = CancelAppointmentRequest {
                        appointment_id: id,
                        reason: "called off".into(),
                        wait_for_provider: wait,
                        ..Default::default()
                    };
                    caller.appointments().cancel_appointment(request).await.map(drop)
                }
                None => return,
            },
        };
        match asked {
            Ok(()) => self.tally.local += 1,
            Err(status) => {
                assert!(EXPECTED.contains(&reason(&status).as_str()), "{status:?}");
                self.tally.refused_here += 1;
                // What was booked and refused by Cal.com was an edit, and its release another.
                self.tally.local += 2 * usize::from(wait.is_some());
            }
        }
    }

    pub(super) async fn act_outside(&mut self, chance: &mut StdRng) {
        let calcom = &self.practice.calcom;
        let standing: Vec<Booking> = calcom.bookings().into_iter().filter(Booking::is_active).collect();
        let pending: Vec<&Booking> = standing.iter().filter(|one| one.status == Status::Pending).collect();
        let start = self.time(chance);
        let (some, waiting) = (standing.choose(chance), pending.choose(chance));
        let done = match (chance.random_range(0..15), some, waiting) {
            (0..=4, ..) => calcom.book_as_attendee(self.attendee(start, chance)).await,
            (5..=6, Some(one), _) if one.start != start => {
                calcom.reschedule_as_attendee(&one.uid, start).await
            }
            (7..=8, Some(one), _) if one.start != start => calcom.reschedule_as_host(&one.uid, start).await,
            (9, Some(one), _) => calcom.cancel_as_attendee(&one.uid, Some("ill")).await,
            (10, Some(one), _) => calcom.cancel_as_host(&one.uid, None).await,
            (11, Some(one), _) => {
                self.asked.push(one.uid.clone());
                calcom.request_reschedule(&one.uid, "another time, please").await
            }
            (12, ..) if !self.asked.is_empty() => {
                let uid = self.asked.remove(chance.random_range(0..self.asked.len()));
                calcom.answer_reschedule_request(&uid, start).await
            }
            (13, _, Some(one)) if self.is_free(one) => calcom.confirm(&one.uid).await,
            (14, _, Some(one)) => calcom.reject(&one.uid, Some("no time")).await,
            _ => return,
        };
        match done {
            Ok(_) => self.tally.outside += 1,
            Err(Error::Refused(_)) => self.tally.refused_there += 1,
            Err(error) => panic!("{error}"),
        }
    }

    /// Cal.com does not look before it confirms; this host does.
    fn is_free(&self, wanted: &Booking) -> bool {
        let takes = |one: &Booking| {
            one.status == Status::Accepted && one.start < wanted.end && wanted.start < one.end
        };
        !self.practice.calcom.bookings().iter().any(takes)
    }

    fn attendee(&self, start: DateTime<Utc>, chance: &mut StdRng) -> NewBooking {
        let event_type = self.something(chance).event_type;
        // Some are patients; one has no address.
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

    fn something(&self, chance: &mut StdRng) -> &'a Bookable {
        let Practice { visit, consultation, .. } = self.practice;
        if chance.random_bool(0.7) { visit } else { consultation }
    }

    fn time(&self, chance: &mut StdRng) -> DateTime<Utc> {
        self.base + chrono::TimeDelta::minutes(30 * chance.random_range(0..SLOTS))
    }
}

const OPEN: [AppointmentStatus; 3] =
    [AppointmentStatus::Booked, AppointmentStatus::Conflicting, AppointmentStatus::Requested];

fn pick(known: &[proto::Appointment], statuses: &[AppointmentStatus], chance: &mut StdRng) -> Option<String> {
    let fitting: Vec<_> = known.iter().filter(|one| statuses.contains(&one.status())).collect();
    fitting.choose(chance).map(|one| one.appointment_id.clone())
}

async fn book(caller: &TestCaller, wish: BookAppointmentRequest) -> Result<(), tonic::Status> {
    desk::book(caller, wish).await.map(drop)
}

/// As on the phone: held while the caller thinks about it.
async fn book_held(caller: &TestCaller, wish: BookAppointmentRequest) -> Result<(), tonic::Status> {
    let hold = HoldSlotRequest {
        practitioner_id: wish.practitioner_id,
        service_id: wish.service_id,
        start_time: wish.start_time,
        ..Default::default()
    };
    let held = caller.appointments().hold_slot(hold).await?.into_inner();
    let held = held.appointment.expect("shown").appointment_id;
    let booking = BookAppointmentRequest {
        hold_appointment_id: held,
        patient_id: wish.patient_id,
        ..Default::default()
    };
    book(caller, booking).await
}
