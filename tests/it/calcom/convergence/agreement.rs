//! Both sides in the end, and whether they say the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use stellwerk::sandbox::calcom::{Booking, Source, Status};

use super::history::Actors;
use crate::{
    calcom::practice::{Practice, Review},
    support::database::Session,
};

/// Everything that counts, read above every policy.
pub(super) struct Sides<'a> {
    practice: &'a Practice,
    appointments: Vec<Appointment>,
    known: Vec<Known>,
    intents: Vec<Intent>,
    reviews: Vec<Review>,
    there: Vec<Booking>,
    /// Uids of bookings for which nobody looked there whether the time was free.
    careless: BTreeSet<String>,
    pub(super) dead_letters: usize,
}

#[derive(Debug, Deserialize)]
struct Appointment {
    id: String,
    status: String,
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
    practitioner_id: Option<String>,
    origin: String,
    provider_sync: String,
    provider_sync_reason: Option<String>,
    email: Option<String>,
}

/// What is known here of a booking there.
#[derive(Debug, Deserialize)]
struct Known {
    external_id: String,
    appointment_id: Option<String>,
    status: String,
    is_current: bool,
}

#[derive(Debug, Deserialize)]
struct Intent {
    id: String,
    appointment_id: String,
    kind: String,
    state: String,
    cause: String,
    attempts: i32,
}

const APPOINTMENTS: &str = "SELECT row_to_json(t) FROM (SELECT a.*, p.email FROM appointment a \
    LEFT JOIN patient p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id ORDER BY a.id) t";
const KNOWN: &str = "SELECT row_to_json(t) FROM (SELECT * FROM booking ORDER BY id) t";
const INTENTS: &str = "SELECT row_to_json(t) FROM (SELECT * FROM intent WHERE attempts > 0 ORDER BY id) t";
const DEAD: &str = "SELECT kind || ' ' || reason FROM outbox WHERE state = 'dead'";
/// What the desk gave twice; the constraint over occupied time says the same in other words.
const HELD_TWICE: &str = "SELECT a.id || ' and ' || b.id FROM appointment a JOIN appointment b \
    ON a.tenant_id = b.tenant_id AND a.practitioner_id = b.practitioner_id AND a.id < b.id \
    AND a.start_time < b.end_time AND b.start_time < a.end_time \
    WHERE a.status IN ('held', 'booked') AND b.status IN ('held', 'booked')";

impl<'a> Sides<'a> {
    pub(super) async fn of(practice: &'a Practice, actors: &Actors<'_>) -> Self {
        let owner = practice.app.database.owner().await;
        assert_eq!(owner.lines(HELD_TWICE).await, [""; 0]);
        Self {
            practice,
            appointments: rows(&owner, APPOINTMENTS).await,
            known: rows(&owner, KNOWN).await,
            intents: rows(&owner, INTENTS).await,
            reviews: practice.reviews().await.into_values().flatten().collect(),
            there: practice.calcom.bookings(),
            careless: actors.there.careless.clone(),
            dead_letters: owner.lines(DEAD).await.len(),
        }
    }

    /// Everything in which the sides differ, and what is not at rest.
    pub(super) fn disagreements(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        found.extend(self.appointments.iter().filter_map(|one| self.wrong_with(one)));
        found.extend(self.there.iter().filter_map(|booking| self.wrong_with_booking(booking)));
        found.extend(self.given_twice_there());
        let open = self.intents.iter().filter(|one| ["recorded", "sent", "unknown"].contains(&&*one.state));
        found.extend(open.map(|one| format!("the write {} is still {}", one.id, one.state)));
        found
    }

    fn wrong_with(&self, one: &Appointment) -> Option<String> {
        let wrong = |why: &str| Some(format!("appointment {} ({}) {why}", one.id, one.status));
        if !["none", "synced", "review"].contains(&&*one.provider_sync) {
            return wrong(&format!("is still {}", one.provider_sync));
        }
        let living: Vec<&Booking> = self.lineage(one).filter(|booking| booking.is_active()).collect();
        let current = self.known_of(one).filter(|known| known.is_current).count();
        if current > 1 {
            return wrong("has several current bookings");
        }
        match (&*one.status, &living[..]) {
            // The same, of one that was to be a colleague's.
            ("booked", [_]) if one.provider_sync_reason.as_deref() == Some("BOOKED_ALREADY") => None,
            ("booked", [there]) if there.status == Status::Accepted => self.same(one, there),
            ("requested", [there]) if there.status == Status::Pending => self.same(one, there),
            ("conflicting", [there]) if there.status == Status::Accepted => match self.has_rival(one) {
                true => self.same(one, there),
                false => wrong("is in nobody's way"),
            },
            // Refused there, or unable to get there, and put to a person.
            ("conflicting", []) if self.is_in_review(one) => None,
            // The same person asked for the same time there; which of the two is meant is a person's to say.
            ("booked", []) if one.provider_sync_reason.as_deref() == Some("BOOKED_ALREADY") => None,
            ("cancelled", []) => None,
            (_, []) => wrong("has no booking that lives"),
            (_, [there]) => wrong(&format!("is {:?} there, {}", there.status, there.uid)),
            _ => wrong(&format!("has {} bookings that live", living.len())),
        }
    }

    fn same(&self, one: &Appointment, there: &Booking) -> Option<String> {
        if (one.start_time, one.end_time) != (there.start, there.end) {
            return Some(format!(
                "appointment {} is at {} and there at {}",
                one.id, one.start_time, there.start
            ));
        }
        let whose = self.practice.whose(there.event_type_id);
        if one.practitioner_id.as_deref() != Some(whose) {
            return Some(format!(
                "appointment {} is {:?}'s and there {whose}'s",
                one.id, one.practitioner_id
            ));
        }
        let is_known = self.known_of(one).any(|known| known.external_id == there.uid && known.is_current);
        if !is_known {
            return Some(format!("appointment {} does not know {} as its own", one.id, there.uid));
        }
        // People are found by their address; whoever has none is known by a number.
        let booker = there.attendees.first().map(|attendee| attendee.email.as_str());
        let is_same = one.email.as_deref().is_none_or(|email| booker == Some(email));
        (!is_same).then(|| format!("appointment {} is of {:?} and there of {booker:?}", one.id, one.email))
    }

    fn wrong_with_booking(&self, booking: &Booking) -> Option<String> {
        let known = self.known.iter().find(|known| known.external_id == booking.uid);
        let appointment = known.and_then(|known| known.appointment_id.as_ref());
        match (booking.is_active(), appointment, known) {
            (true, None, _) => Some(format!("booking {} is no appointment", booking.uid)),
            (true, Some(_), Some(known)) if !known.is_current => {
                Some(format!("booking {} is not what its appointment goes by", booking.uid))
            }
            // What was over before anybody looked need not be known.
            _ => None,
        }
    }

    /// Two at one time, although somebody looked both times.
    fn given_twice_there(&self) -> Vec<String> {
        let is_careful = |one: &&Booking| one.status == Status::Accepted && !self.careless.contains(&one.uid);
        let accepted: Vec<_> = self.there.iter().filter(is_careful).collect();
        let overlap = |a: &Booking, b: &Booking| {
            let is_one = self.practice.whose(a.event_type_id) == self.practice.whose(b.event_type_id);
            is_one && a.id < b.id && a.start < b.end && b.start < a.end
        };
        let pairs = accepted.iter().flat_map(|a| accepted.iter().map(move |b| (a, b)));
        let twice = pairs.filter(|(a, b)| overlap(a, b));
        twice.map(|(a, b)| format!("{} and {} are at one time there", a.uid, b.uid)).collect()
    }

    /// The bookings that an appointment has had, by what Cal.com says of them.
    fn lineage<'b>(&'b self, one: &'b Appointment) -> impl Iterator<Item = &'b Booking> {
        let known = self.known_of(one);
        known.filter_map(|known| self.there.iter().find(|booking| booking.uid == known.external_id))
    }

    fn known_of<'b>(&'b self, one: &'b Appointment) -> impl Iterator<Item = &'b Known> {
        self.known.iter().filter(|known| known.appointment_id.as_ref() == Some(&one.id))
    }

    fn has_rival(&self, one: &Appointment) -> bool {
        self.appointments.iter().any(|other| {
            other.id != one.id
                && other.practitioner_id == one.practitioner_id
                && ["held", "booked"].contains(&&*other.status)
                && other.start_time < one.end_time
                && one.start_time < other.end_time
        })
    }

    fn is_in_review(&self, one: &Appointment) -> bool {
        self.reviews.iter().any(|review| review.appointment_id.as_ref() == Some(&one.id))
    }

    /// Intents that became two bookings, and moves that were made twice.
    pub(super) fn made_twice(&self) -> Vec<String> {
        let mut creations: BTreeMap<&str, usize> = BTreeMap::new();
        for booking in self.there.iter().filter(|one| one.rescheduled_from.is_none()) {
            if let Some(intent) = booking.metadata.get("stellwerk_intent").and_then(|name| name.as_str()) {
                *creations.entry(intent).or_default() += 1;
            }
        }
        let twice = creations.into_iter().filter(|(_, count)| *count > 1);
        let twice = twice.map(|(intent, count)| format!("the write {intent} made {count} bookings"));
        let moves = self.there.iter().filter_map(|booking| {
            let to = self.there.iter().find(|one| Some(&one.uid) == booking.rescheduled_to.as_ref())?;
            (to.start == booking.start).then(|| format!("{} was moved to where it was", booking.uid))
        });
        twice.chain(moves).collect()
    }

    pub(super) fn writes(&self) -> usize {
        self.intents.len()
    }

    /// Writes that no caller asked for.
    pub(super) fn writes_of_ours(&self) -> usize {
        // A subject is `{issuer}|{subject}`.
        let is_a_callers = |cause: &str| cause.contains('|');
        self.intents.iter().filter(|one| !is_a_callers(&one.cause)).count()
    }

    /// Attendees who were faster than a write of ours.
    pub(super) fn rivals(&self) -> usize {
        let is_rival = |one: &&Booking| {
            one.rescheduled_from.is_none()
                && one.attendees.iter().any(|attendee| attendee.email == "rita.rival@example.org")
        };
        self.there.iter().filter(is_rival).count()
    }

    /// What is known of all this, a line for each thing; for whoever looks into a disagreement.
    pub(super) fn story(&self) -> String {
        let here = self.appointments.iter().flat_map(|one| {
            let known = self.known_of(one).map(|known| {
                let mark = if known.is_current { "*" } else { "" };
                format!("    booking {}{mark} {}", known.external_id, known.status)
            });
            let intents =
                self.intents.iter().filter(|intent| intent.appointment_id == one.id).map(|intent| {
                    format!("    write {} {} {} of {}", intent.id, intent.kind, intent.state, intent.cause)
                });
            let reviews = self.reviews.iter().filter(|item| item.appointment_id.as_ref() == Some(&one.id));
            let reviews = reviews.map(|item| format!("    review {} {}", item.kind, item.reason));
            let sync = (&one.provider_sync, &one.provider_sync_reason);
            let head = format!("{} {} {} {sync:?}", one.id, one.status, one.start_time);
            [head].into_iter().chain(known).chain(intents).chain(reviews).collect::<Vec<_>>()
        });
        let there = self.there.iter().map(|one| {
            let to = one.rescheduled_to.as_deref().unwrap_or_default();
            format!("there {} {:?} {} {:?} {to}", one.uid, one.status, one.start, one.source)
        });
        here.chain(there).collect::<Vec<_>>().join("\n")
    }

    /// The share of what could be had that Cal.com has: what was refused because others have its time could
    /// not.
    pub(super) fn success(&self) -> f64 {
        let wanted = self.appointments.iter().filter(|one| one.provider_sync != "none");
        let was_refused = |one: &Appointment| {
            let reason = one.provider_sync_reason.as_deref().unwrap_or_default();
            one.provider_sync == "review" && super::DECIDED.contains(&reason)
        };
        let possible: Vec<_> = wanted.filter(|one| !was_refused(one)).collect();
        let synced = possible.iter().filter(|one| one.provider_sync == "synced").count();
        if possible.is_empty() { 1.0 } else { synced as f64 / possible.len() as f64 }
    }

    pub(super) fn summary(&self, actors: &Actors<'_>) -> String {
        let mut reviews: BTreeMap<String, usize> = BTreeMap::new();
        for review in &self.reviews {
            *reviews.entry(format!("{} {}", review.kind, review.reason)).or_default() += 1;
        }
        let born_here = self.appointments.iter().filter(|one| one.origin != "calcom").count();
        let by_api = self.there.iter().filter(|one| one.source == Source::ApiV2).count();
        let tries: i32 = self.intents.iter().map(|one| one.attempts).sum();
        let (here, there) = (&actors.here, &actors.there);
        format!(
            "success {:.1} %; {} appointments ({born_here} born here), {} bookings there ({by_api} of ours); \
             {} edits here ({} refused), {} there ({} refused, {} careless); \
             {} writes in {tries} tries, {:.2} per change there that nobody asked for; \
             reviews {reviews:?}; dead letters {}",
            self.success() * 100.0,
            self.appointments.len(),
            self.there.len(),
            here.edits,
            here.refused,
            there.changes,
            there.refused,
            there.careless.len(),
            self.writes(),
            self.writes_of_ours() as f64 / there.changes.max(1) as f64,
            self.dead_letters,
        )
    }
}

async fn rows<T: DeserializeOwned>(owner: &Session, sql: &str) -> Vec<T> {
    let lines = owner.lines(sql).await;
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}
