//! Users, event types, subscriptions.

use std::str::FromStr as _;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, Body, Refused, done};
use crate::sandbox::calcom::{
    Calcom, Delivery, Error, EventType, EventTypeOptions, Hours, Scope, Trigger, User, Webhook,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    name: String,
    email: String,
    time_zone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEventType {
    user_id: i64,
    slug: String,
    title: String,
    length_minutes: u32,
    #[serde(default)]
    options: EventTypeOptions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    scope: Scope,
    url: String,
    #[serde(default)]
    secret: Option<String>,
    triggers: Vec<Trigger>,
}

pub(super) async fn users(State(calcom): State<Calcom>) -> Json<Vec<User>> {
    Json(calcom.users())
}

pub(super) async fn add_user(State(calcom): State<Calcom>, body: Body<NewUser>) -> Answered<User> {
    let Json(new) = body?;
    let zone = Tz::from_str(&new.time_zone).map_err(|_| Error::Unknown { noun: "time zone" })?;
    Ok(Json(calcom.add_user(&new.name, &new.email, zone)))
}

pub(super) async fn set_hours(
    State(calcom): State<Calcom>,
    Path(id): Path<i64>,
    body: Body<Vec<Hours>>,
) -> Answered<Value> {
    let Json(hours) = body?;
    calcom.set_hours(id, hours)?;
    Ok(done())
}

pub(super) async fn add_key(State(calcom): State<Calcom>, Path(id): Path<i64>) -> Answered<Value> {
    Ok(Json(json!({ "api_key": calcom.add_key(id)? })))
}

pub(super) async fn event_types(State(calcom): State<Calcom>) -> Json<Vec<EventType>> {
    Json(calcom.event_types())
}

pub(super) async fn add_event_type(
    State(calcom): State<Calcom>,
    body: Body<NewEventType>,
) -> Answered<Value> {
    let Json(new) = body?;
    let id = calcom.add_event_type(new.user_id, &new.slug, &new.title, new.length_minutes, new.options)?;
    Ok(Json(json!({ "id": id })))
}

pub(super) async fn webhooks(State(calcom): State<Calcom>) -> Json<Vec<Webhook>> {
    Json(calcom.webhooks())
}

pub(super) async fn subscribe(State(calcom): State<Calcom>, body: Body<NewWebhook>) -> Answered<Webhook> {
    let Json(new) = body?;
    Ok(Json(calcom.subscribe(new.scope, &new.url, new.secret.as_deref(), &new.triggers)?))
}

pub(super) async fn ping(State(calcom): State<Calcom>, Path(id): Path<String>) -> Answered<Delivery> {
    Ok(Json(calcom.ping(&id).await?))
}

/// Under the trigger the body names, if it names one.
pub(super) async fn send(
    State(calcom): State<Calcom>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Delivery>, Refused> {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let trigger = Trigger::deserialize(&said["triggerEvent"]).unwrap_or(Trigger::Ping);
    Ok(Json(calcom.send_raw(&id, trigger, body).await?))
}
