//! Asana: what its API 1.0 takes and says, and how its webhooks read.
//!
//! One method is one HTTP request; budgets, breakers, repeats and what to do next are the caller's. The odd
//! rules here come from the official API description (2026-06-11) and the official guides (2022 to 2026);
//! what no public text settles is read tolerantly and said so.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

use crate::egress::Egress;
use crate::words::Plan;

mod answer;
mod custom_field;
mod error;
mod event;
mod ooo_entry;
mod page;
mod people;
mod project;
mod request;
mod subscription;
mod task;
mod task_change;
#[cfg(test)]
mod tests;
mod time_entry;
mod verdict;
pub mod webhook;

pub use custom_field::{
    CustomField, CustomFieldSetting, EnumOption, FieldContent, FieldSubtype, FieldValue, NumberFormat,
    rounded,
};
pub use error::{CallError, Refusal};
pub use event::{Action, Change, Event, EventPage, Events, Resource, ResourceKind};
pub use ooo_entry::OooEntry;
pub use page::{Offset, Page, Unfit, collect};
pub use people::{User, Workspace};
pub use project::Project;
pub use subscription::{CreatedSubscription, Filter, Subscription, SubscriptionWish};
pub use task::{Membership, Task, TaskSubtype};
pub use task_change::{FieldChange, NewDates, NewDue, NewStart, TaskChange, UnfitDates};
pub use time_entry::TimeEntry;

/// Its key in the catalog.
pub const PROVIDER: &str = "asana";

/// Records on a page. Without a limit some lists are cut or refused, so it is always sent.
pub const PAGE_SIZE: usize = 100;

/// How long a write may take. Creating a webhook includes a call from Asana to us, which may take 10 s.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(45);

/// What a workspace's plan allows one authorisation. No request tells which plan it is.
pub fn requests_per_minute(plan: Plan) -> u32 {
    match plan {
        Plan::Free => 150,
        Plan::Paid => 1500,
    }
}

/// Requests of one authorisation that may be under way at once: GET on one side, all others on the other.
pub const READS_AT_ONCE: u16 = 50;
pub const WRITES_AT_ONCE: u16 = 15;

/// One tenant's Asana, for as long as one piece of work takes. Cheap to make.
pub struct Asana<'a> {
    egress: &'a Egress,
    base: &'a Url,
    token: &'a SecretString,
    write_timeout: Duration,
    newest: Mutex<Option<Exchange>>,
}

/// What may be said in logs and metrics about an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The HTTP status.
    pub status: u16,
    /// Asana's clock when it answered, to the second; ours may differ.
    pub date: Option<DateTime<Utc>>,
}

impl<'a> Asana<'a> {
    /// `base` is the catalog's or, by explicit configuration, a double's.
    pub fn new(egress: &'a Egress, base: &'a Url, token: &'a SecretString) -> Self {
        Self { egress, base, token, write_timeout: WRITE_TIMEOUT, newest: Mutex::new(None) }
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

impl fmt::Debug for Asana<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asana").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}
