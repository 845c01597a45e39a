//! What the tool keeps, in the words it sends.

use axum::body::Bytes;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Patient {
    pub id: String,
    #[serde(flatten)]
    pub data: PatientData,
}

/// Nothing is checked here: sending what does not fit is one of the things a double is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientData {
    #[serde(default, alias = "first_name")]
    pub vorname: Option<String>,
    #[serde(alias = "last_name")]
    pub nachname: String,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default, alias = "phone")]
    pub telefon: Option<String>,
    /// `YYYY-MM-DD`, as text so that it can be a day that does not exist.
    #[serde(default, alias = "birth_date")]
    pub geburtsdatum: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Appointment {
    pub id: String,
    #[serde(flatten)]
    pub data: AppointmentData,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentData {
    /// The tool's patient id; one it does not know is sent all the same.
    pub patient_id: String,
    pub scheduled_at: DateTime<FixedOffset>,
    pub duration_minutes: u32,
    #[serde(default)]
    pub therapist_name: Option<String>,
    #[serde(default)]
    pub service_name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Scheduled,
    Cancelled,
}

/// One delivery, the same bytes on every repeat of it.
#[derive(Clone, Debug)]
pub struct ToolEvent {
    /// Signed as `webhook-id` by the standard scheme, whether or not the body names it.
    pub(super) delivery_id: String,
    pub(super) body: Bytes,
}

impl ToolEvent {
    /// A body of the caller's own making, fit or not. The id must be of `[A-Za-z0-9_-]{1,64}` to be believed.
    pub fn raw(delivery_id: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { delivery_id: delivery_id.into(), body: body.into() }
    }
}
