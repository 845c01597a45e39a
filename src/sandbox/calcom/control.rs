//! The control surface, for people who want to see something happen: everything under `/sandbox`.

use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::handle::Calcom;
use super::{Booking, Error, NewBooking};
use crate::sandbox::control::{Answered, Body, Optional, Refused, done};

mod script;
mod stock;

const HELP: &str = include_str!("control/help.txt");

pub(super) fn routes(calcom: Calcom) -> Router {
    let sandbox = Router::new()
        .route("/", get(async || HELP))
        .route("/bookings", get(bookings).post(book))
        .route("/bookings/{uid}/{verb}", post(act))
        .route("/tick", post(tick))
        .route("/users", get(stock::users).post(stock::add_user))
        .route("/users/{id}/hours", put(stock::set_hours))
        .route("/users/{id}/keys", post(stock::add_key))
        .route("/event-types", get(stock::event_types).post(stock::add_event_type))
        .route("/webhooks", get(stock::webhooks).post(stock::subscribe))
        .route("/webhooks/{id}/ping", post(stock::ping))
        .route("/webhooks/{id}/send", post(stock::send))
        .route("/requests", get(script::requests).delete(script::forget_requests))
        .route("/deliveries", get(script::deliveries).delete(script::forget_deliveries))
        .route("/deliveries/{id}/again", post(script::again))
        .route("/release", post(script::release))
        .route("/faults", get(script::faults).post(script::add_fault).delete(script::clear_faults))
        .route("/faults/{id}", delete(script::remove_fault))
        .route("/settings", get(script::settings).put(script::set_settings))
        .route("/clock", get(script::clock).post(script::advance))
        .fallback(async || Refused::NoRoute);
    Router::new().route("/", get(async || HELP)).nest("/sandbox", sandbox).with_state(calcom)
}

async fn bookings(State(calcom): State<Calcom>) -> Json<Vec<Booking>> {
    Json(calcom.bookings())
}

async fn book(State(calcom): State<Calcom>, body: Body<NewBooking>) -> Answered<Booking> {
    let Json(wish) = body?;
    Ok(Json(calcom.book_as_attendee(wish).await?))
}

/// For a verb's body; each takes what it knows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Act {
    start: Option<DateTime<Utc>>,
    by: By,
    reason: Option<String>,
    email: Option<String>,
    absent: Option<bool>,
    seat_uid: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    #[default]
    Attendee,
    Host,
}

async fn act(
    State(calcom): State<Calcom>,
    Path((uid, verb)): Path<(String, String)>,
    body: Optional<Act>,
) -> Answered<Booking> {
    let act = body?.map(|Json(act)| act).unwrap_or_default();
    let reason = act.reason.as_deref();
    let done = match (verb.as_str(), act.by) {
        ("reschedule", by) => {
            let start = act.start.ok_or(Refused::Missing("start"))?;
            match by {
                By::Attendee => calcom.reschedule_as_attendee(&uid, start).await,
                By::Host => calcom.reschedule_as_host(&uid, start).await,
            }
        }
        ("cancel", by) => match (act.seat_uid, by) {
            (Some(seat_uid), _) => calcom.cancel_seat(&uid, &seat_uid).await,
            (None, By::Attendee) => calcom.cancel_as_attendee(&uid, reason).await,
            (None, By::Host) => calcom.cancel_as_host(&uid, reason).await,
        },
        ("request-reschedule", _) => calcom.request_reschedule(&uid, reason.unwrap_or_default()).await,
        ("confirm", _) => calcom.confirm(&uid).await,
        ("reject", _) => calcom.reject(&uid, reason).await,
        ("pay", _) => calcom.pay(&uid).await,
        ("no-show", By::Host) => calcom.mark_host_absent(&uid).await,
        ("no-show", By::Attendee) => {
            let booker = || calcom.booking(&uid).and_then(|one| Some(one.booker()?.email.clone()));
            let email = act.email.or_else(booker).ok_or(Error::Unknown { noun: "booking" })?;
            calcom.mark_no_show(&uid, &email, act.absent.unwrap_or(true)).await
        }
        ("start-meeting", _) => calcom.start_meeting(&uid).await,
        ("end-meeting", _) => calcom.end_meeting(&uid).await,
        _ => return Err(Refused::NoRoute),
    };
    Ok(Json(done?))
}

/// Books with the first event type there is that takes bookings at once.
async fn tick(State(calcom): State<Calcom>) -> Answered<Option<Booking>> {
    let kinds = calcom.event_types();
    let plain = kinds.iter().find(|kind| !kind.options.requires_confirmation && !kind.options.hidden);
    let Some(kind) = plain else { return Ok(Json(None)) };
    Ok(Json(calcom.invent_booking(kind.id, rand::random()).await?))
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Double(error.http_status(), error.to_string())
    }
}
