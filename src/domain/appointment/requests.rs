//! What callers ask for.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    error::{Error, Result, Violation},
    ids::{AppointmentId, PatientId, PractitionerId, ServiceId},
};

/// What a caller wants to book: a hold they have, or a slot.
#[derive(Debug, Clone, Default)]
pub struct Booking {
    pub hold: Option<AppointmentId>,
    /// Required unless the hold names the patient.
    pub patient: Option<PatientId>,
    /// This and all below belong to a slot and are refused beside a hold.
    pub practitioner: Option<PractitionerId>,
    pub service: Option<ServiceId>,
    pub start: Option<DateTime<Utc>>,
    /// When absent, as long as the service is booked at its provider; elsewhere the service's.
    pub duration: Option<TimeDelta>,
    /// An IANA name; the tenant's when empty.
    pub time_zone: String,
    /// How long to wait for the provider's answer, up to 60 s; not at all when absent.
    pub wait: Option<Duration>,
}

/// A slot that a caller wants kept for a while.
#[derive(Debug, Clone)]
pub struct Hold {
    pub slot: Slot,
    /// How long to keep it; the tenant's setting when absent.
    pub hold_duration: Option<TimeDelta>,
}

/// Who wants whose time, when, and for what.
#[derive(Debug, Clone)]
pub struct Slot {
    pub patient: Option<PatientId>,
    pub practitioner: PractitionerId,
    pub service: Option<ServiceId>,
    pub start: DateTime<Utc>,
    /// When absent, as long as the service is booked at its provider; elsewhere the service's.
    pub duration: Option<TimeDelta>,
    /// An IANA name; the tenant's when empty.
    pub time_zone: String,
}

/// Where a caller wants an appointment moved.
#[derive(Debug, Clone)]
pub struct Move {
    pub appointment: AppointmentId,
    pub start: DateTime<Utc>,
    /// As before when absent.
    pub duration: Option<TimeDelta>,
    /// As before when absent.
    pub practitioner: Option<PractitionerId>,
    /// How long to wait for the provider's answer, up to 60 s; not at all when absent.
    pub wait: Option<Duration>,
}

/// Which appointment a caller wants called off.
#[derive(Debug, Clone)]
pub struct Cancel {
    pub appointment: AppointmentId,
    /// For those who read the history; the provider passes it on to the patient.
    pub reason: String,
    /// How long to wait for the provider's answer, up to 60 s; not at all when absent.
    pub wait: Option<Duration>,
}

impl Booking {
    /// A hold says all of this already. Errors: `Invalid`.
    pub(super) fn refuse_slot(&self) -> Result<()> {
        let said = [
            ("practitioner_id", self.practitioner.is_some()),
            ("service_id", self.service.is_some()),
            ("start_time", self.start.is_some()),
            ("duration", self.duration.is_some()),
            ("time_zone", !self.time_zone.is_empty()),
        ];
        let refused = said.into_iter().filter(|(_, said)| *said);
        let violations: Vec<_> =
            refused.map(|(field, _)| violation(field, "the hold says it; leave it out")).collect();
        if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
    }

    /// The slot that is wanted without a hold. Errors: `Invalid`.
    pub(super) fn into_slot(self) -> Result<Slot> {
        match (self.patient, self.practitioner, self.start) {
            (Some(patient), Some(practitioner), Some(start)) => Ok(Slot {
                patient: Some(patient),
                practitioner,
                service: self.service,
                start,
                duration: self.duration,
                time_zone: self.time_zone,
            }),
            (patient, practitioner, start) => {
                let missing = [
                    ("patient_id", patient.is_none()),
                    ("practitioner_id", practitioner.is_none()),
                    ("start_time", start.is_none()),
                ];
                let missing = missing.into_iter().filter(|(_, missing)| *missing);
                Err(Error::Invalid(
                    missing.map(|(field, _)| violation(field, "required without a hold")).collect(),
                ))
            }
        }
    }
}

fn violation(field: &str, description: &str) -> Violation {
    Violation { field: field.into(), description: description.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(error: Error) -> Vec<String> {
        let Error::Invalid(violations) = error else { panic!("{error}") };
        violations.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn a_booking_without_a_hold_says_who_whose_and_when() {
        let refused =
            Booking { patient: Some(PatientId::new()), ..Booking::default() }.into_slot().unwrap_err();

        assert_eq!(fields(refused), ["practitioner_id", "start_time"]);
    }

    #[test]
    fn a_hold_leaves_nothing_of_the_slot_to_say() {
        let hold = Booking {
            hold: Some(AppointmentId::new()),
            patient: Some(PatientId::new()),
            ..Booking::default()
        };
        let more =
            Booking { service: Some(ServiceId::new()), time_zone: "Europe/Berlin".into(), ..hold.clone() };

        assert!(hold.refuse_slot().is_ok());
        assert_eq!(fields(more.refuse_slot().unwrap_err()), ["service_id", "time_zone"]);
    }
}
