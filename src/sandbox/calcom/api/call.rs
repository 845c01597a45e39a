//! One request, understood as far as all of them are alike.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::operation::Operation;
use super::{bookings, event_types, list, old, slots, webhooks};
use crate::sandbox::calcom::inner::{Inner, Passage};
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::world::Key;

const VERSIONS: [&str; 5] = ["2024-04-15", "2024-06-11", "2024-06-14", "2024-08-13", "2024-09-04"];

pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) arguments: Vec<String>,
    /// Method and path.
    pub(super) route: String,
    pub(super) version: Option<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) key: Option<Key>,
    pub(super) body: Value,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pub(super) retry_after_seconds: Option<u32>,
}

impl Answer {
    pub(super) fn ok(data: Value) -> Self {
        Self::with(StatusCode::OK, data)
    }

    pub(super) fn created(data: Value) -> Self {
        Self::with(StatusCode::CREATED, data)
    }

    pub(super) fn raw(status: StatusCode, body: Value) -> Self {
        Self { status, body, retry_after_seconds: None }
    }

    fn with(status: StatusCode, data: Value) -> Self {
        Self::raw(status, json!({ "status": "success", "data": data }))
    }
}

impl Call {
    pub(super) async fn perform(
        &self,
        inner: &Arc<Inner>,
        passage: Passage,
        is_stale: bool,
    ) -> Result<Answer, Refusal> {
        if self.key.is_none() && !self.operation.is_public() {
            return Err(Refusal::framework(
                401,
                "ApiAuthStrategy - no authentication provided. Either provide an api key as 'Bearer' \
                 token, or OAuth client credentials as headers",
            ));
        }
        if let Some(version) = self.operation.version()
            && self.version.as_deref() != Some(version)
        {
            return self.perform_old(inner, passage, is_stale).await;
        }
        if !self.operation.changes_bookings() {
            inner.before_applying(passage).await;
        }
        let argument = self.argument(0);
        match self.operation {
            Operation::GetMe => self.me(inner),
            Operation::ListEventTypes => event_types::list(inner, self),
            Operation::GetEventType => event_types::get(inner, self),
            Operation::CreateBooking => bookings::create(inner, self, passage).await,
            Operation::ListBookings => list::list(inner, self, is_stale),
            Operation::GetBooking | Operation::GetBookingBySeat => bookings::get(inner, argument, is_stale),
            Operation::RescheduleBooking => bookings::reschedule(inner, self, passage).await,
            Operation::CancelBooking | Operation::RequestReschedule => {
                bookings::cancel(inner, self, passage).await
            }
            Operation::ConfirmBooking | Operation::DeclineBooking | Operation::MarkAbsent => {
                bookings::decide(inner, self, passage).await
            }
            Operation::ListSlots => slots::list(inner, self),
            Operation::ReserveSlot => slots::reserve(inner, self),
            Operation::GetReservation => slots::get(inner, argument),
            Operation::UpdateReservation => slots::update(inner, self),
            Operation::DeleteReservation => slots::delete(inner, argument),
            _ => webhooks::perform(inner, self),
        }
    }

    /// Without its version header a request meets the contract of 2024-04-15, which says nothing about it.
    async fn perform_old(
        &self,
        inner: &Arc<Inner>,
        passage: Passage,
        is_stale: bool,
    ) -> Result<Answer, Refusal> {
        let is_other = self.version.as_deref().is_some_and(|version| VERSIONS[1..].contains(&version));
        match self.operation {
            Operation::CreateBooking => old::create(inner, self, passage).await,
            Operation::ListBookings => old::list(inner, self, is_stale),
            Operation::GetBooking => old::get(inner, self.argument(0), is_stale),
            Operation::CancelBooking => old::cancel(inner, self, passage).await,
            Operation::ListEventTypes if !is_other => old::event_types(inner, self),
            Operation::GetEventType if !is_other => old::event_type(inner, self),
            _ => Err(Refusal::not_found(format!("Cannot {}", self.route))),
        }
    }

    fn me(&self, inner: &Inner) -> Result<Answer, Refusal> {
        let world = inner.world();
        let user = world.owner(self.user_id()?)?;
        Ok(Answer::ok(json!({
            "id": user.id,
            "username": user.username,
            "email": user.email,
            "name": user.name,
            "avatarUrl": null,
            "bio": null,
            "timeFormat": 24,
            "defaultScheduleId": null,
            "weekStart": "Monday",
            "timeZone": user.time_zone.name(),
            "organizationId": null,
        })))
    }

    pub(super) fn user_id(&self) -> Result<i64, Refusal> {
        self.key.map(|key| key.user_id).ok_or_else(|| Refusal::framework(401, "Unauthorized"))
    }

    pub(super) fn argument(&self, place: usize) -> &str {
        self.arguments.get(place).map_or("", String::as_str)
    }

    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}

/// Whose key it is: `None` without one, a refusal for one that is not known.
pub(super) fn caller(inner: &Inner, headers: &HeaderMap) -> Result<Option<Key>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let key = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
    let known = key.and_then(|key| inner.world().key(key.trim()));
    let unknown = || Refusal::framework(401, "ApiAuthStrategy - api key - Your api key is not valid");
    known.map(Some).ok_or_else(unknown)
}

pub(super) fn version(headers: &HeaderMap) -> Option<String> {
    headers.get("cal-api-version").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_owned().collect()
}
