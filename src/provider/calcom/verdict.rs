//! What a failed answer means.
//!
//! Two envelopes are in use: the framework's `{"status":"error","error":{code,message,details}}`, whose
//! `code` is a class name, and the booking engine's bare `{"statusCode":…,"message":…}`. Neither has codes
//! for most refusals, so the message is searched for fragments from the last public source (2026-07).

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::error::{CallError, Refusal};
use crate::egress::Fetched;
use crate::provider::call::{Effect, NoAnswer, block};
use crate::provider::fields::{Fields, is_key};

/// Exceeding a limit blocks the credential for 60 s; the service itself does not say so in a header.
const BLOCK: Duration = Duration::from_secs(60);
const MAX_FIELDS: usize = 20;
const MAX_FIELD_CHARS: usize = 80;

/// Of an answer outside 2xx.
pub(super) fn of(effect: Effect, fetched: &Fetched) -> CallError {
    let status = fetched.status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        return CallError::Throttled { retry_after: block(&fetched.headers, BLOCK) };
    }
    let complaint = Complaint::of(&fetched.body);
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        // Newer host errors are not mapped to a status of their own, but they come before anything is stored.
        return match complaint.as_ref().and_then(Complaint::host_unavailable) {
            Some(refusal) => CallError::Refused(refusal),
            None => CallError::unanswered(effect, NoAnswer::Status(status.as_u16())),
        };
    }
    match complaint {
        Some(complaint) if !complaint.is_about_the_address() => complaint.verdict(status),
        None if status == StatusCode::UNAUTHORIZED => CallError::Credential,
        // A proxy's page, a moved address, or no Cal.com at all: above all not «no such booking».
        _ => CallError::UnexpectedShape { what: "error", may_be_done: false },
    }
}

struct Complaint {
    envelope: Envelope,
    /// The class name, in the framework's envelope.
    code: String,
    message: String,
    /// The message for comparing.
    folded: String,
    fields: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Envelope {
    Framework,
    Engine,
}

impl Complaint {
    fn of(body: &[u8]) -> Option<Self> {
        let root: Value = serde_json::from_slice(body).ok()?;
        let root = Fields::of(&root)?;
        if let Some(error) = root.object("error") {
            let message = message(error).or_else(|| message(error.object("details")?)).unwrap_or_default();
            let code = error.text("code").unwrap_or_default();
            if message.is_empty() && code.is_empty() {
                return None;
            }
            let fields = rejected(error.get("details"), &message);
            return Some(Self::new(Envelope::Framework, code, message, fields));
        }
        root.int("statusCode")?;
        let message = message(root)?;
        let fields = rejected(None, &message);
        Some(Self::new(Envelope::Engine, String::new(), message, fields))
    }

    fn new(envelope: Envelope, code: String, message: String, fields: Vec<String>) -> Self {
        let folded = message.to_lowercase();
        Self { envelope, code, message, folded, fields }
    }

    fn says(&self, fragments: &[&str]) -> bool {
        fragments.iter().any(|fragment| self.folded.contains(fragment))
    }

    /// The router's own answer to a path that does not exist: the instance's URL is wrong.
    fn is_about_the_address(&self) -> bool {
        ["cannot get /", "cannot post /", "cannot patch /", "cannot delete /"]
            .iter()
            .any(|fragment| self.folded.starts_with(fragment))
    }

    fn host_unavailable(&self) -> Option<Refusal> {
        self.says(&["hosts_unavailable_for_booking", "host_unavailable_for_booking"])
            .then_some(Refusal::SlotTaken)
    }

    fn verdict(self, status: StatusCode) -> CallError {
        if let Some(refusal) = self.named() {
            return CallError::Refused(refusal);
        }
        CallError::Refused(match status {
            StatusCode::NOT_FOUND => Refusal::NotFound,
            StatusCode::CONFLICT if self.envelope == Envelope::Framework || self.says(&["already"]) => {
                Refusal::Duplicate
            }
            // Said to whoever cancels a seated booking without being its host.
            StatusCode::UNAUTHORIZED if self.says(&["not a host"]) => Refusal::NotAllowed,
            StatusCode::UNAUTHORIZED => return CallError::Credential,
            StatusCode::FORBIDDEN if self.is_about_a_record() => Refusal::NotAllowed,
            // Guards answer in the framework's envelope; this is the engine's, about the attendee.
            StatusCode::FORBIDDEN if self.envelope == Envelope::Engine && !self.says(&["forbidden"]) => {
                Refusal::AttendeeBlocked
            }
            StatusCode::FORBIDDEN => return CallError::Credential,
            _ if !self.fields.is_empty() => Refusal::Validation { fields: self.fields },
            _ if self.code == "BAD_REQUEST" || self.says(&["request_body_invalid"]) => {
                Refusal::Validation { fields: Vec::new() }
            }
            _ => Refusal::Other { status: status.as_u16() },
        })
    }

    /// A missing scope is the credential's fault, a foreign event type is not.
    fn is_about_a_record(&self) -> bool {
        self.envelope == Envelope::Framework
            && !self.says(&["scope"])
            && self.says(&["event type", "booking", "reservation", "webhook"])
    }

    /// By what the message says, whatever the status: the same refusal changed its status over the releases.
    fn named(&self) -> Option<Refusal> {
        let says = |fragments| self.says(fragments);
        Some(if says(&["booking_conflict_error"]) {
            Refusal::RaceLost
        } else if says(&[
            "already has booking at this time",
            "no_available_users_found_error",
            "hosts_unavailable_for_booking",
            "host_unavailable_for_booking",
            "event is already booked",
            "limit_reached",
        ]) {
            Refusal::SlotTaken
        } else if says(&[
            "can't be booked at the \"start\" time",
            "booking_time_out_of_bounds",
            "meeting in the past",
            "not_allowed_by_restriction_schedule",
        ]) {
            Refusal::OutsideBookingWindow
        } else if says(&["maximum number of active bookings", "booker_limit_exceeded"]) {
            Refusal::AttendeeLimit
        } else if says(&["no more seats left", "booking_seats_full", "not_enough_available_seats"]) {
            Refusal::NoSeats
        } else if says(&["cancelled and rescheduled already"]) {
            Refusal::AlreadyRescheduled { successor: successor(&self.message) }
        } else if says(&[
            "because it has been cancelled",
            "already been cancelled",
            "cancelled_bookings_cannot_be_rescheduled",
        ]) {
            Refusal::AlreadyCancelled
        } else if says(&["already ended"]) {
            Refusal::AlreadyEnded
        } else if says(&["does not allow cancel", "does not allow reschedul"]) {
            Refusal::ChangeDisabled
        } else if says(&["reason is required"]) {
            Refusal::ReasonRequired
        } else if says(&["email_blocked", "email_requires_login", "email has been blocked", "use this email"])
        {
            Refusal::AttendeeBlocked
        } else if says(&["verification"]) {
            Refusal::EmailVerification
        } else if says(&["event_type_no_hosts", "it has no hosts", "without any hosts"]) {
            Refusal::NoHosts
        } else if says(&["already reserved"]) {
            Refusal::ReservationOverlap
        } else {
            return None;
        })
    }
}

/// A text, or the texts of a list.
fn message(fields: Fields<'_>) -> Option<String> {
    fields.text("message").or_else(|| {
        let lines: Vec<&str> = fields.list("message").iter().filter_map(Value::as_str).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    })
}

/// The uid a moved booking got. One cancelled by «request reschedule» has none: `uid=undefined`.
fn successor(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("to booking with uid=")?;
    let uid = rest.split(|c: char| c.is_whitespace()).next()?.trim_end_matches('.');
    (is_key(uid) && !matches!(uid, "undefined" | "null")).then(|| uid.to_owned())
}

/// The fields a validation names: in `details.errors[]`, in a schema checker's paths, or in the message.
fn rejected(details: Option<&Value>, message: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(details) = details {
        let errors = match Fields::of(details) {
            Some(details) => details.list("errors"),
            None => details.as_array().map_or(&[][..], Vec::as_slice),
        };
        for error in errors.iter().filter_map(Fields::of) {
            collect(error, "", 0, &mut found);
        }
    }
    if found.is_empty() {
        found.extend(named_in(message));
    }
    found.retain(|field| !field.is_empty());
    found.truncate(MAX_FIELDS);
    found
}

/// `property` with `children`, as class-validator nests them, or a `path` as zod has it.
fn collect(error: Fields<'_>, above: &str, depth: usize, found: &mut Vec<String>) {
    let own = match error.get("property").and_then(Value::as_str) {
        Some(property) => field_name(property),
        None => {
            let path: Vec<String> = error.list("path").iter().filter_map(step).collect();
            path.join(".")
        }
    };
    let name = if above.is_empty() { own } else { format!("{above}.{own}") };
    let children = error.list("children");
    if children.is_empty() || depth > 3 {
        found.push(name.chars().take(MAX_FIELD_CHARS).collect());
    } else if found.len() < MAX_FIELDS {
        for child in children.iter().filter_map(Fields::of) {
            collect(child, &name, depth + 1, found);
        }
    }
}

fn step(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(field_name(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn named_in(message: &str) -> Option<String> {
    if message.contains("Missing attendee phone number") {
        return Some("attendee.phoneNumber".to_owned());
    }
    if message.contains("'lengthInMinutes'") {
        return Some("lengthInMinutes".to_owned());
    }
    if let Some((_, rest)) = message.split_once("Missing required booking field response: ") {
        return Some(format!("bookingFieldsResponses.{}", field_name(rest)));
    }
    if let Some((_, rest)) = message.split_once("booking field '") {
        return Some(format!("bookingFieldsResponses.{}", field_name(rest)));
    }
    let (before, _) = message.split_once(" property is wrong")?;
    Some(field_name(before.rsplit(char::is_whitespace).next()?))
}

/// The leading part that can be a name; what follows may be a person's data.
fn field_name(text: &str) -> String {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().take_while(is_part).take(MAX_FIELD_CHARS).collect()
}
