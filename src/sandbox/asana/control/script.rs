//! What there is, what was seen, and what goes wrong.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answered, Body, done};
use crate::sandbox::asana::{
    Asana, Consent, CustomField, Delivery, Error, Event, Gid, Limits, Recorded, Rule, User, Webhook,
    Workspace,
};

#[derive(Serialize)]
pub(super) struct Line {
    id: u64,
    #[serde(flatten)]
    rule: Rule,
}

#[derive(Serialize)]
pub(super) struct Current {
    limits: Limits,
    consent: Consent,
    rotates_refresh_tokens: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    limits: Option<Limits>,
    consent: Option<Consent>,
    rotates_refresh_tokens: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    advance_seconds: u32,
}

pub(super) async fn users(State(asana): State<Asana>) -> Json<Vec<User>> {
    Json(asana.users())
}

pub(super) async fn add_token(State(asana): State<Asana>, Path(gid): Path<Gid>) -> Json<Value> {
    Json(json!({ "access_token": asana.add_token(gid) }))
}

pub(super) async fn workspaces(State(asana): State<Asana>) -> Json<Vec<Workspace>> {
    Json(asana.workspaces())
}

pub(super) async fn fields(State(asana): State<Asana>) -> Json<Vec<CustomField>> {
    Json(asana.fields())
}

pub(super) async fn webhooks(State(asana): State<Asana>) -> Json<Vec<Webhook>> {
    Json(asana.webhooks())
}

pub(super) async fn drop_webhook(State(asana): State<Asana>, Path(gid): Path<Gid>) -> Answered<Value> {
    if asana.drop_webhook(gid) { Ok(done()) } else { Err(Error::Unknown { noun: "webhook" }.into()) }
}

pub(super) async fn beat(State(asana): State<Asana>, Path(gid): Path<Gid>) -> Json<Value> {
    asana.send_heartbeat(gid).await;
    done()
}

pub(super) async fn send(
    State(asana): State<Asana>,
    Path(gid): Path<Gid>,
    body: Bytes,
) -> Answered<Delivery> {
    Ok(Json(asana.send_raw(gid, body).await?))
}

pub(super) async fn events(State(asana): State<Asana>) -> Json<Vec<Event>> {
    Json(asana.events())
}

pub(super) async fn requests(State(asana): State<Asana>) -> Json<Vec<Recorded>> {
    Json(asana.requests())
}

pub(super) async fn forget_requests(State(asana): State<Asana>) -> Json<Value> {
    asana.forget_requests();
    done()
}

pub(super) async fn counts(State(asana): State<Asana>) -> Json<Value> {
    let told =
        |(operation, count): (crate::sandbox::asana::Operation, u64)| (operation.to_string(), json!(count));
    Json(Value::Object(asana.counts().into_iter().map(told).collect()))
}

pub(super) async fn deliveries(State(asana): State<Asana>) -> Json<Vec<Delivery>> {
    Json(asana.deliveries())
}

pub(super) async fn forget_deliveries(State(asana): State<Asana>) -> Json<Value> {
    asana.forget_deliveries();
    done()
}

pub(super) async fn again(State(asana): State<Asana>, Path(id): Path<u64>) -> Answered<Delivery> {
    Ok(Json(asana.send_again(id).await?))
}

pub(super) async fn release(State(asana): State<Asana>) -> Json<Value> {
    Json(json!({ "released": asana.release_webhooks().await }))
}

pub(super) async fn faults(State(asana): State<Asana>) -> Json<Vec<Line>> {
    Json(asana.faults().into_iter().map(|(id, rule)| Line { id, rule }).collect())
}

pub(super) async fn add_fault(State(asana): State<Asana>, body: Body<Rule>) -> Answered<Value> {
    let Json(rule) = body?;
    Ok(Json(json!({ "id": asana.add_fault(rule) })))
}

pub(super) async fn clear_faults(State(asana): State<Asana>) -> Json<Value> {
    asana.clear_faults();
    done()
}

pub(super) async fn remove_fault(State(asana): State<Asana>, Path(id): Path<u64>) -> Answered<Value> {
    if asana.remove_fault(id) { Ok(done()) } else { Err(Error::Unknown { noun: "fault" }.into()) }
}

pub(super) async fn settings(State(asana): State<Asana>) -> Json<Current> {
    Json(Current {
        limits: asana.limits(),
        consent: asana.inner.consent(),
        rotates_refresh_tokens: asana.inner.rotates_refresh_tokens(),
    })
}

pub(super) async fn set_settings(state: State<Asana>, body: Body<Change>) -> Answered<Current> {
    let Json(change) = body?;
    if let Some(limits) = change.limits {
        state.set_limits(limits);
    }
    if let Some(consent) = change.consent {
        state.set_consent(consent);
    }
    if let Some(rotates) = change.rotates_refresh_tokens {
        state.rotate_refresh_tokens(rotates);
    }
    Ok(settings(state).await)
}

/// As if their hour, and their day, were over.
pub(super) async fn expire(State(asana): State<Asana>) -> Json<Value> {
    asana.expire_access_tokens();
    asana.expire_sync_tokens();
    done()
}

pub(super) async fn clock(State(asana): State<Asana>) -> Json<Value> {
    Json(json!({ "now": asana.clock().now() }))
}

pub(super) async fn advance(state: State<Asana>, body: Body<Advance>) -> Answered<Value> {
    let Json(advance) = body?;
    state.advance(TimeDelta::seconds(advance.advance_seconds.into())).await;
    Ok(clock(state).await)
}
