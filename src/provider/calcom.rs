//! Cal.com: what its API v2 takes and says, and how its webhooks read.
//!
//! One method is one HTTP request; budgets, breakers, repeats and what to do next are the caller's. The
//! odd rules here come from the official API description (2026-03-11), the published documentation and the
//! last public source (2026-07). The hosted service may differ, so answers are read tolerantly; their shape
//! is checked all the same, because a missed version header is served an older contract without an error.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::egress::Egress;
use crate::provider::signature::{Hmac, Prefix, Scheme};

mod answer;
mod booking;
mod call;
mod error;
mod event_type;
mod instance;
mod me;
mod new_booking;
mod person;
mod refusal_code;
mod slot;
mod subscription;
#[cfg(test)]
mod tests;
mod verdict;
pub mod webhook;

pub use crate::provider::call::{Class, NoAnswer, Refuses};
pub use booking::{Booking, BookingPage, BookingQuery, BookingStatus, Found, ListStatus, Sort};
pub use error::{CallError, Refusal};
pub use event_type::{BookingField, Confirmation, EventType, Obstacle};
pub use instance::{InstanceError, parse_instance};
pub use me::Me;
pub use new_booking::{LANGUAGES, NewAttendee, NewBooking};
pub use person::{Attendee, Host, is_placeholder_email, placeholder_email};
pub use slot::{Reservation, Slot, SlotQuery, SlotRequest};
pub use subscription::{Subscription, SubscriptionScope, SubscriptionWish};
pub use webhook::SUBSCRIBED_TRIGGERS;

/// Its key in the catalog.
pub const PROVIDER: &str = "calcom";

/// The hosted service. A tenant may name an instance of its own, which has its own ids: an event type or a
/// booking is known by instance and id together.
pub const DEFAULT_INSTANCE: &str = "https://api.cal.com/v2";

/// How deliveries are signed. A subscription without a secret sends the text `no-secret-provided` in place
/// of digits, which is refused like any text of another form.
pub const SCHEME: Scheme = Scheme::Hmac(Hmac::of_body("x-cal-signature-256", Prefix::Nothing));

/// How long a write may take. Cal.com talks to calendars, and in one generation to our own webhook, before
/// it answers; giving up earlier only makes an unknown outcome out of a slow success.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(45);

/// One tenant's Cal.com, for as long as one piece of work takes. Cheap to make.
pub struct Calcom<'a> {
    egress: &'a Egress,
    instance: &'a Url,
    credential: &'a SecretString,
    write_timeout: Duration,
    newest: Mutex<Option<Exchange>>,
}

/// What may be said in logs and metrics about an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The HTTP status.
    pub status: u16,
    /// `X-Request-Id`, by which Cal.com's support finds the request.
    pub request_id: Option<String>,
}

impl<'a> Calcom<'a> {
    /// `instance` is as from [`parse_instance`], `credential` an API key or an OAuth access token.
    pub fn new(egress: &'a Egress, instance: &'a Url, credential: &'a SecretString) -> Self {
        Self { egress, instance, credential, write_timeout: WRITE_TIMEOUT, newest: Mutex::new(None) }
    }

    /// The newest answer that arrived through this value, whatever its status; None before the first, and
    /// after a request without an answer.
    pub fn newest_exchange(&self) -> Option<Exchange> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, exchange: Option<Exchange>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = exchange;
    }
}

impl fmt::Debug for Calcom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calcom").field("host", &self.instance.host_str()).finish_non_exhaustive()
    }
}
