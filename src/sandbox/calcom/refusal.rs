//! What Cal.com says when it refuses, in its two envelopes.
//!
//! A: exceptions of the web framework,
//!    `{"status":"error","timestamp","path","error":{code,message,details}}`.
//! B: errors of the booking engine, `{"statusCode","message"}`; neither `status` nor `error`.

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub status: u16,
    pub envelope: Envelope,
    pub message: String,
    /// Of a body that did not validate: field, as `attendee.name`, name of the rule, what it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Envelope {
    A,
    B,
}

pub(crate) const TAKEN: &str = "User either already has booking at this time or is not available";
const TOO_SOON_OR_TOO_FAR: &str = "The event type can't be booked at the \"start\" time provided. This \
    could be because it's too soon (violating the minimum booking notice) or too far in the future \
    (outside the event's scheduling window). Try fetching available slots first using the GET /v2/slots \
    endpoint and then make a booking with \"start\" time equal to one of the available slots: \
    https://cal.com/docs/api-reference/v2/slots";
const THROTTLED: &str = "CustomThrottlerGuard - Too many requests. Please try again later.";

impl Refusal {
    /// Of the web framework.
    pub fn framework(status: u16, message: impl Into<String>) -> Self {
        Self { status, envelope: Envelope::A, message: message.into(), fields: Vec::new() }
    }

    /// Of the booking engine.
    pub fn engine(status: u16, message: impl Into<String>) -> Self {
        Self { status, envelope: Envelope::B, message: message.into(), fields: Vec::new() }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::framework(400, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::framework(404, message)
    }

    pub(crate) fn invalid(fields: Vec<(String, String, String)>) -> Self {
        let message =
            fields.iter().map(|(field, _, says)| format!("{field} property is wrong,{says} ")).collect();
        Self { status: 400, envelope: Envelope::A, message, fields }
    }

    pub(crate) fn slot_taken() -> Self {
        Self::bad(TAKEN)
    }

    pub(crate) fn out_of_bounds() -> Self {
        Self::bad(TOO_SOON_OR_TOO_FAR)
    }

    /// Another insert of the same start, end and organizer was faster.
    pub(crate) fn lost_race() -> Self {
        Self::engine(409, "booking_conflict_error")
    }

    pub(crate) fn throttled() -> Self {
        Self::framework(429, THROTTLED)
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// `path` with its query, as Express sees it.
    pub(crate) fn body(&self, path: &str, now: DateTime<Utc>) -> Value {
        match self.envelope {
            Envelope::B => json!({ "statusCode": self.status, "message": self.message }),
            Envelope::A => json!({
                "status": "error",
                "timestamp": now.to_rfc3339_opts(SecondsFormat::Millis, true),
                "path": path,
                "error": { "code": self.exception(), "message": self.message, "details": self.details() },
            }),
        }
    }

    fn exception(&self) -> String {
        match self.status {
            429 => "ThrottlerException".to_owned(),
            500 => "InternalServerErrorException".to_owned(),
            _ => format!("{}Exception", self.reason().replace(' ', "")),
        }
    }

    fn details(&self) -> Value {
        if self.status == 429 {
            return json!(self.message);
        }
        if self.fields.is_empty() {
            return json!({ "message": self.message, "error": self.reason(), "statusCode": self.status });
        }
        let told = |(field, rule, says): &(String, String, String)| nested(field, rule, says);
        let errors: Vec<Value> = self.fields.iter().map(told).collect();
        json!({ "message": self.message, "errors": errors })
    }

    fn reason(&self) -> &'static str {
        self.http_status().canonical_reason().unwrap_or("Error")
    }
}

/// A field within another is told as a child of it.
fn nested(field: &str, rule: &str, says: &str) -> Value {
    match field.split_once('.') {
        Some((above, below)) => json!({ "property": above, "children": [nested(below, rule, says)] }),
        None => json!({ "property": field, "constraints": { rule: says } }),
    }
}
