//! What was seen, and what goes wrong.

use axum::Json;
use axum::extract::{Path, State};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answered, Body, done};
use crate::sandbox::calcom::{Calcom, Delivery, Error, Generation, Limits, Recorded, Rule};

#[derive(Serialize)]
pub(super) struct Line {
    id: u64,
    #[serde(flatten)]
    rule: Rule,
}

#[derive(Serialize)]
pub(super) struct Current {
    generation: Generation,
    limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    generation: Option<Generation>,
    limits: Option<Limits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    advance_seconds: u32,
}

pub(super) async fn requests(State(calcom): State<Calcom>) -> Json<Vec<Recorded>> {
    Json(calcom.requests())
}

pub(super) async fn forget_requests(State(calcom): State<Calcom>) -> Json<Value> {
    calcom.forget_requests();
    done()
}

pub(super) async fn deliveries(State(calcom): State<Calcom>) -> Json<Vec<Delivery>> {
    Json(calcom.deliveries())
}

pub(super) async fn forget_deliveries(State(calcom): State<Calcom>) -> Json<Value> {
    calcom.forget_deliveries();
    done()
}

pub(super) async fn again(State(calcom): State<Calcom>, Path(id): Path<u64>) -> Answered<Delivery> {
    Ok(Json(calcom.send_again(id).await?))
}

pub(super) async fn release(State(calcom): State<Calcom>) -> Json<Value> {
    Json(json!({ "released": calcom.release_webhooks().await }))
}

pub(super) async fn faults(State(calcom): State<Calcom>) -> Json<Vec<Line>> {
    Json(calcom.faults().into_iter().map(|(id, rule)| Line { id, rule }).collect())
}

pub(super) async fn add_fault(State(calcom): State<Calcom>, body: Body<Rule>) -> Answered<Value> {
    let Json(rule) = body?;
    Ok(Json(json!({ "id": calcom.add_fault(rule) })))
}

pub(super) async fn clear_faults(State(calcom): State<Calcom>) -> Json<Value> {
    calcom.clear_faults();
    done()
}

pub(super) async fn remove_fault(State(calcom): State<Calcom>, Path(id): Path<u64>) -> Answered<Value> {
    if calcom.remove_fault(id) { Ok(done()) } else { Err(Error::Unknown { noun: "fault" }.into()) }
}

pub(super) async fn settings(State(calcom): State<Calcom>) -> Json<Current> {
    Json(Current { generation: calcom.generation(), limits: calcom.limits() })
}

pub(super) async fn set_settings(state: State<Calcom>, body: Body<Change>) -> Answered<Current> {
    let Json(change) = body?;
    if let Some(generation) = change.generation {
        state.set_generation(generation);
    }
    if let Some(limits) = change.limits {
        state.set_limits(limits);
    }
    Ok(settings(state).await)
}

pub(super) async fn clock(State(calcom): State<Calcom>) -> Json<Value> {
    Json(json!({ "now": calcom.clock().now() }))
}

pub(super) async fn advance(state: State<Calcom>, body: Body<Advance>) -> Answered<Value> {
    let Json(advance) = body?;
    state.clock().advance(TimeDelta::seconds(advance.advance_seconds.into()));
    Ok(clock(state).await)
}
