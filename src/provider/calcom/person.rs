//! The people of a booking, as the API and the webhooks describe them.

use std::fmt;

use serde_json::Value;

use crate::provider::fields::Fields;

/// Cal.com invents an address for an attendee who has only a phone number.
const PLACEHOLDER_DOMAIN: &str = "@sms.cal.com";

/// Somebody who comes.
#[derive(Clone, PartialEq, Eq)]
pub struct Attendee {
    pub name: Option<String>,
    /// Never one of Cal.com's placeholders, which must match nobody.
    pub email: Option<String>,
    /// As given; of a placeholder address its digits with a plus.
    pub phone: Option<String>,
    /// IANA.
    pub time_zone: Option<String>,
    /// As in `de` or `pt-BR`.
    pub language: Option<String>,
    /// Absent where the sender does not say it.
    pub absent: Option<bool>,
    /// Of seated event types, in answers of the API.
    pub seat_uid: Option<String>,
}

/// Somebody who is visited: a host in the API, the organizer in webhooks.
#[derive(Clone, PartialEq, Eq)]
pub struct Host {
    /// Absent when the user is gone: Cal.com then writes `unknown`.
    pub id: Option<i64>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub username: Option<String>,
    /// IANA.
    pub time_zone: Option<String>,
}

/// Whether an address is Cal.com's stand-in for an attendee without one: `<digits>@sms.cal.com`.
pub fn is_placeholder_email(email: &str) -> bool {
    let folded = email.trim().to_ascii_lowercase();
    folded.ends_with(PLACEHOLDER_DOMAIN)
}

/// The address under which an attendee with this E.164 number and no e-mail is found in lists.
pub fn placeholder_email(phone: &str) -> String {
    phone.replace('+', "") + PLACEHOLDER_DOMAIN
}

fn placeholder_phone(email: &str) -> Option<String> {
    let (local, _) = email.trim().split_once('@')?;
    let is_number = (7..=15).contains(&local.len()) && local.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| format!("+{local}"))
}

impl Attendee {
    pub(super) fn all(list: &[Value]) -> Vec<Self> {
        list.iter().filter_map(Fields::of).map(Self::of).collect()
    }

    fn of(fields: Fields<'_>) -> Self {
        let email = fields.text("email");
        let stand_in = email.as_deref().filter(|email| is_placeholder_email(email));
        let phone = fields.text("phoneNumber").or_else(|| stand_in.and_then(placeholder_phone));
        let language = fields.text("language").or_else(|| fields.object("language")?.text("locale"));
        Self {
            name: fields.text("name"),
            phone,
            time_zone: fields.text("timeZone"),
            language: language.or_else(|| fields.text("locale")),
            absent: fields.flag("absent").or_else(|| fields.flag("noShow")),
            seat_uid: fields.key("seatUid"),
            email: email.filter(|email| !is_placeholder_email(email)),
        }
    }
}

impl Host {
    pub(super) fn all(list: &[Value]) -> Vec<Self> {
        list.iter().filter_map(Fields::of).map(Self::of).collect()
    }

    pub(super) fn of(fields: Fields<'_>) -> Self {
        Self {
            id: fields.int("id"),
            name: fields.text("name"),
            email: fields.text("email"),
            username: fields.text("username"),
            time_zone: fields.text("timeZone"),
        }
    }
}

impl fmt::Debug for Attendee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attendee").field("absent", &self.absent).finish_non_exhaustive()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("id", &self.id).finish_non_exhaustive()
    }
}
