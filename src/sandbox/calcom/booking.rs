//! Bookings, as the double keeps them.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Rescheduling makes a new booking with a new uid and retires this one, so a uid's times never change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    pub id: i64,
    pub uid: String,
    pub event_type_id: i64,
    /// The organizer.
    pub user_id: i64,
    pub title: String,
    pub notes: String,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub status: Status,
    /// Cancelled because it was moved, or because the host asked for another time.
    pub rescheduled: bool,
    pub rescheduled_from: Option<String>,
    pub rescheduled_to: Option<String>,
    pub rescheduled_by: Option<String>,
    pub rescheduling_reason: Option<String>,
    pub cancellation_reason: Option<String>,
    pub cancelled_by: Option<String>,
    pub rejection_reason: Option<String>,
    pub location: String,
    /// What the first writer sent; inherited by every successor.
    pub metadata: Map<String, Value>,
    pub responses: Map<String, Value>,
    pub attendees: Vec<Attendee>,
    pub guests: Vec<String>,
    pub absent_host: bool,
    /// `<first uid>@Cal.com`, the same for all successors.
    pub ics_uid: String,
    pub ical_sequence: u32,
    pub recurring_uid: Option<String>,
    pub payment_id: Option<i64>,
    pub paid: bool,
    pub source: Source,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Accepted,
    Pending,
    Cancelled,
    Rejected,
}

/// Where a booking was first made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Source {
    ApiV2,
    Webapp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attendee {
    pub id: i64,
    pub name: String,
    /// `<digits>@sms.cal.com` for those who gave a telephone number only.
    pub email: String,
    pub phone: Option<String>,
    pub time_zone: String,
    pub language: String,
    pub absent: bool,
    pub seat: Option<Seat>,
}

/// One place in a booking that several attendees share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    pub uid: String,
    pub responses: Map<String, Value>,
    pub metadata: Map<String, Value>,
}

/// What an attendee at a booking page, or a caller of the API, asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBooking {
    pub event_type_id: i64,
    pub start: DateTime<Utc>,
    #[serde(default)]
    pub length_minutes: Option<u32>,
    pub name: String,
    #[serde(default)]
    pub email: Option<String>,
    /// E.164.
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default = "berlin")]
    pub time_zone: String,
    #[serde(default = "german")]
    pub language: String,
    #[serde(default)]
    pub guests: Vec<String>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// By the slug of the field.
    #[serde(default)]
    pub responses: Map<String, Value>,
    /// As Cal.com keeps it: `integrations:daily`, a telephone number, an address.
    #[serde(default)]
    pub location: Option<String>,
    #[serde(default)]
    pub occurrences: Option<u32>,
    /// Books without looking whether anything is free, as calendar synchronisation and hosts may.
    #[serde(default)]
    pub unchecked: bool,
    #[serde(default)]
    pub verification_code: Option<String>,
}

fn berlin() -> String {
    "Europe/Berlin".to_owned()
}

fn german() -> String {
    "de".to_owned()
}

impl NewBooking {
    pub fn new(event_type_id: i64, start: DateTime<Utc>, name: &str, email: &str) -> Self {
        Self {
            event_type_id,
            start,
            length_minutes: None,
            name: name.to_owned(),
            email: Some(email.to_owned()),
            phone: None,
            time_zone: berlin(),
            language: german(),
            guests: Vec::new(),
            metadata: Map::new(),
            responses: Map::new(),
            location: None,
            occurrences: None,
            unchecked: false,
            verification_code: None,
        }
    }

    /// An attendee who gave no e-mail address.
    pub fn by_phone(event_type_id: i64, start: DateTime<Utc>, name: &str, phone: &str) -> Self {
        Self { email: None, phone: Some(phone.to_owned()), ..Self::new(event_type_id, start, name, "") }
    }

    /// [`Self::unchecked`].
    pub fn without_checks(self) -> Self {
        Self { unchecked: true, ..self }
    }

    /// The address Cal.com writes to: given, or made up from the telephone number
    /// (packages/lib/contructEmailFromPhoneNumber.ts).
    pub(crate) fn address(&self) -> String {
        match (&self.email, &self.phone) {
            (Some(email), _) => email.clone(),
            (None, Some(phone)) => {
                format!("{}@sms.cal.com", phone.chars().filter(char::is_ascii_digit).collect::<String>())
            }
            (None, None) => String::new(),
        }
    }
}

impl Booking {
    /// Whether it stands or may come to stand.
    pub fn is_active(&self) -> bool {
        matches!(self.status, Status::Accepted | Status::Pending)
    }

    pub fn minutes(&self) -> i64 {
        (self.end - self.start).num_minutes()
    }

    /// The first attendee is the one who booked.
    pub(crate) fn booker(&self) -> Option<&Attendee> {
        self.attendees.first()
    }

    pub(crate) fn overlaps(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        self.start < end && start < self.end
    }

    /// Held over video: Cal.com makes a room.
    pub(crate) fn has_video(&self) -> bool {
        self.location.starts_with("integrations:")
    }

    pub(crate) fn video_url(&self) -> String {
        format!("https://video.example.com/{}", self.uid)
    }
}

impl Attendee {
    pub(crate) fn zone(&self) -> Tz {
        Tz::from_str(&self.time_zone).unwrap_or(Tz::UTC)
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

/// 22 letters and digits, as short-uuid makes them.
pub(crate) fn new_uid() -> String {
    let mut rng = rand::rng();
    (0..22).map(|_| char::from(rng.sample(rand::distr::Alphanumeric))).collect()
}

pub(crate) fn new_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

pub(crate) fn minutes(count: impl Into<i64>) -> TimeDelta {
    TimeDelta::minutes(count.into())
}
