//! What the booking tool says: the body of an authentic delivery, read into one typed event.
//!
//! The tool is ours, so its contract is too. Its first version speaks German (`vorname`), later ones may
//! speak English (`first_name`); ids are texts or whole numbers; null and blank texts mean absent; unknown
//! fields are ignored. Everything else that does not fit is named by its field, never guessed.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use crate::{
    fold,
    provider::{
        names::names,
        signature::{Hmac, Prefix, Scheme},
    },
    words::SignatureScheme,
};

pub use fields::is_id;
use fields::{Fields, Flaw};

mod fields;
#[cfg(test)]
mod tests;

/// Its key in the catalog.
pub const PROVIDER: &str = "booking";

/// The signature of the tool's first version.
pub const LEGACY: Scheme = Scheme::Hmac(Hmac::of_body("x-webhook-signature", Prefix::Maybe("sha256=")));
/// The signature of its newer ones; an endpoint takes one of the two.
pub const STANDARD: Scheme = Scheme::StandardWebhooks;

/// How the tool signs for an endpoint of this scheme. `None`: it does not sign like that.
pub fn scheme(word: SignatureScheme) -> Option<Scheme> {
    match word {
        SignatureScheme::Legacy => Some(LEGACY),
        SignatureScheme::Standard => Some(STANDARD),
        _ => None,
    }
}

/// What every delivery says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Absent in old versions: then only the state itself tells a repeat from a change.
    pub id: Option<String>,
    pub kind: Kind,
    /// Absent in old versions: then arrival decides the order. Microseconds, as PostgreSQL keeps them.
    pub occurred_time: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Ping,
    PatientCreated,
    PatientUpdated,
    PatientDeleted,
    AppointmentCreated,
    AppointmentUpdated,
    AppointmentCancelled,
    Unknown,
}

names! {
    Kind {
        Ping = "ping",
        PatientCreated = "patient.created",
        PatientUpdated = "patient.updated",
        PatientDeleted = "patient.deleted",
        AppointmentCreated = "appointment.created",
        AppointmentUpdated = "appointment.updated",
        AppointmentCancelled = "appointment.cancelled",
    } else Unknown = "unknown"
}

#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    Ping,
    PatientUpserted {
        created: bool,
        patient: ToolPatient,
    },
    PatientDeleted {
        id: String,
    },
    AppointmentUpserted {
        created: bool,
        appointment: ToolAppointment,
    },
    AppointmentCancelled {
        id: String,
        cancelled_time: Option<DateTime<Utc>>,
        reason: Option<String>,
    },
    /// Something a newer version of the tool says; its data stay unread.
    Unknown {
        event: String,
    },
}

/// A patient as the tool knows them. Names, e-mail and phone come without surrounding blanks.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolPatient {
    pub id: String,
    pub first_name: Option<String>,
    pub last_name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub birth_date: Option<NaiveDate>,
}

/// An appointment as the tool knows it. Therapist and service are verbatim.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolAppointment {
    pub id: String,
    /// The tool's patient id; the patient may not have arrived yet.
    pub patient_id: String,
    /// Microseconds, as PostgreSQL keeps them.
    pub start_time: DateTime<Utc>,
    /// East of Greenwich, as the tool wrote it: an offset, not a zone.
    pub utc_offset_minutes: i32,
    pub duration_minutes: u32,
    pub therapist_name: Option<String>,
    pub service_name: Option<String>,
    pub status: ToolStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolStatus {
    Booked,
    Cancelled,
    Completed,
    NoShow,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a JSON object with an `event` text: answered 400, nothing is kept.
    #[error("not a JSON object that names its event")]
    NotJson,
    /// Kept as an event with status `error` and answered 422 with the field's name.
    #[error("{field} {problem}")]
    Unfit {
        /// As far as it was read: a part that is itself unfit is absent.
        envelope: Envelope,
        /// Fit to be kept: without control characters, at most 200 characters.
        event: String,
        /// As in `id` or `data.duration_minutes`; of two synonyms the one that was used.
        field: String,
        problem: Problem,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("is missing")]
    Missing,
    #[error("is not of the documented form")]
    Invalid,
    #[error("is too long")]
    TooLong,
    #[error("is out of range")]
    OutOfRange,
}

impl Problem {
    /// The code in the answer to the tool.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => "FIELD_MISSING",
            Self::Invalid => "FIELD_INVALID",
            Self::TooLong => "FIELD_TOO_LONG",
            Self::OutOfRange => "FIELD_OUT_OF_RANGE",
        }
    }
}

/// Reads the body of an authentic delivery that arrived just now.
pub fn parse(body: &[u8]) -> Result<(Envelope, Event), ParseError> {
    parse_at(body, Utc::now())
}

/// The same with the clock given: nobody is born after tomorrow.
pub fn parse_at(body: &[u8], now: DateTime<Utc>) -> Result<(Envelope, Event), ParseError> {
    let root: Map<String, Value> = serde_json::from_slice(body).map_err(|_| ParseError::NotJson)?;
    let name = match root.get("event") {
        Some(Value::String(name)) if !name.is_empty() => name,
        _ => return Err(ParseError::NotJson),
    };
    let mut envelope = Envelope { id: None, kind: Kind::of(name), occurred_time: None };
    read(&root, name, &mut envelope, now)
        .map_err(|flaw| ParseError::Unfit {
            envelope: envelope.clone(),
            event: keepable(name),
            field: flaw.field,
            problem: flaw.problem,
        })
        .map(|event| (envelope, event))
}

/// Fills the envelope as far as it goes, so that an unfit event is still kept under its own id.
fn read(
    root: &Map<String, Value>,
    name: &str,
    envelope: &mut Envelope,
    now: DateTime<Utc>,
) -> Result<Event, Flaw> {
    let outer = Fields::of_envelope(root);
    if name != keepable(name) {
        return Err(outer.flaw("event", Problem::Invalid));
    }
    envelope.id = outer.delivery_id("id")?;
    envelope.occurred_time = outer.occurred("occurred_at")?;

    Ok(match envelope.kind {
        Kind::Ping => Event::Ping,
        Kind::Unknown => Event::Unknown { event: name.to_owned() },
        Kind::PatientCreated | Kind::PatientUpdated => Event::PatientUpserted {
            created: envelope.kind == Kind::PatientCreated,
            patient: patient(&Fields::of_data(root)?, now)?,
        },
        Kind::PatientDeleted => Event::PatientDeleted { id: Fields::of_data(root)?.id("id")? },
        Kind::AppointmentCreated | Kind::AppointmentUpdated => Event::AppointmentUpserted {
            created: envelope.kind == Kind::AppointmentCreated,
            appointment: appointment(&Fields::of_data(root)?)?,
        },
        Kind::AppointmentCancelled => {
            let data = Fields::of_data(root)?;
            Event::AppointmentCancelled {
                id: data.id("id")?,
                cancelled_time: data.time("cancelled_at")?.map(|time| time.to_utc()),
                reason: data.prose("reason", 2000)?,
            }
        }
    })
}

fn patient(data: &Fields<'_>, now: DateTime<Utc>) -> Result<ToolPatient, Flaw> {
    Ok(ToolPatient {
        id: data.id("id")?,
        first_name: data.trimmed(&["vorname", "first_name"], 200)?,
        last_name: data
            .trimmed(&["nachname", "last_name"], 200)?
            .filter(|name| !fold::name(name).is_empty())
            .ok_or_else(|| data.flaw("nachname", Problem::Missing))?,
        email: data.trimmed(&["email"], 320)?,
        phone: data.trimmed(&["telefon", "phone"], 50)?,
        birth_date: data.birth_date(&["geburtsdatum", "birth_date"], now)?,
    })
}

fn appointment(data: &Fields<'_>) -> Result<ToolAppointment, Flaw> {
    let id = data.id("id")?;
    let patient_id = data.id("patient_id")?;
    let start = data.time("scheduled_at")?.ok_or_else(|| data.flaw("scheduled_at", Problem::Missing))?;
    Ok(ToolAppointment {
        id,
        patient_id,
        start_time: start.to_utc(),
        utc_offset_minutes: start.offset().local_minus_utc() / 60,
        duration_minutes: data.minutes("duration_minutes")?,
        therapist_name: data.verbatim("therapist_name", 200)?,
        service_name: data.verbatim("service_name", 200)?,
        status: match data.verbatim("status", 50)?.as_deref() {
            None | Some("scheduled" | "confirmed") => ToolStatus::Booked,
            Some("cancelled") => ToolStatus::Cancelled,
            Some("completed") => ToolStatus::Completed,
            Some("no_show") => ToolStatus::NoShow,
            Some(_) => return Err(data.flaw("status", Problem::Invalid)),
        },
    })
}

/// An event name as it may be stored: PostgreSQL text takes no NUL, people read no control characters.
fn keepable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

impl ToolPatient {
    /// Equal for equal patients only: what the caller's keyed fingerprint is made of.
    pub fn canonical(&self) -> Vec<u8> {
        let Self { id, first_name, last_name, email, phone, birth_date } = self;
        let birth_date = birth_date.map(|date| date.to_string());
        encode(
            b"booking_tool.patient.1",
            [Some(id), first_name.as_ref(), Some(last_name), email.as_ref(), phone.as_ref()]
                .into_iter()
                .chain([birth_date.as_ref()])
                .map(|field| field.map(String::as_bytes)),
        )
    }
}

impl ToolAppointment {
    /// Equal for equal appointments only: what the caller's keyed fingerprint is made of.
    pub fn canonical(&self) -> Vec<u8> {
        let Self { id, patient_id, start_time, therapist_name, service_name, .. } = self;
        let status = match self.status {
            ToolStatus::Booked => b"booked".as_slice(),
            ToolStatus::Cancelled => b"cancelled",
            ToolStatus::Completed => b"completed",
            ToolStatus::NoShow => b"no_show",
        };
        encode(
            b"booking_tool.appointment.1",
            [
                Some(id.as_bytes()),
                Some(patient_id.as_bytes()),
                Some(&start_time.timestamp().to_be_bytes()),
                Some(&start_time.timestamp_subsec_nanos().to_be_bytes()),
                Some(&self.utc_offset_minutes.to_be_bytes()),
                Some(&self.duration_minutes.to_be_bytes()),
                therapist_name.as_ref().map(String::as_bytes),
                service_name.as_ref().map(String::as_bytes),
                Some(status),
            ],
        )
    }
}

/// The label, then every field: 0 for an absent one, else 1, its length and its bytes.
fn encode<'a>(label: &[u8], fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
    let mut out = label.to_vec();
    for field in fields {
        match field {
            None => out.push(0),
            Some(bytes) => {
                out.push(1);
                out.extend((bytes.len() as u64).to_be_bytes());
                out.extend(bytes);
            }
        }
    }
    out
}

// What a person is called or suffers from has no place in a log line: only ids are printed.

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("Ping"),
            Self::PatientUpserted { created, patient } => {
                write!(f, "PatientUpserted {{ created: {created}, patient: {patient:?} }}")
            }
            Self::PatientDeleted { id } => write!(f, "PatientDeleted {{ id: {id:?} }}"),
            Self::AppointmentUpserted { created, appointment } => {
                write!(f, "AppointmentUpserted {{ created: {created}, appointment: {appointment:?} }}")
            }
            Self::AppointmentCancelled { id, .. } => {
                write!(f, "AppointmentCancelled {{ id: {id:?}, .. }}")
            }
            Self::Unknown { event } => write!(f, "Unknown {{ event: {event:?} }}"),
        }
    }
}

impl fmt::Debug for ToolPatient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolPatient").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ToolAppointment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolAppointment").field("id", &self.id).finish_non_exhaustive()
    }
}
