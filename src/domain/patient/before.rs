//! What a person was before somebody else's data came to them, so that it can be given back.

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    error::{Error, Result},
    ids::PractitionerId,
    store::{patient::Patient, patient_link::PatientLink},
};

/// What is said of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::domain) struct Data {
    first_name: String,
    last_name: String,
    email: Option<String>,
    booking_email: Option<String>,
    phone: Option<String>,
    birth_date: Option<NaiveDate>,
    /// Absent where nobody says: in records, and in what was kept by merges that gave no practitioner.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    practitioner_id: Option<Option<PractitionerId>>,
}

impl Data {
    pub(in crate::domain) fn of(person: &Patient) -> Self {
        Self {
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            email: person.email.clone(),
            booking_email: person.booking_email.clone(),
            phone: person.phone.clone(),
            birth_date: person.birth_date,
            practitioner_id: Some(person.practitioner_id),
        }
    }

    /// What a tool's record says; its address may have become either one of the person's.
    pub(in crate::domain) fn said_by(record: &PatientLink) -> Self {
        Self {
            first_name: record.first_name.clone(),
            last_name: record.last_name.clone(),
            email: record.email.clone(),
            booking_email: record.email.clone(),
            phone: record.phone.clone(),
            birth_date: record.birth_date,
            practitioner_id: None,
        }
    }

    pub(in crate::domain) fn read(kept: &Value) -> Result<Self> {
        Self::deserialize(kept).map_err(Error::internal)
    }

    pub(in crate::domain) fn kept(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// Makes a person what these data say, but only where they have what is `theirs`, who leave: what was
    /// corrected since stays. What nobody has any more stays empty.
    pub(in crate::domain) fn give_back(self, person: &mut Patient, theirs: &Self) {
        if person.first_name == theirs.first_name {
            person.first_name = self.first_name;
        }
        if person.last_name == theirs.last_name {
            person.last_name = self.last_name;
        }
        give_back(&mut person.email, self.email, &theirs.email);
        give_back(&mut person.booking_email, self.booking_email, &theirs.booking_email);
        give_back(&mut person.phone, self.phone, &theirs.phone);
        give_back(&mut person.birth_date, self.birth_date, &theirs.birth_date);
        // One practitioner has many patients: who had another one was given this one by somebody.
        if self.practitioner_id == Some(None) && theirs.practitioner_id == Some(person.practitioner_id) {
            person.practitioner_id = None;
        }
    }
}

/// `null` is a value, other than nothing at all.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<PractitionerId>>, D::Error> {
    Option::deserialize(value).map(Some)
}

fn give_back<T: PartialEq>(has: &mut Option<T>, had: Option<T>, theirs: &Option<T>) {
    if theirs.is_some() && has == theirs {
        *has = had;
    }
}
